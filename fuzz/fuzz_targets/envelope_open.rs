//! See `tokenkeep_fuzz::envelope_open`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tokenkeep_fuzz::envelope_open(bytes);
});
