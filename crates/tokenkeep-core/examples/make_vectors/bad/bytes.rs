//! A good envelope with its bytes changed: what storage, or whoever writes to it, can do.

use super::{
    Bad, Decode, KEK_ID, Kek, PAYLOAD, Payload, WRAP, WRAPPED_LENGTH, Wrap, edited, flip_places, made,
};
use crate::good::TOKEN;

pub(super) fn headers() -> Vec<Bad> {
    let cut = |name, length| {
        edited(name, "bytes that end before a field does", Decode("Truncated"), |bytes| {
            bytes.truncate(length);
        })
    };
    let byte =
        |name, why, error, at: usize, value| edited(name, why, Decode(error), |bytes| bytes[at] = value);
    let version = "a version that is not 1 is never guessed at";
    let suite = "a suite that is not 1 is never guessed at";
    let id = "a KEK id has 1 to 29 bytes";
    vec![
        cut("nothing at all", 0),
        cut("the version alone", 1),
        cut("no KEK id length", 2),
        cut("no KEK id", KEK_ID),
        cut("half a KEK id", KEK_ID + 8),
        cut("no wrapped DEK length", WRAPPED_LENGTH),
        cut("half a wrapped DEK length", WRAPPED_LENGTH + 1),
        cut("no wrapped DEK", WRAP.nonce),
        cut("a wrapped DEK that lacks its last byte", WRAP.end - 1),
        cut("no payload", PAYLOAD.nonce),
        cut("half a payload nonce", PAYLOAD.nonce + 12),
        cut("no tag and no commitment", PAYLOAD.ciphertext),
        cut("one byte too few for nonce, tag and commitment", PAYLOAD.nonce + 71),
        byte("version 0", version, "UnknownVersion", 0, 0),
        byte("version 2", version, "UnknownVersion", 0, 2),
        edited("version 2 and nothing else", version, Decode("UnknownVersion"), |bytes| *bytes = vec![2]),
        edited("a byte before the version", version, Decode("UnknownVersion"), |bytes| bytes.insert(0, 0)),
        byte("suite 0", suite, "UnknownSuite", 1, 0),
        byte("suite 2", suite, "UnknownSuite", 1, 2),
        edited("suite 2 and nothing else", suite, Decode("UnknownSuite"), |bytes| *bytes = vec![1, 2]),
        byte("KEK id of 0 bytes", id, "Length", 2, 0),
        byte("KEK id of 30 bytes", id, "Length", 2, 30),
        byte("KEK id of 255 bytes", id, "Length", 2, 255),
        edited(
            "KEK id of 30 bytes that are not there",
            "a length outside its range is refused before its bytes are looked for",
            Decode("Length"),
            |bytes| *bytes = vec![1, 1, 30],
        ),
        edited(
            "cut by one byte",
            "what is left still has the form of an envelope: ciphertext, tag and commitment shift",
            Payload,
            |bytes| bytes.truncate(PAYLOAD.end - 1),
        ),
        edited(
            "cut by the length of the payload",
            "what is left has the form of an envelope with an empty payload",
            Payload,
            |bytes| bytes.truncate(PAYLOAD.end - TOKEN.len()),
        ),
    ]
}

