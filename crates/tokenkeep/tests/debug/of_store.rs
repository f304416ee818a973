//! tokenkeep-store: what a database is given while it holds a token.

use tokenkeep::PreparedChange;
use tokenkeep_core::{ConnectionId, VaultId};
use tokenkeep_store::{
    AtProvider, AuditChain, Counted, MemoryStore, PausedSince, ProbeLease, PurgeLease, RecordMac, Scan,
    Timestamp, TokenSet, TokenStore,
};
use zeroize::Zeroizing;

use crate::Secrets;
use crate::shown::{Shown, show, show_small};

/// What is in the store, which has a record that holds a token, a trail and a checkpoint.
pub(crate) async fn show(shown: &mut Shown, store: &dyn TokenStore, prepared: &PreparedChange) {
    show!(shown, tokenkeep_store::AuditChain: *prepared.chain());
    show!(shown, tokenkeep_store::Change: *prepared.change());
    let change = prepared.change().record.clone().expect("it changes a record");
    show!(shown, tokenkeep_store::RecordChange: change);
    show!(shown, tokenkeep_store::VaultRecord: store.vault().await.unwrap().unwrap());
    show!(shown, tokenkeep_store::StoredCheckpoint: store.checkpoint().await.unwrap().unwrap());

    let records = store.scan(&Scan::All, None, 10).await.unwrap();
    for record in &records {
        let sealed = record.sealed.clone().expect("it holds a token");
        let at = AtProvider { provider: record.provider.clone(), origin: record.origin.clone() };
        let now = Timestamp::now();
        let (holder, until) = ([7; 16], now);
        let during = now..now;
        show!(shown, tokenkeep_store::Record: *record);
        show!(shown, tokenkeep_store::Sealed: sealed);
        show!(shown, tokenkeep_store::TokenSet: TokenSet::of(record));
        show!(shown, tokenkeep_store::AtProvider: at);
        show!(shown, tokenkeep_store::PausedSince: PausedSince { at: now, id: record.id.clone() });
        show!(shown, tokenkeep_store::ProbeLease: ProbeLease { holder, now, until });
        show!(shown, tokenkeep_store::PurgeLease: PurgeLease { holder, now, until });
        show!(shown, tokenkeep_store::Counted: Counted::PausedDuring(during.clone()), Counted::StillPaused(during));
        let tenant = Some(record.id.tenant().clone());
        show!(
            shown,
            tokenkeep_store::Scan: Scan::Fingerprint { of: sealed.fingerprint, tenant }, Scan::UnderKek(sealed.kek)
        );
    }
    assert!(!records.is_empty());
    let heads = store.audit_heads().await.unwrap();
    for head in heads.iter().filter(|head| head.sequence > 0) {
        show!(shown, tokenkeep_store::AuditHead: *head);
        for entry in store.audit_entries(head.shard, 0, 100).await.unwrap() {
            show!(shown, tokenkeep_store::AuditDraft: entry.draft);
            show!(shown, tokenkeep_store::AuditEntry: entry);
        }
    }
}

/// What holds a key of its own.
pub(crate) async fn show_keys(shown: &mut Shown, secrets: &Secrets, memory: &MemoryStore) {
    let key = || Zeroizing::new(secrets.key);
    show!(shown, tokenkeep_store::RecordMac: RecordMac::new(key()));
    let chain = AuditChain::new(VaultId::from_bytes([7; 16]), key());
    show!(shown, tokenkeep_store::AuditChain: chain, chain.for_commit());
    let id = ConnectionId::new("customer-17", "apify").unwrap();
    assert!(memory.record(&id).await.unwrap().is_some_and(|record| record.sealed.is_some()));
    show!(shown, tokenkeep_store::MemoryStore: *memory);
    show_small!(
        shown,
        tokenkeep_store::Action,
        tokenkeep_store::Expected,
        tokenkeep_store::KekClosure,
        tokenkeep_store::Purge,
        tokenkeep_store::Scrub,
        tokenkeep_store::Status,
        tokenkeep_store::Timestamp,
    );
}
