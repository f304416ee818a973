//! See `tokenkeep_fuzz::envelope_decode`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tokenkeep_fuzz::envelope_decode(bytes);
});
