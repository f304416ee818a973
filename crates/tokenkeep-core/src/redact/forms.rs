//! How others write a value down: the forms in which it is looked for.

use alloc::vec::Vec;
use core::iter;
use core::ops::Range;

use base64ct::{Base64Unpadded, Encoding};
use zeroize::Zeroizing;

use super::written::ways;

/// What is shorter, in bytes, is not looked for.
pub(super) const SHORTEST: usize = 4;
/// A line of a value is looked for by itself from so many bytes on: shorter ones are brackets and words.
const SHORTEST_LINE: usize = 8;

/// One form of one value, as it lies in the block.
#[derive(Clone, Copy)]
pub(super) struct Form {
    start: u32,
    end: u32,
    /// The number of its value.
    pub(super) owner: u32,
}

/// The forms of all values, in one block that wipes itself.
pub(super) struct Forms {
    block: Zeroizing<Vec<u8>>,
    forms: Vec<Form>,
    /// How often two forms were held against each other.
    pub(super) compared: u64,
}

impl Forms {
    /// Of values that are long enough, with their numbers.
    pub(super) fn of<'a>(values: impl Iterator<Item = (u32, &'a [u8])> + Clone) -> Self {
        // Sized first: a block that grows leaves its old self behind.
        let (mut bytes, mut many) = (0, 0);
        for text in values.clone().flat_map(|(_, value)| texts(value)) {
            let (most, forms) = most_of(text);
            bytes += most;
            many += forms;
        }
        let mut all = Self {
            block: Zeroizing::new(Vec::with_capacity(bytes)),
            forms: Vec::with_capacity(many),
            compared: 0,
        };
        for (owner, value) in values {
            for text in texts(value) {
                all.add_text(text, owner);
            }
        }
        all
    }

    pub(super) fn all(&self) -> &[Form] {
        &self.forms
    }

    pub(super) fn bytes(&self, form: Form) -> &[u8] {
        &self.block[form.start as usize..form.end as usize]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.forms.iter().map(|&form| self.bytes(form))
    }

    fn add_text(&mut self, text: &[u8], owner: u32) {
        let first = self.forms.len();
        for way in ways(text) {
            let start = self.block.len();
            way.write(text, &mut |byte| self.block.push(byte));
            self.keep(start..self.block.len(), owner, first);
        }
        for before in 0..3 {
            self.add_base64(text, before, owner, first);
        }
    }

    /// What base64 makes of the text behind this many other bytes, modulo three: the characters that hold bits of the text alone. In
    /// both alphabets, where that makes a difference.
    fn add_base64(&mut self, text: &[u8], before: usize, owner: u32, first: usize) {
        let whole = (before * 8).div_ceil(6)..(before + text.len()) * 8 / 6;
        let start = self.block.len();
        self.block.resize(start + before, 0);
        self.block.extend_from_slice(text);
        let end = self.block.len();
        self.block.resize(end + (end - start).div_ceil(3) * 4, 0);
        let (padded, encoded) = self.block[start..].split_at_mut(end - start);
        let is_encoded = Base64Unpadded::encode(padded, encoded).is_ok();
        self.block.copy_within(end + whole.start..end + whole.end, start);
        self.block.truncate(if is_encoded { start + whole.len() } else { start });
        let middle = self.block.len();
        if self.block[start..].iter().any(|byte| matches!(byte, b'+' | b'/')) {
            self.block.extend_from_within(start..);
            for byte in &mut self.block[middle..] {
                *byte = match *byte {
                    b'+' => b'-',
                    b'/' => b'_',
                    other => other,
                };
            }
            self.keep(start..middle, owner, first);
            self.keep(middle..self.block.len(), owner, first);
        } else {
            self.keep(start..middle, owner, first);
        }
    }

    /// Keeps what stands there, if it is long enough and not among the forms since `first`: those of the same text, which are few. Held
    /// against those of each other line of the value, a value of many lines would take the square of its length.
    fn keep(&mut self, place: Range<usize>, owner: u32, first: usize) {
        let form = &self.block[place.clone()];
        self.compared += (self.forms.len() - first) as u64;
        let is_there = self.forms[first..].iter().any(|&known| self.bytes(known) == form);
        if form.len() >= SHORTEST && !is_there {
            self.forms.push(Form { start: place.start as u32, end: place.end as u32, owner });
        } else if place.end == self.block.len() {
            self.block.truncate(place.start);
        }
    }
}

/// The value; without white space around it; and each of its lines, where there are several.
fn texts(value: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    let trimmed = value.trim_ascii();
    let lines = trimmed.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let lines = lines.filter(move |line| line.len() >= SHORTEST_LINE && line.len() < trimmed.len());
    let trimmed = (trimmed.len() >= SHORTEST && trimmed.len() < value.len()).then_some(trimmed);
    iter::once(value).chain(trimmed).chain(lines)
}

/// Whether it has one line, or a line that is looked for by itself.
pub(super) fn has_long_lines(value: &[u8]) -> bool {
    let mut lines = value.trim_ascii().split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).peekable();
    let first = lines.next().unwrap_or_default();
    lines.peek().is_none() || first.len() >= SHORTEST_LINE || lines.any(|line| line.len() >= SHORTEST_LINE)
}

/// How many bytes its forms and what they are made of take at the most, and how many forms there are.
fn most_of(text: &[u8]) -> (usize, usize) {
    let base64 = (text.len() + 2).div_ceil(3) * 4;
    // In two alphabets at three alignments; and for a moment what it is made of, beside what comes of it.
    let (mut bytes, mut forms) = (6 * base64 + text.len() + 2 + base64, 6);
    for way in ways(text) {
        way.write(text, &mut |_| bytes += 1);
        forms += 1;
    }
    (bytes, forms)
}
