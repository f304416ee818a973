//! What a provider must do as its keys grow old and its service fails: rules that need a hand from its tests.

use std::fmt;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokenkeep_core::{Dek, Error, ErrorKind, KekId};

use super::sample::{Sample, refuses, start_and_drop, works};
use super::wrapped::{Versions, Wrapped, all_open, listed, nothing_under_opens, two_versions};
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
    /// are left out by name. Where a provider goes by what it holds for a time, let that time pass here, by a clock that is moved:
    /// only then must it notice.
    async fn bring_about(&self, what: Circumstance) -> bool;

    /// Whether this KEK, which the provider lists, is one of those that are primary in turn. Yes unless overridden; a provider that also
    /// lists KEKs below or beside them says no for those, and they are left alone.
    async fn takes_turns(&self, kek: &KekId) -> bool {
        let _ = kek;
        true
    }

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
        (Wrapped::both(rig.provider(), WRONG_KEY).await, Wrapped::both(&*other, WRONG_KEY).await);
    for (wrapped, provider) in [(&ours, &*other), (&theirs, rig.provider())] {
        for wrapped in wrapped {
            refuses(WRONG_KEY, wrapped.open(provider).await, &KINDS);
        }
        all_open(rig.provider(), WRONG_KEY, &ours).await;
    }
    true
}

/// After a rotation tokens are wrapped under another KEK, and what was wrapped before opens. `false` when nobody can rotate.
///
/// # Panics
/// When the rule is broken.
#[must_use]
pub async fn old_versions_open(rig: &dyn Rig) -> bool {
    let Some(Versions { old, new, all }) = two_versions(rig, OLD_VERSION).await else { return false };
    let provider = rig.provider();
    assert!(old != new, "{OLD_VERSION}: a wrap is under the former primary KEK");
    all_open(provider, OLD_VERSION, &all).await;
    let listed = listed(provider, OLD_VERSION, &old).await;
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
    let Some(Versions { old, all, .. }) = two_versions(rig, DISABLED).await else { return false };
    if !rig.bring_about(Circumstance::Disabled(old)).await {
        return false;
    }
    let provider = rig.provider();
    nothing_under_opens(provider, DISABLED, &old, &all, &[ErrorKind::KeyDisabled]).await;
    let listed = listed(provider, DISABLED, &old).await;
    assert!(listed.is_none_or(|state| state != KekState::Primary), "{DISABLED}: it is listed as primary");
    assert!(rig.bring_about(Circumstance::Enabled(old)).await, "{DISABLED}: it must be enabled again");
    all_open(provider, DISABLED, &all).await;
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
    let Some(Versions { old, all, .. }) = two_versions(rig, DESTROYED).await else { return false };
    for kek in former.iter().filter(|kek| kek.state == KekState::OpenOnly) {
        if rig.takes_turns(&kek.id).await && !rig.bring_about(Circumstance::Destroyed(kek.id)).await {
            return false;
        }
    }
    all_open(provider, DESTROYED, &all).await;
    if !rig.bring_about(Circumstance::Destroyed(old)).await {
        return false;
    }
    nothing_under_opens(provider, DESTROYED, &old, &all, &KINDS).await;
    let listed = listed(provider, DESTROYED, &old).await;
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
    let wrapped = Wrapped::both(provider, rule).await;
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
    let opened = |begin: Instant, wrapped: &Wrapped, opened: Result<Dek, Error>| {
        told(begin, opened.as_ref().err());
        let right = opened.map_or(true, |dek| wrapped.sample.is(&dek));
        assert!(right, "{rule}: another DEK came back");
    };
    for one in wrapped.iter().chain(&wrapped) {
        let begin = Instant::now();
        opened(begin, one, one.open(provider).await);
    }
    let samples = Sample::both();
    let requests = samples.each_ref().map(|sample| sample.request(rule));
    for request in &requests {
        let begin = Instant::now();
        told(begin, provider.wrap_dek(request).await.err().as_ref());
    }
    let begin = Instant::now();
    let answers = provider.wrap_deks(&requests).await;
    assert!(answers.len() == requests.len(), "{rule}: not one answer for each wrap");
    answers.iter().for_each(|answer| told(begin, answer.as_ref().err()));
    let requests = wrapped.each_ref().map(Wrapped::request);
    let begin = Instant::now();
    let answers = provider.unwrap_deks(&requests).await;
    assert!(answers.len() == requests.len(), "{rule}: not one answer for each unwrap");
    wrapped.iter().zip(answers).for_each(|(one, answer)| opened(begin, one, answer));
    for request in &requests {
        start_and_drop(provider.unwrap_dek(request)).await;
    }

    assert!(rig.bring_about(Circumstance::Well).await, "{rule}: it must pass again");
    all_open(provider, rule, &wrapped).await;
    all_open(provider, rule, &Wrapped::both(provider, rule).await).await;
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
    let [one, other] = [Wrapped::both(provider, SLOW).await, Wrapped::both(provider, SLOW).await];
    if !rig.bring_about(Circumstance::Slow).await {
        return false;
    }
    for one in &one {
        start_and_drop(provider.unwrap_dek(&one.request())).await;
    }
    all_open(provider, SLOW, &other).await;
    all_open(provider, SLOW, &one).await;
    all_open(provider, SLOW, &Wrapped::both(provider, SLOW).await).await;
    assert!(rig.bring_about(Circumstance::Well).await, "{SLOW}: it must pass again");
    all_open(provider, SLOW, &one).await;
    true
}
