//! How a value is written by those who escape.

use core::iter;

/// A style of escaping in JSON.
pub(super) struct Json {
    /// `/` as `\/`.
    slash: bool,
    /// What is not printable ASCII by its number.
    ascii: bool,
    /// With upper-case digits.
    upper: bool,
    /// ASCII that is written by its number, too.
    numbered: &'static [u8],
}

/// What JSON is made by: `serde_json`, `JSON.stringify` and most others; with `\/`; Python; the same with upper-case digits; PHP; Go, which
/// makes it safe to stand in HTML; Gson, which does so in its own way; and .NET.
const JSON: [Json; 8] = [
    Json { slash: false, ascii: false, upper: false, numbered: b"" },
    Json { slash: true, ascii: false, upper: false, numbered: b"" },
    Json { slash: false, ascii: true, upper: false, numbered: b"" },
    Json { slash: false, ascii: true, upper: true, numbered: b"" },
    Json { slash: true, ascii: true, upper: false, numbered: b"" },
    Json { slash: false, ascii: false, upper: false, numbered: b"<>&" },
    Json { slash: false, ascii: false, upper: false, numbered: b"<>&='" },
    Json { slash: false, ascii: true, upper: true, numbered: b"\"&'+<>`" },
];

/// A style of percent-encoding.
pub(super) struct Percent {
    /// What stays as it is, beside letters, digits and `-._`.
    safe: &'static [u8],
    /// A space as `+`.
    plus: bool,
}

/// RFC 3986; `encodeURIComponent`; Python's `quote`; `encodeURI`; a form, as browsers send it, as Python does, and as PHP does. Then the parts of a URL
/// as the WHATWG has it (Node, browsers, Rust's `url`), which leave a `%` as it is: a user's name and password; a path, as it was before `^` was encoded in it and
/// since; a query of HTTP and of others. A segment of a path as Rust's `url` makes it, with and without `^`; and Go's segment, path and password.
const PERCENT: [Percent; 17] = [
    Percent { safe: b"~", plus: false },
    Percent { safe: b"~!'()*", plus: false },
    Percent { safe: b"~/", plus: false },
    Percent { safe: b"~!'()*;/?:@&=+$,#", plus: false },
    Percent { safe: b"*", plus: true },
    Percent { safe: b"~", plus: true },
    Percent { safe: b"", plus: true },
    Percent { safe: b"~!$%&'()*+,", plus: false },
    Percent { safe: b"~!$%&'()*+,/:;=@[\\]^|", plus: false },
    Percent { safe: b"~!$%&'()*+,/:;=@[\\]|", plus: false },
    Percent { safe: b"~!$%&()*+,/:;=?@[\\]^`{|}", plus: false },
    Percent { safe: b"~!$%&'()*+,/:;=?@[\\]^`{|}", plus: false },
    Percent { safe: b"~!$&'()*+,:;=@[]^|", plus: false },
    Percent { safe: b"~!$&'()*+,:;=@[]|", plus: false },
    Percent { safe: b"~$&+:=@", plus: false },
    Percent { safe: b"~$&+,/:;=@", plus: false },
    Percent { safe: b"~$&+,;=", plus: false },
];

/// A way in which a text is written, byte by byte.
pub(super) enum Way {
    Plain,
    Hex {
        upper: bool,
    },
    Json(&'static Json),
    Percent {
        style: &'static Percent,
        upper: bool,
    },
    /// JavaScript's `escape`, which encodes the units of UTF-16.
    Units,
}

impl Way {
    /// Puts each byte. Of a text that is not UTF-8 there is no JSON.
    pub(super) fn write(&self, text: &[u8], put: &mut impl FnMut(u8)) {
        match *self {
            Self::Plain => text.iter().copied().for_each(put),
            Self::Hex { upper } => text.iter().for_each(|&byte| hex(byte, upper, put)),
            Self::Json(style) => {
                let text = str::from_utf8(text).unwrap_or_default();
                text.chars().for_each(|c| json(c, style, put));
            }
            Self::Percent { style, upper } => text.iter().for_each(|&byte| percent(byte, style, upper, put)),
            Self::Units => {
                str::from_utf8(text).unwrap_or_default().encode_utf16().for_each(|it| unit(it, put));
            }
        }
    }
}

/// The ways that make different things of a text, as far as can be told from which bytes stand in it.
pub(super) fn ways(text: &[u8]) -> impl Iterator<Item = Way> {
    let present = Present::in_text(text);
    let hex = [false, true].map(|upper| Way::Hex { upper });
    let percent = present.percent();
    let percent = percent.flat_map(|style| [true, false].map(|upper| Way::Percent { style, upper }));
    let units = (!present.is_unreserved()).then_some(Way::Units);
    iter::once(Way::Plain).chain(hex).chain(present.json().map(Way::Json)).chain(percent).chain(units)
}

/// Which bytes stand in a text. Of styles that write all of them alike, one is enough.
#[derive(Clone, Copy)]
struct Present {
    ascii: u128,
    others: bool,
}

impl Present {
    fn in_text(text: &[u8]) -> Self {
        let ascii = text.iter().filter(|byte| byte.is_ascii()).fold(0, |set, byte| set | 1 << byte);
        Self { ascii, others: !text.is_ascii() }
    }

