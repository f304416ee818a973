//! The operating system's random generator, and no other.

use crate::RandomUnavailable;

/// Fills `buffer` from the operating system's generator.
///
/// # Errors
/// [`RandomUnavailable`] when the system gives no random bytes; `buffer` must then not be used.
pub fn fill_random(buffer: &mut [u8]) -> Result<(), RandomUnavailable> {
    getrandom::fill(buffer).map_err(|_| RandomUnavailable)
}
