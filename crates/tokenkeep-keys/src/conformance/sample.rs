//! DEKs to try a provider with, and what a rule makes of an answer.

use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use tokenkeep_core::{
    ConnectionId, Dek, EncryptionContext, Envelope, Error, ErrorKind, Incarnation, KekId, Origin,
    PayloadKind, SealDraft, SecretVersion, TokenFacts, VaultId, VaultKeyPurpose, WrapRequest, WrappedDek,
    fill_random,
};

use crate::KeyProvider;

/// A DEK and what it is bound to.
pub(super) struct Sample {
    pub(super) dek: Dek,
    pub(super) context: EncryptionContext,
    /// Others of the same vault: of the same kind, and of the other one.
    pub(super) others: [EncryptionContext; 2],
}

impl Sample {
    /// A token's and a vault key's, of one vault.
    pub(super) fn both() -> [Self; 2] {
        let vault = works("random bytes", VaultId::random());
        let incarnation = works("random bytes", Incarnation::random());
        let token = |connection| {
            EncryptionContext::for_token(&TokenFacts {
                vault,
                connection: works("names", ConnectionId::new("conformance", connection)),
                incarnation,
                provider: works("names", "conformance".parse()),
                origin: works("names", Origin::parse("https://conformance.invalid")),
                kind: PayloadKind::ApiToken,
                secret_version: SecretVersion::FIRST,
            })
        };
        let key = |purpose| EncryptionContext::for_vault_key(vault, purpose);
        let (record, audit) = (key(VaultKeyPurpose::RecordMac), key(VaultKeyPurpose::AuditMac));
        [
            Self::bound_to(token("one"), [token("another"), record.clone()]),
            Self::bound_to(record, [audit, token("another")]),
        ]
    }

    /// So many of each kind, in turn.
    pub(super) fn mixed(of_each: usize) -> Vec<Self> {
        (0..of_each).flat_map(|_| Self::both()).collect()
    }

    fn bound_to(context: EncryptionContext, others: [EncryptionContext; 2]) -> Self {
        let mut bytes = [0; Dek::LEN];
        works("random bytes", fill_random(&mut bytes));
        Self { dek: Dek::from_bytes(&bytes), context, others }
    }

    pub(super) fn request(&self, rule: &str) -> WrapRequest<'_> {
        works(rule, WrapRequest::for_rewrap(&self.dek, &self.context))
    }

    pub(super) async fn wrapped_by(&self, provider: &dyn KeyProvider, rule: &str) -> WrappedDek {
        works(rule, provider.wrap_dek(&self.request(rule)).await)
    }

    pub(super) fn is(&self, dek: &Dek) -> bool {
        self.dek.expose_secret() == dek.expose_secret()
    }
}

pub(super) async fn unwrap(
    provider: &dyn KeyProvider,
    wrapped: &WrappedDek,
    context: &EncryptionContext,
) -> Result<Dek, Error> {
    provider.unwrap_dek(&envelope_with(wrapped).unwrap_request(context)).await
}

/// An envelope that carries the wrapped DEK; its payload is nobody's.
pub(super) fn envelope_with(wrapped: &WrappedDek) -> Envelope {
    let [Sample { context, .. }, _] = Sample::both();
    works("an envelope", works("an envelope", SealDraft::new(&context)).finish(&[], wrapped))
}

pub(super) fn under(rule: &str, kek: KekId, bytes: Vec<u8>) -> WrappedDek {
    works(rule, WrappedDek::from_service(kek, bytes))
}

pub(super) fn under_no_kek(rule: &str, wrapped: &WrappedDek) -> WrappedDek {
    under(rule, works(rule, KekId::random()), wrapped.as_bytes().to_vec())
}

pub(super) async fn start_and_drop(call: impl Future) {
    let mut call = pin!(call);
    poll_fn(|context| {
        let _ = call.as_mut().poll(context);
        Poll::Ready(())
    })
    .await;
}

#[track_caller]
pub(super) fn works<T, E: Debug>(rule: &str, result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{rule}: a call that must work failed: {error:?}"),
    }
}

#[track_caller]
pub(super) fn refuses(rule: &str, result: Result<Dek, Error>, kinds: &[ErrorKind]) {
    match result {
        Ok(_) => panic!("{rule}: a DEK was given that must be refused"),
        Err(error) => assert!(kinds.contains(&error.kind()), "{rule}: must be one of {kinds:?}: {error:?}"),
    }
}
