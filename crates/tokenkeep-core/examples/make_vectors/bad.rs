//! Envelopes that no reader may open: at least one for every rule that refuses.

mod bytes;
mod makers;
mod places;

use tokenkeep_core::{Envelope, OpenError, open_payload};

use crate::format::{Context, Facts, Recipe, TestKek};
use crate::good::{facts, plain};
use crate::json;

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

pub(crate) fn all() -> Vec<Bad> {
    let all = [
        bytes::headers(),
        bytes::lengths(),
        bytes::flips(),
        bytes::swaps(),
        places::keys(),
        places::contexts(),
        makers::all(),
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
    let good = plain();
    let mut envelope = good.envelope();
    edit(&mut envelope);
    let (kek, context) = (good.kek().clone(), good.context().clone());
    Bad { name: name.into(), why: why.into(), kek, context, envelope, at }
}

/// The vector `token` as it would be, were one thing made in another way.
fn made(name: &str, why: &str, at: At, change: impl FnOnce(&mut Recipe)) -> Bad {
    let mut recipe = plain().recipe();
    change(&mut recipe);
    edited(name, why, at, |bytes| *bytes = recipe.envelope())
}

/// The vector `token` opened with other facts.
fn with_facts(name: &str, why: &str, change: impl FnOnce(&mut Facts)) -> Bad {
    let mut facts = facts();
    change(&mut facts);
    Bad { context: Context::Token(facts), ..edited(name, why, Wrap, |_| ()) }
}

impl Bad {
    /// The core refuses it where and as the vector says.
    fn check(&self) {
        let (kek, context) = (self.kek.of_the_core(), self.context.of_the_core());
        let refused = match Envelope::decode(self.envelope.clone()) {
            Err(error) => (format!("{error:?}"), "decode"),
            Ok(envelope) => match envelope.unwrap_request(&context).unwrap_with(&kek) {
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
        let fields = [
            ("name", json::text(&self.name)),
            ("why", json::text(&self.why)),
            json::kek(&self.kek),
            json::context(&self.context),
            ("envelope", json::hex(&self.envelope)),
            ("error", json::text(error)),
            ("refused_at", json::text(refused_at)),
        ];
        json::object(&fields, 2)
    }
}
