//! Moving tokens from one KEK to the primary one: their DEKs are wrapped anew, no token is seen.

mod envelopes;

use std::fmt;
use std::sync::Arc;

use tokenkeep_core::{ConnectionId, EncryptionContext, Envelope, Error, ErrorKind, KekId};
use tokenkeep_store::{Action, Change, Record, Scan};

use crate::inner::Inner;
use crate::observe::Operation;
use crate::vault_keys;

/// How many records a page has: one transaction, and one batch for a provider that has a batch call.
const PAGE: u32 = 64;

/// How often the vault's own keys are moved anew while others move them too.
const TRIES: usize = 8;

/// Moves what is under a KEK to the primary one: the vault's own keys together, then the tokens. Made by [`Vault::rewrap`](crate::Vault::rewrap).
///
/// The payload of each envelope stays as it is, byte by byte; only its DEK is wrapped anew, and unwrapped again before the old
/// envelope goes. So it is **no** answer to a stolen KEK: who has that one has the DEKs. Each move is a change of its record, with
/// an audit entry of its own. It may be stopped at any time and begun anew: it goes on with what is left.
///
/// ```
/// # async fn example(vault: tokenkeep::Vault, old: tokenkeep::KekId) -> Result<(), tokenkeep::Error> {
/// let mut rewrap = vault.rewrap(old);
/// while let Some(so_far) = rewrap.next().await? {
///     println!("{} moved", so_far.moved);
/// }
/// assert_eq!((rewrap.progress().failed, rewrap.progress().passed_over), (0, 0)); // else verify, and begin anew
/// # Ok(()) }
/// ```
#[must_use = "nothing is moved until `next` is called"]
pub struct Rewrap {
    vault: Arc<Inner>,
    from: KekId,
    begun: bool,
    after: Option<ConnectionId>,
    done: bool,
    progress: RewrapProgress,
}

/// How far a [`Rewrap`] has got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RewrapProgress {
    /// Tokens that are under the primary KEK now.
    pub moved: u64,
    /// The vault's own keys that are under the primary KEK now. They go first.
    pub vault_keys: u64,
    /// Records that were changed by others meanwhile, and may be under it by that. Another run finds those that are not.
    pub passed_over: u64,
    /// Records that do not fit their MAC or whose envelope does not open. `verify` says more.
    pub failed: u64,
}

impl Rewrap {
    pub(crate) fn new(vault: Arc<Inner>, from: KekId) -> Self {
        Self { vault, from, begun: false, after: None, done: false, progress: RewrapProgress::default() }
    }

