//! The reference keeps the contract, and a store that breaks it is named.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokenkeep_core::{ConnectionId, Error, ErrorKind, KekId};
use tokenkeep_store::conformance::{run_all, sample_change, sample_id, sample_record};
use tokenkeep_store::{
    AuditChain, AuditEntry, AuditHead, Change, Expected, MemoryStore, PurgeLease, Record, Scan, Scrub,
    Status, StoredCheckpoint, Timestamp, TokenSet, TokenStore, VaultRecord,
};

#[tokio::test]
async fn the_reference_conforms() {
    run_all(async || Box::new(MemoryStore::new()) as Box<dyn TokenStore>).await;
}

#[tokio::test]
async fn boxes_and_arcs_forward() {
    run_all(async || Box::new(Arc::new(MemoryStore::new())) as Box<dyn TokenStore>).await;
    run_all(async || {
        let inner: Box<dyn TokenStore> = Box::new(MemoryStore::new());
        Box::new(inner) as Box<dyn TokenStore>
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_reference_has_one_winner_over_threads_too() {
    let store = Arc::new(MemoryStore::new());
    let id = sample_id("tenant", "name");
    for revision in 1..20 {
        let rivals: Vec<_> = (0..8_u8)
            .map(|rival| {
                let store = Arc::clone(&store);
                let mut record = sample_record(&id, revision);
                record.mac = [rival; 32];
                let change = sample_change(&record, (revision > 1).then_some(revision - 1));
                tokio::spawn(async move {
                    store.commit(&[change], &tokenkeep_store::conformance::sample_chain()).await.is_ok()
                })
            })
            .collect();
        let mut winners = 0;
        for rival in rivals {
            winners += usize::from(rival.await.unwrap());
        }
        assert_eq!(winners, 1);
    }
}

/// Ways to break the contract, and the rule that must name each.
#[derive(Debug, Clone, Copy)]
enum Flaw {
    NoneAtAll,
    IgnoresWhatIsExpected,
    LooksAndThenWrites,
    ReplacesTombstones,
    CommitsOneByOne,
    ForgetsUses,
    ScansByLengthOfName,
    BeginsAtAndNotBehind,
    IgnoresTheLimit,
    IgnoresCase,
    DropsTheExpiry,
    ClosesNothing,
    ClosesWhatStays,
    ComparesKeksAlone,
    TakesEachVault,
    BuriesLostVaults,
    CutsCounters,
    ForgetsRecordMacs,
    ForgetsTheHeads,
    TakesEachCheckpoint,
    LooksAndThenPuts,
    KeepsTheFirstCheckpoint,
    AgesByTimeAlone,
    AgesTombstones,
    FindsWhatBeginsAlike,
    LeasesToAll,
    LeasesForEver,
    ReadsAnotherTogether,
    ScansBeforeItCommits,
}

const FLAWS: [(Flaw, &str); 28] = [
    (Flaw::IgnoresWhatIsExpected, "absent_means_no_record"),
    (Flaw::LooksAndThenWrites, "one_winner_per_revision"),
    (Flaw::ReplacesTombstones, "absent_means_no_record"),
    (Flaw::CommitsOneByOne, "commits_are_whole"),
    (Flaw::ForgetsUses, "changes_see_those_before_them"),
    (Flaw::ScansByLengthOfName, "scans_are_in_order"),
    (Flaw::BeginsAtAndNotBehind, "stands behind"),
    (Flaw::IgnoresTheLimit, "a page of"),
    (Flaw::IgnoresCase, "records_come_back_as_written"),
    (Flaw::DropsTheExpiry, "records_come_back_as_written"),
    (Flaw::ClosesNothing, "closed_keks_are_refused"),
    (Flaw::ClosesWhatStays, "closed_keks_keep_what_is_in_place"),
    (Flaw::ComparesKeksAlone, "closed_keks_are_refused"),
    (Flaw::TakesEachVault, "one_vault_wins"),
    (Flaw::BuriesLostVaults, "lost_vaults_are_not_replaced"),
    (Flaw::CutsCounters, "large_numbers_are_kept"),
    (Flaw::ForgetsRecordMacs, "large_numbers_are_kept"),
    (Flaw::ForgetsTheHeads, "commits_are_whole"),
    (Flaw::TakesEachCheckpoint, "checkpoints_replace_the_one_before"),
    (Flaw::LooksAndThenPuts, "checkpoints_have_one_winner"),
    (Flaw::KeepsTheFirstCheckpoint, "checkpoints_replace_the_one_before"),
    (Flaw::FindsWhatBeginsAlike, "fingerprints_are_found"),
    (Flaw::LeasesToAll, "purge_leases_have_one_holder"),
    (Flaw::LeasesForEver, "without an end"),
    (Flaw::AgesByTimeAlone, "ages_are_in_order"),
    (Flaw::AgesTombstones, "ages_are_in_order"),
    (Flaw::ReadsAnotherTogether, "another record"),
    (Flaw::ScansBeforeItCommits, "does not see the commit"),
];

#[derive(Debug)]
struct Flawed {
    flaw: Flaw,
    inner: MemoryStore,
    /// For those flaws that need a state of their own.
    closed: Mutex<Vec<KekId>>,
    vault: Mutex<Option<VaultRecord>>,
    checkpoint: Mutex<Option<StoredCheckpoint>>,
    lease: Mutex<Option<(ConnectionId, PurgeLease)>>,
}

impl Flawed {
    fn new(flaw: Flaw) -> Self {
        Self {
            flaw,
            inner: MemoryStore::new(),
            closed: Mutex::default(),
            vault: Mutex::default(),
            checkpoint: Mutex::default(),
            lease: Mutex::default(),
        }
    }

    async fn present(&self, change: &Change) -> Option<Record> {
        let id = &change.record.as_ref()?.record.id;
        self.inner.record(id).await.ok().flatten()
    }

    /// The same change as one that expects what is there.
    async fn forced(&self, change: &Change) -> Change {
        let mut forced = change.clone();
        let present = self.present(change).await;
        if let Some(change) = &mut forced.record {
            change.expected =
                present.map_or(Expected::Absent, |present| Expected::Revision(present.revision));
        }
        forced
    }

    async fn is_met(&self, change: &Change) -> bool {
        let present = self.present(change).await.map(|present| present.revision);
        match change.record.as_ref().map(|change| change.expected) {
            None => true,
            Some(Expected::Absent) => present.is_none(),
            Some(Expected::Revision(revision)) => present == Some(revision),
        }
    }
}

#[async_trait]
impl TokenStore for Flawed {
    async fn vault(&self) -> Result<Option<VaultRecord>, Error> {
        match self.flaw {
            Flaw::BuriesLostVaults => Ok(self.vault.lock().unwrap().clone()),
            _ => self.inner.vault().await,
        }
    }

    async fn init_vault(&self, vault: &VaultRecord) -> Result<VaultRecord, Error> {
        if matches!(self.flaw, Flaw::BuriesLostVaults) {
            return Ok(self.vault.lock().unwrap().get_or_insert_with(|| vault.clone()).clone());
        }
        let made = self.inner.init_vault(vault).await?;
        Ok(if matches!(self.flaw, Flaw::TakesEachVault) { vault.clone() } else { made })
    }

    async fn record(&self, id: &ConnectionId) -> Result<Option<Record>, Error> {
        let mut found = self.inner.record(id).await?;
        match self.flaw {
            Flaw::DropsTheExpiry => found.iter_mut().for_each(|record| record.expires_at = None),
            Flaw::IgnoresCase if found.is_none() => {
                let all = self.inner.scan(&Scan::All, None, u32::MAX).await?;
                let same = |other: &Record| other.id.to_string().eq_ignore_ascii_case(&id.to_string());
                found = all.into_iter().find(same);
            }
            _ => {}
        }
        Ok(found)
    }

    async fn scan(
        &self,
        scan: &Scan,
        after: Option<&ConnectionId>,
        limit: u32,
    ) -> Result<Vec<Record>, Error> {
        match self.flaw {
            Flaw::ScansByLengthOfName => {
                let mut all = self.inner.scan(scan, None, u32::MAX).await?;
                all.sort_by_key(|record| (record.id.to_string().len(), record.id.clone()));
                let from = after.and_then(|after| all.iter().position(|record| record.id == *after));
                Ok(all.into_iter().skip(from.map_or(0, |at| at + 1)).take(limit as usize).collect())
            }
            Flaw::BeginsAtAndNotBehind => {
                let mut all = self.inner.scan(scan, None, u32::MAX).await?;
                all.retain(|record| after.is_none_or(|after| record.id >= *after));
                all.truncate(limit as usize);
                Ok(all)
            }
            Flaw::FindsWhatBeginsAlike => {
                let Scan::Fingerprint { of, tenant } = scan else {
                    return self.inner.scan(scan, after, limit).await;
                };
                let mut all = self.inner.scan(&Scan::All, after, u32::MAX).await?;
                all.retain(|record| {
                    tenant.as_ref().is_none_or(|tenant| record.id.tenant() == tenant)
                        && record.sealed.as_ref().is_some_and(|sealed| sealed.fingerprint[..8] == of[..8])
                });
                all.truncate(limit as usize);
                Ok(all)
            }
            Flaw::IgnoresTheLimit => self.inner.scan(scan, after, u32::MAX).await,
            _ => self.inner.scan(scan, after, limit).await,
        }
    }

    async fn tokens_set(
        &self,
        during: Range<Timestamp>,
        after: Option<&TokenSet>,
        limit: u32,
    ) -> Result<Vec<Record>, Error> {
        match self.flaw {
            // The cursor that a plain `token_set_at > ?` would be.
            Flaw::AgesByTimeAlone => {
                let mut found = self.inner.tokens_set(during, None, u32::MAX).await?;
                found.retain(|record| after.is_none_or(|after| record.token_set_at > after.at));
                found.truncate(limit as usize);
                Ok(found)
            }
            Flaw::AgesTombstones => {
                let mut found = self.inner.scan(&Scan::All, None, u32::MAX).await?;
                found.retain(|record| during.contains(&record.token_set_at));
                found.retain(|record| after.is_none_or(|after| TokenSet::of(record) > *after));
                found.sort_by_key(TokenSet::of);
                found.truncate(limit as usize);
                Ok(found)
            }
            _ => self.inner.tokens_set(during, after, limit).await,
        }
    }

    async fn commit(&self, changes: &[Change], chain: &AuditChain) -> Result<(), Error> {
        let mut made = Vec::new();
        match self.flaw {
            Flaw::IgnoresWhatIsExpected => {
                for change in changes {
                    self.inner.commit(&[self.forced(change).await], chain).await?;
                }
                return Ok(());
            }
            Flaw::LooksAndThenWrites if changes.len() == 1 => {
                if !self.is_met(&changes[0]).await {
                    return self.inner.commit(changes, chain).await;
                }
                tokio::task::yield_now().await;
                made.push(self.forced(&changes[0]).await);
            }
            Flaw::ReplacesTombstones => {
                for change in changes {
                    let gone = |record: &Record| record.status == Status::Disconnected;
                    let absent =
                        change.record.as_ref().is_some_and(|change| change.expected == Expected::Absent);
                    let forced = absent && self.present(change).await.as_ref().is_some_and(gone);
                    made.push(if forced { self.forced(change).await } else { change.clone() });
                }
            }
            Flaw::CommitsOneByOne => {
                for change in changes {
                    self.inner.commit(std::slice::from_ref(change), chain).await?;
                }
                return Ok(());
            }
            Flaw::ForgetsUses => {
                made.extend(changes.iter().filter(|change| change.record.is_some()).cloned());
            }
            Flaw::ClosesWhatStays | Flaw::ComparesKeksAlone => {
                for change in changes.iter().filter(|change| change.record.is_some()) {
                    let kek = |record: &Record| record.sealed.as_ref().map(|sealed| sealed.kek);
                    let named = change.record.as_ref().and_then(|change| kek(&change.record));
                    let closed = named.is_some_and(|named| self.closed.lock().unwrap().contains(&named));
                    let stays = matches!(self.flaw, Flaw::ComparesKeksAlone)
                        && self.present(change).await.as_ref().and_then(kek) == named;
                    if closed && !stays {
                        return Err(ErrorKind::Conflict.into());
                    }
                }
                return self.inner.commit(changes, chain).await;
            }
            Flaw::ForgetsRecordMacs => {
                made.extend_from_slice(changes);
                made.iter_mut().for_each(|change| change.entry.record_mac = None);
            }
            Flaw::CutsCounters => {
                made.extend_from_slice(changes);
                made.iter_mut().for_each(|change| change.entry.count &= u64::from(u32::MAX));
            }
            _ => return self.inner.commit(changes, chain).await,
        }
        self.inner.commit(&made, chain).await
    }

    async fn lease_purge(&self, id: &ConnectionId, lease: &PurgeLease) -> Result<bool, Error> {
        let mut lease = *lease;
        match self.flaw {
            Flaw::LeasesToAll => lease.holder = [0; 16],
            Flaw::LeasesForEver => {
                let held = self.lease.lock().unwrap().clone();
                let another = held
                    .filter(|(of, held)| of == id && held.holder != lease.holder && held.until > lease.now);
                if another.is_some() {
                    return Ok(false);
                }
            }
            _ => {}
        }
        let leased = self.inner.lease_purge(id, &lease).await?;
        if leased {
            *self.lease.lock().unwrap() = Some((id.clone(), lease));
        }
        Ok(leased)
    }

    async fn record_and_scan(
        &self,
        id: &ConnectionId,
        scan: &Scan,
        limit: u32,
    ) -> Result<(Option<Record>, Vec<Record>), Error> {
        let page = self.scan(scan, None, limit).await?;
        if matches!(self.flaw, Flaw::ReadsAnotherTogether) && !page.is_empty() {
            return Ok((page.first().cloned(), page));
        }
        Ok((self.record(id).await?, page))
    }

    async fn commit_and_scan(
        &self,
        changes: &[Change],
        chain: &AuditChain,
        scan: &Scan,
        limit: u32,
    ) -> Result<Result<Vec<Record>, Error>, Error> {
        let before = self.scan(scan, None, limit).await;
        self.commit(changes, chain).await?;
        if matches!(self.flaw, Flaw::ScansBeforeItCommits) {
            return Ok(before);
        }
        Ok(self.scan(scan, None, limit).await)
    }

    async fn close_kek(&self, kek: &KekId) -> Result<(), Error> {
        match self.flaw {
            Flaw::ClosesNothing => Ok(()),
            Flaw::ClosesWhatStays | Flaw::ComparesKeksAlone => {
                self.closed.lock().unwrap().push(*kek);
                Ok(())
            }
            _ => self.inner.close_kek(kek).await,
        }
    }

    async fn audit_heads(&self) -> Result<Vec<AuditHead>, Error> {
        let heads = self.inner.audit_heads().await?;
        let forget = matches!(self.flaw, Flaw::ForgetsTheHeads);
        Ok(heads.into_iter().map(|head| if forget { AuditHead::empty(head.shard) } else { head }).collect())
    }

    async fn audit_entries(&self, shard: u16, after: u64, limit: u32) -> Result<Vec<AuditEntry>, Error> {
        self.inner.audit_entries(shard, after, limit).await
    }

    async fn checkpoint(&self) -> Result<Option<StoredCheckpoint>, Error> {
        match self.flaw {
            Flaw::TakesEachCheckpoint | Flaw::LooksAndThenPuts | Flaw::KeepsTheFirstCheckpoint => {
                Ok(self.checkpoint.lock().unwrap().clone())
            }
            _ => self.inner.checkpoint().await,
        }
    }

    async fn put_checkpoint(&self, checkpoint: &StoredCheckpoint) -> Result<(), Error> {
        let last = self.checkpoint.lock().unwrap().as_ref().map_or(0, |last| last.number);
        let next = last.checked_add(1) == Some(checkpoint.number);
        match self.flaw {
            Flaw::TakesEachCheckpoint => {}
            Flaw::LooksAndThenPuts => {
                tokio::task::yield_now().await;
                if !next {
                    return Err(ErrorKind::Conflict.into());
                }
            }
            Flaw::KeepsTheFirstCheckpoint => {
                self.checkpoint.lock().unwrap().get_or_insert_with(|| checkpoint.clone());
                return if next { Ok(()) } else { Err(ErrorKind::Conflict.into()) };
            }
            _ => return self.inner.put_checkpoint(checkpoint).await,
        }
        *self.checkpoint.lock().unwrap() = Some(checkpoint.clone());
        Ok(())
    }

    async fn writable(&self) -> Result<(), Error> {
        Ok(())
    }

    async fn scrub(&self) -> Result<Scrub, Error> {
        self.inner.scrub().await
    }
}

fn verdict(flaw: Flaw) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let fresh = async || Box::new(Flawed::new(flaw)) as Box<dyn TokenStore>;
    catch_unwind(AssertUnwindSafe(|| runtime.block_on(run_all(fresh)))).map_err(|panic| {
        panic.downcast::<String>().map_or_else(|_| "a panic without a text".to_owned(), |text| *text)
    })
}

#[test]
fn a_broken_store_is_named() {
    assert_eq!(verdict(Flaw::NoneAtAll), Ok(()));
    for (flaw, rule) in FLAWS {
        let said = verdict(flaw).expect_err(&format!("{flaw:?} passed the suite"));
        assert!(said.contains(rule), "{flaw:?} should break {rule}, but: {said}");
    }
}
