//! Where a projection is written: it wipes what is not given away.

use std::io;

use zeroize::Zeroizing;

/// Bytes that wipe themselves, also when they outgrow their place: what was written may be taken back, or the rest of the body
/// may prove to be no JSON.
pub(super) struct Out(Zeroizing<Vec<u8>>);

impl Out {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(bytes)))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn last(&self) -> Option<u8> {
        self.0.last().copied()
    }

    pub(super) fn push(&mut self, byte: u8) {
        self.extend(&[byte]);
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }

    /// The bytes, from here on somebody else's to wipe.
    pub(super) fn take(mut self) -> Vec<u8> {
        std::mem::take(&mut *self.0)
    }

    /// A `Vec` that grows by itself leaves its old block behind as it was.
    fn extend(&mut self, bytes: &[u8]) {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(2 * self.0.capacity())));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
    }
}

impl io::Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
