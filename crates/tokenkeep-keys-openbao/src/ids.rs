//! KEK ids of transit keys.
//!
//! | key | id |
//! | --- | --- |
//! | a version of the named key | 1, place (8), stamp (16), version (4, big-endian) |
//! | a key of its own, with one version | 2, place (8), random (16) |
//!
//! The *place* is the start of SHA-256 over service, namespace, mount and key name. The *service* is the name that an operator gave it:
//! its address may change and differ between hosts, and a cluster's own id is another one in a replica that has the same keys, and
//! the same one in a copy that has not.
//!
//! The *stamp* is the start of SHA-256 over the place, the version and its creation time in seconds, which is all that the service
//! tells of a version's identity, and only while it decrypts. So a key that was deleted and made anew has other stamps, unless that
//! happened within a second; then what the former one wrapped is `Tampered` instead of `KeysWrong`. Whether a version that is not listed any
//! more is the one that an id names is known only to who saw it listed (`transit_key.rs`).

use sha2::{Digest, Sha256};
use tokenkeep_core::{Error, KekId, fill_random};

const VERSION: u8 = 1;
const OWN: u8 = 2;

/// Where a key is, hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place([u8; 32]);

/// What a KEK id of ours names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    Version { number: u32, stamp: [u8; 16] },
    Own([u8; 16]),
}

impl Place {
    pub(crate) fn new(service: &str, namespace: &str, mount: &str, key: &str) -> Self {
        let mut hash = Sha256::new_with_prefix("tokenkeep: a key of a transit engine");
        for field in [service, namespace, mount, key] {
            hash.update((field.len() as u64).to_be_bytes());
            hash.update(field);
        }
        Self(hash.finalize().into())
    }

    pub(crate) fn stamp(&self, number: u32, created: u64) -> [u8; 16] {
        let hash = Sha256::new_with_prefix("tokenkeep: a version of a key of a transit engine")
            .chain_update(self.0)
            .chain_update(number.to_be_bytes())
            .chain_update(created.to_be_bytes());
        start(&hash.finalize().into())
    }

    pub(crate) fn version(&self, number: u32, created: u64) -> KekId {
        id(&[&[VERSION], &start::<8>(&self.0), &self.stamp(number, created), &number.to_be_bytes()])
    }

    pub(crate) fn own(&self, random: &[u8; 16]) -> KekId {
        id(&[&[OWN], &start::<8>(&self.0), random])
    }

    pub(crate) fn random_own(&self) -> Result<[u8; 16], Error> {
        let mut random = [0; 16];
        fill_random(&mut random)?;
        Ok(random)
    }

    /// What the id names; `None` when it is not of this place.
    pub(crate) fn read(&self, id: &KekId) -> Option<Named> {
        let (kind, rest) = id.as_bytes().split_first()?;
        let (place, rest) = rest.split_first_chunk::<8>()?;
        if *place != start::<8>(&self.0) {
            return None;
        }
        match *kind {
            VERSION => {
                let (stamp, number) = rest.split_first_chunk::<16>()?;
                Some(Named::Version { number: u32::from_be_bytes(number.try_into().ok()?), stamp: *stamp })
            }
            OWN => Some(Named::Own(rest.try_into().ok()?)),
            _ => None,
        }
    }
}

fn start<const N: usize>(hash: &[u8; 32]) -> [u8; N] {
    let mut start = [0; N];
    start.copy_from_slice(&hash[..N]);
    start
}

fn id(parts: &[&[u8]]) -> KekId {
    KekId::from_slice(&parts.concat()).expect("an id is at most 1 + 8 + 16 + 4 bytes long")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_back_and_told_apart() {
        let place = Place::new("", "", "transit", "tokenkeep");
        let id = place.version(7, 1_800_000_000);
        assert_eq!(id.as_bytes().len(), KekId::MAX_LEN);
        let stamp = place.stamp(7, 1_800_000_000);
        assert_eq!(place.read(&id), Some(Named::Version { number: 7, stamp }));
        assert_eq!(place.read(&place.own(&[5; 16])), Some(Named::Own([5; 16])));
        assert_ne!(id, place.version(8, 1_800_000_000));
        assert_ne!(id, place.version(7, 1_800_000_001), "made anew");

        // Fields that only look alike when put together.
        for [service, namespace, mount, key] in [
            ["", "t", "ransit", "tokenkeep"],
            ["t", "", "ransit", "tokenkeep"],
            ["staging", "", "transit", "tokenkeep"],
            ["", "staging", "transit", "tokenkeep"],
            ["", "", "transit2", "tokenkeep"],
            ["", "", "transit", "other"],
        ] {
            assert_eq!(Place::new(service, namespace, mount, key).read(&id), None);
        }
        let long = [id.as_bytes(), &[0]].concat();
        let short = &id.as_bytes()[..28];
        for bytes in [short, &long[1..], &[3; 29], &[1]] {
            assert_eq!(place.read(&KekId::from_slice(bytes).unwrap()), None);
        }
    }
}
