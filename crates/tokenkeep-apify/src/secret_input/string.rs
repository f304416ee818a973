//! Strings of JSON: their escapes undone and made, in blocks that are sized first.

use zeroize::Zeroizing;

/// The UTF-16 units of a string of JSON that was looked over already, given without its quotes.
pub(super) fn units(raw: &str) -> impl Iterator<Item = u16> {
    let mut chars = raw.chars();
    let mut low = None;
    std::iter::from_fn(move || {
        if let Some(unit) = low.take() {
            return Some(unit);
        }
        let char = match chars.next()? {
            '\\' => match chars.next()? {
                'u' => return Some((0..4).fold(0, |unit, _| unit << 4 | digit(chars.next()))),
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                itself => itself,
            },
            itself => itself,
        };
        let mut pair = [0; 2];
        let coded = char.encode_utf16(&mut pair);
        low = coded.get(1).copied();
        Some(pair[0])
    })
}

fn digit(char: Option<char>) -> u16 {
    char.and_then(|char| char.to_digit(16)).map_or(0, |digit| digit as u16)
}

/// The text of a string of JSON that was looked over already, given without its quotes, with `room` more bytes behind it in the
/// same block. `None` when it has half of a surrogate pair.
pub(super) fn unescaped(raw: &str, room: usize) -> Option<Zeroizing<Vec<u8>>> {
    // An escape is longer than what it stands for.
    let mut text = Zeroizing::new(Vec::with_capacity(raw.len() + room));
    let mut rest = raw;
    // What stands between two escapes is copied at once: most texts have few.
    while let Some(at) = rest.find('\\') {
        text.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at..];
        let (escapes, behind) = rest.split_at(escape_len(rest));
        for char in char::decode_utf16(units(escapes)) {
            text.extend_from_slice(char.ok()?.encode_utf8(&mut [0; 4]).as_bytes());
        }
        rest = behind;
    }
    text.extend_from_slice(rest.as_bytes());
    Some(text)
}

/// How many bytes the escape takes that begins here; two that may be a surrogate pair are taken together.
fn escape_len(raw: &str) -> usize {
    let unit = |at: usize| {
        raw.get(at..at + 6).filter(|text| text.starts_with("\\u")).and_then(|text| units(text).next())
    };
    match unit(0) {
        None => 2,
        Some(0xd800..0xdc00) if unit(6).is_some() => 12,
        Some(_) => 6,
    }
}

/// How long the text is as a string of JSON, with its quotes.
pub(super) fn escaped_len(text: &str) -> usize {
    2 + text.bytes().map(|byte| escape(byte).map_or(1, |escape| escape.len())).sum::<usize>()
}

/// Writes the text as a string of JSON, with its quotes, as `JSON.stringify` does.
pub(super) fn push_escaped(json: &mut Vec<u8>, text: &str) {
    json.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| escape(*byte).is_some()) {
        json.extend_from_slice(&rest[..at]);
        if let Some(escape) = escape(rest[at]) {
            json.extend_from_slice(escape.bytes());
        }
        rest = &rest[at + 1..];
    }
    json.extend_from_slice(rest);
    json.push(b'"');
}

struct Escape([u8; 6], usize);

impl Escape {
    fn bytes(&self) -> &[u8] {
        &self.0[..self.1]
    }

    fn len(&self) -> usize {
        self.1
    }
}

fn escape(byte: u8) -> Option<Escape> {
    let short = |letter| Some(Escape([b'\\', letter, 0, 0, 0, 0], 2));
    match byte {
        b'"' | b'\\' => short(byte),
        8 => short(b'b'),
        9 => short(b't'),
        10 => short(b'n'),
        12 => short(b'f'),
        13 => short(b'r'),
        0..0x20 => {
            let low = b"0123456789abcdef"[usize::from(byte & 15)];
            Some(Escape([b'\\', b'u', b'0', b'0', b'0' + (byte >> 4), low], 6))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(raw: &str) -> Option<String> {
        unescaped(raw, 0).map(|text| String::from_utf8(text.to_vec()).unwrap())
    }

    #[test]
    fn escapes_are_undone_in_the_block_that_was_there() {
        for (raw, expected) in [
            ("", Some("")),
            ("plain ž 客 🔑", Some("plain ž 客 🔑")),
            (r#"\"\\\/\b\f\n\r\t"#, Some("\"\\/\u{8}\u{c}\n\r\t")),
            (r"\u0041\u00e9\u20AC\ud83d\uDD11🔑", Some("Aé€🔑🔑")),
            (r"\u0000", Some("\0")),
            (r"\ud83d", None),
            (r"\udd11\ud83d", None),
            (r"\ud83d\n", None),
            (r"\ud83d\u0041", None),
            (r"\ud83d\ud83d\udd11", None),
            (r"\ud83dudd11", None),
            (r"\udd11\udd11", None),
            (r"\ud83d🔑", None),
            (r"a\ud83d\udd11\ud83d\udd11b\u0041\\\\ud83d", Some("a🔑🔑bA\\\\ud83d")),
            (r"ž\\客\n", Some("ž\\客\n")),
        ] {
            assert_eq!(text(raw).as_deref(), expected, "{raw}");
        }
        let block = unescaped(r"\u0041 and more", 16).unwrap();
        assert_eq!(block.capacity(), r"\u0041 and more".len() + 16);
    }

    #[test]
    fn what_is_written_is_measured_and_read_as_it_was() {
        let every: String =
            (0..0x300u32).chain([0x2028, 0x2029, 0x1f511]).filter_map(char::from_u32).collect();
        let mut json = Vec::with_capacity(escaped_len(&every));
        let capacity = json.capacity();
        push_escaped(&mut json, &every);
        assert_eq!((json.len(), json.capacity()), (capacity, capacity));
        // As another writer has it, which escapes as `JSON.stringify` does.
        assert_eq!(String::from_utf8(json).unwrap(), serde_json::to_string(&every).unwrap());
    }
}
