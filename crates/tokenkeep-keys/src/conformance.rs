//! What every key provider must do, as functions that check it.
//!
//! Whoever writes a [`KeyProvider`] runs [`run_all`] on it, best against its real key service. It wraps DEKs of its own
//! and leaves nothing behind; nobody may rotate meanwhile. The calls come one after the other: some fifty, and one unwrap
//! more for each byte of a wrapped DEK. A broken rule panics and is named in the message.
//!
//! [`run_states`] checks what needs a hand from the tests: old, disabled and destroyed KEKs, and a service that refuses, is silent, away,
//! busy, slow or talks nonsense. What a provider's tests have no means for is left out, and its name given back: compare that
//! with what you expect to be left out.
//!
//! ```
//! # async fn check() -> Result<(), Box<dyn std::error::Error>> {
//! use tokenkeep_keys::{LocalKeyring, conformance};
//!
//! let folder = tempfile::tempdir()?;
//! let keyring = LocalKeyring::create(folder.path().join("keys/keyring"))?;
//! conformance::run_all(&keyring).await;
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(check())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod states;

use std::collections::HashSet;
use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use tokenkeep_core::{
    Dek, EncryptionContext, Envelope, Error, ErrorKind, KekId, SealDraft, VaultId, VaultKeyPurpose,
    WrapRequest, WrappedDek, fill_random,
};

use crate::{KekState, KeyProvider};

pub use states::{
    Circumstance, LeftOut, Rig, destroyed_keys_open_nothing, disabled_keys_open_nothing, old_versions_open,
    run_states, slow_answers_are_right, wrong_keys_open_nothing,
};

/// Checks every rule of this module.
///
/// # Panics
/// When a rule is broken; the message names it.
pub async fn run_all(provider: &dyn KeyProvider) {
    round_trip(provider).await;
    one_primary(provider).await;
    other_context_is_refused(provider).await;
    altered_bytes_are_refused(provider).await;
    unknown_kek_is_told(provider).await;
    batches_keep_their_order(provider).await;
    refusals_in_a_batch_stay_in_place(provider).await;
    dropped_calls_leave_no_harm(provider).await;
}

/// What was wrapped unwraps to the same DEK, which does not stand in the wrapped bytes.
///
/// # Panics
/// When the rule is broken.
pub async fn round_trip(provider: &dyn KeyProvider) {
    const RULE: &str = "round trip";
    let sample = Sample::new();
    let wrapped = sample.wrapped_by(provider, RULE).await;
    let shows = wrapped.as_bytes().windows(Dek::LEN).any(|bytes| bytes == sample.dek.expose_secret());
    assert!(!shows, "{RULE}: the wrapped bytes show the DEK");
    let unwrapped = works(RULE, unwrap(provider, &wrapped, &sample.context).await);
    assert!(sample.is(&unwrapped), "{RULE}: another DEK came back than was wrapped");
}

/// Exactly one KEK is primary, no id stands twice, and wraps are under the primary.
///
/// # Panics
/// When the rule is broken.
pub async fn one_primary(provider: &dyn KeyProvider) {
    const RULE: &str = "one primary";
    let keks = works(RULE, provider.keks().await);
    let ids: HashSet<KekId> = keks.iter().map(|kek| kek.id).collect();
    assert!(ids.len() == keks.len(), "{RULE}: a KEK id is listed twice");
    let primaries: Vec<_> = keks.iter().filter(|kek| kek.state == KekState::Primary).collect();
    assert!(primaries.len() == 1, "{RULE}: exactly one KEK must be primary");
    let wrapped = Sample::new().wrapped_by(provider, RULE).await;
    assert!(wrapped.kek() == &primaries[0].id, "{RULE}: a wrap is not under the primary KEK");
}

/// A DEK does not unwrap for another context: `Tampered`.
///
/// # Panics
/// When the rule is broken.
pub async fn other_context_is_refused(provider: &dyn KeyProvider) {
    const RULE: &str = "context";
    let sample = Sample::new();
    let wrapped = sample.wrapped_by(provider, RULE).await;
    let same_vault = EncryptionContext::for_vault_key(sample.vault, VaultKeyPurpose::AuditMac);
    for context in [same_vault, Sample::new().context] {
        refuses(RULE, unwrap(provider, &wrapped, &context).await, &[ErrorKind::Tampered]);
    }
}

