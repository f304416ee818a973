//! What is known of a set without its values: its payload's form, version 1.
//!
//! `version u8 = 1 | version of the values u64 | number of variables u16 | of each, in ascending order: name u8 length, bytes | changed in
//! version u64 | changed at i64 | fingerprint 16 | number of targets u16 | of each, in ascending order: name u8 length, bytes | applied at
//! i64 | leased u8: 0, or 1 and then holder 16 and end i64 | number of variables that are as applied u16 | of each, in ascending order: its
//! place among the variables u16, fingerprint 16 | zeros`; numbers are big-endian, times milliseconds since 1970 UTC.

use std::collections::BTreeMap;
use std::time::Duration;

use tokenkeep_core::{MAX_PAYLOAD, SecretVars, SecretVersion};
use tokenkeep_store::Timestamp;
use zeroize::Zeroizing;

const VERSION: u8 = 1;

/// A lease that lasts longer than any that is taken was written by a clock that is wrong, and bars nobody.
const LONGEST: Duration = Duration::from_secs(10 * 60);

/// Tells two values of one variable apart, and is of no use without the vault's key.
pub(crate) type Fingerprint = [u8; 16];

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Index {
    /// Which version of the values it describes.
    pub(crate) values: u64,
    pub(crate) vars: BTreeMap<String, IndexedVar>,
    pub(crate) targets: BTreeMap<String, IndexedTarget>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IndexedVar {
    /// The version of the values in which it last changed.
    pub(crate) changed_in: SecretVersion,
    pub(crate) changed_at: Timestamp,
    pub(crate) fingerprint: Fingerprint,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IndexedTarget {
    /// When it was last applied to.
    pub(crate) applied_at: Timestamp,
    pub(crate) lease: Option<TargetLease>,
    /// The values that are known to be there; of a variable that is not among them, nothing is known.
    pub(crate) applied: BTreeMap<String, Fingerprint>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TargetLease {
    pub(crate) holder: [u8; 16],
    pub(crate) until: Timestamp,
}

impl TargetLease {
    /// Whether it keeps others out now.
    pub(crate) fn bars(&self, now: Timestamp) -> bool {
        now < self.until && self.until <= now.after(LONGEST)
    }
}

impl Index {
    /// As a payload of [`MAX_PAYLOAD`] bytes, whatever is in it. `None` where it has no room.
    pub(crate) fn to_payload(&self) -> Option<Zeroizing<Box<[u8]>>> {
        let mut payload: Zeroizing<Box<[u8]>> = Zeroizing::new([0; MAX_PAYLOAD].into());
        let mut writer = Writer { rest: &mut payload };
        writer.put(&[VERSION])?;
        writer.put(&self.values.to_be_bytes())?;
        writer.count(self.vars.len())?;
        for (name, var) in &self.vars {
            writer.name(name)?;
            writer.put(&var.changed_in.get().to_be_bytes())?;
            writer.put(&var.changed_at.as_millis().to_be_bytes())?;
            writer.put(&var.fingerprint)?;
        }
        writer.count(self.targets.len())?;
        for (name, target) in &self.targets {
            writer.name(name)?;
            writer.put(&target.applied_at.as_millis().to_be_bytes())?;
            match &target.lease {
                None => writer.put(&[0])?,
                Some(lease) => {
                    writer.put(&[1])?;
                    writer.put(&lease.holder)?;
                    writer.put(&lease.until.as_millis().to_be_bytes())?;
                }
            }
            let places = self.vars.keys().enumerate();
            let applied: Vec<_> =
                places.filter_map(|(place, name)| Some((place, target.applied.get(name)?))).collect();
            writer.count(applied.len())?;
            for (place, fingerprint) in applied {
                writer.count(place)?;
                writer.put(fingerprint)?;
            }
        }
        Some(payload)
    }

    /// What a payload holds. `None` for whatever [`to_payload`](Self::to_payload) does not make.
    pub(crate) fn from_payload(payload: &[u8]) -> Option<Self> {
        if payload.len() != MAX_PAYLOAD {
            return None;
        }
        let mut reader = Reader { rest: payload };
        if reader.take::<1>()? != [VERSION] {
            return None;
        }
        let mut index = Self { values: u64::from_be_bytes(reader.take()?), ..Self::default() };
        for _ in 0..reader.count()? {
            let name = reader.name()?;
            let var = IndexedVar {
                changed_in: SecretVersion::from_u64(u64::from_be_bytes(reader.take()?)),
                changed_at: Timestamp::from_millis(i64::from_be_bytes(reader.take()?)),
                fingerprint: reader.take()?,
            };
            ascending(&mut index.vars, name, var)?;
        }
        let names: Vec<&String> = index.vars.keys().collect();
        for _ in 0..reader.count()? {
            let name = reader.name()?;
            let applied_at = Timestamp::from_millis(i64::from_be_bytes(reader.take()?));
            let lease = match reader.take::<1>()? {
                [0] => None,
                [1] => Some(TargetLease {
                    holder: reader.take()?,
                    until: Timestamp::from_millis(i64::from_be_bytes(reader.take()?)),
                }),
                _ => return None,
            };
            let mut applied = BTreeMap::new();
            for _ in 0..reader.count()? {
                let name = (*names.get(reader.count()?)?).clone();
                ascending(&mut applied, name, reader.take()?)?;
            }
            ascending(&mut index.targets, name, IndexedTarget { applied_at, lease, applied })?;
        }
        reader.rest.iter().all(|byte| *byte == 0).then_some(index)
    }

    /// Forgets targets until it fits, never this one and none that somebody applies to now: the one that was applied to longest ago
    /// first. What is forgotten is sent again by the next push.
    pub(crate) fn fitted(&mut self, keep: Option<&str>, now: Timestamp) -> Option<Zeroizing<Box<[u8]>>> {
        loop {
            if let Some(payload) = self.to_payload() {
                return Some(payload);
            }
            let spare = self.targets.iter().filter(|(name, target)| {
                Some(name.as_str()) != keep && !target.lease.is_some_and(|lease| lease.bars(now))
            });
            let oldest = spare.min_by_key(|(_, target)| target.applied_at).map(|(name, _)| name.clone())?;
            self.targets.remove(&oldest);
        }
    }

    /// Leaves out of every target what is no variable of the set any more.
    pub(crate) fn forget_removed(&mut self) {
        let Self { vars, targets, .. } = self;
        targets.values_mut().for_each(|target| target.applied.retain(|name, _| vars.contains_key(name)));
    }
}

/// A map has one form: its names ascend.
fn ascending<T>(map: &mut BTreeMap<String, T>, name: String, value: T) -> Option<()> {
    if map.last_key_value().is_some_and(|(last, _)| *last >= name) {
        return None;
    }
    map.insert(name, value);
    Some(())
}

struct Writer<'b> {
    rest: &'b mut [u8],
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let (place, rest) = std::mem::take(&mut self.rest).split_at_mut_checked(bytes.len())?;
        place.copy_from_slice(bytes);
        self.rest = rest;
        Some(())
    }

    fn count(&mut self, count: usize) -> Option<()> {
        self.put(&u16::try_from(count).ok()?.to_be_bytes())
    }

    fn name(&mut self, name: &str) -> Option<()> {
        self.put(&[u8::try_from(name.len()).ok()?])?;
        self.put(name.as_bytes())
    }
}

struct Reader<'b> {
    rest: &'b [u8],
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*taken)
    }

    fn count(&mut self) -> Option<usize> {
        Some(usize::from(u16::from_be_bytes(self.take()?)))
    }

    fn name(&mut self) -> Option<String> {
        let [length] = self.take()?;
        let (name, rest) = self.rest.split_at_checked(usize::from(length))?;
        self.rest = rest;
        String::from_utf8(name.to_vec()).ok()
    }
}

