//! See `tokenkeep_fuzz::input_key`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tokenkeep_fuzz::input_key(bytes);
});
