//! A stream of bytes seen as itself, as hex and as base64, eight decoded bytes at a time.

use crate::leak::LeakEncoding;

/// How many decoded bytes an anchor holds.
pub(crate) const ANCHOR: usize = 8;

/// Eight decoded bytes, and where in the stream they end.
pub(crate) struct Anchor {
    /// Which view of the stream they were decoded from.
    pub(crate) encoding: LeakEncoding,
    /// The bytes, the first one most significant.
    pub(crate) bytes: u64,
    /// Their end, in bits that the view's characters carry, counted from the beginning of the stream. Bytes that
    /// follow each other in the decoded text end 8 bits apart.
    pub(crate) end_bit: u64,
}

/// Decodes a stream as it comes, at every alignment at once: in a shift register, the alignments of a text are the
/// shifts. A character outside a view's alphabet starts that view anew.
#[derive(Default)]
pub(crate) struct Views {
    position: u64,
    plain: u64,
    hex: u64,
    hex_digits: u64,
    base64: u128,
    base64_characters: u64,
}

impl Views {
    /// Takes one byte and hands on each anchor that ends in it.
    pub(crate) fn feed(&mut self, byte: u8, mut found: impl FnMut(&Anchor)) {
        self.position += 1;

        self.plain = self.plain << 8 | u64::from(byte);
        if self.position >= ANCHOR as u64 {
            let end_bit = self.position * bits_per_character(LeakEncoding::Plain);
            found(&Anchor { encoding: LeakEncoding::Plain, bytes: self.plain, end_bit });
        }

        match char::from(byte).to_digit(16) {
            Some(digit) => {
                self.hex = self.hex << 4 | u64::from(digit);
                self.hex_digits += 1;
                if self.hex_digits >= 2 * ANCHOR as u64 {
                    let end_bit = self.position * bits_per_character(LeakEncoding::Hex);
                    found(&Anchor { encoding: LeakEncoding::Hex, bytes: self.hex, end_bit });
                }
            }
            None => self.hex_digits = 0,
        }

        match base64_value(byte) {
            Some(value) => {
                self.base64 = self.base64 << 6 | u128::from(value);
                self.base64_characters += 1;
                // A byte ends with this character, or 2 or 4 bits before its end.
                for bits_after in [4, 2, 0] {
                    if self.base64_characters * 6 >= 8 * ANCHOR as u64 + bits_after {
                        let bytes = (self.base64 >> bits_after) as u64;
                        let end_bit = self.position * bits_per_character(LeakEncoding::Base64) - bits_after;
                        found(&Anchor { encoding: LeakEncoding::Base64, bytes, end_bit });
                    }
                }
            }
            None => self.base64_characters = 0,
        }
    }
}

/// How many bits of the decoded text a character carries.
pub(crate) const fn bits_per_character(encoding: LeakEncoding) -> u64 {
    match encoding {
        LeakEncoding::Plain => 8,
        LeakEncoding::Hex => 4,
        LeakEncoding::Base64 => 6,
    }
}

/// A character's value in the standard or in the URL-safe alphabet.
const fn base64_value(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}
