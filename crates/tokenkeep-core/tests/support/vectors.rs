//! Reads a file of vectors, opens what is good in it and is refused what is bad, through the public API alone.

use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest, Sha256};
use tokenkeep_core::{
    ConnectionId, Dek, EncryptionContext, Envelope, Incarnation, Kek, KekId, OpenError, Origin, PayloadKind,
    SecretVersion, TokenFacts, VaultId, VaultKeyPurpose, open_payload,
};

/// How many vectors behaved as the file says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) good: usize,
    pub(crate) bad: usize,
}

/// Goes through the whole file. The error lists every vector that misbehaves.
pub(crate) fn check(file: &str) -> Result<Counts, String> {
    let file: Value = serde_json::from_str(file).map_err(|error| error.to_string())?;
    let mut complaints = String::new();
    let mut go_through = |list: &str, check: fn(&Value) -> Result<(), String>| {
        let vectors = file[list].as_array().expect("a list");
        for vector in vectors {
            if let Err(why) = check(vector) {
                writeln!(complaints, "{list} {}: {why}", vector["name"]).expect("a string takes everything");
            }
        }
        vectors.len()
    };
    let counts = Counts { good: go_through("good", check_good), bad: go_through("bad", check_bad) };
    if complaints.is_empty() { Ok(counts) } else { Err(complaints) }
}

fn check_good(vector: &Value) -> Result<(), String> {
    let (context, bytes) = (context(vector), hex(vector, "envelope"));
    let envelope = Envelope::decode(bytes.clone()).map_err(|error| format!("does not decode: {error}"))?;
    let dek = dek(vector, &envelope, &context).map_err(|error| format!("does not unwrap: {error}"))?;
    let payload =
        open_payload(&envelope, &dek, &context).map_err(|error| format!("does not open: {error}"))?;
    let digest = envelope.unwrap_request(&context).context_digest();
    let (encoded, wrap_aad) = (hex(vector, "encoded_context"), hex(vector, "wrap_aad"));
    for (what, holds) in [
        ("another payload", **payload == hex(vector, "payload")),
        ("other bytes when encoded", envelope.into_bytes() == bytes),
        ("another DEK", dek.expose_secret()[..] == hex(vector, "drawn")[..32]),
        // The wrap AAD is not public; its digest is.
        ("another context digest", digest == hex(vector, "context_digest")[..]),
        ("a context digest of another wrap AAD", digest == Sha256::digest(&wrap_aad)[..]),
        ("another context in the wrap AAD", wrap_aad.ends_with(&encoded)),
        ("another context in the payload AAD", hex(vector, "payload_aad").ends_with(&encoded)),
    ] {
        if !holds {
            return Err(format!("has {what}"));
        }
    }
    Ok(())
}

fn check_bad(vector: &Value) -> Result<(), String> {
    let refused = refusal(vector);
    let expected = (text(vector, "error").to_owned(), text(vector, "refused_at"));
    if refused == expected { Ok(()) } else { Err(format!("{refused:?}, not {expected:?}")) }
}

/// The error and the step that gives it.
fn refusal(vector: &Value) -> (String, &'static str) {
    let context = context(vector);
    let envelope = match Envelope::decode(hex(vector, "envelope")) {
        Ok(envelope) => envelope,
        Err(error) => return (format!("{error:?}"), "decode"),
    };
    let dek = match dek(vector, &envelope, &context) {
        Ok(dek) => dek,
        Err(error @ OpenError::OtherKek) => return (format!("{error:?}"), "kek"),
        Err(error) => return (format!("{error:?}"), "wrap"),
    };
    match open_payload(&envelope, &dek, &context) {
        Ok(_) => ("it opens".to_owned(), "nowhere"),
        Err(error) => (format!("{error:?}"), "payload"),
    }
}

/// The DEK: unwrapped with the KEK at hand or, where there is one, as a key service gave it back.
fn dek(vector: &Value, envelope: &Envelope, context: &EncryptionContext) -> Result<Dek, OpenError> {
    if vector["dek"].is_null() {
        return envelope.unwrap_request(context).unwrap_with(&kek(vector));
    }
    if envelope.kek() != &kek_id(vector) {
        return Err(OpenError::OtherKek);
    }
    Ok(Dek::from_bytes(&array(vector, "dek")))
}

pub(crate) fn kek(vector: &Value) -> Kek {
    Kek::from_bytes(kek_id(vector), &array(&vector["kek"], "key"))
}

pub(crate) fn kek_id(vector: &Value) -> KekId {
    KekId::from_slice(&hex(&vector["kek"], "id")).expect("an id")
}

pub(crate) fn context(vector: &Value) -> EncryptionContext {
    let context = &vector["context"];
    let vault = VaultId::from_bytes(array(context, "vault"));
    if text(context, "of") == "vault key" {
        let purpose = VaultKeyPurpose::from_name(text(context, "purpose")).expect("a purpose");
        return EncryptionContext::for_vault_key(vault, purpose);
    }
    assert_eq!(text(context, "of"), "token");
    let kind = context["kind"].as_u64().and_then(|number| PayloadKind::from_number(number as u8));
    EncryptionContext::for_token(&TokenFacts {
        vault,
        connection: ConnectionId::new(text(context, "tenant"), text(context, "connection")).expect("names"),
        incarnation: Incarnation::from_bytes(array(context, "incarnation")),
        provider: text(context, "provider").parse().expect("a provider's name"),
        origin: Origin::parse(text(context, "origin")).expect("an origin"),
        kind: kind.expect("a kind"),
        secret_version: SecretVersion::from_u64(text(context, "secret_version").parse().expect("a number")),
    })
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("no text {field:?}"))
}

pub(crate) fn array<const N: usize>(value: &Value, field: &str) -> [u8; N] {
    hex(value, field).try_into().unwrap_or_else(|_| panic!("{field:?} hasn't {N} bytes"))
}

pub(crate) fn hex(value: &Value, field: &str) -> Vec<u8> {
    let text = text(value, field);
    assert!(text.len().is_multiple_of(2), "half a byte in {field:?}");
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
}
