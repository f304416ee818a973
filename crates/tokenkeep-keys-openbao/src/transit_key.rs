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
    /// Those of former answers too: a version that does not decrypt is not listed any more.
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
        let mut known = self.last().map(|view| view.known.clone()).unwrap_or_default();
        // A key that was made anew has no version of the former one.
        known.retain(|version, made| {
            *version <= key.latest_version && key.keys.get(version).is_none_or(|now| now == made)
        });
        known.extend(&key.keys);
        let view = Arc::new(View { asked, key, known });
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&view));
        Ok(view)
    }
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

    /// Whether a version with this stamp decrypts, by this view.
    pub(crate) fn allows(&self, place: &Place, number: u32, stamp: &[u8; 16]) -> Result<(), OpenBaoFailure> {
        match self.key.keys.get(&number) {
            Some(made) if place.stamp(number, *made) == *stamp => Ok(()),
            Some(_) => Err(OpenBaoFailure::UnknownKey),
            None if number < self.key.min_available_version => Err(OpenBaoFailure::Destroyed),
            None if number < self.key.min_decryption_version => Err(OpenBaoFailure::Disabled),
            None => Err(OpenBaoFailure::UnknownKey),
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
