//! A text with names in place of values.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use zeroize::Zeroizing;

use super::scan::{TextPart, ValueScan};
use super::values::HiddenValues;

/// Puts `[hidden NAME]` in place of values as a text passes, whatever its pieces; how long a value was is not seen. Its memory is taken when it is made, and is
/// about eight times [`HiddenValues::longest`], beside what all redactors of the same values share; it wipes itself.
///
/// ```
/// use std::sync::Arc;
/// use tokenkeep_core::{HiddenValues, Redactor};
///
/// let values = Arc::new(HiddenValues::new([("DB_PASSWORD", &b"an example"[..])]));
/// let mut redactor = Redactor::new(values);
/// let mut shown = Vec::new();
/// redactor.push(b"connecting with an ex", &mut shown);
/// redactor.push(b"ample, or /?p=an+example\n", &mut shown);
/// redactor.finish(&mut shown);
/// assert_eq!(shown, b"connecting with [hidden DB_PASSWORD], or /?p=[hidden DB_PASSWORD]\n");
/// ```
pub struct Redactor {
    values: Arc<HiddenValues>,
    scan: ValueScan,
    held: Held,
}

impl Redactor {
    /// For one text.
    #[must_use]
    pub fn new(values: Arc<HiddenValues>) -> Self {
        values.automaton();
        let mut scan = ValueScan::new();
        scan.reserve(&values);
        let held = Held { bytes: Zeroizing::new(Vec::with_capacity(2 * values.longest())), start: 0 };
        Self { values, scan, held }
    }

    /// Appends to `out` what can be shown by now: all but the last bytes that may be the beginning of a value.
    pub fn push(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let mut writer = Writer { values: &self.values, parts: [self.held.bytes(), text], at: 0, out };
        self.scan.read(&self.values, text, |part| writer.part(part));
        let told = writer.at;
        self.held.keep(told, text);
    }

    /// Appends the rest of a text that came to its end. What is the beginning of a value and no more is shown.
    pub fn finish(self, out: &mut Vec<u8>) {
        let mut writer = Writer { values: &self.values, parts: [self.held.bytes(), &[]], at: 0, out };
        self.scan.finish(&self.values, &[], |part| writer.part(part));
    }

    /// Appends the rest of a text that broke off. What may be the beginning of a value is hidden, if it is one byte.
    pub fn finish_cut(self, out: &mut Vec<u8>) {
        let mut writer = Writer { values: &self.values, parts: [self.held.bytes(), &[]], at: 0, out };
        self.scan.finish_cut(&self.values, &[], |part| writer.part(part));
    }

    /// How many bytes are held back, at most [`HiddenValues::longest`] less one.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.bytes().len()
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor").field("values", &self.values).finish_non_exhaustive()
    }
}

/// Bytes that nothing was told of yet, in a block that is never outgrown.
struct Held {
    bytes: Zeroizing<Vec<u8>>,
    start: usize,
}

impl Held {
    fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Lets go of so many bytes of what is held with the text behind it, and holds the rest.
    fn keep(&mut self, told: usize, text: &[u8]) {
        let new = match told.checked_sub(self.bytes().len()) {
            Some(of_text) => {
                self.start = self.bytes.len();
                &text[of_text..]
            }
            None => {
                self.start += told;
                text
            }
        };
        // Seldom: what is held is less than half of the block.
        if self.bytes.len() + new.len() > self.bytes.capacity() {
            let Self { bytes, start } = self;
            bytes.copy_within(*start.., 0);
            let length = bytes.len() - *start;
            bytes.truncate(length);
            *start = 0;
        }
        self.bytes.extend_from_slice(new);
    }
}

/// Writes what is told of two pieces.
struct Writer<'a> {
    values: &'a HiddenValues,
    parts: [&'a [u8]; 2],
    /// Up to where it was told.
    at: usize,
    out: &'a mut Vec<u8>,
}

impl Writer<'_> {
    fn part(&mut self, part: TextPart) {
        match part {
            TextPart::Clear(length) => {
                let [first, second] = self.parts;
                let place = self.at..self.at + length;
                self.out.extend_from_slice(within(first, &place, 0));
                self.out.extend_from_slice(within(second, &place, first.len()));
                self.at = place.end;
            }
            TextPart::Begins(number) => {
                self.out.extend_from_slice(b"[hidden ");
                self.out.extend_from_slice(self.values.name(number).unwrap_or_default().as_bytes());
                self.out.push(b']');
            }
            TextPart::Hidden(length) => self.at += length,
        }
    }
}

/// What lies in the place of a piece that begins at `start`.
fn within<'p>(piece: &'p [u8], place: &Range<usize>, start: usize) -> &'p [u8] {
    let of = |at: usize| at.saturating_sub(start).min(piece.len());
    &piece[of(place.start)..of(place.end)]
}
