//! A token that comes back: looked for by its value, and starred out.

use std::ops::Range;

use base64ct::{Base64Unpadded, Encoding};
use bytes::Bytes;
use memchr::memmem;
use zeroize::Zeroizing;

use crate::target::is_unreserved;

/// What is shorter, in bytes, is not looked for: too much that is no secret looks the same.
const SHORTEST: usize = 8;
/// As it is, escaped in two ways, percent-encoded in two, and base64 of two alphabets at three alignments.
const MOST_FORMS: usize = 11;

/// A token that was sent. It is wiped where the last user of the request's header lets go of it.
#[derive(Clone)]
pub(crate) struct Sent(Bytes);

impl Sent {
    /// Shares the header's block, in which the token stands.
    pub(crate) fn new(token: Bytes) -> Self {
        Self(token)
    }

    /// Stars out the token where it stands in a text that is there to its end, or was cut.
    pub(crate) fn redact(&self, text: &mut [u8], whole: bool) {
        if !text.is_empty() {
            let echo = self.echo();
            // Of the text as it was: the token may begin anew within itself, and stars hide that.
            let cut = if whole { text.len() } else { text.len() - echo.beginning(text) };
            echo.redact(text);
            text[cut..].fill(b'*');
        }
    }

    pub(crate) fn echo(&self) -> Echo {
        Echo::of(&self.0)
    }
}

/// The forms in which a token is looked for, in one block that wipes itself.
pub(crate) struct Echo {
    block: Zeroizing<Vec<u8>>,
    forms: Vec<Range<usize>>,
}

impl Echo {
    fn of(token: &[u8]) -> Self {
        if token.len() < SHORTEST {
            return Self { block: Zeroizing::default(), forms: Vec::new() };
        }
        // Sized first: a block that grows leaves its old self behind. A form takes three bytes for one at most, and what base64 is made
        // of stands there for a moment, too.
        let block = Zeroizing::new(Vec::with_capacity(MOST_FORMS * (3 * token.len() + 8)));
        let mut echo = Self { block, forms: Vec::with_capacity(MOST_FORMS) };
        echo.add(token.iter().map(|&byte| Written::Plain(byte)));
        // Most tokens are the same in JSON and percent-encoded.
        if token.iter().any(|&byte| !is_unreserved(byte)) {
            echo.add_escaped(token);
        }
        for before in 0..3 {
            echo.add_base64(token, before);
        }
        echo
    }

    fn add_escaped(&mut self, token: &[u8]) {
        self.add(token.iter().map(|&byte| match byte {
            b'"' | b'\\' => Written::Escaped(byte),
            _ => Written::Plain(byte),
        }));
        self.add(token.iter().map(|&byte| match byte {
            b'"' | b'\\' | b'/' => Written::Escaped(byte),
            _ => Written::Plain(byte),
        }));
        for digits in [b"0123456789ABCDEF", b"0123456789abcdef"] {
            self.add(token.iter().map(|&byte| match byte {
                _ if is_unreserved(byte) => Written::Plain(byte),
                _ => Written::Percent([digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]),
            }));
        }
    }

    fn add(&mut self, token: impl Iterator<Item = Written>) {
        let start = self.block.len();
        for byte in token {
            match byte {
                Written::Plain(byte) => self.block.push(byte),
                Written::Escaped(byte) => self.block.extend_from_slice(&[b'\\', byte]),
                Written::Percent([high, low]) => self.block.extend_from_slice(&[b'%', high, low]),
            }
        }
        self.keep(start..self.block.len());
    }

    /// What base64 makes of the token behind this many other bytes, modulo three: the characters that hold bits of the token alone. In
    /// both alphabets, where that makes a difference.
    fn add_base64(&mut self, token: &[u8], before: usize) {
        let whole = (before * 8).div_ceil(6)..(before + token.len()) * 8 / 6;
        let start = self.block.len();
        self.block.resize(start + before, 0);
        self.block.extend_from_slice(token);
        let end = self.block.len();
        self.block.resize(end + (end - start).div_ceil(3) * 4, 0);
        let (padded, encoded) = self.block[start..].split_at_mut(end - start);
        if Base64Unpadded::encode(padded, encoded).is_err() {
            return;
        }
        let form = end + whole.start..end + whole.end;
        let differs = self.block[form.clone()].iter().any(|byte| matches!(byte, b'+' | b'/'));
        self.keep(form.clone());
        if differs {
            let start = self.block.len();
            self.block.extend_from_within(form);
            for byte in &mut self.block[start..] {
                *byte = match *byte {
                    b'+' => b'-',
                    b'/' => b'_',
                    other => other,
                };
            }
            self.keep(start..self.block.len());
        }
    }

