//! What Debug says, and what is looked for in it.

use std::any::type_name;
use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::fmt::{Debug, Write as _};

use tokenkeep_testkit::LeakScanner;

/// Shorter than any key, and than what is secret of a token that the tests use.
const SHORTEST_SECRET: usize = 31;

/// The types that were shown, with their texts.
#[derive(Default)]
pub(crate) struct Shown {
    texts: Vec<(String, String)>,
}

impl Shown {
    /// Both forms of a value's Debug text. `path` is the type as it is exported; [`show`] gives it.
    pub(crate) fn add<T: Debug + ?Sized>(&mut self, path: &str, value: &T) {
        let name = name_of(path);
        // Of what a type is, its path alone could be a lie: an alias, or a renamed import.
        let real = type_name::<T>().split('<').next().unwrap_or_default();
        let last = |path: &str| path.rsplit("::").next().unwrap_or_default().to_owned();
        assert_eq!(last(&name), last(real), "{path}");
        self.texts.push((name, format!("{value:?}\n{value:#?}")));
    }

    /// An error: it, and whatever it was caused by.
    pub(crate) fn add_error<E: StdError + 'static>(&mut self, path: &str, error: &E) {
        let mut text = format!("{error:?}\n{error:#?}\n{error}\n");
        let mut cause = error.source();
        while let Some(error) = cause {
            writeln!(text, "{error:?}\n{error:#?}\n{error}").unwrap();
            cause = error.source();
        }
        self.texts.push((name_of(path), text));
    }

    /// A type that can't hold a secret: it is copied bit by bit, so it doesn't wipe itself; it is smaller than any secret; and it
    /// refers to nothing that comes and goes.
    pub(crate) fn add_small<T: Copy + Debug + 'static>(&mut self, path: &str) {
        const { assert!(size_of::<T>() < SHORTEST_SECRET) };
        self.texts.push((name_of(path), String::new()));
    }

    /// What was shown elsewhere.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.texts.append(&mut other.texts);
    }

    pub(crate) fn types(&self) -> BTreeSet<String> {
        self.texts.iter().map(|(name, _)| name.clone()).collect()
    }

    /// Whose text has something of a secret in it, however it is written.
    pub(crate) fn leaks(&self, scanner: &LeakScanner) -> Vec<String> {
        let mut leaks = Vec::new();
        for (name, text) in &self.texts {
            for (reading, bytes) in readings(text) {
                for leak in scanner.scan_bytes(name, &bytes) {
                    leaks.push(format!("{leak} ({reading})"));
                }
            }
        }
        leaks
    }
}

/// `crate::Name`, of a path with modules or parameters in it.
fn name_of(path: &str) -> String {
    let path: String = path.split('<').next().unwrap_or_default().split_whitespace().collect();
    let (first, last) = (path.split("::").next(), path.rsplit("::").next());
    format!("{}::{}", first.unwrap_or_default(), last.unwrap_or_default())
}

/// Shows values of a type, which is named as it is exported.
macro_rules! show {
    ($shown:expr, $type:ty: $($value:expr),+ $(,)?) => {
        $({
            let value: &$type = &$value;
            $shown.add(stringify!($type), value);
        })+
    };
}

/// Shows that these types are too small to hold a secret.
macro_rules! show_small {
    ($shown:expr, $($type:ty),+ $(,)?) => { $($shown.add_small::<$type>(stringify!($type));)+ };
}

pub(crate) use {show, show_small};

/// The bytes that a text may stand for: itself, which a scanner reads as hex and base64 too; its numbers in a row, as a list of
/// bytes is written; its letters in a row, as a list of characters; and what its escapes and its percents stand for.
fn readings(text: &str) -> [(&'static str, Vec<u8>); 6] {
    let words = || text.split(|c: char| !c.is_ascii_alphanumeric());
    let hex = |word: &str| u8::from_str_radix(word.strip_prefix("0x").unwrap_or(word), 16).ok();
    [
        ("as it is", text.as_bytes().to_vec()),
        ("as a list of bytes", words().filter_map(|word| word.parse().ok()).collect()),
        ("as a list of bytes in hex", words().filter_map(hex).collect()),
        ("as a list of characters", words().flat_map(str::bytes).collect()),
        ("with escapes", unescaped(text)),
        ("with percents", unpercented(text)),
    ]
}

/// What `\xff`, `\u{ff}` and the short ones stand for. A character below 256 is taken for the byte that it may have been made of.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut push = |character: char| match u8::try_from(character) {
        Ok(byte) => bytes.push(byte),
        Err(_) => bytes.extend(character.to_string().into_bytes()),
    };
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        rest = &rest[first.len_utf8()..];
        if first != '\\' {
            push(first);
            continue;
        }
        let (number, after) = match rest.as_bytes() {
            [b'x', ..] => rest.split_at_checked(3).unwrap_or((rest, "")),
            [b'u', ..] => rest.split_once('}').unwrap_or((rest, "")),
            [short, ..] => {
                let pairs = [(b'n', b'\n'), (b'r', b'\r'), (b't', b'\t'), (b'0', 0)];
                let known = pairs.iter().find(|(letter, _)| letter == short);
                // Otherwise a backslash or a quotation mark stands for itself.
                push(char::from(known.map_or(*short, |(_, byte)| *byte)));
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            [] => continue,
        };
        let number = u32::from_str_radix(number.trim_start_matches(['x', 'u', '{']), 16);
        if let Some(character) = number.ok().and_then(char::from_u32) {
            push(character);
            rest = after;
        }
    }
    bytes
}

/// With two hexadecimal digits behind each percent taken for a byte.
fn unpercented(text: &str) -> Vec<u8> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let byte = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.extend(byte);
        bytes.extend_from_slice(&part.as_bytes()[if byte.is_some() { 2 } else { 0 }..]);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use tokenkeep_testkit::{LeakScanner, fake_token};

    use super::Shown;

    #[derive(Debug)]
    #[allow(dead_code, reason = "only its Debug text is looked at")]
    struct Told<T>(T);

    fn found<T: std::fmt::Debug>(scanner: &LeakScanner, value: T) -> bool {
        let mut shown = Shown::default();
        shown.add("debug::shown::tests::Told", &Told(value));
        !shown.leaks(scanner).is_empty()
    }

    /// A look that finds nothing would pass everything.
    #[test]
    fn whatever_way_a_secret_is_written_it_is_found() {
        let token = fake_token();
        let key: [u8; 32] = std::array::from_fn(|number| (number as u8).wrapping_mul(151).wrapping_add(89));
        let scanner = LeakScanner::new().token("token", &token).secret("key", &key, 8);
        assert!(!found(&scanner, "apify_api_FAKE-"));
        assert!(found(&scanner, &token));
        assert!(found(&scanner, token.as_bytes()));
        assert!(found(&scanner, token.as_bytes().to_vec()));
        assert!(found(&scanner, key));
        let mut texts = [String::new(), String::new(), String::new()];
        for byte in key {
            write!(texts[0], "{byte:02X}").unwrap();
            write!(texts[1], "%{byte:02x}").unwrap();
            write!(texts[2], "{byte:#x}, ").unwrap();
        }
        texts.iter().for_each(|text| assert!(found(&scanner, text), "{text}"));
        assert!(found(&scanner, token.chars().collect::<Vec<_>>()));
        assert!(found(&scanner, format_args!("{}", key.escape_ascii())));
        let characters: String = key.map(char::from).iter().collect();
        assert!(found(&scanner, &characters), "{characters:?}");
        assert!(found(&scanner, format_args!("{:x?}", token.as_bytes())), "as hex without a mark");
    }
}
