//! The records, held against the trail.

use tokenkeep_core::{ConnectionId, Error, ErrorKind};
use tokenkeep_store::Scan;

use super::Finding;
use super::trail::{Key, Trail, key};
use crate::inner::Inner;

/// How many records are read at a time.
const PAGE: u32 = 512;

/// How often a record that changes while it is compared is read anew.
const TRIES: usize = 64;

/// How far the records were gone through.
#[derive(Default)]
pub(super) struct Records {
    pub(super) compared: u64,
    after: Option<ConnectionId>,
    /// One that can't be read ends the list.
    unreadable: bool,
    /// Those that the trail knows and the list does not have; `None` before the list was gone through.
    missing: Option<Vec<(u16, Key)>>,
}

impl Records {
    /// Takes the next page of the list, then of what is missing in it; `true` when all is done.
    pub(super) async fn page(&mut self, vault: &Inner, trail: &mut Trail) -> Result<bool, Error> {
        if self.missing.is_none() {
            if self.listed(vault, trail).await? {
                let unseen = |shard: u16| {
                    let latest = trail.latest[usize::from(shard)].iter();
                    latest.filter(|(_, latest)| !latest.seen).map(move |(key, _)| (shard, *key))
                };
                self.missing = Some((0..tokenkeep_store::SHARDS).flat_map(unseen).collect());
            }
            return Ok(false);
        }
        for _ in 0..PAGE {
            let Some((shard, key)) = self.missing.iter().flatten().next_back().copied() else {
                if self.unreadable && !trail.findings.has_altered_record() {
                    trail.findings.add(Finding::RecordsUnreadable);
                }
                return Ok(true);
            };
            self.missing(vault, trail, shard, key).await?;
            self.compared += 1;
            self.missing.iter_mut().for_each(|missing| missing.truncate(missing.len() - 1));
        }
        Ok(false)
    }

    /// Compares the next page of the list; `true` when there is none.
    async fn listed(&mut self, vault: &Inner, trail: &mut Trail) -> Result<bool, Error> {
        let page = match vault.store.scan(&Scan::All, self.after.as_ref(), PAGE).await {
            Err(error) if error.kind() == ErrorKind::Tampered => {
                self.unreadable = true;
                return Ok(true);
            }
            page => page?,
        };
        let is_last = page.is_empty();
        for record in page {
            let known = trail.latest(&record.id);
            if !(known.is_some_and(|known| known.is_of(&record)) && vault.keys.records.fits(&record)) {
                // It may have changed since the trail was read.
                compare(vault, trail, &record.id).await?;
            }
            trail.mark_seen(&record.id);
            self.compared += 1;
            self.after = Some(record.id);
        }
        Ok(is_last)
    }

    /// Compares one of which only the trail knows.
    async fn missing(&self, vault: &Inner, trail: &mut Trail, shard: u16, of: Key) -> Result<(), Error> {
        let Some(sequence) = trail.latest[usize::from(shard)].get(&of).map(|latest| latest.sequence) else {
            return Ok(());
        };
        // Its name is in the entry, which was checked when the chain was followed.
        let entry = match vault.store.audit_entries(shard, sequence - 1, 1).await {
            Err(error) if error.kind() == ErrorKind::Tampered => None,
            entries => entries?.into_iter().next(),
        };
        match entry.filter(|entry| key(&entry.draft.id) == of) {
            Some(entry) => compare(vault, trail, &entry.draft.id).await,
            None => {
                trail.give_up(shard, Finding::EntryAltered { shard, sequence });
                Ok(())
            }
        }
    }
}

/// Compares one record with the trail. Either may have moved on since the other was read, so both are read anew until
/// they agree or can't be made to.
async fn compare(vault: &Inner, trail: &mut Trail, id: &ConnectionId) -> Result<(), Error> {
    for _ in 0..TRIES {
        let expected = trail.latest(id);
        // Read after its chain: a record that is behind the chain now was put back.
        let record = match vault.store.record(id).await {
            Err(error) if error.kind() == ErrorKind::Tampered => {
                trail.findings.add(Finding::RecordAltered { id: id.clone() });
                return Ok(());
            }
            record => record?,
        };
        let Some(record) = record else {
            if expected.is_some() {
                trail.findings.add(Finding::RecordMissing { id: id.clone() });
            }
            return Ok(());
        };
        if record.id != *id || !vault.keys.records.fits(&record) {
            trail.findings.add(Finding::RecordAltered { id: id.clone() });
            return Ok(());
        }
        match expected {
            Some(expected) if expected.is_of(&record) => return Ok(()),
            Some(expected) if record.revision < expected.revision => {
                let (found, expected) = (record.revision, expected.revision);
                trail.findings.add(Finding::RecordPutBack { id: id.clone(), found, expected });
                return Ok(());
            }
            _ => {}
        }
        // Behind a broken entry the trail is not followed, so its silence says nothing.
        if trail.broken[super::trail::shard(id)] {
            return Ok(());
        }
        trail.follow_heads(vault).await?;
        let same = match (trail.latest(id), expected) {
            (None, None) => true,
            (Some(now), Some(before)) => now.says_as(&before),
            _ => false,
        };
        if same {
            trail.findings.add(Finding::RecordUnaccounted { id: id.clone() });
            return Ok(());
        }
    }
    // It changes faster than it can be read; the next verification gets it.
    Ok(())
}