/// Wrapped bytes with one bit flipped, in each byte in turn, cut short or added to do not unwrap: `Tampered`, or
/// `KeysWrong` for a service whose bytes name its key.
///
/// # Panics
/// When the rule is broken.
pub async fn altered_bytes_are_refused(provider: &dyn KeyProvider) {
    const RULE: &str = "altered bytes";
    const KINDS: [ErrorKind; 2] = [ErrorKind::Tampered, ErrorKind::KeysWrong];
    let sample = Sample::new();
    let wrapped = sample.wrapped_by(provider, RULE).await;
    let good = wrapped.as_bytes();
    let flipped = (0..good.len()).map(|at| {
        let mut bytes = good.to_vec();
        bytes[at] ^= 1;
        bytes
    });
    let others = [good[..1].to_vec(), good[..good.len() - 1].to_vec(), [good, &[0]].concat()];
    for bytes in flipped.chain(others) {
        let altered = under(RULE, *wrapped.kek(), bytes);
        refuses(RULE, unwrap(provider, &altered, &sample.context).await, &KINDS);
    }
}

/// A KEK id that the provider never gave is `KeysWrong`.
///
/// # Panics
/// When the rule is broken.
pub async fn unknown_kek_is_told(provider: &dyn KeyProvider) {
    const RULE: &str = "unknown KEK";
    let sample = Sample::new();
    let wrapped = sample.wrapped_by(provider, RULE).await;
    let unknown = under(RULE, works(RULE, KekId::random()), wrapped.as_bytes().to_vec());
    refuses(RULE, unwrap(provider, &unknown, &sample.context).await, &[ErrorKind::KeysWrong]);
}

/// A batch gives one answer for each request, in order, and what it wraps and unwraps is what single calls do.
///
/// # Panics
/// When the rule is broken.
pub async fn batches_keep_their_order(provider: &dyn KeyProvider) {
    const RULE: &str = "batch";
    assert!(provider.wrap_deks(&[]).await.is_empty(), "{RULE}: an empty batch has answers");
    assert!(provider.unwrap_deks(&[]).await.is_empty(), "{RULE}: an empty batch has answers");

    let samples: Vec<Sample> = (0..5).map(|_| Sample::new()).collect();
    let requests: Vec<_> = samples.iter().map(|sample| sample.request(RULE)).collect();
    let answers = provider.wrap_deks(&requests).await;
    assert!(answers.len() == samples.len(), "{RULE}: not one answer for each wrap");
    let mut envelopes = Vec::new();
    for (sample, answer) in samples.iter().zip(answers) {
        let wrapped = works(RULE, answer);
        let unwrapped = works(RULE, unwrap(provider, &wrapped, &sample.context).await);
        assert!(sample.is(&unwrapped), "{RULE}: a wrap is not in its place");
        envelopes.push(envelope_with(&wrapped));
    }

    let requests: Vec<_> =
        samples.iter().zip(&envelopes).map(|(s, e)| e.unwrap_request(&s.context)).collect();
    let answers = provider.unwrap_deks(&requests).await;
    assert!(answers.len() == samples.len(), "{RULE}: not one answer for each unwrap");
    for (sample, answer) in samples.iter().zip(answers) {
        assert!(sample.is(&works(RULE, answer)), "{RULE}: an unwrapped DEK is not in its place");
    }
}

