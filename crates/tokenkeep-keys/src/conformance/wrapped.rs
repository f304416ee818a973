//! What was wrapped before something happened, and what of it opens afterwards.

use tokenkeep_core::{Dek, Envelope, Error, ErrorKind, KekId, UnwrapRequest};

use super::sample::{Sample, envelope_with, refuses, works};
use super::states::{Circumstance, Rig};
use crate::{KekState, KeyProvider};

/// A DEK that was wrapped.
pub(super) struct Wrapped {
    pub(super) sample: Sample,
    kek: KekId,
    envelope: Envelope,
}

impl Wrapped {
    /// A token's and a vault key's.
    pub(super) async fn both(provider: &dyn KeyProvider, rule: &str) -> [Self; 2] {
        let [token, vault_key] = Sample::both();
        [Self::by(provider, rule, token).await, Self::by(provider, rule, vault_key).await]
    }

    async fn by(provider: &dyn KeyProvider, rule: &str, sample: Sample) -> Self {
        let wrapped = sample.wrapped_by(provider, rule).await;
        Self { envelope: envelope_with(&wrapped), kek: *wrapped.kek(), sample }
    }

    pub(super) fn request(&self) -> UnwrapRequest<'_> {
        self.envelope.unwrap_request(&self.sample.context)
    }

    pub(super) async fn open(&self, provider: &dyn KeyProvider) -> Result<Dek, Error> {
        provider.unwrap_dek(&self.request()).await
    }

    fn is(&self, rule: &str, opened: Result<Dek, Error>) {
        assert!(self.sample.is(&works(rule, opened)), "{rule}: another DEK came back");
    }
}

pub(super) async fn all_open(provider: &dyn KeyProvider, rule: &str, wrapped: &[Wrapped]) {
    for one in wrapped {
        one.is(rule, one.open(provider).await);
    }
}

/// What is under this KEK is refused, and all else opens: one by one, again, and in one batch.
pub(super) async fn nothing_under_opens(
    provider: &dyn KeyProvider,
    rule: &str,
    kek: &KekId,
    wrapped: &[Wrapped],
    kinds: &[ErrorKind],
) {
    let right = |one: &Wrapped, opened| match one.kek == *kek {
        true => refuses(rule, opened, kinds),
        false => one.is(rule, opened),
    };
    for one in wrapped.iter().chain(wrapped) {
        right(one, one.open(provider).await);
    }
    let twice: Vec<&Wrapped> = wrapped.iter().chain(wrapped).collect();
    let requests: Vec<_> = twice.iter().map(|one| one.request()).collect();
    let answers = provider.unwrap_deks(&requests).await;
    assert!(answers.len() == requests.len(), "{rule}: not one answer for each unwrap");
    twice.iter().zip(answers).for_each(|(one, answer)| right(one, answer));
}

/// What was wrapped before a rotation and after it.
pub(super) struct Versions {
    /// The KEK of the token before.
    pub(super) old: KekId,
    /// The KEK of the token after.
    pub(super) new: KekId,
    /// A token's DEK and a vault key's from before, and the same from after. A vault key's may be under one KEK all along.
    pub(super) all: [Wrapped; 4],
}

pub(super) async fn two_versions(rig: &dyn Rig, rule: &str) -> Option<Versions> {
    let provider = rig.provider();
    let [token, vault_key] = Wrapped::both(provider, rule).await;
    if !rig.bring_about(Circumstance::Rotated).await {
        return None;
    }
    // Whoever lists the KEKs is to know the new one from then on.
    works(rule, provider.keks().await);
    let [new_token, new_vault_key] = Wrapped::both(provider, rule).await;
    let (old, new) = (token.kek, new_token.kek);
    Some(Versions { old, new, all: [token, vault_key, new_token, new_vault_key] })
}

pub(super) async fn listed(provider: &dyn KeyProvider, rule: &str, kek: &KekId) -> Option<KekState> {
    let keks = works(rule, provider.keks().await);
    keks.into_iter().find(|listed| listed.id == *kek).map(|listed| listed.state)
}
