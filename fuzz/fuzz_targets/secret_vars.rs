//! See `tokenkeep_fuzz::secret_vars`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tokenkeep_fuzz::secret_vars(bytes);
});