    fn has(self, bytes: &[u8]) -> u128 {
        bytes.iter().fold(0, |set, byte| set | 1 << byte) & self.ascii
    }

    /// What a style writes in its own way: the same for styles that write the text alike.
    fn of_json(self, style: &Json) -> (u128, u128, bool, bool) {
        let ascii = style.ascii && (self.others || self.has(b"\x7f") != 0);
        let lines = self.others && !style.numbered.is_empty();
        let slash = if style.slash { self.has(b"/") } else { 0 };
        let numbered = self.has(style.numbered);
        // Control characters are numbered in any style.
        let letters = ascii || numbered != 0 || self.ascii & ((1 << 32) - 1) != 0;
        (slash, numbered, ascii || lines, style.upper && letters)
    }

    fn of_percent(self, style: &Percent) -> (u128, bool) {
        (self.has(style.safe), style.plus && self.has(b" ") != 0)
    }

    /// Whether every style of percent-encoding leaves it as it is.
    fn is_unreserved(self) -> bool {
        !self.others && self.ascii & !UNRESERVED == 0
    }

    /// The styles of JSON that make different things of it; none where all leave it as it is.
    fn json(self) -> impl Iterator<Item = &'static Json> {
        let plain = !self.others && self.ascii & !PRINTABLE == 0 && self.has(b"\"\\/<>&'+=`") == 0;
        let styles = if plain { &[][..] } else { &JSON };
        different(styles, move |style| self.of_json(style))
    }

    /// The styles of percent-encoding that make different things of it; none where all leave it as it is.
    fn percent(self) -> impl Iterator<Item = &'static Percent> {
        let styles = if self.is_unreserved() { &[][..] } else { &PERCENT };
        different(styles, move |style| self.of_percent(style))
    }
}

const PRINTABLE: u128 = ((1 << 95) - 1) << 32;
/// Letters, digits and `-._`.
const UNRESERVED: u128 =
    (0x3ff << 48) | (0x3ff_ffff << 65) | (0x3ff_ffff << 97) | 1 << b'-' | 1 << b'.' | 1 << b'_';

fn different<S, T: PartialEq>(styles: &[S], key: impl Fn(&S) -> T) -> impl Iterator<Item = &S> {
    let is_new =
        move |(at, style): &(usize, &S)| styles[..*at].iter().all(|before| key(before) != key(style));
    styles.iter().enumerate().filter(is_new).map(|(_, style)| style)
}

/// Puts it in hexadecimal.
fn hex(byte: u8, upper: bool, put: &mut impl FnMut(u8)) {
    put(digit(byte >> 4, upper));
    put(digit(byte & 15, upper));
}

/// Without a table: where in one a secret led would be left in the processor's cache.
fn digit(value: u8, upper: bool) -> u8 {
    let letter = if upper { b'A' } else { b'a' } - 10;
    value + if value < 10 { b'0' } else { letter }
}

/// Puts it as it stands in a string of JSON.
fn json(c: char, style: &Json, put: &mut impl FnMut(u8)) {
    let short = match c {
        '"' | '\\' => c as u8,
        '/' if style.slash => b'/',
        '\u{8}' => b'b',
        '\t' => b't',
        '\n' => b'n',
        '\u{c}' => b'f',
        '\r' => b'r',
        _ => 0,
    };
    let is_numbered = match u8::try_from(c) {
        Ok(byte) if c.is_ascii() => {
            style.numbered.contains(&byte) || (short == 0 && byte < b' ') || (style.ascii && byte == 0x7f)
        }
        // What ends a line in JavaScript, which Go escapes for it.
        _ => style.ascii || (matches!(c, '\u{2028}' | '\u{2029}') && !style.numbered.is_empty()),
    };
    if is_numbered {
        for unit in c.encode_utf16(&mut [0; 2]) {
            let [high, low] = unit.to_be_bytes();
            put(b'\\');
            put(b'u');
            hex(high, style.upper, put);
            hex(low, style.upper, put);
        }
    } else if short != 0 {
        put(b'\\');
        put(short);
    } else {
        c.encode_utf8(&mut [0; 4]).bytes().for_each(put);
    }
}

/// Puts it as it stands in a URL or a form.
fn percent(byte: u8, style: &Percent, upper: bool, put: &mut impl FnMut(u8)) {
    let is_safe = byte.is_ascii() && UNRESERVED >> byte & 1 == 1;
    if byte == b' ' && style.plus {
        put(b'+');
    } else if is_safe || style.safe.contains(&byte) {
        put(byte);
    } else {
        put(b'%');
        hex(byte, upper, put);
    }
}

/// Puts a unit of UTF-16 as JavaScript's `escape` does.
fn unit(unit: u16, put: &mut impl FnMut(u8)) {
    let [high, low] = unit.to_be_bytes();
    if high != 0 {
        put(b'%');
        put(b'u');
        hex(high, true, put);
        hex(low, true, put);
    } else {
        percent(low, &Percent { safe: b"@*+/", plus: false }, true, put);
    }
}

/// All that there are.
#[cfg(test)]
pub(super) fn every_way() -> impl Iterator<Item = Way> {
    let percent = PERCENT.iter().flat_map(|style| [true, false].map(|upper| Way::Percent { style, upper }));
    JSON.iter().map(Way::Json).chain(percent).chain([Way::Units])
}
