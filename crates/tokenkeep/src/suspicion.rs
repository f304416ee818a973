//! Whether it is the token that a provider refuses, or the provider that is out of order.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokenkeep_core::{ConnectionId, Error};
use tokenkeep_store::{AtProvider, Counted, Record, Timestamp};

use crate::inner::Inner;
use crate::observe::IncidentKind;

/// What happens within this time happens together.
pub(crate) const WINDOW: Duration = Duration::from_secs(5 * 60);

/// As many tokens may pause together, however few connections the provider has. Beyond, as many as one in a hundred of these.
///
/// Tokens, and not connections: one that its tenant connected under six names is refused six times, and says no more than once. Nor
/// tenants or accounts: where all connections are one's own, an outage would look like a single one of them, and would revoke them all.
pub(crate) const FEW: u32 = 5;

/// How long it is believed how many connections a provider has: to count a million takes a moment.
const KNOWN_FOR: Duration = Duration::from_secs(60);

/// What a refusal of a token means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// The provider refuses it for good.
    Revoked,
    /// It was paused less than [`WINDOW`] ago: whether many others were, too, is not known before that is over.
    TooSoon,
    /// Too many others were paused with it.
    ProviderSuspect,
}

/// What this process knows of providers.
#[derive(Debug, Default)]
pub(crate) struct Providers(Mutex<HashMap<AtProvider, Known>>);

#[derive(Debug, Default)]
struct Known {
    /// How many connections it has, and when they were counted.
    held: Option<(Instant, u32)>,
    /// When it was last found suspect.
    suspect: Option<Timestamp>,
}

impl Providers {
    fn known(&self) -> MutexGuard<'_, HashMap<AtProvider, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that this one is suspect, and whether that is news: one that was in the last ten minutes is suspect still.
    fn is_news(&self, at: &AtProvider, now: Timestamp) -> bool {
        let before = self.known().entry(at.clone()).or_default().suspect.replace(now);
        before.is_none_or(|before| before.after(WINDOW * 2) <= now)
    }
}

impl Inner {
    /// What it means that this paused connection's token was refused once more.
    pub(crate) async fn judge(&self, record: &Record) -> Result<Judgement, Error> {
        if self.is_one_of_many(record).await? {
            self.suspect(record);
            return Ok(Judgement::ProviderSuspect);
        }
        let is_over = record.paused_at.is_none_or(|at| at.after(WINDOW) <= self.now());
        Ok(if is_over { Judgement::Revoked } else { Judgement::TooSoon })
    }

    /// Whether more of its provider's tokens pause now than come one by one, or of those that paused within five minutes of this
    /// one are paused still.
    ///
    /// The first sees a provider that refuses now and then: what is resumed counts, too. The second sees one that has long paused
    /// all that there are, so that no more come.
    pub(crate) async fn is_one_of_many(&self, record: &Record) -> Result<bool, Error> {
        let at = place(record);
        let now = self.now();
        let lately = Counted::PausedDuring(around(now));
        // By a clock that was ahead, that may be in the future: those that were paused by the same clock are found there.
        let beside = Counted::StillPaused(around(record.paused_at.unwrap_or(now)));
        Ok(self.are_many(&at, &lately).await? || self.are_many(&at, &beside).await?)
    }

    async fn are_many(&self, at: &AtProvider, which: &Counted) -> Result<bool, Error> {
        // Nearly always they are few; how many a hundredth is need not be known then.
        if self.store.count(at, which, FEW + 1).await? <= FEW {
            return Ok(false);
        }
        let hundredth = self.held(at).await? / 100;
        Ok(hundredth <= FEW || self.store.count(at, which, hundredth + 1).await? > hundredth)
    }

    async fn held(&self, at: &AtProvider) -> Result<u32, Error> {
        let known = self.providers.known().get(at).and_then(|known| known.held);
        if let Some((_, held)) = known.filter(|(counted, _)| counted.elapsed() < KNOWN_FOR) {
            return Ok(held);
        }
        let counted = Instant::now();
        let held = self.store.count(at, &Counted::Held, u32::MAX).await?;
        self.providers.known().entry(at.clone()).or_default().held = Some((counted, held));
        Ok(held)
    }

    /// Tells the operator, once for each time that it begins.
    fn suspect(&self, record: &Record) {
        if self.providers.is_news(&place(record), self.now()) {
            let ids: &[ConnectionId] = std::slice::from_ref(&record.id);
            self.watch.incident(IncidentKind::ProviderSuspect, ids);
        }
    }
}

/// The provider that a record's token is for.
fn place(record: &Record) -> AtProvider {
    AtProvider { provider: record.provider.clone(), origin: record.origin.clone() }
}

/// From five minutes before this time to five minutes after it. The clocks of instances may be that far apart.
fn around(time: Timestamp) -> std::ops::Range<Timestamp> {
    let window = i64::try_from(WINDOW.as_millis()).unwrap_or(i64::MAX);
    let first = Timestamp::from_millis(time.as_millis().saturating_sub(window));
    first..Timestamp::from_millis(time.as_millis().saturating_add(window).saturating_add(1))
}
