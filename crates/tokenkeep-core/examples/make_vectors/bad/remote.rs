//! What must not open though a key service gave a DEK back: the service has checked what it was given, and nothing else.

use super::{
    Bad, Decode, KEK_ID, Kek, PAYLOAD, Payload, WRAP, WRAPPED_LENGTH, edited_from, flip_places, places,
};
use crate::format::{Context, Facts, TestKek, payload_aad};
use crate::good::remote::{long, short};
use crate::good::{facts, two_deks};
use crate::made_up;

pub(super) fn all() -> Vec<Bad> {
    [keys(), ids(), contexts(), lengths(), flips()].concat()
}

fn keys() -> Vec<Bad> {
    let [one, other] = two_deks();
    let dek = |of: &crate::good::Good| *of.recipe().drawn.first_chunk().expect("80 bytes");
    let twin = Bad {
        dek: Some(dek(&other)),
        ..edited_from(
            &one,
            "remote: payload that fits two DEKs, and the other given back",
            "the tag fits; only the commitment tells the DEKs apart",
            Payload,
            |_| (),
        )
    };
    assert!(twin.without_commitment().is_some(), "{}: not its commitment alone is wrong", twin.name);
    vec![
        twin,
        Bad {
            dek: Some(dek(&long())),
            ..edited_from(
                &short(),
                "remote: another DEK given back",
                "it is that of another envelope",
                Payload,
                |_| (),
            )
        },
        edited_from(
            &short(),
            "remote: payload of another envelope",
            "same KEK, same context, another DEK",
            Payload,
            |bytes| {
                let other = long().envelope();
                let length = bytes.len() - PAYLOAD_OF_SHORT;
                bytes[PAYLOAD_OF_SHORT..].copy_from_slice(&other[other.len() - length..]);
            },
        ),
    ]
}

/// The DEK fits, and the payload's associated data has no KEK id: the comparison stands alone against these.
fn ids() -> Vec<Bad> {
    let why = "the DEK fits; the id is not, byte by byte, the one that is named";
    let id = short().kek().id.clone();
    let named = |name, id: &[u8]| {
        edited_from(&short(), name, why, Kek, |bytes| {
            bytes[2] = u8::try_from(id.len()).expect("at most 29");
            bytes.splice(KEK_ID..WRAPPED_LENGTH, id.iter().copied());
        })
    };
    let with_bit = |at: usize| {
        let mut id = id.clone();
        id[at] ^= 1;
        id
    };
    let at_hand = |name, id: &[u8]| {
        let kek = TestKek { id: id.to_vec(), key: short().kek().key };
        Bad { kek, ..edited_from(&short(), name, why, Kek, |_| ()) }
    };
    vec![
        named("remote: one bit of the KEK id's first byte", &with_bit(0)),
        named("remote: one bit of the KEK id's last byte", &with_bit(15)),
        named("remote: KEK id that lacks its last byte", &id[..15]),
        named("remote: KEK id with a zero appended", &[&id[..], &[0]].concat()),
        at_hand("remote: another KEK at hand", &made_up::<16>("another KEK of a key service")),
        at_hand("remote: KEK at hand whose id lacks the last byte", &id[..15]),
        at_hand("remote: KEK at hand whose id has a zero appended", &[&id[..], &[0]].concat()),
    ]
}

/// No wrap is opened here that would refuse another context first.
fn contexts() -> Vec<Bad> {
    let mut all: Vec<Bad> = places::other_facts()
        .into_iter()
        .map(|(name, why, facts)| Bad {
            context: Context::Token(facts),
            ..edited_from(&short(), &format!("remote: {name}"), why, Payload, |_| ())
        })
        .collect();
    let mut recipe = short().recipe();
    recipe.payload_aad = payload_aad(&Context::Token(Facts { kind: 2, ..facts() }).encoded());
    let kind = recipe.envelope();
    recipe.payload_aad = Vec::new();
    let unbound = recipe.envelope();
    for (name, why, made) in [
        ("remote: a payload of kind 2", "the kind is bound; it was sealed as 2 and is opened as 1", kind),
        ("remote: no associated data at the payload", "the payload is bound by itself", unbound),
    ] {
        all.push(edited_from(&short(), name, why, Payload, |bytes| *bytes = made));
    }
    all
}

fn lengths() -> Vec<Bad> {
    let lies = "a length that lies shifts everything behind it";
    let good = long();
    let length = |name, at, length: u16| {
        edited_from(&good, name, lies, at, |bytes| {
            bytes[WRAPPED_LENGTH..WRAP.nonce].copy_from_slice(&length.to_be_bytes());
        })
    };
    vec![
        length("remote: wrapped DEK length one too many", Payload, 301),
        length("remote: wrapped DEK length one too few", Payload, 299),
        length("remote: wrapped DEK length without its first byte", Payload, 300 & 0xFF),
        length("remote: wrapped DEK length of a local one", Payload, 104),
        length("remote: wrapped DEK length that takes in the ciphertext", Payload, 300 + 46),
        length("remote: wrapped DEK length that leaves one byte too few", Decode("Truncated"), 300 + 47),
        length("remote: wrapped DEK length of 65,535", Decode("Truncated"), u16::MAX),
        length(
            "remote: wrapped DEK length in the other byte order",
            Decode("Truncated"),
            u16::swap_bytes(300),
        ),
        length("remote: wrapped DEK length of 0", Decode("Length"), 0),
        edited_from(
            &short(),
            "remote: wrapped DEK of 0 bytes",
            "a wrapped DEK has at least one byte, and the length does not lie",
            Decode("Length"),
            |bytes| {
                bytes.remove(WRAP.nonce);
                bytes[WRAPPED_LENGTH + 1] = 0;
            },
        ),
    ]
}

/// Where the payload's nonce begins in `short`.
const PAYLOAD_OF_SHORT: usize = WRAP.nonce + 1;

fn flips() -> Vec<Bad> {
    let flip = |(field, place, why): (&str, usize, &str)| {
        let name = format!("remote: one bit of the payload's {field}");
        let place = place - PAYLOAD.nonce + PAYLOAD_OF_SHORT;
        edited_from(&short(), &name, why, Payload, |bytes| bytes[place] ^= 1)
    };
    flip_places(&PAYLOAD).map(flip).to_vec()
}
