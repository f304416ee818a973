//! A token that comes back: looked for by its value, and starred out.

use std::ops::Range;

use bytes::Bytes;
use tokenkeep_core::{HiddenValues, TextPart, ValueScan};
use zeroize::Zeroizing;

use crate::body::wipe;

/// What is shorter, in bytes, is not looked for: too much that is no secret looks the same.
const SHORTEST: usize = 8;

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
            self.echo().redact(text, whole);
        }
    }

    pub(crate) fn echo(&self) -> Echo {
        let token = (self.0.len() >= SHORTEST).then_some(("", &*self.0));
        Echo(HiddenValues::new(token))
    }
}

/// The forms in which a token is looked for.
pub(crate) struct Echo(HiddenValues);

impl Echo {
    /// Stars it out wherever it stands in a whole text; in one that was cut, also what may be its beginning at the end.
    pub(crate) fn redact(&self, text: &mut [u8], whole: bool) {
        let (scan, mut places) = (ValueScan::new(), Places::default());
        if whole {
            scan.finish(&self.0, text, |part| places.add(part));
        } else {
            scan.finish_cut(&self.0, text, |part| places.add(part));
        }
        places.star_out(text);
    }
}

/// Where it stands in a text that is told part by part.
#[derive(Default)]
struct Places {
    told: usize,
    hidden: Vec<Range<usize>>,
}

impl Places {
    fn add(&mut self, part: TextPart) {
        match part {
            TextPart::Clear(length) => self.told += length,
            TextPart::Begins(_) => {}
            TextPart::Hidden(length) => {
                let start = self.told;
                self.told += length;
                // What is told in parts is one place: a range for each byte would take many times the text.
                match self.hidden.last_mut() {
                    Some(last) if last.end == start => last.end = self.told,
                    _ => self.hidden.push(start..self.told),
                }
            }
        }
    }

    fn star_out(self, text: &mut [u8]) {
        for place in self.hidden {
            text[place].fill(b'*');
        }
    }
}

/// The same in an answer that comes piece by piece.
pub(crate) struct EchoStream {
    echo: Echo,
    scan: ValueScan,
    /// What may be the beginning of the token, as it came.
    held: Zeroizing<Vec<u8>>,
}

impl EchoStream {
    pub(crate) fn new(echo: Echo) -> Self {
        Self { echo, scan: ValueScan::new(), held: Zeroizing::default() }
    }

    /// As much as can be told by now, with stars where the token is.
    pub(crate) fn piece(&mut self, piece: Bytes) -> Bytes {
        let mut places = Places::default();
        self.scan.read(&self.echo.0, &piece, |part| places.add(part));
        if self.held.is_empty() && places.hidden.is_empty() && places.told == piece.len() {
            return piece;
        }
        let mut text = Zeroizing::new(Vec::with_capacity(self.held.len() + piece.len()));
        text.extend_from_slice(&self.held);
        text.extend_from_slice(&piece);
        wipe(piece);
        let told = places.told;
        places.star_out(&mut text[..told]);
        self.held = Zeroizing::new(text[told..].to_vec());
        Bytes::copy_from_slice(&text[..told])
    }

    /// What was held back, at the end of the answer.
    pub(crate) fn end(mut self) -> Bytes {
        let mut places = Places::default();
        self.scan.finish(&self.echo.0, &[], |part| places.add(part));
        places.star_out(&mut self.held);
        std::mem::take(&mut *self.held).into()
    }
}

#[cfg(test)]
mod tests {
    use base64ct::{Base64Unpadded, Base64UrlUnpadded, Encoding};

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
            let (echo, mut places) = (Sent::new(token.clone()).echo(), Places::default());
            ValueScan::new().finish(&echo.0, text.as_bytes(), |part| places.add(part));
            assert!(places.hidden.len() == 1 && places.hidden[0] == (0..text.len()), "{unit}");
            let mut text = format!("{0}{unit}{0}!", "b".repeat(9)).into_bytes();
            Sent::new(token).redact(&mut text, true);
            assert!(text.ends_with(b"b!"), "{unit}");
        }
    }

    /// Each text of two letters up to that length, held against the plain way, whole, cut and in two pieces.
    #[test]
    fn what_is_found_is_what_a_plain_search_finds() {
        for token in [&b"aabaabaab"[..], b"abaababaab", b"aaaaaaaa", b"abbbbbbbb", b"ababababa"] {
            let sent = Sent::new(Bytes::from_static(token));
            for bits in 0..1_u32 << 16 {
                let text: Vec<u8> = (0..16).map(|at| if bits >> at & 1 == 0 { b'a' } else { b'b' }).collect();
                let mut plain = text.clone();
                for at in (0..=text.len() - token.len()).filter(|&at| text[at..].starts_with(token)) {
                    plain[at..at + token.len()].fill(b'*');
                }
                let mut found = text.clone();
                sent.redact(&mut found, true);
                assert_eq!(found, plain);
                let (one, two) = text.split_at(bits as usize % 17);
                let mut stream = EchoStream::new(sent.echo());
                let mut pieces = [stream.piece(Bytes::copy_from_slice(one)), Bytes::new()];
                pieces[1] = stream.piece(Bytes::copy_from_slice(two));
                assert_eq!([pieces.concat(), stream.end().to_vec()].concat(), plain);
                let most = (0..=token.len()).rev().find(|&length| text.ends_with(&token[..length]));
                plain[16 - most.unwrap()..].fill(b'*');
                found.copy_from_slice(&text);
                sent.redact(&mut found, false);
                assert_eq!(found, plain);
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
