//! The published vectors: each good one opens, each bad one is refused where and as it says.

#[path = "support/vectors.rs"]
mod support;

use serde_json::Value;
use support::{Counts, check, hex, kek, kek_id};
use tokenkeep_core::Envelope;

const FILE: &str = include_str!("../vectors/envelope_v1.json");

fn file() -> Value {
    serde_json::from_str(FILE).unwrap()
}

fn envelope(vector: &Value) -> Envelope {
    Envelope::decode(hex(vector, "envelope")).unwrap()
}

#[test]
fn every_vector_behaves_as_it_says() {
    // The numbers are here so that a list that was cut short is seen.
    assert_eq!(check(FILE), Ok(Counts { good: 32, bad: 177 }));
}

#[test]
fn a_rewrapped_one_shares_its_payload_byte_for_byte() {
    let file = file();
    let good = file["good"].as_array().unwrap();
    let mut seen = 0;
    for rewrapped in good.iter().filter(|vector| vector["rewrap_of"].is_string()) {
        let before = good.iter().find(|vector| vector["name"] == rewrapped["rewrap_of"]).unwrap();
        let behind_the_wrap = |vector: &Value| {
            let envelope = envelope(vector);
            let start = 1 + 1 + 1 + envelope.kek().as_bytes().len() + 2 + envelope.wrapped_dek().len();
            envelope.into_bytes()[start..].to_vec()
        };
        assert_eq!(behind_the_wrap(before), behind_the_wrap(rewrapped));
        assert_ne!(kek_id(before), kek_id(rewrapped));
        seen += 1;
    }
    assert_eq!(seen, 2);
}

/// That AES-GCM commits to no key is shown by the good ones: one nonce, ciphertext and tag, two keys, and both open. The
/// bad ones are a twin with what belongs to the other; but for a commitment they would open, and to the other's payload.
#[test]
fn what_fits_two_keys_is_told_apart_by_its_commitment() {
    let file = file();
    let named = |list: &str, name: &str| {
        let found = file[list].as_array().unwrap().iter().find(|vector| vector["name"] == name);
        found.unwrap_or_else(|| panic!("no {name:?}")).clone()
    };
    let all_but_commitment = |sealed: &[u8]| sealed.split_at(sealed.len() - 32).0.to_vec();
    for fits in ["payload that fits two DEKs", "wrap that fits two KEKs"] {
        let [one, other] = ["one", "the other"].map(|which| named("good", &format!("{fits}: {which}")));
        let payload = |vector| {
            let envelope = envelope(vector);
            envelope.as_bytes()[envelope.as_bytes().len() - envelope.ciphertext().len() - 72..].to_vec()
        };
        assert_eq!(all_but_commitment(&payload(&one)), all_but_commitment(&payload(&other)), "{fits}");
        assert_ne!(payload(&one), payload(&other), "{fits}");
        assert_eq!((kek_id(&one), &one["context"]), (kek_id(&other), &other["context"]), "{fits}");
        assert_ne!(one["payload"], other["payload"], "{fits}");
    }
    let [one, other] =
        ["one", "the other"].map(|which| named("good", &format!("wrap that fits two KEKs: {which}")));
    let wrap = |vector| envelope(vector).wrapped_dek().to_vec();
    assert_eq!(all_but_commitment(&wrap(&one)), all_but_commitment(&wrap(&other)));
    assert_ne!(wrap(&one), wrap(&other));
    assert_ne!(one["kek"]["key"], other["kek"]["key"]);

    for (bad, good) in [
        ("payload that fits two DEKs, with the other DEK wrapped", "payload that fits two DEKs: the other"),
        (
            "remote: payload that fits two DEKs, and the other given back",
            "payload that fits two DEKs: the other",
        ),
        ("wrap that fits two KEKs, opened with the other", "wrap that fits two KEKs: the other"),
        ("wrap that fits two KEKs, committed to the other", "wrap that fits two KEKs: the other"),
        (
            "wrap that fits two KEKs, its payload committed to the other's DEK",
            "wrap that fits two KEKs: the other",
        ),
    ] {
        assert_eq!(named("bad", bad)["without_commitment"], named("good", good)["payload"], "{bad}");
    }
}

/// The format is frozen: what is drawn alike is sealed alike, whatever the backend.
#[cfg(feature = "dangerous-test-vectors")]
#[test]
fn the_drawn_bytes_seal_to_the_same_envelope() {
    for vector in file()["good"].as_array().unwrap() {
        let context = support::context(vector);
        let draft =
            tokenkeep_core::SealDraft::dangerous_from_bytes(&context, &support::array(vector, "drawn"));
        let wrapped = if vector["dek"].is_null() {
            draft.wrap_request().wrap_with(&kek(vector))
        } else {
            // What the service returned can't be made again: it is taken from the envelope.
            let returned = envelope(vector).wrapped_dek().to_vec();
            tokenkeep_core::WrappedDek::from_service(kek_id(vector), returned).unwrap()
        };
        let sealed = draft.finish(&hex(vector, "payload"), &wrapped).unwrap();
        assert!(sealed.as_bytes() == hex(vector, "envelope"), "{}", vector["name"]);
    }
}

/// The check itself can fail: a good vector among the bad ones, and each good one with its payload or its digest changed.
#[test]
fn a_file_that_is_wrong_is_seen() {
    let mut wrong = file();
    let mut opens = wrong["good"][0].clone();
    opens["error"] = "Rejected".into();
    opens["refused_at"] = "payload".into();
    wrong["bad"].as_array_mut().unwrap().push(opens);
    assert_eq!(check(&wrong.to_string()).unwrap_err().lines().count(), 1);

    for (field, value) in [("payload", "00".to_owned()), ("context_digest", "00".repeat(32))] {
        let mut wrong = file();
        for vector in wrong["good"].as_array_mut().unwrap() {
            vector[field] = value.as_str().into();
        }
        let complaints = check(&wrong.to_string()).unwrap_err();
        assert_eq!(complaints.lines().count(), file()["good"].as_array().unwrap().len(), "{field}");
    }
}