    fn keep(&mut self, form: Range<usize>) {
        let is_there = self.forms().any(|known| *known == self.block[form.clone()]);
        if form.len() >= SHORTEST && !is_there {
            self.forms.push(form);
        }
    }

    fn forms(&self) -> impl Iterator<Item = &[u8]> {
        self.forms.iter().map(|form| &self.block[form.clone()])
    }

    /// Stars it out wherever it stands.
    pub(crate) fn redact(&self, text: &mut [u8]) {
        for place in self.places(text) {
            text[place].fill(b'*');
        }
    }

    /// Where it stands. They are all looked for before anything is starred out, so that no form is hidden by another one's stars. Of one
    /// form, those that overlap are one place.
    pub(crate) fn places(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        for form in self.forms() {
            let finder = memmem::Finder::new(form);
            let mut period = None;
            let mut from = 0;
            while let Some(at) = finder.find(&text[from..]) {
                let start = from + at;
                let mut end = start + form.len();
                // The next one can't begin sooner, and where it begins there, it is itself again but for its last bytes.
                let period = *period.get_or_insert_with(|| period_of(form));
                let last = &form[form.len() - period..];
                while text[end..].starts_with(last) {
                    end += period;
                }
                from = end - form.len() + 1;
                match found.last_mut() {
                    Some(before) if (before.start..=before.end).contains(&start) => before.end = end,
                    _ => found.push(start..end),
                }
            }
        }
        found
    }

    /// Whether there is something to star out, or at its end the beginning of it.
    pub(crate) fn touches(&self, text: &[u8]) -> bool {
        self.beginning(text) > 0 || self.forms().any(|form| memmem::find(text, form).is_some())
    }

    /// How many bytes at its end may be the beginning of what is looked for.
    pub(crate) fn beginning(&self, text: &[u8]) -> usize {
        let longest = |form: &[u8]| {
            let end = &text[text.len() - text.len().min(form.len() - 1)..];
            let mut begins = memchr::memchr_iter(form[0], end);
            begins.find(|&at| form.starts_with(&end[at..])).map(|at| end.len() - at)
        };
        self.forms().filter_map(longest).max().unwrap_or(0)
    }
}

/// After how many bytes, at the least, it may begin anew within itself; its length if it never does.
fn period_of(form: &[u8]) -> usize {
    (1..form.len()).find(|&shift| form.starts_with(&form[shift..])).unwrap_or(form.len())
}

/// How a byte of a token is written.
#[derive(Clone, Copy)]
enum Written {
    Plain(u8),
    Escaped(u8),
    Percent([u8; 2]),
}

#[cfg(test)]
mod tests {
    use base64ct::Base64UrlUnpadded;

    use super::*;

    const TOKEN: &str = "example+token/with=\"every\"\\kind";

