//! Moving tokens from one KEK to the primary one: their DEKs are wrapped anew, no token is seen.

use std::fmt;
use std::sync::Arc;

use tokenkeep_core::{
    ConnectionId, Dek, EncryptionContext, Envelope, Error, ErrorKind, KekId, UnwrapRequest, WrapRequest,
};
use tokenkeep_store::{Action, Change, Expected, Record, Scan, Sealed};

use crate::inner::{Inner, TokenPlace};
use crate::observe::Operation;

/// How many records a page has: one transaction, and one batch for a provider that has a batch call.
const PAGE: u32 = 64;

/// Moves what is under a KEK to the primary one. Made by [`Vault::rewrap`](crate::Vault::rewrap).
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
/// assert_eq!(rewrap.progress().failed, 0);
/// # Ok(()) }
/// ```
#[must_use = "nothing is moved until `next` is called"]
pub struct Rewrap {
    vault: Arc<Inner>,
    from: KekId,
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
    /// Records that were changed by others meanwhile, and may be under it by that. Another run finds those that are not.
    pub passed_over: u64,
    /// Records that do not fit their MAC or whose envelope does not open. `verify` says more.
    pub failed: u64,
}

impl Rewrap {
    pub(crate) fn new(vault: Arc<Inner>, from: KekId) -> Self {
        Self { vault, from, after: None, done: false, progress: RewrapProgress::default() }
    }

    /// Moves the next page and says how far it is; `None` at the end.
    ///
    /// # Errors
    /// `StoreUnavailable`, `KeysUnavailable`: call it again. `Misuse` when the KEK is the primary one. `Tampered` when a record can't
    /// even be read.
    ///
    /// # Cancellation
    /// Safe: each record was moved or was not. What a dropped call moved is not counted.
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
        let vault = &self.vault;
        let records = vault.store.scan(&Scan::UnderKek(self.from), self.after.as_ref(), PAGE).await?;
        let Some(last) = records.last().map(|record| record.id.clone()) else {
            self.done = true;
            return Ok(None);
        };
        let mut so_far = self.progress;
        let mut good = Vec::with_capacity(records.len());
        for record in records {
            let id = record.id.clone();
            match vault.checked(&id, vault.seen.mark(&id), Some(record)) {
                Ok(record) => good.extend(record),
                Err(_) => so_far.failed += 1,
            }
        }
        let moved = vault.rewrapped(&good).await?;
        let mut changes = Vec::with_capacity(good.len());
        for (before, sealed) in good.iter().zip(moved) {
            match sealed {
                Ok(sealed) if sealed.kek == self.from => {
                    return Err(Error::new(ErrorKind::Misuse)
                        .because("tokens can't be moved off the KEK that new ones are sealed under"));
                }
                Ok(sealed) => {
                    let after = Record { sealed: Some(sealed), ..before.clone() };
                    changes.push(vault.change(Some(before), after, Action::Rewrapped));
                }
                Err(error) if error.kind() == ErrorKind::Tampered => so_far.failed += 1,
                Err(error) => return Err(error),
            }
        }
        commit(vault, &changes, &mut so_far).await?;
        (self.after, self.progress) = (Some(last), so_far);
        Ok(Some(so_far))
    }
}

