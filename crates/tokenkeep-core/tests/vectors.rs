//! The published vectors: each good one opens, each bad one is refused where and as it says.

#[path = "support/vectors.rs"]
mod support;

use serde_json::Value;
use support::{Counts, check, hex, kek};

const FILE: &str = include_str!("../vectors/envelope_v1.json");

fn file() -> Value {
    serde_json::from_str(FILE).unwrap()
}

#[test]
fn every_vector_behaves_as_it_says() {
    // The numbers are here so that a list that was cut short is seen.
    assert_eq!(check(FILE), Ok(Counts { good: 21, bad: 128 }));
}

#[test]
fn a_rewrapped_one_shares_its_payload_byte_for_byte() {
    let file = file();
    let good = file["good"].as_array().unwrap();
    let mut seen = 0;
    for rewrapped in good.iter().filter(|vector| vector["rewrap_of"].is_string()) {
        let before = good.iter().find(|vector| vector["name"] == rewrapped["rewrap_of"]).unwrap();
        let behind_the_wrap = |vector: &Value| {
            let envelope = tokenkeep_core::Envelope::decode(hex(vector, "envelope")).unwrap();
            let start = 1 + 1 + 1 + envelope.kek().as_bytes().len() + 2 + envelope.wrapped_dek().len();
            envelope.into_bytes()[start..].to_vec()
        };
        assert_eq!(behind_the_wrap(before), behind_the_wrap(rewrapped));
        assert_ne!(kek(before).id(), kek(rewrapped).id());
        seen += 1;
    }
    assert_eq!(seen, 1);
}

/// The format is frozen: what is drawn alike is sealed alike, whatever the backend.
#[cfg(feature = "dangerous-test-vectors")]
#[test]
fn the_drawn_bytes_seal_to_the_same_envelope() {
    for vector in file()["good"].as_array().unwrap() {
        let context = support::context(vector);
        let draft =
            tokenkeep_core::SealDraft::dangerous_from_bytes(&context, &support::array(vector, "drawn"));
        let wrapped = draft.wrap_request().wrap_with(&kek(vector));
        let envelope = draft.finish(&hex(vector, "payload"), &wrapped).unwrap();
        assert!(envelope.as_bytes() == hex(vector, "envelope"), "{}", vector["name"]);
    }
}

/// The check itself can fail: a good vector among the bad ones, and each good one with its payload changed.
#[test]
fn a_file_that_is_wrong_is_seen() {
    let mut wrong = file();
    let mut opens = wrong["good"][0].clone();
    opens["error"] = "Rejected".into();
    opens["refused_at"] = "payload".into();
    wrong["bad"].as_array_mut().unwrap().push(opens);
    assert_eq!(check(&wrong.to_string()).unwrap_err().lines().count(), 1);

    let mut wrong = file();
    for vector in wrong["good"].as_array_mut().unwrap() {
        vector["payload"] = "00".into();
    }
    assert_eq!(
        check(&wrong.to_string()).unwrap_err().lines().count(),
        file()["good"].as_array().unwrap().len()
    );
}
