//! What every handle of an open vault shares.

use std::sync::Arc;
use std::time::Duration;

use tokenkeep_core::{
    ApiToken, ConnectionId, Dek, EncryptionContext, Envelope, Error, ErrorKind, Incarnation, PayloadKind,
    Revision, SealDraft, SecretVersion, TokenFacts, VaultId, open_payload,
};
use tokenkeep_keys::KeyProvider;
use tokenkeep_store::{
    Action, AuditChain, AuditDraft, Change, Expected, Record, RecordChange, Sealed, Timestamp, TokenStore,
};
use zeroize::Zeroizing;

use crate::checkpoint::CheckpointSink;
use crate::clock::Clock;
use crate::env::names::absent;
use crate::high_water::HighWater;
use crate::observe::Watch;
use crate::probe::Probe;
use crate::purge::Hooks;
use crate::replacement::ReplacementPolicy;
use crate::suspicion::Providers;
use crate::uses::Uses;
use crate::vault_keys::VaultKeys;

/// How often a change is made anew when the record changes under it.
const TRIES: usize = 16;

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) id: VaultId,
    pub(crate) store: Arc<dyn TokenStore>,
    pub(crate) key_provider: Arc<dyn KeyProvider>,
    pub(crate) keys: VaultKeys,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) hooks: Hooks,
    pub(crate) uses: Uses,
    pub(crate) seen: HighWater,
    pub(crate) watch: Watch,
    pub(crate) probe: Probe,
    pub(crate) replacement: ReplacementPolicy,
    pub(crate) providers: Providers,
    /// How long a KEK lives at most, by the operator's plan.
    pub(crate) keks_end_within: Option<Duration>,
    pub(crate) sink: Option<Arc<dyn CheckpointSink>>,
}

impl Inner {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Reads a record and refuses it unless it is the caller's, whole, and not older than what was seen before.
    pub(crate) async fn load(&self, id: &ConnectionId) -> Result<Option<Record>, Error> {
        let mark = self.seen.mark(id);
        let record = self.store.record(id).await?;
        self.checked(id, mark, record)
    }

    /// As [`load`](Self::load), where there must be a token.
    pub(crate) async fn live(&self, id: &ConnectionId) -> Result<Record, Error> {
        let record = self.load(id).await?.filter(Record::is_live);
        record.ok_or_else(|| absent(id))
    }

    /// A record that was read after its mark was.
    pub(crate) fn checked(
        &self,
        id: &ConnectionId,
        mark: Option<Revision>,
        record: Option<Record>,
    ) -> Result<Option<Record>, Error> {
        if let Some(record) = &record {
            if record.id != *id || !self.keys.records.fits(record) {
                return Err(Error::new(ErrorKind::Tampered).because("a record does not fit its MAC"));
            }
            self.seen.note(id, record.revision);
        }
        if record.as_ref().map(|record| record.revision) < mark {
            return Err(Error::new(ErrorKind::Tampered)
                .because("a record is older than one seen before, or vanished"));
        }
        Ok(record)
    }

    /// The context of a token. Provider and origin were compared with the caller's before.
    pub(crate) fn context(&self, id: &ConnectionId, record: &TokenPlace<'_>) -> EncryptionContext {
        EncryptionContext::for_token(&TokenFacts {
            vault: self.id,
            connection: id.clone(),
            incarnation: record.incarnation,
            provider: record.provider.clone(),
            origin: record.origin.clone(),
            kind: record.kind,
            secret_version: record.secret_version,
        })
    }

    /// Seals a token for its place.
    pub(crate) async fn seal(
        &self,
        id: &ConnectionId,
        place: &TokenPlace<'_>,
        token: &ApiToken,
    ) -> Result<Sealed, Error> {
        let fingerprint = self.keys.fingerprints.of(place.origin, place.kind, token);
        self.seal_payload(id, place, token.expose_secret().as_bytes(), fingerprint).await
    }

    /// Seals what is kept at this place, whatever it is.
    pub(crate) async fn seal_payload(
        &self,
        id: &ConnectionId,
        place: &TokenPlace<'_>,
        payload: &[u8],
        fingerprint: [u8; 32],
    ) -> Result<Sealed, Error> {
        let context = self.context(id, place);
        let draft = SealDraft::new(&context)?;
        let wrapped = self.key_provider.wrap_dek(&draft.wrap_request()).await?;
        let envelope = draft.finish(payload, &wrapped)?;
        Ok(Sealed { kek: *envelope.kek(), envelope: envelope.into_bytes(), fingerprint })
    }

    /// Opens the token of a checked record.
    pub(crate) async fn open(&self, id: &ConnectionId, record: &Record) -> Result<ApiToken, Error> {
        of_kind(record, PayloadKind::ApiToken)?;
        let (envelope, dek, context) = self.unwrapped(id, record).await?;
        Ok(ApiToken::open(&envelope, &dek, &context)?)
    }