    fn redacted(text: &str, whole: bool) -> String {
        let mut text = text.as_bytes().to_vec();
        Sent::new(Bytes::from_static(TOKEN.as_bytes())).redact(&mut text, whole);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn every_form_is_starred_out_and_nothing_else() {
        // As other libraries write them.
        let escaped = serde_json::to_string(TOKEN).unwrap().trim_matches('"').to_owned();
        let percent = |upper: bool| {
            TOKEN.bytes().fold(String::new(), |text, byte| match byte {
                _ if byte.is_ascii_alphanumeric() => text + &char::from(byte).to_string(),
                _ if upper => text + &format!("%{byte:02X}"),
                _ => text + &format!("%{byte:02x}"),
            })
        };
        for form in
            [TOKEN.to_owned(), escaped.clone(), escaped.replace('/', "\\/"), percent(true), percent(false)]
        {
            let stars = "*".repeat(form.len());
            assert_eq!(redacted(&form, true), stars);
            let text = redacted(&format!("{form} and {form}{form}."), true);
            assert_eq!(text, format!("{stars} and {stars}{stars}."));
        }
        let near = &TOKEN[..TOKEN.len() - 1];
        assert_eq!(redacted(near, true), near);
        assert_eq!(redacted("", true), "");
    }

    #[test]
    fn base64_of_something_that_holds_it_shows_at_most_the_bits_beside_it() {
        for before in ["", "a", "jane:", "Bearer "] {
            for after in ["", "\n", "x ", ":pw"] {
                let text = format!("{before}{TOKEN}{after}");
                for encode in [Base64Unpadded::encode_string, Base64UrlUnpadded::encode_string] {
                    let encoded = encode(text.as_bytes());
                    let left = redacted(&format!("<{encoded}>"), true);
                    let stars = left.bytes().filter(|&byte| byte == b'*').count();
                    // A character at each end is shared with what stands beside it.
                    assert!(stars * 6 > TOKEN.len() * 8 - 12, "{left}");
                    assert!(left.len() == encoded.len() + 2 && left.starts_with('<') && left.ends_with('>'));
                }
            }
        }
    }

    #[test]
    fn what_was_cut_off_within_it_is_starred_out_too() {
        for length in 1..TOKEN.len() {
            let text = format!("said: {}", &TOKEN[..length]);
            assert_eq!(redacted(&text, false), format!("said: {}", "*".repeat(length)));
            assert_eq!(redacted(&text, true), text);
        }
    }

    /// The beginning is not looked for behind the stars of a whole one.
    #[test]
    fn a_cut_one_that_overlaps_a_whole_one_is_starred_out_too() {
        let mut text = *b"xabcabcabcabcabz-abcabcabcabcabyabcabcabcabcabyab";
        Sent::new(Bytes::from_static(b"abcabcabcabcabyabc")).redact(&mut text, false);
        assert!(text.ends_with(&[b'*'; 32]), "{}", String::from_utf8_lossy(&text));
    }

    #[test]
    fn those_that_overlap_are_all_starred_out() {
        let mut text = *b"xabcabcabcabcabcy";
        Sent::new(Bytes::from_static(b"abcabcabcabc")).redact(&mut text, true);
        assert_eq!(&text, b"x***************y");
    }

    /// By the number of places, and not by a time: one for each byte would be filled once for each byte of the token.
    #[test]
    fn a_run_of_a_short_period_is_one_place() {
        for unit in ["a", "ab", "aab", "abaabab"] {
            let token = Bytes::from(unit.repeat(40).into_bytes());
            let text = unit.repeat(30_000);
            let echo = Sent::new(token.clone()).echo();
            let all = 0..text.len();
            assert_eq!(echo.places(text.as_bytes()), std::slice::from_ref(&all), "{unit}");
            assert!(echo.beginning(text.as_bytes()) == token.len() - unit.len(), "{unit}");
            let mut text = format!("{0}{unit}{0}!", "b".repeat(9)).into_bytes();
            Sent::new(token).redact(&mut text, true);
            assert!(text.ends_with(b"b!"), "{unit}");
        }
    }

    /// Each text of two letters up to that length, held against the plain way.
    #[test]
    fn what_is_found_is_what_a_plain_search_finds() {
        for token in [&b"aabaabaab"[..], b"abaababaab", b"aaaaaaaa", b"abbbbbbbb", b"ababababa"] {
            let echo = Sent::new(Bytes::from_static(token)).echo();
            for bits in 0..1_u32 << 16 {
                let text: Vec<u8> = (0..16).map(|at| if bits >> at & 1 == 0 { b'a' } else { b'b' }).collect();
                let mut plain = text.clone();
                for at in (0..=text.len() - token.len()).filter(|&at| text[at..].starts_with(token)) {
                    plain[at..at + token.len()].fill(b'*');
                }
                let mut found = text.clone();
                echo.redact(&mut found);
                assert_eq!(found, plain);
                let most = (0..token.len()).rev().find(|&length| text.ends_with(&token[..length]));
                assert_eq!(echo.beginning(&text), most.unwrap());
            }
        }
    }

    #[test]
    fn what_is_too_short_is_left_alone() {
        let mut text = *b"a short body, and a 7-bytes";
        Sent::new(Bytes::from_static(b"7-bytes")).redact(&mut text, true);
        assert!(text.ends_with(b"7-bytes"));
        Sent::new(Bytes::from_static(b" 7-bytes")).redact(&mut text, true);
        assert!(text.ends_with(b"a********"));
    }
}
