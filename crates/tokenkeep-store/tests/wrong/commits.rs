//! How they commit.

use tokenkeep_core::{Error, ErrorKind};
use tokenkeep_store::conformance::sample_chain_of;
use tokenkeep_store::{AuditChain, Change, Expected, Record, Status, TokenStore, shard_of};

use super::{Flaw, Flawed};

impl Flawed {
    pub(super) async fn commit_wrongly(&self, changes: &[Change], chain: &AuditChain) -> Result<(), Error> {
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
            Flaw::BringsBackTheRemoved => {
                for change in changes {
                    let gone = |record: &Record| record.status == Status::Disconnected;
                    let known = change.record.as_ref().is_some_and(|step| step.expected != Expected::Absent);
                    let forced = known && self.present(change).await.as_ref().is_some_and(gone);
                    made.push(if forced { self.forced(change).await } else { change.clone() });
                }
            }
            Flaw::RefusesWhatIsOlder => {
                for change in changes {
                    let written = change.record.as_ref().map(|change| change.record.updated_at);
                    if self.present(change).await.map(|present| present.updated_at) > written {
                        return Err(ErrorKind::Conflict.into());
                    }
                }
                made.extend_from_slice(changes);
            }
            // Its own chain under the other's name: what a store without a look at the vault comes to.
            Flaw::TakesOtherVaults | Flaw::KeepsOtherVaultsUses => {
                let uses = changes.iter().all(|change| change.record.is_none());
                let present = self.inner.vault().await?.map(|vault| vault.id);
                return match present {
                    Some(own) if uses || matches!(self.flaw, Flaw::TakesOtherVaults) => {
                        self.inner.commit(changes, &sample_chain_of(own)).await
                    }
                    _ => self.inner.commit(changes, chain).await,
                };
            }
            Flaw::OverlooksWhatHappenedSince => {
                for change in changes {
                    let pinned = change
                        .record
                        .as_ref()
                        .is_some_and(|step| matches!(step.expected, Expected::Tampered { .. }));
                    made.push(if pinned { self.forced(change).await } else { change.clone() });
                }
            }
            Flaw::PinsToTheBeginning => {
                let heads = self.inner.audit_heads().await?;
                for step in changes.iter().filter_map(|change| change.record.as_ref()) {
                    let head = heads[usize::from(shard_of(step.record.id.tenant()))].sequence;
                    if let Expected::Tampered { head: pinned } = step.expected
                        && pinned != head
                    {
                        return Err(ErrorKind::Conflict.into());
                    }
                }
                for change in changes {
                    made.push(self.forced(change).await);
                }
            }
            Flaw::RefusesJumps => {
                for change in changes {
                    let present = self.present(change).await.map(|present| present.revision.next());
                    let written = change.record.as_ref().map(|step| step.record.revision);
                    if present.is_some() && written > present {
                        return Err(ErrorKind::Conflict.into());
                    }
                }
                made.extend_from_slice(changes);
            }
            Flaw::SlowAlone => {
                yield_often().await;
                let done = self.inner.commit(changes, chain).await;
                yield_often().await;
                return done;
            }
            Flaw::CommitsInSteps => {
                for change in changes {
                    if !self.is_met(change).await {
                        return Err(ErrorKind::Conflict.into());
                    }
                }
                for change in changes {
                    self.inner.commit(std::slice::from_ref(change), chain).await?;
                    yield_often().await;
                }
                return Ok(());
            }
            // As a store does that takes what is there already for its own work.
            Flaw::TakesItTwice => {
                for change in changes {
                    let written = change.record.as_ref().map(|change| &change.record);
                    let forced = written.is_some() && self.present(change).await.as_ref() == written;
                    made.push(if forced { self.forced(change).await } else { change.clone() });
                }
                self.inner.commit(&made, chain).await?;
                yield_often().await;
                return Ok(());
            }
            _ => return self.inner.commit(changes, chain).await,
        }
        self.inner.commit(&made, chain).await
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
            Some(Expected::Tampered { .. }) => true,
        }
    }
}

async fn yield_often() {
    for _ in 0..2 {
        tokio::task::yield_now().await;
    }
}
