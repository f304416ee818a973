//! A log kept in memory, for scanning.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// A log kept in memory: clones write to the same bytes.
///
/// A `tracing_subscriber` layer takes it as `.with_writer({ let log = log.clone(); move || log.clone() })`.
#[derive(Debug, Clone, Default)]
pub struct CapturedLog {
    bytes: Arc<Mutex<Bytes>>,
}

/// Hides the log from `Debug`: it may hold what a test is about to find.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl CapturedLog {
    /// An empty log.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything written so far.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }
}

impl Write for CapturedLog {
    fn write(&mut self, written: &[u8]) -> io::Result<usize> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner).0.extend_from_slice(written);
        Ok(written.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::CapturedLog;
    use std::io::Write;

    #[test]
    fn clones_write_to_one_log_whose_debug_shows_none_of_it() {
        let log = CapturedLog::new();
        log.clone().write_all(b"first ").expect("memory takes it");
        log.clone().write_all(b"second").expect("memory takes it");
        assert_eq!(log.bytes(), b"first second");
        assert!(!format!("{log:?}").contains("second"));
    }
}
