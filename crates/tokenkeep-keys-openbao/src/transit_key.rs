//! The named transit key, its versions, and what an id means by them.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokenkeep_core::KekId;
use tokenkeep_https::Method;
use tokenkeep_keys::{KekState, KekStatus};

use crate::OpenBaoFailure;
use crate::client::{Client, Path};
use crate::ids::Place;
use crate::wire::TransitKey;

/// How old what is known of the key may be when something is wrapped: so long a process may go on with a version that is not the
/// newest any more.
pub(crate) const AGE: Duration = Duration::from_secs(60);

/// What the service said of the key, and when it was asked.
#[derive(Debug)]
pub(crate) struct View {
    asked: Instant,
    pub(crate) key: TransitKey,
    /// When each version was made. Those of former answers too, where it is the same key: a version that does not decrypt is not
    /// listed any more.
    known: BTreeMap<u32, u64>,
}

/// The key, looked at now and then.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    view: RwLock<Option<Arc<View>>>,
    /// When the last question failed, and how.
    asking: tokio::sync::Mutex<Option<(Instant, OpenBaoFailure)>>,
}

impl Watched {
    /// What is known of the key, at most a minute old.
    pub(crate) async fn recent(&self, client: &Client, path: Path<'_>) -> Result<Arc<View>, OpenBaoFailure> {
        let oldest = Instant::now().checked_sub(AGE);
        self.since(client, path, |asked| oldest.is_none_or(|oldest| asked >= oldest)).await
    }

    /// What is known of the key, asked for from `begin` on.
    pub(crate) async fn from(
        &self,
        client: &Client,
        path: Path<'_>,
        begin: Instant,
    ) -> Result<Arc<View>, OpenBaoFailure> {
        self.since(client, path, |asked| asked >= begin).await
    }

    /// What was known last, however old.
    pub(crate) fn last(&self) -> Option<Arc<View>> {
        self.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One asks; who waits meanwhile takes the same answer if it is new enough, and the same failure in any case.
    async fn since(
        &self,
        client: &Client,
        path: Path<'_>,
        is_new_enough: impl Fn(Instant) -> bool,
    ) -> Result<Arc<View>, OpenBaoFailure> {
        let at_hand = || self.last().filter(|view| is_new_enough(view.asked));
        if let Some(view) = at_hand() {
            return Ok(view);
        }
        let begin = Instant::now();
        let mut asking = self.asking.lock().await;
        if let Some(view) = at_hand() {
            return Ok(view);
        }
        if let Some((_, failure)) = asking.as_ref().filter(|(ended, _)| begin < *ended) {
            return Err(failure.clone());
        }
        let looked = self.look(client, path).await;
        *asking = looked.as_ref().err().map(|failure| (Instant::now(), failure.clone()));
        looked
    }

    async fn look(&self, client: &Client, path: Path<'_>) -> Result<Arc<View>, OpenBaoFailure> {
        let asked = Instant::now();
        let key = read(client, path).await?.ok_or(OpenBaoFailure::KeyMissing)?.check()?;
        if !key.keys.contains_key(&key.latest_version) {
            return Err(OpenBaoFailure::Garbage);
        }
        let before = self.last().map(|view| view.known.clone()).unwrap_or_default();
        let known = known(before, &key.keys);
        let view = Arc::new(View { asked, key, known });
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&view));
        Ok(view)
    }
}

/// What became of a version. `seen`: this process saw it listed, as the very version that an id names; else another key may have had the
/// number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Decrypts,
    Disabled { seen: bool },
    Trimmed { seen: bool },
}

/// What was known before of the versions that are listed now, and of those below: a key has its versions one after the other, so where
/// one is the same, so are those that came before it. Nothing, where it may be another key.
fn known(mut before: BTreeMap<u32, u64>, listed: &BTreeMap<u32, u64>) -> BTreeMap<u32, u64> {
    let same = before.iter().rev().find(|(version, made)| listed.get(version) == Some(made));
    let same = same.map_or(0, |(version, _)| *version);
    before.retain(|version, _| *version <= same);
    before.extend(listed);
    before
}

