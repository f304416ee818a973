//! See `tokenkeep_fuzz::token_shape`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tokenkeep_fuzz::token_shape(bytes);
});
