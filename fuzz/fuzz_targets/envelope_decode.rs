//! Whatever decodes as an envelope is the envelope that its parts make: decode, put together again, compare.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tokenkeep_core::{Envelope, WrappedDek};

fuzz_target!(|bytes: &[u8]| {
    let Ok(envelope) = Envelope::decode(bytes.to_vec()) else { return };
    assert_eq!(envelope.as_bytes(), bytes);
    let wrapped = WrappedDek::from_service(*envelope.kek(), envelope.wrapped_dek().to_vec())
        .expect("it had a wrapped DEK");
    let again = envelope.with_wrapped_dek(&wrapped);
    assert_eq!(again, envelope);
    assert_eq!(Envelope::decode(again.into_bytes()).expect("what was decoded once decodes again"), envelope);
});
