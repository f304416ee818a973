//! The values that are looked for.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use std::sync::OnceLock;

use zeroize::Zeroizing;

use crate::SecretVars;

use super::automaton::Automaton;
use super::filter::Filter;
use super::forms::{Forms, SHORTEST, has_long_lines};

/// All values together, in bytes. Their forms and tables take up to 1600 times as much.
const MOST: usize = 64 * 1024;

/// Values that are kept out of what is shown, with their names. Made once and shared, as it takes memory for each byte of a value: some 300 bytes of
/// letters and digits, and up to 1600 of special characters, with what is built once something may have been found; it wipes itself.
///
/// A value is found as it is; in hexadecimal; escaped in a string of JSON, as `serde_json`, JavaScript, Python, PHP, Go, Gson and .NET do it;
/// percent-encoded, as RFC 3986, `encodeURIComponent`, `encodeURI`, `escape`, Python, PHP, Go and forms do it, and as the WHATWG's URLs have it in a password, a
/// path or a query (Node, browsers, Rust's `url`), with digits of either case; and in base64 of either
/// alphabet, with anything beside it. Of the characters of base64 at its ends that hold bits of something else too, up to one at each end is left. It is found without the white space around it, and each of its lines of 8 bytes or more by
/// itself, in all these forms. A value in which line breaks are written as `\n` is found with line breaks, too, and each of those lines.
///
/// **Not found** is what was compressed, encrypted, hashed or encoded twice; base64 that is broken into lines; escapes of shells, of SQL, of
/// XML or of one language's own (`{:?}`); other alphabets of text than UTF-8; hexadecimal or percent-encoding of mixed case; a part of a value, as the password alone of a connection string (make it a value of its own), or where it was cut off,
/// wrapped, coloured or spelt with something in between; and what can be worked out from anything else.
pub struct HiddenValues {
    names: Vec<String>,
    /// The numbers of those that are not looked for.
    left_out: Vec<usize>,
    forms: Forms,
    filter: Filter,
    longest: usize,
    /// Made when it is needed: of a token that never comes back, it never is.
    automaton: OnceLock<Automaton>,
}

impl HiddenValues {
    /// Of names, which are shown in place of the values, and values.
    ///
    /// A value of less than 4 bytes, but for white space around it, is not looked for: `on`, `yes` and `123` stand in every log, and what is left of one with each of
    /// them hidden says where they were. Neither is one behind 64 KiB of others. [`unredacted`](Self::unredacted) names them.
    pub fn new<'a>(values: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        let (mut names, mut left_out, mut kept, mut bytes) = (Vec::new(), Vec::new(), Vec::new(), 0);
        let mut unescaped = Vec::new();
        for (name, value) in values {
            let number = names.len();
            names.push(name.to_owned());
            // White space at its ends makes it no longer: programs trim.
            if value.trim_ascii().len() >= SHORTEST && value.len() <= MOST - bytes {
                bytes += value.len();
                kept.push((number as u32, value));
                let lines = without_escapes(value);
                if !has_long_lines(lines.as_deref().map_or(value, Vec::as_slice)) {
                    left_out.push(number);
                }
                unescaped.extend(lines.map(|lines| (number as u32, lines)));
            } else if !value.is_empty() {
                left_out.push(number);
            }
        }
        let unescaped = unescaped.iter().map(|(number, lines)| (*number, lines.as_slice()));
        let forms = Forms::of(kept.iter().copied().chain(unescaped));
        let longest = forms.iter().map(<[u8]>::len).max().unwrap_or(0);
        Self { names, left_out, filter: Filter::of(&forms), forms, longest, automaton: OnceLock::new() }
    }

    /// The names of values that are **not** looked for, as they are too short or too long, or not where their lines are printed one by one, as each of them is too
    /// short. An empty value is not among them.
    pub fn unredacted(&self) -> impl Iterator<Item = &str> {
        self.left_out.iter().map(|&number| self.names[number].as_str())
    }

    /// The name of the value of this number, as [`TextPart::Begins`](super::TextPart::Begins) has it.
    #[must_use]
    pub fn name(&self, number: usize) -> Option<&str> {
        self.names.get(number).map(String::as_str)
    }

    /// The length of the longest form, in bytes; 0 if nothing is looked for.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.longest
    }

    pub(super) fn forms(&self) -> &Forms {
        &self.forms
    }

    pub(super) fn filter(&self) -> &Filter {
        &self.filter
    }

    pub(super) fn automaton(&self) -> &Automaton {
        self.automaton.get_or_init(|| Automaton::of(&self.forms))
    }

    /// If it was needed.
    pub(super) fn built(&self) -> Option<&Automaton> {
        self.automaton.get()
    }

    /// Whether a text, which is too short for a form, ends with the beginning of one.
    pub(super) fn begin_in(&self, text: &[u8]) -> bool {
        self.forms.iter().any(|form| {
            let mut begins = text.iter().enumerate().filter(|(_, byte)| **byte == form[0]);
            begins.any(|(at, _)| form.starts_with(&text[at..]))
        })
    }
}

/// A value in which line breaks are written as `\n`, as environments and files of one line hold a PEM, with them put in.
fn without_escapes(value: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    value.windows(2).any(|two| two == b"\\n").then(|| {
        let (mut lines, mut rest) = (Zeroizing::new(Vec::with_capacity(value.len())), value);
        while let [first, behind @ ..] = rest {
            let escape = [&b"\\r\\n"[..], b"\\n"].into_iter().find_map(|it| rest.strip_prefix(it));
            lines.push(if escape.is_some() { b'\n' } else { *first });
            rest = escape.unwrap_or(behind);
        }
        lines
    })
}

impl From<&SecretVars> for HiddenValues {
    fn from(vars: &SecretVars) -> Self {
        Self::new(vars.names().filter_map(|name| Some((name, vars.expose_secret(name)?.as_bytes()))))
    }
}

impl fmt::Debug for HiddenValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HiddenValues").field("names", &self.names).finish_non_exhaustive()
    }
}