// A set that can be made at all can be indexed, with one target of any name: names, 33 bytes more for each variable; 18 for each that was
// applied, and the rest of the target.
const _: () = assert!(
    11 + SecretVars::MAX_NAMES_LEN
        + 33 * SecretVars::MAX_VARS
        + 2
        + (1 + 255 + 8 + 25 + 2 + 18 * SecretVars::MAX_VARS)
        <= MAX_PAYLOAD
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn var(number: u8) -> IndexedVar {
        IndexedVar {
            changed_in: SecretVersion::from_u64(u64::from(number) << 40),
            changed_at: Timestamp::from_millis(-i64::from(number)),
            fingerprint: [number; 16],
        }
    }

    fn target(at: i64, lease: Option<i64>, applied: &[&str]) -> IndexedTarget {
        IndexedTarget {
            applied_at: Timestamp::from_millis(at),
            lease: lease.map(|until| TargetLease { holder: [9; 16], until: Timestamp::from_millis(until) }),
            applied: applied.iter().map(|name| ((*name).to_owned(), [7; 16])).collect(),
        }
    }

    fn sample() -> Index {
        let mut index = Index { values: 3, ..Index::default() };
        index.vars.extend((1..=3).map(|number| (format!("A{number}"), var(number))));
        index.targets.insert("actor/0.1".to_owned(), target(5, Some(17), &["A1", "A3"]));
        index.targets.insert(String::new(), target(6, None, &[]));
        index
    }

    #[test]
    fn it_reads_back_and_has_one_length() {
        for index in [Index::default(), sample()] {
            let payload = index.to_payload().unwrap();
            assert_eq!(payload.len(), MAX_PAYLOAD);
            assert_eq!(Index::from_payload(&payload), Some(index));
        }
    }

    #[test]
    fn what_has_no_room_makes_others_be_forgotten() {
        let mut index = sample();
        let names: Vec<String> = index.vars.keys().cloned().collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for number in 0..100 {
            let lease = (number == 3).then_some(1000);
            index.targets.insert(format!("{number:0>200}"), target(100 + number, lease, &names));
        }
        assert!(index.to_payload().is_none());
        let kept = format!("{:0>200}", 1);
        let payload = index.fitted(Some(&kept), Timestamp::from_millis(999)).unwrap();
        let read = Index::from_payload(&payload).unwrap();
        assert_eq!(read, index);
        let has = |number: u8| read.targets.contains_key(&format!("{number:0>200}"));
        assert!(has(1) && has(3) && has(99) && !has(0) && !has(2) && !has(4));
        assert!(index.fitted(None, Timestamp::from_millis(999)).is_some());
    }

    /// What a clock that was wrong left bars nobody, here too: else a set could not be changed for good.
    #[test]
    fn a_lease_that_bars_nobody_is_forgotten_as_any_other() {
        let full = || {
            let mut index = sample();
            let names: Vec<String> = index.vars.keys().cloned().collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            for number in 0..100 {
                let entry = target(number, Some(i64::MAX - number), &names);
                index.targets.insert(format!("{number:0>200}"), entry);
            }
            index
        };
        assert!(full().fitted(None, Timestamp::from_millis(0)).is_some());
        assert!(full().fitted(None, Timestamp::from_millis(i64::MAX - 1000)).is_none(), "these bar");
    }

    /// The figures of the documentation: so many targets are known at a time.
    #[test]
    fn so_many_targets_have_room() {
        for (vars, targets) in [(10, 73), (20, 38), (50, 14), (100, 5)] {
            let mut index = Index::default();
            index.vars.extend((0..vars).map(|number| (format!("{number:A>24}"), var(7))));
            let names: Vec<String> = index.vars.keys().cloned().collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let room = (0..).find(|number| {
                index.targets.insert(format!("{number:0>24}"), target(0, None, &names));
                index.to_payload().is_none()
            });
            assert_eq!(room, Some(targets), "{vars} variables");
        }
    }

    #[test]
    fn another_form_is_none() {
        let payload = sample().to_payload().unwrap();
        assert!(Index::from_payload(&payload[..MAX_PAYLOAD - 1]).is_none());
        let with = |at: usize, byte: u8| {
            let mut other = payload.to_vec();
            other[at] = byte;
            Index::from_payload(&other)
        };
        assert!(with(0, 2).is_none() && with(MAX_PAYLOAD - 1, 1).is_none());
        assert!(with(12, b'Z').is_none(), "names ascend");
        assert!(with(9, 1).is_none() && with(10, 2).is_none(), "another number of variables");
    }

    proptest! {
        /// Whatever reads is what would be written.
        #[test]
        fn what_reads_is_written_so(edits in prop::collection::vec((0..300_usize, any::<u8>()), 0..4)) {
            let mut payload = sample().to_payload().unwrap();
            for (at, byte) in edits {
                payload[at] = byte;
            }
            if let Some(index) = Index::from_payload(&payload) {
                prop_assert_eq!(&**index.to_payload().unwrap(), &**payload);
            }
        }
    }
}