pub(super) fn lengths() -> Vec<Bad> {
    let wrapped = |name, why, at, length: u16| {
        edited(name, why, at, |bytes| {
            bytes[WRAPPED_LENGTH..WRAP.nonce].copy_from_slice(&length.to_be_bytes());
        })
    };
    let local = "a local KEK wraps to 104 bytes and no other number";
    let lies = "a length that lies shifts everything behind it";
    vec![
        wrapped("wrapped DEK of 0 bytes", "a wrapped DEK has at least one byte", Decode("Length"), 0),
        edited(
            "wrapped DEK of 0 bytes, removed",
            "as before, and the length does not lie",
            Decode("Length"),
            |bytes| {
                bytes.drain(WRAP.nonce..WRAP.end);
                bytes[WRAPPED_LENGTH + 1] = 0;
            },
        ),
        wrapped("wrapped DEK length one too many", lies, Wrap, 105),
        wrapped("wrapped DEK length one too few", lies, Wrap, 103),
        wrapped("wrapped DEK length that takes in the ciphertext", lies, Wrap, 104 + 46),
        wrapped("wrapped DEK length that leaves one byte too few", lies, Decode("Truncated"), 104 + 47),
        wrapped("wrapped DEK length of 65,535", lies, Decode("Truncated"), u16::MAX),
        wrapped(
            "wrapped DEK length in the other byte order",
            "numbers are big-endian",
            Decode("Truncated"),
            u16::swap_bytes(104),
        ),
        edited("KEK id length one too few", lies, Decode("Truncated"), |bytes| bytes[2] = 15),
        edited("KEK id length one too many", lies, Decode("Truncated"), |bytes| bytes[2] = 17),
        edited("KEK id that lacks its last byte", "another id, though every length fits", Kek, |bytes| {
            bytes.remove(WRAPPED_LENGTH - 1);
            bytes[2] = 15;
        }),
        edited("wrapped DEK with a byte appended", local, Wrap, |bytes| {
            bytes.insert(WRAP.end, 0);
            bytes[WRAPPED_LENGTH + 1] = 105;
        }),
        made("wrapped key of 16 bytes", "a DEK has 32 bytes, and this wrap is sound else", Wrap, |recipe| {
            recipe.wrapped.truncate(16);
        }),
        made("wrapped key of 33 bytes", "a DEK has 32 bytes, and this wrap is sound else", Wrap, |recipe| {
            recipe.wrapped.push(0);
        }),
        made(
            "payload of 16,385 bytes",
            "a payload has at most 16,384 bytes, though this one is sealed soundly",
            Decode("Length"),
            |recipe| recipe.payload = vec![b'x'; 16_385],
        ),
        edited("a byte appended", "ciphertext, tag and commitment shift", Payload, |bytes| bytes.push(0)),
        edited("an envelope twice", "there is one envelope, and nothing behind it", Payload, |bytes| {
            let again = bytes.clone();
            bytes.extend(again);
        }),
    ]
}

pub(super) fn flips() -> Vec<Bad> {
    let mut all = Vec::new();
    for (level, at, what) in [(WRAP, Wrap, "wrap"), (PAYLOAD, Payload, "payload")] {
        for (field, place, why) in flip_places(&level) {
            let name = format!("one bit of the {what}'s {field}");
            all.push(edited(&name, why, at, |bytes| bytes[place] ^= 1));
        }
    }
    all.push(edited("one bit of the KEK id", "the KEK at hand has another id", Kek, |bytes| {
        bytes[KEK_ID] ^= 1;
    }));
    all
}

pub(super) fn swaps() -> Vec<Bad> {
    let exchange = |bytes: &mut Vec<u8>, one: usize, other: usize, length: usize| {
        (0..length).for_each(|at| bytes.swap(one + at, other + at));
    };
    let mut all = vec![
        edited("wrap and payload exchange their nonces", "each level has its own", Wrap, |bytes| {
            exchange(bytes, WRAP.nonce, PAYLOAD.nonce, 24);
        }),
        edited("wrap and payload exchange their tags", "each level has its own", Wrap, |bytes| {
            exchange(bytes, WRAP.tag, PAYLOAD.tag, 16);
        }),
        edited("wrap and payload exchange their commitments", "each level has its own", Wrap, |bytes| {
            exchange(bytes, WRAP.commitment, PAYLOAD.commitment, 32);
        }),
        edited("the payload has the wrap's commitment", "each level has its own", Payload, |bytes| {
            bytes.copy_within(WRAP.commitment..WRAP.end, PAYLOAD.commitment);
        }),
    ];
    for (level, at, what) in [(WRAP, Wrap, "wrap"), (PAYLOAD, Payload, "payload")] {
        let length = level.end - level.tag;
        all.push(edited(
            &format!("the {what}'s commitment before its tag"),
            "the tag comes first",
            at,
            |bytes| bytes[level.tag..level.tag + length].rotate_left(16),
        ));
        all.push(edited(
            &format!("the {what}'s commitment with its halves exchanged"),
            "counter 1 comes first",
            at,
            |bytes| exchange(bytes, level.commitment, level.commitment + 16, 16),
        ));
        all.push(edited(
            &format!("the {what}'s nonce with its halves exchanged"),
            "the first half goes into Kx",
            at,
            |bytes| exchange(bytes, level.nonce, level.nonce + 12, 12),
        ));
    }
    all
}