/// All at once, and one by one where something was changed meanwhile.
async fn commit(vault: &Inner, changes: &[Change], so_far: &mut RewrapProgress) -> Result<(), Error> {
    if changes.is_empty() {
        return Ok(());
    }
    match vault.commit(changes).await {
        Ok(()) => {
            so_far.moved += changes.len() as u64;
            return Ok(());
        }
        Err(error) if error.kind() == ErrorKind::Conflict => {}
        Err(error) => return Err(error),
    }
    for change in changes {
        match vault.commit(std::slice::from_ref(change)).await {
            Ok(()) => so_far.moved += 1,
            Err(error) if error.kind() == ErrorKind::Conflict => so_far.passed_over += 1,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Inner {
    /// Each record's token with its DEK under the primary KEK. It was unwrapped from there again, so that the old envelope is not
    /// needed any more.
    async fn rewrapped(&self, records: &[Record]) -> Result<Vec<Result<Sealed, Error>>, Error> {
        let mut old = Vec::with_capacity(records.len());
        for record in records {
            let sealed = record.sealed.as_ref().ok_or(ErrorKind::NotConnected)?;
            let context = self.context(&record.id, &TokenPlace::of(record));
            old.push((sealed, context, Envelope::decode(sealed.envelope.clone())));
        }
        let decoded: Vec<(&EncryptionContext, &Envelope)> = old
            .iter()
            .filter_map(|(_, context, envelope)| envelope.as_ref().ok().map(|envelope| (context, envelope)))
            .collect();
        let requests: Vec<UnwrapRequest<'_>> =
            decoded.iter().map(|(context, envelope)| envelope.unwrap_request(context)).collect();
        let deks = answers(self.key_provider.unwrap_deks(&requests).await, requests.len())?;
        let known: Vec<(&EncryptionContext, &Envelope, &Dek)> = decoded
            .iter()
            .zip(&deks)
            .filter_map(|((context, envelope), dek)| dek.as_ref().ok().map(|dek| (*context, *envelope, dek)))
            .collect();
        let mut requests = Vec::with_capacity(known.len());
        for (context, _, dek) in &known {
            requests.push(WrapRequest::for_rewrap(dek, context)?);
        }
        let wrapped = answers(self.key_provider.wrap_deks(&requests).await, requests.len())?;
        let wrapped = wrapped.into_iter().collect::<Result<Vec<_>, _>>()?;
        let moved: Vec<Envelope> = known
            .iter()
            .zip(&wrapped)
            .map(|((_, envelope, _), wrapped)| envelope.with_wrapped_dek(wrapped))
            .collect();
        let requests: Vec<UnwrapRequest<'_>> = moved
            .iter()
            .zip(&known)
            .map(|(envelope, (context, ..))| envelope.unwrap_request(context))
            .collect();
        let again = answers(self.key_provider.unwrap_deks(&requests).await, requests.len())?;
        for (again, (.., dek)) in again.into_iter().zip(&known) {
            if again?.expose_secret() != dek.expose_secret() {
                return Err(Error::new(ErrorKind::KeysUnusable)
                    .because("the key provider does not unwrap what it wrapped; nothing was changed"));
            }
        }
        drop(requests);
        drop(known);
        // Each answer back to its record: those that were refused on the way have none.
        let (mut deks, mut moved) = (deks.into_iter(), moved.into_iter());
        let mut put = |(sealed, _, envelope): (&Sealed, _, Result<Envelope, _>)| {
            envelope.map_err(Error::from)?;
            deks.next().ok_or(ErrorKind::Internal)??;
            let envelope = moved.next().ok_or(ErrorKind::Internal)?;
            let kek = *envelope.kek();
            Ok(Sealed { kek, envelope: envelope.into_bytes(), fingerprint: sealed.fingerprint })
        };
        Ok(old.into_iter().map(&mut put).collect())
    }

    /// The same change under the KEK that is primary by now, if it is not the one that it was made under and nothing else was in its
    /// way. It holds no token: what is moved is the DEK.
    pub(crate) async fn moved_off_closed_kek(&self, change: &Change) -> Result<Option<Change>, Error> {
        let Some(step) = change.record.as_ref().filter(|step| step.record.sealed.is_some()) else {
            return Ok(None);
        };
        let present = self.load(&step.record.id).await?.map(|record| record.revision);
        let met = match step.expected {
            Expected::Absent => present.is_none(),
            Expected::Revision(revision) => present == Some(revision),
            Expected::Tampered { .. } => false,
        };
        if !met {
            return Ok(None);
        }
        self.key_provider.refresh().await?;
        let sealed = self.rewrapped(std::slice::from_ref(&step.record)).await?;
        let sealed = sealed.into_iter().next().ok_or(ErrorKind::Internal)??;
        if step.record.sealed.as_ref().is_some_and(|before| before.kek == sealed.kek) {
            return Ok(None);
        }
        let mut moved = change.clone();
        if let Some(step) = &mut moved.record {
            step.record.sealed = Some(sealed);
            self.keys.records.set(&mut step.record);
            moved.entry.record_mac = Some(step.record.mac);
        }
        Ok(Some(moved))
    }
}

/// A provider gives one answer for each request.
fn answers<T>(answers: Vec<T>, asked: usize) -> Result<Vec<T>, Error> {
    if answers.len() == asked {
        return Ok(answers);
    }
    Err(Error::new(ErrorKind::KeysUnusable).because("the key provider gave not one answer for each request"))
}

impl fmt::Debug for Rewrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rewrap")
            .field("from", &self.from)
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}
