//! How they do all else.

use std::ops::{Range, RangeInclusive};

use async_trait::async_trait;
use tokenkeep_core::{ConnectionId, Error, ErrorKind, KekId};
use tokenkeep_store::{
    AtProvider, AuditChain, AuditEntry, AuditHead, Change, Counted, KekClosure, PausedRecord, ProbeLease,
    ProbeTurn, PurgeLease, Record, Scan, Scrub, Status, StoredCheckpoint, Timestamp, TokenSet, TokenStore,
    VaultRecord,
};

use super::{Flaw, Flawed};

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
            Flaw::AgesByTheLastChange => {
                let mut found = self.inner.tokens_set(during, None, u32::MAX).await?;
                let place = |record: &Record| TokenSet { at: record.updated_at, id: record.id.clone() };
                found.sort_by_key(place);
                let from = after.and_then(|after| found.iter().position(|record| record.id == after.id));
                Ok(found.into_iter().skip(from.map_or(0, |at| at + 1)).take(limit as usize).collect())
            }
            _ => self.inner.tokens_set(during, after, limit).await,
        }
    }

    async fn commit(&self, changes: &[Change], chain: &AuditChain) -> Result<(), Error> {
        self.commit_wrongly(changes, chain).await
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

    async fn paused(
        &self,
        at: &AtProvider,
        due: RangeInclusive<Timestamp>,
        after: Option<&ProbeTurn>,
        limit: u32,
    ) -> Result<Vec<PausedRecord>, Error> {
        match self.flaw {
            // The cursor that a plain `due > ?` would be.
            Flaw::PausedByTimeAlone => {
                let mut found = self.inner.paused(at, due, None, u32::MAX).await?;
                found.retain(|paused| after.is_none_or(|after| paused.due > after.due));
                found.truncate(limit as usize);
                Ok(found)
            }
            Flaw::PausesTheResumed => {
                let mut found = self.inner.paused(at, due.clone(), None, u32::MAX).await?;
                for record in self.inner.scan(&Scan::All, None, u32::MAX).await? {
                    if at.has(&record) && record.sealed.is_some() && record.status != Status::Paused {
                        found.push(PausedRecord { record, due: *due.end() });
                    }
                }
                found.retain(|paused| after.is_none_or(|after| paused.turn() > *after));
                found.sort_by_key(PausedRecord::turn);
                found.truncate(limit as usize);
                Ok(found)
            }
            // As it was once.
            Flaw::ListsBySincePaused => {
                let mut found = self.inner.paused(at, due, None, u32::MAX).await?;
                found.sort_by_key(|paused| (paused.record.paused_at, paused.record.id.clone()));
                let from =
                    after.and_then(|after| found.iter().position(|paused| paused.record.id == after.id));
                Ok(found.into_iter().skip(from.map_or(0, |at| at + 1)).take(limit as usize).collect())
            }
            Flaw::ListsWhatIsNotDue => {
                let (from, to) = (Timestamp::from_millis(i64::MIN), Timestamp::from_millis(i64::MAX));
                self.inner.paused(at, from..=to, after, limit).await
            }
            Flaw::MixesOrigins => {
                let mut found = Vec::new();
                for record in self.inner.scan(&Scan::All, None, u32::MAX).await? {
                    let other =
                        AtProvider { provider: record.provider.clone(), origin: record.origin.clone() };
                    if other.provider == at.provider {
                        found.extend(self.inner.paused(&other, due.clone(), after, u32::MAX).await?);
                    }
                }
                found.sort_by_key(PausedRecord::turn);
                found.dedup();
                found.truncate(limit as usize);
                Ok(found)
            }
            _ => self.inner.paused(at, due, after, limit).await,
        }
    }

    async fn count(&self, at: &AtProvider, which: &Counted, limit: u32) -> Result<u32, Error> {
        match (self.flaw, which) {
            (Flaw::CountsWithoutALimit, _) => self.inner.count(at, which, u32::MAX).await,
            (Flaw::CountsTheResumed, Counted::StillPaused(time)) => {
                self.inner.count(at, &Counted::PausedDuring(time.clone()), limit).await
            }
            (Flaw::ForgetsTheResumed, Counted::PausedDuring(time)) => {
                self.inner.count(at, &Counted::StillPaused(time.clone()), limit).await
            }
            (Flaw::CountsRecordsForTokens, Counted::StillPaused(time)) => {
                let all = self.inner.scan(&Scan::All, None, u32::MAX).await?;
                let meant = all.iter().filter(|record| at.has(record) && record.status == Status::Paused);
                let during = meant.filter(|record| record.paused_at.is_some_and(|at| time.contains(&at)));
                Ok(u32::try_from(during.take(limit as usize).count()).unwrap_or(limit))
            }
            _ => self.inner.count(at, which, limit).await,
        }
    }

    async fn lease_probe(&self, id: &ConnectionId, lease: &ProbeLease) -> Result<bool, Error> {
        match self.flaw {
            Flaw::ProbesByAll => self.inner.lease_probe(id, &ProbeLease { holder: [0; 16], ..*lease }).await,
            Flaw::LeasesProbesOnTheHooks => {
                let (holder, now, until) = (lease.holder, lease.now, lease.until);
                self.inner.lease_purge(id, &PurgeLease { holder, now, until }).await
            }
            Flaw::LeasesProbesOfAnyToken => {
                let held = self.inner.record(id).await?.filter(Record::is_live);
                let Some(held) = held else { return Ok(false) };
                let lease = ProbeLease {
                    incarnation: held.incarnation,
                    secret_version: held.secret_version,
                    ..*lease
                };
                self.inner.lease_probe(id, &lease).await
            }
            Flaw::KeepsProbesOfFormerTokens | Flaw::LeasesProbesForEver => {
                let held = *self.probe.lock().unwrap();
                let bars = |held: &ProbeLease| match self.flaw {
                    Flaw::KeepsProbesOfFormerTokens => lease.is_barred_by(&held.holder, held.until),
                    _ => held.holder != lease.holder && held.until > lease.now,
                };
                if held.as_ref().is_some_and(bars) {
                    return Ok(false);
                }
                *self.probe.lock().unwrap() = Some(*lease);
                self.inner.lease_probe(id, lease).await
            }
            _ => self.inner.lease_probe(id, lease).await,
        }
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

    async fn scan_each(&self, scans: &[Scan], limit: u32) -> Result<Vec<Vec<Record>>, Error> {
        let mut pages = self.inner.scan_each(scans, limit).await?;
        if matches!(self.flaw, Flaw::GivesPagesInAnotherOrder) {
            pages.reverse();
        }
        Ok(pages)
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

    async fn rewrap_vault(
        &self,
        before: &VaultRecord,
        after: &VaultRecord,
        kek: &KekId,
    ) -> Result<(), Error> {
        let there = self.inner.vault().await?;
        match (self.flaw, &there) {
            (Flaw::RewrapsBlindly, Some(there)) => self.inner.rewrap_vault(there, after, kek).await,
            (Flaw::RewrapsUnderClosed, _) => {
                let fresh = KekId::random().unwrap();
                self.inner.rewrap_vault(before, after, &fresh).await
            }
            _ => self.inner.rewrap_vault(before, after, kek).await,
        }
    }

    async fn close_kek(&self, kek: &KekId, now: Timestamp) -> Result<KekClosure, Error> {
        match self.flaw {
            Flaw::ClosesNothing => Ok(KekClosure { closed_at: now, drained_at: None }),
            Flaw::ClosesWhatStays | Flaw::ComparesKeksAlone => {
                self.closed.lock().unwrap().push(*kek);
                Ok(KekClosure { closed_at: now, drained_at: None })
            }
            Flaw::ForgetsWhenItClosed => {
                self.inner.close_kek(kek, now).await.map(|known| KekClosure { closed_at: now, ..known })
            }
            _ => self.inner.close_kek(kek, now).await,
        }
    }

    async fn kek_closure(&self, kek: &KekId) -> Result<Option<KekClosure>, Error> {
        self.inner.kek_closure(kek).await
    }

    async fn note_drained(&self, kek: &KekId, now: Option<Timestamp>) -> Result<KekClosure, Error> {
        match self.flaw {
            Flaw::NotesDrainedAnew => self.inner.note_drained(kek, None).await.map(drop)?,
            Flaw::NotesOfAnyKek => self.inner.close_kek(kek, Timestamp::from_millis(0)).await.map(drop)?,
            Flaw::ForgetsNothing if now.is_none() => {
                return self.inner.note_drained(kek, Some(Timestamp::from_millis(0))).await;
            }
            _ => {}
        }
        self.inner.note_drained(kek, now).await
    }

    async fn audit_heads(&self) -> Result<Vec<AuditHead>, Error> {
        let heads = self.inner.audit_heads().await?;
        let forget = matches!(self.flaw, Flaw::ForgetsTheHeads);
        Ok(heads.into_iter().map(|head| if forget { AuditHead::empty(head.shard) } else { head }).collect())
    }

    async fn audit_entries(&self, shard: u16, after: u64, limit: u32) -> Result<Vec<AuditEntry>, Error> {
        if matches!(self.flaw, Flaw::SortsTheTrailByTime) {
            let mut all = self.inner.audit_entries(shard, 0, u32::MAX).await?;
            all.sort_by_key(|entry| entry.draft.at);
            for (sequence, entry) in (1..).zip(&mut all) {
                entry.sequence = sequence;
            }
            all.retain(|entry| entry.sequence > after);
            all.truncate(limit as usize);
            return Ok(all);
        }
        self.inner.audit_entries(shard, after, limit).await
    }

    async fn writable(&self) -> Result<(), Error> {
        Ok(())
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

    async fn scrub(&self) -> Result<Scrub, Error> {
        self.inner.scrub().await
    }
}
