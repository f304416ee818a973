//! What a maker that read FORMAT.md carelessly, or wants to get past a careless reader, would make.

use super::{Bad, Payload, Wrap, made};
use crate::format::{Output, commitment, field, gcm, kc_xaes, payload_aad, wrap_aad, xaes};
use crate::good::{facts, plain};
use crate::made_up;

pub(super) fn all() -> Vec<Bad> {
    let encoded = plain().context().encoded();
    let id = plain().kek().id.clone();
    let bare: Vec<u8> = facts().fields().concat();
    let little_endian: Vec<u8> = facts()
        .fields()
        .iter()
        .flat_map(|part| [&(part.len() as u16).to_le_bytes(), &part[..]].concat())
        .collect();
    let numbered = |aad: &[u8], label: usize, version: u8, suite: u8| {
        let mut aad = aad.to_vec();
        (aad[2 + label], aad[3 + label]) = (version, suite);
        aad
    };
    let mut all = Vec::new();

    let (right_payload, right_wrap) = (payload_aad(&encoded), wrap_aad(&id, &encoded));
    for (name, why, payload, wrap) in [
        (
            "KEK id in the payload's associated data",
            "it is left out, so that a rewrap leaves the payload alone",
            Some([&field(b"tokenkeep payload"), &[1, 1][..], &field(&id), &encoded].concat()),
            None,
        ),
        (
            "no KEK id in the wrap's associated data",
            "the wrap is bound to its KEK id",
            None,
            Some([&field(b"tokenkeep wrapped dek"), &[1, 1][..], &encoded].concat()),
        ),
        ("the wrap's label at the payload", "each level has its label", Some(right_wrap.clone()), None),
        ("the payload's label at the wrap", "each level has its label", None, Some(right_payload.clone())),
        ("no associated data at the payload", "each level is bound by itself", Some(Vec::new()), None),
        ("no associated data at the wrap", "each level is bound by itself", None, Some(Vec::new())),
        ("a context without lengths", "each field is led by its length", None, Some(wrap_aad(&id, &bare))),
        (
            "a context with little-endian lengths",
            "numbers are big-endian",
            None,
            Some(wrap_aad(&id, &little_endian)),
        ),
        (
            "sealed as version 2, and renamed",
            "the version is in both associated data",
            None,
            Some(numbered(&right_wrap, 21, 2, 1)),
        ),
        (
            "sealed as suite 2, and renamed",
            "the suite is in both associated data",
            None,
            Some(numbered(&right_wrap, 21, 1, 2)),
        ),
        (
            "payload sealed as version 2, and renamed",
            "the version is in both associated data",
            Some(numbered(&right_payload, 17, 2, 1)),
            None,
        ),
        (
            "payload sealed as suite 2, and renamed",
            "the suite is in both associated data",
            Some(numbered(&right_payload, 17, 1, 2)),
            None,
        ),
    ] {
        let at = if wrap.is_some() { Wrap } else { Payload };
        all.push(made(name, why, at, |recipe| {
            if let Some(aad) = payload {
                recipe.payload_aad = aad;
            }
            if let Some(aad) = wrap {
                recipe.wrap_aad = aad;
            }
        }));
    }

    let outputs: [(&str, &str, Output); 7] = [
        ("without a commitment", "plain XAES-256-GCM, 32 bytes shorter", xaes),
        (
            "with a commitment to another key",
            "the tag fits; who skips the commitment takes it",
            |key, nonce, aad, plain| {
                [xaes(key, nonce, aad, plain), commitment(&made_up("another key"), nonce)].concat()
            },
        ),
        (
            "with a commitment to another nonce",
            "the tag fits; who skips the commitment takes it",
            |key, nonce, aad, plain| [xaes(key, nonce, aad, plain), commitment(key, &[0; 24])].concat(),
        ),
        (
            "with a commitment of zeros",
            "the tag fits; who skips the commitment takes it",
            |key, nonce, aad, plain| [xaes(key, nonce, aad, plain), vec![0; 32]].concat(),
        ),
        (
            "with AES-256-GCM in place of XAES",
            "the commitment fits, but the key was not derived",
            |key, nonce, aad, plain| [gcm(key, &nonce[12..], aad, plain), commitment(key, nonce)].concat(),
        ),
        (
            "with a tag of zeros",
            "the commitment fits; who skips the tag takes it",
            |key, nonce, aad, plain| {
                let mut output = kc_xaes(key, nonce, aad, plain);
                output[plain.len()..plain.len() + 16].fill(0);
                output
            },
        ),
        (
            "with its plaintext, not encrypted",
            "tag and commitment are those of the ciphertext",
            |key, nonce, aad, plain| [plain, &kc_xaes(key, nonce, aad, plain)[plain.len()..]].concat(),
        ),
    ];
    for (name, why, output) in outputs {
        all.push(made(&format!("payload {name}"), why, Payload, |recipe| recipe.seal_payload = output));
        all.push(made(&format!("wrap {name}"), why, Wrap, |recipe| recipe.seal_wrap = output));
    }
    all
}
