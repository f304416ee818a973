//! JSON, looked over where it stands: nothing of it is copied, and the parts that are not asked about stay as they are.

use std::collections::HashSet;
use std::ops::Range;

use super::string;

/// How deep arrays and objects may be nested, counted with the outermost.
pub(super) const MAX_DEPTH: usize = 512;

/// The most fields of one object whose fields are asked for.
pub(super) const MAX_FIELDS: usize = 10_000;

/// Why a text is refused.
pub(super) type Bad = &'static str;

const NOT_JSON: Bad = "it is no JSON";
const TOO_DEEP: Bad = "it is nested too deep";
pub(super) const TOO_LONG: Bad = "it is too long";
const TOO_MANY: Bad = "an object of it has over 10000 fields";
const NO_OBJECT: Bad = "it is no JSON object";
const TWICE: Bad = "one field stands in it twice";

/// What a value is, by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    String,
    Number,
    Object,
    Array,
    True,
    False,
    Null,
}

/// A field of an object: where its name stands, without the quotes, and where its value.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: Range<usize>,
    pub(super) value: Range<usize>,
    pub(super) kind: Kind,
}

impl Member {
    /// The name with its escapes undone, in UTF-16.
    pub(super) fn name_in(&self, json: &str) -> Vec<u16> {
        string::units(&json[self.name.clone()]).collect()
    }
}

/// The text, if it is UTF-8 and not too long.
pub(super) fn text(json: &[u8], max_len: usize) -> Result<&str, Bad> {
    if json.len() > max_len {
        return Err(TOO_LONG);
    }
    str::from_utf8(json).map_err(|_| "it is not UTF-8")
}

/// The fields of an object, in the order in which they stand.
///
/// Refused: what is no object, or more than one, nested deeper than [`MAX_DEPTH`], has more fields than [`MAX_FIELDS`], or has a field twice: readers differ in which of them counts.
pub(super) fn object(json: &str) -> Result<Vec<Member>, Bad> {
    let mut scanner = Scanner::new(json);
    scanner.space();
    if scanner.peek() != Some(b'{') {
        scanner.value()?;
        return Err(NO_OBJECT);
    }
    let members = scanner.members(MAX_DEPTH)?;
    scanner.end()?;
    let mut names = HashSet::new();
    if members.iter().all(|member| names.insert(member.name_in(json))) { Ok(members) } else { Err(TWICE) }
}

/// What the one value of this text is, and where it stands.
///
/// Refused: what is no value, or more than one, or nested deeper than [`MAX_DEPTH`].
pub(super) fn value(json: &str) -> Result<(Kind, Range<usize>), Bad> {
    value_to(json, MAX_DEPTH)
}

/// As [`value`], for what is to stand in an object.
pub(super) fn value_of_field(json: &str) -> Result<(Kind, Range<usize>), Bad> {
    value_to(json, MAX_DEPTH - 1)
}

fn value_to(json: &str, depth: usize) -> Result<(Kind, Range<usize>), Bad> {
    let mut scanner = Scanner::new(json);
    scanner.space();
    let value = scanner.value_of_depth(depth)?;
    scanner.end()?;
    Ok(value)
}

