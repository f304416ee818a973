//! See `tokenkeep_fuzz::boundary`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tokenkeep_fuzz::boundary(bytes);
});
