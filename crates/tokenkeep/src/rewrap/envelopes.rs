//! Envelopes whose DEK is wrapped anew, under the KEK that is primary now.

use tokenkeep_core::{Dek, EncryptionContext, Envelope, Error, ErrorKind, UnwrapRequest, WrapRequest};
use tokenkeep_store::{Change, Expected, Record, Sealed};

use crate::inner::{Inner, TokenPlace};

impl Inner {
    /// The same envelopes, each of its context, with their DEKs under the primary KEK. They were unwrapped from there again, so
    /// that the old ones are not needed any more. What is refused is so in its place; what fails as a whole changes nothing.
    pub(crate) async fn rewrapped(
        &self,
        old: &[(EncryptionContext, Envelope)],
    ) -> Result<Vec<Result<Envelope, Error>>, Error> {
        let requests: Vec<UnwrapRequest<'_>> =
            old.iter().map(|(context, envelope)| envelope.unwrap_request(context)).collect();
        let deks = answers(self.key_provider.unwrap_deks(&requests).await, requests.len())?;
        let known: Vec<(&EncryptionContext, &Envelope, &Dek)> = old
            .iter()
            .zip(&deks)
            .filter_map(|((context, envelope), dek)| dek.as_ref().ok().map(|dek| (context, envelope, dek)))
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
        // Each answer back to its envelope: those that were refused on the way have none.
        let mut moved = moved.into_iter();
        let put = |dek: Result<Dek, Error>| {
            dek?;
            moved.next().ok_or_else(|| ErrorKind::Internal.into())
        };
        Ok(deks.into_iter().map(put).collect())
    }

    /// Each record's token with its DEK under the primary KEK.
    pub(super) async fn rewrapped_records(
        &self,
        records: &[Record],
    ) -> Result<Vec<Result<Sealed, Error>>, Error> {
        let mut decoded = Vec::with_capacity(records.len());
        let mut places = Vec::with_capacity(records.len());
        for record in records {
            let sealed = record.sealed.as_ref().ok_or(ErrorKind::NotConnected)?;
            let envelope = Envelope::decode(sealed.envelope.clone());
            places.push((sealed.fingerprint, envelope.as_ref().err().copied()));
            decoded.extend(
                envelope.ok().map(|envelope| (self.context(&record.id, &TokenPlace::of(record)), envelope)),
            );
        }
        let mut moved = self.rewrapped(&decoded).await?.into_iter();
        let mut put = |(fingerprint, illegible): ([u8; 32], Option<_>)| {
            if let Some(illegible) = illegible {
                return Err(Error::from(illegible));
            }
            let envelope = moved.next().ok_or(ErrorKind::Internal)??;
            Ok(Sealed { kek: *envelope.kek(), envelope: envelope.into_bytes(), fingerprint })
        };
        Ok(places.into_iter().map(&mut put).collect())
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
        let sealed = self.rewrapped_records(std::slice::from_ref(&step.record)).await?;
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