/// What the service tells of a key; `None` when it has none of this name.
pub(crate) async fn read(client: &Client, path: Path<'_>) -> Result<Option<TransitKey>, OpenBaoFailure> {
    let reply = client.call(&Method::GET, path, None).await?;
    match reply.is_missing() {
        true => Ok(None),
        false => {
            reply.done()?;
            reply.data().map(Some)
        }
    }
}

impl View {
    pub(crate) fn primary(&self, place: &Place) -> KekId {
        let latest = self.key.latest_version;
        place.version(latest, self.known.get(&latest).copied().unwrap_or_default())
    }

    /// What became of the version with this stamp; `UnknownKey` where it was never there, or is another one.
    pub(crate) fn fate(&self, place: &Place, number: u32, stamp: &[u8; 16]) -> Result<Fate, OpenBaoFailure> {
        let key = &self.key;
        let seen = match self.known.get(&number) {
            Some(made) if place.stamp(number, *made) == *stamp => true,
            Some(_) => return Err(OpenBaoFailure::UnknownKey),
            None => false,
        };
        match () {
            () if number < key.min_available_version => Ok(Fate::Trimmed { seen }),
            () if number < key.min_decryption_version => Ok(Fate::Disabled { seen }),
            () if !seen => Err(OpenBaoFailure::UnknownKey),
            () if key.soft_deleted => Ok(Fate::Disabled { seen }),
            () => Ok(Fate::Decrypts),
        }
    }

    /// Whether a version with this stamp decrypts, by this view.
    pub(crate) fn allows(&self, place: &Place, number: u32, stamp: &[u8; 16]) -> Result<(), OpenBaoFailure> {
        match self.fate(place, number, stamp)? {
            Fate::Decrypts => Ok(()),
            Fate::Disabled { .. } => Err(OpenBaoFailure::Disabled),
            Fate::Trimmed { .. } => Err(OpenBaoFailure::Destroyed),
        }
    }

    /// As [`allows`](Self::allows), and also for another version of this number: while a view is a minute old, what a key that was made
    /// anew wraps is given the former one's id.
    pub(crate) fn may_open(
        &self,
        place: &Place,
        number: u32,
        stamp: &[u8; 16],
    ) -> Result<(), OpenBaoFailure> {
        match self.allows(place, number, stamp) {
            Err(OpenBaoFailure::UnknownKey) if self.key.keys.contains_key(&number) => Ok(()),
            allowed => allowed,
        }
    }

    /// Every version that this process has seen, but those that are disabled: they may come back and open nothing now.
    pub(crate) fn statuses(&self, place: &Place) -> Vec<KekStatus> {
        let key = &self.key;
        let state = |version: u32| match version {
            _ if version == key.latest_version => Some(KekState::Primary),
            _ if key.keys.contains_key(&version) => Some(KekState::OpenOnly),
            _ if version < key.min_available_version => Some(KekState::Destroyed),
            _ => None,
        };
        let known = self.known.iter();
        known
            .filter_map(|(version, made)| {
                Some(KekStatus::new(place.version(*version, *made), state(*version)?))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_listed_is_known_only_of_the_same_key() {
        let map = |versions: &[(u32, u64)]| versions.iter().copied().collect::<BTreeMap<_, _>>();
        for (before, listed, then) in [
            (map(&[]), map(&[(3, 30)]), map(&[(3, 30)])),
            (map(&[(1, 10), (2, 20)]), map(&[(2, 20), (3, 30)]), map(&[(1, 10), (2, 20), (3, 30)])),
            // Made anew, and its first version disabled.
            (map(&[(1, 10), (2, 20)]), map(&[(2, 99)]), map(&[(2, 99)])),
            (map(&[(1, 10)]), map(&[(2, 20)]), map(&[(2, 20)])),
            // Put back to an older state.
            (map(&[(1, 10), (2, 20), (3, 30)]), map(&[(2, 20)]), map(&[(1, 10), (2, 20)])),
            (map(&[(1, 10), (2, 20), (3, 30)]), map(&[(2, 20), (3, 31)]), map(&[(1, 10), (2, 20), (3, 31)])),
        ] {
            assert_eq!(known(before.clone(), &listed), then, "{before:?} then {listed:?}");
        }
    }
}
