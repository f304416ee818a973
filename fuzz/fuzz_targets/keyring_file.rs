//! See `tokenkeep_fuzz::keyring_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tokenkeep_fuzz::keyring_file(bytes);
});
