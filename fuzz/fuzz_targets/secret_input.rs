//! See `tokenkeep_fuzz::secret_input`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tokenkeep_fuzz::secret_input(bytes);
});
