//! See `tokenkeep_fuzz::dotenv`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tokenkeep_fuzz::dotenv(bytes);
});