    /// Moves the next page and says how far it is; `None` at the end.
    ///
    /// # Errors
    /// `StoreUnavailable`, `KeysUnavailable`: call it again. `Misuse` when the KEK is the primary one. `Tampered` when a record can't
    /// even be read.
    ///
    /// # Cancellation
    /// Safe: each record was moved or was not, and so were the vault's own keys. What a dropped call moved is not counted.
    pub async fn next(&mut self) -> Result<Option<RewrapProgress>, Error> {
        if self.done {
            return Ok(None);
        }
        let vault = Arc::clone(&self.vault);
        vault.watch.over(Operation::Rewrap, None, self.page()).await
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> RewrapProgress {
        self.progress
    }

    async fn page(&mut self) -> Result<Option<RewrapProgress>, Error> {
        if !self.begun {
            // Another process may have made another KEK primary.
            self.vault.key_provider.refresh().await?;
            let moved = rewrap_vault(&self.vault, &self.from).await?;
            (self.begun, self.progress.vault_keys) = (true, moved);
            if moved > 0 {
                return Ok(Some(self.progress));
            }
        }
        for last_try in [false, true] {
            let vault = &self.vault;
            let records = vault.store.scan(&Scan::UnderKek(self.from), self.after.as_ref(), PAGE).await?;
            let Some(last) = records.last().map(|record| record.id.clone()) else {
                self.done = true;
                return Ok(None);
            };
            let mut so_far = self.progress;
            let changes = self.changes(records, &mut so_far).await?;
            match vault.commit(&changes).await {
                Ok(()) => so_far.moved += changes.len() as u64,
                // Something was changed meanwhile, or the KEK that they were to go to is closed.
                Err(error) if error.kind() == ErrorKind::Conflict && !last_try => {
                    vault.key_provider.refresh().await?;
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    one_by_one(vault, &changes, &mut so_far).await?;
                }
                Err(error) => return Err(error),
            }
            (self.after, self.progress) = (Some(last), so_far);
            return Ok(Some(so_far));
        }
        Err(ErrorKind::Internal.into())
    }

    /// What moves these records.
    async fn changes(&self, records: Vec<Record>, so_far: &mut RewrapProgress) -> Result<Vec<Change>, Error> {
        let vault = &self.vault;
        let mut good = Vec::with_capacity(records.len());
        for record in records {
            let id = record.id.clone();
            match vault.checked(&id, vault.seen.mark(&id), Some(record)) {
                Ok(record) => good.extend(record),
                Err(_) => so_far.failed += 1,
            }
        }
        let moved = vault.rewrapped_records(&good).await?;
        let mut changes = Vec::with_capacity(good.len());
        for (before, sealed) in good.iter().zip(moved) {
            match sealed {
                Ok(sealed) if sealed.kek == self.from => return Err(primary()),
                Ok(sealed) => {
                    let after = Record { sealed: Some(sealed), ..before.clone() };
                    changes.push(vault.change(Some(before), after, Action::Rewrapped));
                }
                // Altered, or of a form that is not known here.
                Err(error) if matches!(error.kind(), ErrorKind::Tampered | ErrorKind::StoreUnusable) => {
                    so_far.failed += 1;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(changes)
    }
}

fn primary() -> Error {
    Error::new(ErrorKind::Misuse).because("nothing can be moved off the KEK that new tokens are sealed under")
}

/// Moves those of the vault's own keys that are under this KEK, all at once, and says how many.
async fn rewrap_vault(vault: &Inner, from: &KekId) -> Result<u64, Error> {
    for _ in 0..TRIES {
        let before = vault.store.vault().await?.ok_or_else(vault_keys::row_is_missing)?;
        // One that can't be read does not open either, and keeps no other from being moved.
        let read = |(place, (purpose, bytes)): (usize, &(_, Vec<u8>))| {
            let envelope = Envelope::decode(bytes.clone()).ok()?;
            let context = EncryptionContext::for_vault_key(before.id, *purpose);
            (envelope.kek() == from).then_some((place, (context, envelope)))
        };
        let (places, old): (Vec<usize>, Vec<_>) = before.keys.iter().enumerate().filter_map(read).unzip();
        let moved = vault.rewrapped(&old).await?.into_iter().collect::<Result<Vec<_>, _>>()?;
        let Some(kek) = moved.first().map(|envelope| *envelope.kek()) else { return Ok(0) };
        if kek == *from {
            return Err(primary());
        }
        if moved.iter().any(|envelope| *envelope.kek() != kek) {
            // The primary KEK was changed in between.
            continue;
        }
        let count = moved.len() as u64;
        let mut after = before.clone();
        for (place, envelope) in places.into_iter().zip(moved) {
            after.keys[place].1 = envelope.into_bytes();
        }
        match vault.store.rewrap_vault(&before, &after, &kek).await {
            Ok(()) => return Ok(count),
            // Another process moved them, or closed the KEK that they were to go to.
            Err(error) if error.kind() == ErrorKind::Conflict => vault.key_provider.refresh().await?,
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::Conflict.into())
}

async fn one_by_one(vault: &Inner, changes: &[Change], so_far: &mut RewrapProgress) -> Result<(), Error> {
    for change in changes {
        match vault.commit(std::slice::from_ref(change)).await {
            Ok(()) => so_far.moved += 1,
            Err(error) if error.kind() == ErrorKind::Conflict => so_far.passed_over += 1,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl fmt::Debug for Rewrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rewrap")
            .field("from", &self.from)
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}