/// A request that is refused spoils no other of its batch.
///
/// # Panics
/// When the rule is broken.
pub async fn refusals_in_a_batch_stay_in_place(provider: &dyn KeyProvider) {
    const RULE: &str = "refusals in a batch";
    let samples: Vec<Sample> = (0..3).map(|_| Sample::new()).collect();
    let mut envelopes = Vec::new();
    for sample in &samples {
        envelopes.push(envelope_with(&sample.wrapped_by(provider, RULE).await));
    }
    let other = Sample::new();
    let contexts = [&samples[0].context, &other.context, &samples[2].context];
    let requests: Vec<_> =
        envelopes.iter().zip(contexts).map(|(e, context)| e.unwrap_request(context)).collect();
    let answers = provider.unwrap_deks(&requests).await;
    assert!(answers.len() == samples.len(), "{RULE}: not one answer for each unwrap");
    for (index, answer) in answers.into_iter().enumerate() {
        if index == 1 {
            refuses(RULE, answer, &[ErrorKind::Tampered]);
        } else {
            assert!(samples[index].is(&works(RULE, answer)), "{RULE}: a good request got another DEK");
        }
    }
}

/// Calls that are dropped at their first await leave a provider that works.
///
/// # Panics
/// When the rule is broken.
pub async fn dropped_calls_leave_no_harm(provider: &dyn KeyProvider) {
    const RULE: &str = "dropped call";
    let sample = Sample::new();
    let wrapped = sample.wrapped_by(provider, RULE).await;
    let envelope = envelope_with(&wrapped);
    let request = sample.request(RULE);
    start_and_drop(provider.wrap_dek(&request)).await;
    start_and_drop(provider.unwrap_dek(&envelope.unwrap_request(&sample.context))).await;
    start_and_drop(provider.wrap_deks(&[sample.request(RULE), sample.request(RULE)])).await;
    start_and_drop(provider.unwrap_deks(&[envelope.unwrap_request(&sample.context)])).await;
    start_and_drop(provider.keks()).await;

    let unwrapped = works(RULE, unwrap(provider, &wrapped, &sample.context).await);
    assert!(sample.is(&unwrapped), "{RULE}: another DEK came back");
    round_trip(provider).await;
    one_primary(provider).await;
}

/// A DEK and what it is bound to.
struct Sample {
    dek: Dek,
    vault: VaultId,
    context: EncryptionContext,
}

impl Sample {
    fn new() -> Self {
        let mut bytes = [0; Dek::LEN];
        works("random bytes", fill_random(&mut bytes));
        let vault = works("random bytes", VaultId::random());
        let context = EncryptionContext::for_vault_key(vault, VaultKeyPurpose::RecordMac);
        Self { dek: Dek::from_bytes(&bytes), vault, context }
    }

    fn request(&self, rule: &str) -> WrapRequest<'_> {
        works(rule, WrapRequest::for_rewrap(&self.dek, &self.context))
    }

    async fn wrapped_by(&self, provider: &dyn KeyProvider, rule: &str) -> WrappedDek {
        works(rule, provider.wrap_dek(&self.request(rule)).await)
    }

    fn is(&self, dek: &Dek) -> bool {
        self.dek.expose_secret() == dek.expose_secret()
    }
}

async fn unwrap(
    provider: &dyn KeyProvider,
    wrapped: &WrappedDek,
    context: &EncryptionContext,
) -> Result<Dek, Error> {
    provider.unwrap_dek(&envelope_with(wrapped).unwrap_request(context)).await
}

/// An envelope that carries the wrapped DEK; its payload is nobody's.
fn envelope_with(wrapped: &WrappedDek) -> Envelope {
    let Sample { context, .. } = Sample::new();
    works("an envelope", works("an envelope", SealDraft::new(&context)).finish(&[], wrapped))
}

fn under(rule: &str, kek: KekId, bytes: Vec<u8>) -> WrappedDek {
    works(rule, WrappedDek::from_service(kek, bytes))
}

async fn start_and_drop(call: impl Future) {
    let mut call = pin!(call);
    poll_fn(|context| {
        let _ = call.as_mut().poll(context);
        Poll::Ready(())
    })
    .await;
}

#[track_caller]
fn works<T, E: Debug>(rule: &str, result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{rule}: a call that must work failed: {error:?}"),
    }
}

#[track_caller]
fn refuses(rule: &str, result: Result<Dek, Error>, kinds: &[ErrorKind]) {
    match result {
        Ok(_) => panic!("{rule}: a DEK was given that must be refused"),
        Err(error) => assert!(kinds.contains(&error.kind()), "{rule}: must be one of {kinds:?}: {error:?}"),
    }
}
