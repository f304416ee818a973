//! Names of keys whose making did not end: the next key is made under one of them, so that what fails every time leaves one key and
//! not one for each try.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// For so long a name is taken up again. A key that no epoch names may be destroyed once it is an hour old: an older one must not come
/// into use.
const KEPT: Duration = Duration::from_secs(30 * 60);

#[derive(Default)]
pub(crate) struct Begun(Mutex<Vec<([u8; 16], Instant)>>);

/// A name that a key is being made under, by one call alone. Dropped, it is there for the next call; so too where a call is dropped.
pub(crate) struct Name<'a> {
    begun: &'a Begun,
    /// `None` once it is settled.
    name: Option<([u8; 16], Instant)>,
    random: [u8; 16],
}

impl Begun {
    /// One that an earlier call did not get to its end with.
    pub(crate) fn again(&self, now: Instant) -> Option<Name<'_>> {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.retain(|(_, since)| now.saturating_duration_since(*since) < KEPT);
        let (random, since) = names.pop()?;
        Some(Name { begun: self, name: Some((random, since)), random })
    }

    pub(crate) fn anew(&self, random: [u8; 16], now: Instant) -> Name<'_> {
        Name { begun: self, name: Some((random, now)), random }
    }
}

impl Name<'_> {
    pub(crate) fn random(&self) -> &[u8; 16] {
        &self.random
    }

    /// Its key is somebody's, or can't be used: it is not taken up again.
    pub(crate) fn settle(&mut self) {
        self.name = None;
    }
}

impl Drop for Name<'_> {
    fn drop(&mut self) {
        let mut names = self.begun.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.extend(self.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_calls_until_it_is_dropped_and_not_for_ever() {
        let (begun, now) = (Begun::default(), Instant::now());
        drop(begun.anew([1; 16], now));
        let again = begun.again(now + KEPT / 2).unwrap();
        assert_eq!(again.random(), &[1; 16]);
        assert!(begun.again(now).is_none(), "two calls have one name");
        drop(again);
        assert!(begun.again(now + KEPT).is_none(), "its age began anew, or it has no end");
        drop(begun.anew([2; 16], now));
        begun.again(now).unwrap().settle();
        assert!(begun.again(now).is_none(), "what is settled came back");
    }
}
