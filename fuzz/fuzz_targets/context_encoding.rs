//! See `tokenkeep_fuzz::context_encoding`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tokenkeep_fuzz::context_encoding(bytes);
});
