//! What a provider must do as its keys grow old and its service fails: rules that need a hand from its tests.

use std::fmt;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokenkeep_core::{Envelope, Error, ErrorKind, KekId, WrappedDek};

use super::{Sample, envelope_with, refuses, start_and_drop, unwrap, works};
use crate::{KekState, KeyProvider};

/// Something that the tests of a provider bring about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Circumstance {
    /// There is a new primary KEK; the former one opens only.
    Rotated,
    /// This KEK, which is not primary, is disabled.
    Disabled(KekId),
    /// It is enabled again.
    Enabled(KekId),
    /// This KEK, which is not primary and older than all others that are left, is destroyed.
    Destroyed(KekId),
    /// The service lets the provider in no longer, or not to this.
    Forbidden,
    /// The service takes requests and never answers.
    Silent,
    /// The service can't be reached.
    Unreachable,
    /// The service asks for fewer calls.
    Throttled,
    /// What answers is not the service: a page of HTML, JSON of another shape.
    Garbage,
    /// The service answers late, but in time.
    Slow,
    /// Everything is as it should be again.
    Well,
}

/// A provider and a hand on its key service, for [`run_states`].
#[async_trait]
pub trait Rig: Send + Sync {
    /// The provider under test: the same one throughout, so that every recovery is one without a restart.
    fn provider(&self) -> &dyn KeyProvider;

    /// Another provider of the same type over keys that have nothing to do with those.
    async fn other_keys(&self) -> Option<Box<dyn KeyProvider>>;

    /// Brings it about, and returns once the service acts by it. `false`: that can't be had here, and the rules that need it
    /// are left out by name.
    async fn bring_about(&self, what: Circumstance) -> bool;

    /// How long a call may take before it has failed by itself. 30 s unless overridden.
    fn patience(&self) -> Duration {
        Duration::from_secs(30)
    }

    /// Whether the provider may go on without its service, from what it holds unwrapped. No unless overridden. Then a call in
    /// trouble may also do what it should.
    fn works_on_its_own(&self) -> bool {
        false
    }
}

