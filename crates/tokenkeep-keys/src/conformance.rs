//! What every key provider must do, as functions that check it.
//!
//! Whoever writes a [`KeyProvider`] runs [`run_all`] on it, best against its real key service. It wraps DEKs of its own
//! and leaves nothing behind; nobody may rotate meanwhile. The calls come one after the other: some sixty, and two unwraps
//! more for each byte of a wrapped DEK. A broken rule panics and is named in the message.
//!
//! Each rule is checked for DEKs of tokens and for those of a vault's own keys, as a provider may send the two different ways; batches
//! have both, in turn.
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

mod sample;
mod states;
mod wrapped;

use std::collections::HashSet;

use tokenkeep_core::{Dek, ErrorKind, KekId};

use crate::{KekState, KeyProvider};
use sample::{Sample, envelope_with, refuses, start_and_drop, under, under_no_kek, unwrap, works};

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
    for sample in Sample::both() {
        let wrapped = sample.wrapped_by(provider, RULE).await;
        let shows = wrapped.as_bytes().windows(Dek::LEN).any(|bytes| bytes == sample.dek.expose_secret());
        assert!(!shows, "{RULE}: the wrapped bytes show the DEK");
        let unwrapped = works(RULE, unwrap(provider, &wrapped, &sample.context).await);
        assert!(sample.is(&unwrapped), "{RULE}: another DEK came back than was wrapped");
    }
}

/// Exactly one KEK is primary, no id stands twice, and tokens' wraps are under the primary. A vault's own keys are under it too, or
/// under another one that is listed and not destroyed.
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
    let [token, vault_key] = Sample::both();
    let wrapped = token.wrapped_by(provider, RULE).await;
    assert!(wrapped.kek() == &primaries[0].id, "{RULE}: a wrap is not under the primary KEK");
    let wrapped = vault_key.wrapped_by(provider, RULE).await;
    let listed = keks.iter().find(|kek| kek.id == *wrapped.kek());
    let lives = listed.is_some_and(|kek| kek.state != KekState::Destroyed);
    assert!(lives, "{RULE}: a vault's key is wrapped under a KEK that is not listed, or is destroyed");
}

/// A DEK does not unwrap for another context: `Tampered`.
///
/// # Panics
/// When the rule is broken.
pub async fn other_context_is_refused(provider: &dyn KeyProvider) {
    const RULE: &str = "context";
    for sample in Sample::both() {
        let wrapped = sample.wrapped_by(provider, RULE).await;
        for context in sample.others.iter().chain(Sample::both().iter().map(|other| &other.context)) {
            refuses(RULE, unwrap(provider, &wrapped, context).await, &[ErrorKind::Tampered]);
        }
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
    for sample in Sample::both() {
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
}

/// A KEK id that the provider never gave is `KeysWrong`.
///
/// # Panics
/// When the rule is broken.
pub async fn unknown_kek_is_told(provider: &dyn KeyProvider) {
    const RULE: &str = "unknown KEK";
    for sample in Sample::both() {
        let wrapped = sample.wrapped_by(provider, RULE).await;
        let unknown = under_no_kek(RULE, &wrapped);
        refuses(RULE, unwrap(provider, &unknown, &sample.context).await, &[ErrorKind::KeysWrong]);
    }
}

/// A batch gives one answer for each request, in order, and what it wraps and unwraps is what single calls do.
///
/// # Panics
/// When the rule is broken.
pub async fn batches_keep_their_order(provider: &dyn KeyProvider) {
    const RULE: &str = "batch";
    assert!(provider.wrap_deks(&[]).await.is_empty(), "{RULE}: an empty batch has answers");
    assert!(provider.unwrap_deks(&[]).await.is_empty(), "{RULE}: an empty batch has answers");

    let samples = Sample::mixed(3);
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
    let samples = Sample::mixed(4);
    let mut requests = Vec::new();
    for (index, sample) in samples.iter().enumerate() {
        let wrapped = sample.wrapped_by(provider, RULE).await;
        // One of each kind for another context, and one under no KEK; good ones before, between and after.
        requests.push(match index {
            1 | 2 => (envelope_with(&wrapped), &sample.others[0], Some(ErrorKind::Tampered)),
            5 => (envelope_with(&under_no_kek(RULE, &wrapped)), &sample.context, Some(ErrorKind::KeysWrong)),
            _ => (envelope_with(&wrapped), &sample.context, None),
        });
    }
    let batch: Vec<_> =
        requests.iter().map(|(envelope, context, _)| envelope.unwrap_request(context)).collect();
    let answers = provider.unwrap_deks(&batch).await;
    assert!(answers.len() == samples.len(), "{RULE}: not one answer for each unwrap");
    for ((answer, (.., refused)), sample) in answers.into_iter().zip(&requests).zip(&samples) {
        match refused {
            Some(kind) => refuses(RULE, answer, &[*kind]),
            None => assert!(sample.is(&works(RULE, answer)), "{RULE}: a good request got another DEK"),
        }
    }
}

/// Calls that are dropped at their first await leave a provider that works.
///
/// # Panics
/// When the rule is broken.
pub async fn dropped_calls_leave_no_harm(provider: &dyn KeyProvider) {
    const RULE: &str = "dropped call";
    let mut envelopes = Vec::new();
    let samples = Sample::both();
    for sample in &samples {
        let wrapped = sample.wrapped_by(provider, RULE).await;
        envelopes.push(envelope_with(&wrapped));
    }
    let wraps = samples.each_ref().map(|sample| sample.request(RULE));
    let unwraps: Vec<_> = samples.iter().zip(&envelopes).map(|(s, e)| e.unwrap_request(&s.context)).collect();
    for (wrap, unwrap) in wraps.iter().zip(&unwraps) {
        start_and_drop(provider.wrap_dek(wrap)).await;
        start_and_drop(provider.unwrap_dek(unwrap)).await;
    }
    start_and_drop(provider.wrap_deks(&wraps)).await;
    start_and_drop(provider.unwrap_deks(&unwraps)).await;
    start_and_drop(provider.keks()).await;

    for (sample, request) in samples.iter().zip(&unwraps) {
        let unwrapped = works(RULE, provider.unwrap_dek(request).await);
        assert!(sample.is(&unwrapped), "{RULE}: another DEK came back");
    }
    round_trip(provider).await;
    one_primary(provider).await;
}