    /// Opens what a checked record holds, if it is of this kind.
    pub(crate) async fn open_payload(
        &self,
        id: &ConnectionId,
        record: &Record,
        kind: PayloadKind,
    ) -> Result<Zeroizing<Box<[u8]>>, Error> {
        of_kind(record, kind)?;
        let (envelope, dek, context) = self.unwrapped(id, record).await?;
        Ok(open_payload(&envelope, &dek, &context)?)
    }

    async fn unwrapped(
        &self,
        id: &ConnectionId,
        record: &Record,
    ) -> Result<(Envelope, Dek, EncryptionContext), Error> {
        let sealed = record.sealed.as_ref().ok_or(ErrorKind::NotConnected)?;
        let context = self.context(id, &TokenPlace::of(record));
        let envelope = Envelope::decode(sealed.envelope.clone())?;
        let dek = self.key_provider.unwrap_dek(&envelope.unwrap_request(&context)).await?;
        Ok((envelope, dek, context))
    }

    /// A change that puts `record` in the place of `before`, with its entry. Sets revision, time and MAC.
    pub(crate) fn change(&self, before: Option<&Record>, mut record: Record, action: Action) -> Change {
        let expected = before.map_or(Expected::Absent, |before| Expected::Revision(before.revision));
        record.revision = before.map_or(Revision::FIRST, |before| before.revision.next());
        record.updated_at = self.now();
        self.keys.records.set(&mut record);
        let entry = AuditDraft { record_mac: Some(record.mac), ..self.entry(&record, action) };
        Change { record: Some(RecordChange { record, expected }), entry }
    }

    /// Puts in a record's place what `step` makes of it, with an entry of this action, and looks anew when it changed under it.
    /// Where `step` makes nothing of it, it stays. `None` where there is no record.
    pub(crate) async fn update(
        &self,
        id: &ConnectionId,
        action: Action,
        step: impl Fn(&Record) -> Option<Record>,
    ) -> Result<Option<Updated>, Error> {
        for _ in 0..TRIES {
            let Some(before) = self.load(id).await? else { return Ok(None) };
            let Some(after) = step(&before) else {
                return Ok(Some(Updated { record: before, changed: false }));
            };
            let change = self.change(Some(&before), after, action);
            match self.commit(std::slice::from_ref(&change)).await {
                Ok(()) => {
                    let record = change.record.map_or(before, |step| step.record);
                    return Ok(Some(Updated { record, changed: true }));
                }
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        Err(ErrorKind::Conflict.into())
    }

    /// An entry about a record as it stands.
    pub(crate) fn entry(&self, record: &Record, action: Action) -> AuditDraft {
        AuditDraft {
            at: self.now(),
            action,
            id: record.id.clone(),
            incarnation: record.incarnation,
            secret_version: record.secret_version,
            revision: record.revision,
            record_mac: None,
            count: 1,
            subject: None,
        }
    }

    /// Commits changes to the vault's own store and notes the revisions that are there now.
    pub(crate) async fn commit(&self, changes: &[Change]) -> Result<(), Error> {
        let chain = self.keys.chain.for_commit();
        self.store.commit(changes, &chain).await?;
        self.committed(changes, &chain);
        Ok(())
    }

    /// Notes what is in the database now.
    pub(crate) fn committed(&self, changes: &[Change], chain: &AuditChain) {
        chain.committed();
        for step in changes.iter().filter_map(|change| change.record.as_ref()) {
            self.seen.note(&step.record.id, step.record.revision);
        }
    }
}

/// A record is used as what it is alone.
pub(crate) fn of_kind(record: &Record, kind: PayloadKind) -> Result<(), Error> {
    if record.kind == kind {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Misuse).because("what is kept under this name is of another kind"))
}

/// What [`Inner::update`] left in the database.
pub(crate) struct Updated {
    pub(crate) record: Record,
    /// Whether it was put there now.
    pub(crate) changed: bool,
}

/// Where a token belongs, besides its tenant and connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenPlace<'a> {
    pub(crate) provider: &'a tokenkeep_core::ProviderName,
    pub(crate) origin: &'a tokenkeep_core::Origin,
    pub(crate) kind: PayloadKind,
    pub(crate) incarnation: Incarnation,
    pub(crate) secret_version: SecretVersion,
}

impl<'a> TokenPlace<'a> {
    pub(crate) fn of(record: &'a Record) -> Self {
        Self {
            provider: &record.provider,
            origin: &record.origin,
            kind: record.kind,
            incarnation: record.incarnation,
            secret_version: record.secret_version,
        }
    }
}