/// A place in a text of JSON (RFC 8259).
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(json: &'a str) -> Self {
        Self { bytes: json.as_bytes(), at: 0 }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(super) fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// White space, and then nothing.
    pub(super) fn end(&mut self) -> Result<(), Bad> {
        self.space();
        if self.at == self.bytes.len() { Ok(()) } else { Err(NOT_JSON) }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), Bad> {
        if self.take(byte) { Ok(()) } else { Err(NOT_JSON) }
    }

    /// One value, without white space around it.
    pub(super) fn value(&mut self) -> Result<(Kind, Range<usize>), Bad> {
        self.value_of_depth(MAX_DEPTH)
    }

    fn value_of_depth(&mut self, depth: usize) -> Result<(Kind, Range<usize>), Bad> {
        let start = self.at;
        let kind = match self.peek() {
            Some(b'{' | b'[') => self.nested(depth)?,
            _ => self.scalar()?,
        };
        Ok((kind, start..self.at))
    }

    /// The fields of the object that begins here.
    pub(super) fn members(&mut self, depth: usize) -> Result<Vec<Member>, Bad> {
        let depth = depth.checked_sub(1).ok_or(TOO_DEEP)?;
        let mut members = Vec::new();
        self.expect(b'{')?;
        self.space();
        if self.take(b'}') {
            return Ok(members);
        }
        loop {
            if members.len() == MAX_FIELDS {
                return Err(TOO_MANY);
            }
            let name = self.name()?;
            let (kind, value) = self.value_of_depth(depth)?;
            members.push(Member { name, value, kind });
            self.space();
            if self.take(b'}') {
                return Ok(members);
            }
            self.expect(b',')?;
            self.space();
        }
    }

    /// The values in the array that begins here.
    pub(super) fn elements(&mut self, depth: usize) -> Result<Vec<(Kind, Range<usize>)>, Bad> {
        let depth = depth.checked_sub(1).ok_or(TOO_DEEP)?;
        let mut elements = Vec::new();
        self.expect(b'[')?;
        self.space();
        if self.take(b']') {
            return Ok(elements);
        }
        loop {
            elements.push(self.value_of_depth(depth)?);
            self.space();
            if self.take(b']') {
                return Ok(elements);
            }
            self.expect(b',')?;
            self.space();
        }
    }

    /// A name and the colon behind it. Gives where the name stands, without the quotes.
    fn name(&mut self) -> Result<Range<usize>, Bad> {
        let start = self.at;
        self.string()?;
        let name = start + 1..self.at - 1;
        self.space();
        self.expect(b':')?;
        self.space();
        Ok(name)
    }

    /// An object or array with all that is in it. A stack of one bit a level, so that no text makes this recurse.
    fn nested(&mut self, depth: usize) -> Result<Kind, Bad> {
        let mut objects = [false; MAX_DEPTH];
        let mut level = 0;
        let kind = if self.peek() == Some(b'{') { Kind::Object } else { Kind::Array };
        loop {
            // A value is to begin here.
            let opens = self.peek();
            if let Some(open @ (b'{' | b'[')) = opens {
                if level == depth {
                    return Err(TOO_DEEP);
                }
                self.at += 1;
                self.space();
                objects[level] = open == b'{';
                level += 1;
                // `{` and `[` are two below what closes them.
                if self.peek() != Some(open + 2) {
                    if open == b'{' {
                        self.name()?;
                    }
                    continue;
                }
            } else {
                self.scalar()?;
            }
            // A value ended here, or an object or array is to.
            loop {
                self.space();
                let object = objects[level - 1];
                if self.take(if object { b'}' } else { b']' }) {
                    level -= 1;
                    if level == 0 {
                        return Ok(kind);
                    }
                    continue;
                }
                self.expect(b',')?;
                self.space();
                if object {
                    self.name()?;
                }
                break;
            }
        }
    }

    fn scalar(&mut self) -> Result<Kind, Bad> {
        let word = |text: &'static str, kind| (text.as_bytes(), kind);
        let (word, kind) = match self.peek() {
            Some(b'"') => return self.string().map(|()| Kind::String),
            Some(b'-' | b'0'..=b'9') => return self.number().map(|()| Kind::Number),
            Some(b't') => word("true", Kind::True),
            Some(b'f') => word("false", Kind::False),
            _ => word("null", Kind::Null),
        };
        if !self.bytes[self.at..].starts_with(word) {
            return Err(NOT_JSON);
        }
        self.at += word.len();
        Ok(kind)
    }

    fn string(&mut self) -> Result<(), Bad> {
        self.expect(b'"')?;
        loop {
            let byte = self.peek().ok_or(NOT_JSON)?;
            self.at += 1;
            match byte {
                b'"' => return Ok(()),
                b'\\' => self.escape()?,
                0..0x20 => return Err(NOT_JSON),
                _ => {}
            }
        }
    }

    fn escape(&mut self) -> Result<(), Bad> {
        let byte = self.peek().ok_or(NOT_JSON)?;
        self.at += 1;
        match byte {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => {
                let digits = self.bytes.get(self.at..self.at + 4).ok_or(NOT_JSON)?;
                self.at += 4;
                if digits.iter().all(u8::is_ascii_hexdigit) { Ok(()) } else { Err(NOT_JSON) }
            }
            _ => Err(NOT_JSON),
        }
    }

    fn number(&mut self) -> Result<(), Bad> {
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _sign = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Bad> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(NOT_JSON) }
    }
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