/// The rules that were left out, as their circumstances could not be brought about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "what was not checked must be looked at: compare it with what is expected, or print it"]
pub struct LeftOut(Vec<&'static str>);

impl LeftOut {
    /// Their names, in the order of [`run_states`].
    #[must_use]
    pub fn names(&self) -> &[&'static str] {
        &self.0
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.is_empty() {
            true => f.write_str("nothing was left out"),
            false => write!(f, "left out: {}", self.0.join(", ")),
        }
    }
}

/// Checks every rule of this module that the rig has the means for, and gives the names of the others. It makes some three versions.
///
/// # Panics
/// When a rule is broken; the message names it.
pub async fn run_states(rig: &dyn Rig) -> LeftOut {
    let mut left_out = Vec::new();
    let mut note = |name, checked: bool| {
        if !checked {
            left_out.push(name);
        }
    };
    note(WRONG_KEY, wrong_keys_open_nothing(rig).await);
    note(OLD_VERSION, old_versions_open(rig).await);
    note(DISABLED, disabled_keys_open_nothing(rig).await);
    note(DESTROYED, destroyed_keys_open_nothing(rig).await);
    for (name, circumstance, kind) in TROUBLES {
        note(name, trouble_is_told_and_passes(rig, name, circumstance, kind).await);
    }
    note(SLOW, slow_answers_are_right(rig).await);
    LeftOut(left_out)
}

const WRONG_KEY: &str = "wrong key";
const OLD_VERSION: &str = "old version";
const DISABLED: &str = "disabled key";
const DESTROYED: &str = "destroyed key";
const SLOW: &str = "slow answer";
/// By name: what is brought about, and as what it must be told.
const TROUBLES: [(&str, Circumstance, ErrorKind); 5] = [
    ("permission denied", Circumstance::Forbidden, ErrorKind::KeysForbidden),
    ("time-out", Circumstance::Silent, ErrorKind::KeysUnavailable),
    ("unreachable", Circumstance::Unreachable, ErrorKind::KeysUnavailable),
    ("throttling", Circumstance::Throttled, ErrorKind::KeysUnavailable),
    ("garbage", Circumstance::Garbage, ErrorKind::KeysUnavailable),
];

/// What other keys wrapped does not open: `KeysWrong` or `Tampered`. `false` when there are no other keys.
///
/// # Panics
/// When the rule is broken.
#[must_use]
pub async fn wrong_keys_open_nothing(rig: &dyn Rig) -> bool {
    const KINDS: [ErrorKind; 2] = [ErrorKind::KeysWrong, ErrorKind::Tampered];
    let Some(other) = rig.other_keys().await else { return false };
    let (ours, theirs) =
        (Wrapped::by(rig.provider(), WRONG_KEY).await, Wrapped::by(&*other, WRONG_KEY).await);
    for (wrapped, provider) in [(&ours, &*other), (&theirs, rig.provider())] {
        refuses(WRONG_KEY, wrapped.open(provider).await, &KINDS);
        ours.opens(rig.provider(), WRONG_KEY).await;
    }
    true
}

/// After a rotation what is wrapped is under another KEK, and what was wrapped before opens. `false` when nobody can rotate.
///
/// # Panics
/// When the rule is broken.
#[must_use]
pub async fn old_versions_open(rig: &dyn Rig) -> bool {
    let Some((old, new)) = two_versions(rig, OLD_VERSION).await else { return false };
    let provider = rig.provider();
    assert!(old.kek() != new.kek(), "{OLD_VERSION}: a wrap is under the former primary KEK");
    old.opens(provider, OLD_VERSION).await;
    new.opens(provider, OLD_VERSION).await;
    let listed = listed(provider, OLD_VERSION, old.kek()).await;
    assert!(listed == Some(KekState::OpenOnly), "{OLD_VERSION}: the former primary KEK must be open-only");
    true
}

/// What is under a disabled KEK does not open, `KeyDisabled`, until it is enabled again; what is under another one does. `false` when
/// nobody can disable.
///
/// # Panics
/// When the rule is broken.
#[must_use]
pub async fn disabled_keys_open_nothing(rig: &dyn Rig) -> bool {
    let Some((old, new)) = two_versions(rig, DISABLED).await else { return false };
    if !rig.bring_about(Circumstance::Disabled(*old.kek())).await {
        return false;
    }
    let provider = rig.provider();
    for _ in 0..2 {
        refuses(DISABLED, old.open(provider).await, &[ErrorKind::KeyDisabled]);
        new.opens(provider, DISABLED).await;
    }
    in_one_batch(provider, DISABLED, &old, &new, &[ErrorKind::KeyDisabled]).await;
    let listed = listed(provider, DISABLED, old.kek()).await;
    assert!(listed.is_none_or(|state| state != KekState::Primary), "{DISABLED}: it is listed as primary");
    assert!(rig.bring_about(Circumstance::Enabled(*old.kek())).await, "{DISABLED}: it must be enabled again");
    old.opens(provider, DISABLED).await;
    true
}

/// What is under a destroyed KEK does not open any more, `KeyDestroyed`, or `KeysWrong` where the service forgets what it destroyed; what
/// is under another one does. `false` when nobody can destroy.
///
/// # Panics
/// When the rule is broken.
#[must_use]
pub async fn destroyed_keys_open_nothing(rig: &dyn Rig) -> bool {
    const KINDS: [ErrorKind; 2] = [ErrorKind::KeyDestroyed, ErrorKind::KeysWrong];
    let provider = rig.provider();
    // The oldest are destroyed first: all that came of the rules before.
    let former = works(DESTROYED, provider.keks().await);
    let Some((old, new)) = two_versions(rig, DESTROYED).await else { return false };
    for kek in former.iter().filter(|kek| kek.state == KekState::OpenOnly) {
        if !rig.bring_about(Circumstance::Destroyed(kek.id)).await {
            return false;
        }
    }
    old.opens(provider, DESTROYED).await;
    if !rig.bring_about(Circumstance::Destroyed(*old.kek())).await {
        return false;
    }
    for _ in 0..2 {
        refuses(DESTROYED, old.open(provider).await, &KINDS);
        new.opens(provider, DESTROYED).await;
    }
    in_one_batch(provider, DESTROYED, &old, &new, &KINDS).await;
    let listed = listed(provider, DESTROYED, old.kek()).await;
    assert!(
        listed.is_none_or(|state| state == KekState::Destroyed),
        "{DESTROYED}: it is listed as one that can be used"
    );
    true
}

/// While there is trouble every call fails with its kind, and in time; afterwards the same provider works. `false` when it can't be
/// brought about.
///
/// # Panics
/// When the rule is broken.
#[must_use]
async fn trouble_is_told_and_passes(
    rig: &dyn Rig,
    rule: &str,
    trouble: Circumstance,
    kind: ErrorKind,
) -> bool {
    let provider = rig.provider();
    let wrapped = Wrapped::by(provider, rule).await;
    if !rig.bring_about(trouble).await {
        return false;
    }
    let told = |begin: Instant, error: Option<&Error>| {
        assert!(begin.elapsed() <= rig.patience(), "{rule}: a call took longer than it may");
        match error {
            Some(error) => assert!(error.kind() == kind, "{rule}: must be {kind:?}: {error:?}"),
            None => assert!(rig.works_on_its_own(), "{rule}: a call worked that can't"),
        }
    };
    for _ in 0..2 {
        let begin = Instant::now();
        let opened = wrapped.open(provider).await;
        told(begin, opened.as_ref().err());
        let right = opened.map_or(true, |dek| wrapped.sample.is(&dek));
        assert!(right, "{rule}: another DEK came back");
    }
    let sample = Sample::new();
    let begin = Instant::now();
    told(begin, provider.wrap_dek(&sample.request(rule)).await.err().as_ref());
    let requests = [sample.request(rule), sample.request(rule)];
    let begin = Instant::now();
    let answers = provider.wrap_deks(&requests).await;
    assert!(answers.len() == 2, "{rule}: not one answer for each wrap");
    answers.iter().for_each(|answer| told(begin, answer.as_ref().err()));
    let request = [wrapped.envelope.unwrap_request(&wrapped.sample.context)];
    let begin = Instant::now();
    let answers = provider.unwrap_deks(&request).await;
    assert!(answers.len() == 1, "{rule}: not one answer for each unwrap");
    answers.iter().for_each(|answer| told(begin, answer.as_ref().err()));
    start_and_drop(provider.unwrap_dek(&request[0])).await;

    assert!(rig.bring_about(Circumstance::Well).await, "{rule}: it must pass again");
    wrapped.opens(provider, rule).await;
    Wrapped::by(provider, rule).await.opens(provider, rule).await;
    works(rule, provider.keks().await);
    true
}

/// Answers that come late are waited for, and belong to their requests; calls that are given up leave no harm. `false` when it can't be
/// brought about.
///
/// # Panics
/// When the rule is broken.
#[must_use]
pub async fn slow_answers_are_right(rig: &dyn Rig) -> bool {
    let provider = rig.provider();
    let (one, other) = (Wrapped::by(provider, SLOW).await, Wrapped::by(provider, SLOW).await);
    if !rig.bring_about(Circumstance::Slow).await {
        return false;
    }
    start_and_drop(provider.unwrap_dek(&one.envelope.unwrap_request(&one.sample.context))).await;
    other.opens(provider, SLOW).await;
    one.opens(provider, SLOW).await;
    Wrapped::by(provider, SLOW).await.opens(provider, SLOW).await;
    assert!(rig.bring_about(Circumstance::Well).await, "{SLOW}: it must pass again");
    one.opens(provider, SLOW).await;
    true
}

/// A DEK that was wrapped.
struct Wrapped {
    sample: Sample,
    wrapped: WrappedDek,
    envelope: Envelope,
}

impl Wrapped {
    async fn by(provider: &dyn KeyProvider, rule: &str) -> Self {
        let sample = Sample::new();
        let wrapped = sample.wrapped_by(provider, rule).await;
        Self { envelope: envelope_with(&wrapped), sample, wrapped }
    }

    fn kek(&self) -> &KekId {
        self.wrapped.kek()
    }

    async fn open(&self, provider: &dyn KeyProvider) -> Result<tokenkeep_core::Dek, Error> {
        unwrap(provider, &self.wrapped, &self.sample.context).await
    }

    async fn opens(&self, provider: &dyn KeyProvider, rule: &str) {
        let dek = works(rule, self.open(provider).await);
        assert!(self.sample.is(&dek), "{rule}: another DEK came back");
    }
}

/// One wrapped before a rotation and one after it.
async fn two_versions(rig: &dyn Rig, rule: &str) -> Option<(Wrapped, Wrapped)> {
    let provider = rig.provider();
    let old = Wrapped::by(provider, rule).await;
    if !rig.bring_about(Circumstance::Rotated).await {
        return None;
    }
    // Whoever lists the KEKs is to know the new one from then on.
    works(rule, provider.keks().await);
    Some((old, Wrapped::by(provider, rule).await))
}

async fn listed(provider: &dyn KeyProvider, rule: &str, kek: &KekId) -> Option<KekState> {
    let keks = works(rule, provider.keks().await);
    keks.into_iter().find(|listed| listed.id == *kek).map(|listed| listed.state)
}

/// The refused one spoils not the good one.
async fn in_one_batch(
    provider: &dyn KeyProvider,
    rule: &str,
    refused: &Wrapped,
    good: &Wrapped,
    kinds: &[ErrorKind],
) {
    let requests =
        [refused, good, refused].map(|wrapped| wrapped.envelope.unwrap_request(&wrapped.sample.context));
    let answers: [_; 3] = match provider.unwrap_deks(&requests).await.try_into() {
        Ok(answers) => answers,
        Err(_) => panic!("{rule}: not one answer for each unwrap"),
    };
    let [first, second, third] = answers;
    refuses(rule, first, kinds);
    assert!(good.sample.is(&works(rule, second)), "{rule}: a good request got another DEK");
    refuses(rule, third, kinds);
}
