//! A reader that compares no commitment and follows FORMAT.md else: what it opens was refused for its commitment alone.

use tokenkeep_core::Envelope;

use crate::format::{TestKek, payload_aad, wrap_aad, xaes_open};

/// The payload that a careless reader gives, if it gives one.
pub(crate) fn open(envelope: &[u8], context: &[u8], kek: &TestKek, dek: Option<[u8; 32]>) -> Option<Vec<u8>> {
    let envelope = Envelope::decode(envelope.to_vec()).ok()?;
    if envelope.kek().as_bytes() != kek.id {
        return None;
    }
    let dek = match dek {
        Some(dek) => dek,
        None => {
            let wrapped: &[u8; 104] = envelope.wrapped_dek().try_into().ok()?;
            let (nonce, output) = wrapped.split_first_chunk::<24>()?;
            let aad = wrap_aad(&kek.id, context);
            xaes_open(&kek.key, nonce, &aad, &output[..48])?.try_into().ok()?
        }
    };
    let sealed_until = envelope.as_bytes().len() - 32;
    let sealed_from = sealed_until - 16 - envelope.ciphertext().len();
    let nonce = envelope.nonce().try_into().ok()?;
    xaes_open(&dek, nonce, &payload_aad(context), &envelope.as_bytes()[sealed_from..sealed_until])
}
