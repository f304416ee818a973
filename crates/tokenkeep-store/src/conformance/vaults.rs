//! Rules about whose database it is.

use tokenkeep_core::{Error, ErrorKind, VaultId, VaultKeyPurpose};

use super::{
    at_once, commit, commit_of, reads_back, rule, sample_chain_of, sample_change, sample_id, sample_record,
    sample_use, snapshot, trail,
};
use crate::{AuditHead, Scan, TokenStore, VaultRecord, shard_of};

/// Of several that make the vault at once, one wins, and all are given that one; it comes back as it was written.
///
/// # Panics
/// When the store breaks the rule.
pub async fn one_vault_wins(store: &dyn TokenStore) {
    const RULE: &str = "one_vault_wins";
    let absent = store.vault().await;
    rule!(RULE, matches!(absent, Ok(None)), "an empty store has a vault: {absent:?}");
    let offered: Vec<VaultRecord> = (1..=5).map(sample_vault).collect();
    let got = at_once(offered.iter().map(|vault| store.init_vault(vault))).await;
    let winner = store.vault().await;
    let Ok(Some(winner)) = winner else { panic!("{RULE}: no vault was made: {winner:?}") };
    rule!(RULE, offered.contains(&winner), "the vault is none of those that were offered");
    for vault in got {
        rule!(RULE, vault.as_ref().ok() == Some(&winner), "one was given another vault: {vault:?}");
    }
    for change in [
        sample_use(&sample_id("tenant", "name")),
        sample_change(&sample_record(&sample_id("tenant", "name"), 1), None),
    ] {
        let late = store.init_vault(&sample_vault(6)).await;
        rule!(RULE, late.as_ref().ok() == Some(&winner), "a vault took another one's place: {late:?}");
        commit_of(RULE, store, &[change], &sample_chain_of(winner.id)).await;
    }
    let late = store.init_vault(&sample_vault(6)).await;
    rule!(RULE, late.as_ref().ok() == Some(&winner), "with records in it the vault is another: {late:?}");
}

/// Where there are records or audit entries and no vault, none is made.
///
/// # Panics
/// When the store breaks the rule.
pub async fn lost_vaults_are_not_replaced(store: &dyn TokenStore) {
    const RULE: &str = "lost_vaults_are_not_replaced";
    let id = sample_id("tenant", "name");
    for (what, change) in
        [("an entry", sample_use(&id)), ("a record", sample_change(&sample_record(&id, 1), None))]
    {
        commit(RULE, store, &[change]).await;
        let before = snapshot(RULE, store).await;
        let made = store.init_vault(&sample_vault(1)).await;
        let unusable = matches!(&made, Err(error) if error.kind() == ErrorKind::StoreUnusable);
        rule!(RULE, unusable, "a vault over {what} was not refused with StoreUnusable: {made:?}");
        let vault = store.vault().await;
        rule!(RULE, matches!(vault, Ok(None)), "a refused vault was made: {vault:?}");
        rule!(RULE, snapshot(RULE, store).await == before, "a refused vault changed what was there");
    }
}

pub(super) fn sample_vault(seed: u8) -> VaultRecord {
    // Not in the order of their names: the order is kept as well.
    let purposes = [VaultKeyPurpose::RecordMac, VaultKeyPurpose::Fingerprint, VaultKeyPurpose::AuditMac];
    let keys = purposes.into_iter().zip(1..).map(|(purpose, n)| (purpose, vec![seed; usize::from(seed) * n]));
    VaultRecord { id: VaultId::from_bytes([seed; 16]), keys: keys.collect() }
}

/// Where there is a vault, a commit with another one's chain is refused with `StoreUnusable`, be it a use, one change or several,
/// and be its expectation met or not; it leaves nothing behind.
///
/// # Panics
/// When the store breaks the rule.
pub async fn other_vaults_are_refused(store: &dyn TokenStore) {
    const RULE: &str = "other_vaults_are_refused";
    let made = store.init_vault(&sample_vault(1)).await;
    rule!(RULE, made.is_ok(), "a vault can't be made: {made:?}");
    let (own, other) = (sample_vault(1).id, sample_vault(2).id);
    let (id, beside) = (sample_id("tenant", "name"), sample_id("beside", "name"));
    let first = sample_record(&id, 1);
    commit_of(RULE, store, &[sample_change(&first, None)], &sample_chain_of(own)).await;
    let before = snapshot(RULE, store).await;
    let next = sample_change(&sample_record(&id, 2), Some(1));
    let stale = sample_change(&sample_record(&id, 2), Some(7));
    let new = sample_change(&sample_record(&beside, 1), None);
    for changes in [
        vec![sample_use(&id)],
        vec![next.clone()],
        vec![stale.clone()],
        vec![new.clone()],
        vec![new.clone(), next],
        vec![sample_use(&id), stale],
    ] {
        let refused =
            |done: &Result<(), Error>| matches!(done, Err(error) if error.kind() == ErrorKind::StoreUnusable);
        let done = store.commit(&changes, &sample_chain_of(other)).await;
        rule!(RULE, refused(&done), "another vault's change was not refused with StoreUnusable: {done:?}");
        let done = store.commit_and_scan(&changes, &sample_chain_of(other), &Scan::All, 1).await.map(drop);
        rule!(RULE, refused(&done), "with a scan it was not refused with StoreUnusable: {done:?}");
        rule!(RULE, snapshot(RULE, store).await == before, "what was refused left something behind");
    }
    // Its own vault's go on as before, on one chain.
    commit_of(RULE, store, &[new, sample_use(&id)], &sample_chain_of(own)).await;
    reads_back(RULE, store, &sample_record(&beside, 1)).await;
    let shard = shard_of(id.tenant());
    let mut head = AuditHead::empty(shard);
    for entry in trail::of_shard(RULE, store, shard, 10).await {
        rule!(RULE, sample_chain_of(own).follows(&head, &entry), "the trail is broken");
        head = entry.head();
    }
}
