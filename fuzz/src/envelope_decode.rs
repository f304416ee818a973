//! Whatever decodes as an envelope is the envelope that its parts make.

use tokenkeep_core::{Envelope, WrappedDek};

use crate::envelope_open::expected;

/// Decodes, compares the verdict with FORMAT.md's, puts the envelope together again and compares.
///
/// # Panics
/// When a promise is broken.
pub fn envelope_decode(bytes: &[u8]) -> bool {
    let layout = expected(bytes);
    let envelope = match Envelope::decode(bytes.to_vec()) {
        Ok(envelope) => envelope,
        Err(error) => {
            assert_eq!(layout.err(), Some(error), "refused, and why");
            return false;
        }
    };
    let layout = layout.expect("FORMAT.md refuses these bytes");
    assert_eq!(envelope.as_bytes(), bytes);
    assert_eq!(envelope.kek().as_bytes(), &bytes[layout.kek]);
    assert_eq!(envelope.wrapped_dek(), &bytes[layout.wrapped]);
    assert_eq!(envelope.nonce(), &bytes[layout.nonce]);
    assert_eq!(envelope.ciphertext(), &bytes[layout.ciphertext]);

    let wrapped = WrappedDek::from_service(*envelope.kek(), envelope.wrapped_dek().to_vec())
        .expect("it had a wrapped DEK");
    let again = envelope.with_wrapped_dek(&wrapped);
    assert_eq!(again, envelope);
    assert_eq!(Envelope::decode(again.into_bytes()).expect("what was decoded once decodes again"), envelope);
    true
}
