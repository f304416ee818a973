//! Envelopes that no reader may open: at least one for every rule that refuses.

mod bytes;
mod makers;
mod places;
mod remote;
mod two_keys;

use tokenkeep_core::{Dek, EncryptionContext, Envelope, OpenError, open_payload};

use crate::format::{Context, Recipe, TestKek};
use crate::good::{Good, plain};
use crate::{careless, json};

/// Where a reader refuses, and with which error.
#[derive(Clone, Copy, PartialEq, Debug)]
enum At {
    /// The bytes are no envelope.
    Decode(&'static str),
    /// The KEK at hand is not the one that is named: `OtherKek`.
    Kek,
    /// The wrapped DEK does not open: `Rejected`.
    Wrap,
    /// The DEK was unwrapped, and the payload does not open with it: `Rejected`.
    Payload,
}
use At::{Decode, Kek, Payload, Wrap};

#[derive(Clone)]
pub(crate) struct Bad {
    name: String,
    why: String,
    kek: TestKek,
    /// What a key service gave back; the KEK's key is not at hand then.
    dek: Option<[u8; 32]>,
    context: Context,
    envelope: Vec<u8>,
    at: At,
}

// Where the fields of the vector `token` are.
const KEK_ID: usize = 3;
const WRAPPED_LENGTH: usize = 19;
const WRAP: Level = Level { nonce: 21, ciphertext: 45, tag: 77, commitment: 93, end: 125 };
const PAYLOAD: Level = Level { nonce: 125, ciphertext: 149, tag: 195, commitment: 211, end: 243 };

struct Level {
    nonce: usize,
    ciphertext: usize,
    tag: usize,
    commitment: usize,
    end: usize,
}

/// A place in each field of a level, its name, and what watches over it.
fn flip_places(level: &Level) -> [(&'static str, usize, &'static str); 10] {
    [
        ("nonce, first half", level.nonce, "this half goes into Kx and the commitment"),
        ("nonce, second half", level.ciphertext - 1, "this half goes to AES-GCM and the commitment"),
        ("ciphertext, first byte", level.ciphertext, "the tag covers it"),
        ("ciphertext, last byte", level.tag - 1, "the tag covers it"),
        ("tag, first byte", level.tag, "the whole tag is compared"),
        ("tag, last byte", level.commitment - 1, "the whole tag is compared"),
        ("commitment, first half, first byte", level.commitment, "the whole commitment is compared"),
        ("commitment, first half, last byte", level.commitment + 15, "the whole commitment is compared"),
        ("commitment, second half, first byte", level.commitment + 16, "the whole commitment is compared"),
        ("commitment, second half, last byte", level.end - 1, "the whole commitment is compared"),
    ]
}

pub(crate) fn all() -> Vec<Bad> {
    let all = [
        bytes::headers(),
        bytes::lengths(),
        bytes::flips(),
        bytes::swaps(),
        places::keys(),
        places::contexts(),
        makers::all(),
        two_keys::all(),
        remote::all(),
    ]
    .concat();
    for (at, bad) in all.iter().enumerate() {
        bad.check();
        assert!(all[..at].iter().all(|other| other.name != bad.name), "{}: twice", bad.name);
    }
    all
}

/// The vector `token` with its bytes changed.
fn edited(name: &str, why: &str, at: At, edit: impl FnOnce(&mut Vec<u8>)) -> Bad {
    edited_from(&plain(), name, why, at, edit)
}

/// Any good vector with its bytes changed.
fn edited_from(good: &Good, name: &str, why: &str, at: At, edit: impl FnOnce(&mut Vec<u8>)) -> Bad {
    let mut envelope = good.envelope();
    edit(&mut envelope);
    let (kek, dek, context) = (good.kek().clone(), good.dek(), good.context().clone());
    Bad { name: name.into(), why: why.into(), kek, dek, context, envelope, at }
}

/// The vector `token` as it would be, were one thing made in another way.
fn made(name: &str, why: &str, at: At, change: impl FnOnce(&mut Recipe)) -> Bad {
    let mut recipe = plain().recipe();
    change(&mut recipe);
    edited(name, why, at, |bytes| *bytes = recipe.envelope())
}

impl Bad {
    /// The core refuses it where and as the vector says.
    fn check(&self) {
        let (kek, context) = (self.kek.of_the_core(), self.context.of_the_core());
        let refused = match Envelope::decode(self.envelope.clone()) {
            Err(error) => (format!("{error:?}"), "decode"),
            Ok(envelope) => match self.unwrapped(&envelope, &context, &kek) {
                Err(error @ OpenError::OtherKek) => (format!("{error:?}"), "kek"),
                Err(error) => (format!("{error:?}"), "wrap"),
                Ok(dek) => match open_payload(&envelope, &dek, &context) {
                    Err(error) => (format!("{error:?}"), "payload"),
                    Ok(_) => panic!("{}: it opens", self.name),
                },
            },
        };
        assert_eq!((refused.0.as_str(), refused.1), self.expected(), "{}", self.name);
    }

    fn unwrapped(
        &self,
        envelope: &Envelope,
        context: &EncryptionContext,
        kek: &tokenkeep_core::Kek,
    ) -> Result<Dek, OpenError> {
        let Some(dek) = &self.dek else { return envelope.unwrap_request(context).unwrap_with(kek) };
        let dek = Dek::from_bytes(dek);
        if envelope.kek() == kek.id() {
            return Ok(dek);
        }
        assert!(open_payload(envelope, &dek, context).is_ok(), "{}: not its id alone is wrong", self.name);
        Err(OpenError::OtherKek)
    }

    /// The payload, if nothing but a commitment refuses it.
    fn without_commitment(&self) -> Option<Vec<u8>> {
        careless::open(&self.envelope, &self.context.encoded(), &self.kek, self.dek)
    }

    fn expected(&self) -> (&'static str, &'static str) {
        match self.at {
            Decode(error) => (error, "decode"),
            Kek => ("OtherKek", "kek"),
            Wrap => ("Rejected", "wrap"),
            Payload => ("Rejected", "payload"),
        }
    }

    pub(crate) fn json(&self) -> String {
        let (error, refused_at) = self.expected();
        let mut fields = vec![("name", json::text(&self.name)), ("why", json::text(&self.why))];
        fields.extend(json::keys(&self.kek, self.dek));
        fields.extend([
            json::context(&self.context),
            ("envelope", json::hex(&self.envelope)),
            ("error", json::text(error)),
            ("refused_at", json::text(refused_at)),
        ]);
        fields.extend(self.without_commitment().map(|payload| ("without_commitment", json::hex(&payload))));
        json::object(&fields, 2)
    }
}
