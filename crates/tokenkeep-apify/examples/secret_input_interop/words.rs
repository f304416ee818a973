//! Random pieces of JSON text: strings, numbers, values. Text, not values, as how a thing is written is a part of the case.

use std::fmt::Write as _;

use crate::dice::Dice;

/// Names of fields in the depth: what JavaScript treats in some way of its own, and what two orders sort differently.
pub(crate) const NAMES: [&str; 36] = [
    "plain",
    "0",
    "1",
    "2",
    "10",
    "01",
    "-1",
    "1.5",
    "1e3",
    "4294967294",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "__proto__",
    "constructor",
    "toString",
    "toJSON",
    "hasOwnProperty",
    "",
    " ",
    "a\"quote",
    "back\\slash",
    "line\nfeed",
    "\u{0}",
    "\u{7f}",
    "\u{2028}",
    "é",
    "e\u{301}",
    "\u{d7ff}",
    "\u{e000}",
    "\u{ffff}",
    "\u{10000}",
    "😀",
    "𝒳",
    "isSecret",
    "ENCRYPTED_VALUE:a:b",
];

/// As a schema or an input may write them. None that a double can't hold but as infinity: see the named cases.
const NUMBERS: [&str; 28] = [
    "0",
    "-0",
    "1",
    "1.0",
    "-1",
    "0.1",
    "1.10",
    "100",
    "1e2",
    "1E5",
    "1e20",
    "1e21",
    "1e+21",
    "123456789012345680000",
    "1234567890123456800000",
    "12345678901234567890",
    "9007199254740993",
    "0.000001",
    "0.0000001",
    "1e-7",
    "5e-324",
    "1e-400",
    "2.2250738585072014e-308",
    "1.7976931348623157e308",
    "0.30000000000000004",
    "4.35",
    "-1e-6",
    "1e23",
];

/// Which characters a text is made of.
#[derive(Clone, Copy)]
pub(crate) enum Letters {
    Ascii,
    Lines,
    Any,
}

const ANY: [&str; 24] = [
    "a",
    "Ž",
    "ß",
    "é",
    "e\u{301}",
    "a\u{308}\u{323}",
    "한",
    "客",
    "ع",
    "\u{202e}",
    "\u{200d}",
    "\u{feff}",
    "\u{fffd}",
    "\u{2028}",
    "\u{2029}",
    "😀",
    "👩\u{200d}👩\u{200d}👧",
    "𝒳",
    "\u{10ffff}",
    "\u{7f}",
    "\u{0}",
    "\u{1b}",
    "\"",
    "\\",
];

/// Text of so many pieces.
pub(crate) fn text(dice: &mut Dice, letters: Letters, pieces: usize) -> String {
    let mut text = String::new();
    for _ in 0..pieces {
        match letters {
            Letters::Ascii => text.push(char::from(b' ' + u8::try_from(dice.below(95)).unwrap_or(0))),
            Letters::Lines => {
                text.push_str(dice.pick(&["a line", "\n", "\r\n", "\t", "key = fake", " ", "'", "\""]));
            }
            Letters::Any => text.push_str(dice.pick(&ANY)),
        }
    }
    text
}

/// The text as a JSON string, each character as it is or escaped in one of the ways that JSON has.
pub(crate) fn quoted(dice: &mut Dice, text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for c in text.chars() {
        let short = match c {
            '"' => Some("\\\""),
            '\\' => Some("\\\\"),
            '\n' => Some("\\n"),
            '\t' => Some("\\t"),
            '\u{8}' => Some("\\b"),
            _ => None,
        };
        match short {
            Some(short) if !dice.one_in(4) => json.push_str(short),
            None if c >= ' ' && !dice.one_in(8) => json.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let made = if dice.one_in(2) {
                        write!(json, "\\u{unit:04x}")
                    } else {
                        write!(json, "\\u{unit:04X}")
                    };
                    made.expect("a String takes it");
                }
            }
        }
    }
    json.push('"');
    json
}

/// One of the list, or one of a size at which two shortest forms may be as near: with a few binary places behind the point, all written.
pub(crate) fn number(dice: &mut Dice) -> String {
    if dice.one_in(2) {
        return dice.pick(&NUMBERS).into();
    }
    let places = dice.below(5);
    let whole = (1_u64 << (48 + dice.below(5))) + dice.below(1 << 48) as u64;
    // Below 2^53, so exact, as is the quotient.
    format!("{:.4}", whole as f64 / f64::from(1_u8 << places))
}

pub(crate) fn space(dice: &mut Dice) -> &'static str {
    dice.pick(&["", "", "", " ", "\n  ", "\t"])
}

/// An object of these members, in the order given, with some white space.
pub(crate) fn object(dice: &mut Dice, members: &[(String, String)]) -> String {
    let members = members.iter().map(|(name, value)| {
        let name = quoted(dice, name);
        format!("{}{name}{}:{}{value}{}", space(dice), space(dice), space(dice), space(dice))
    });
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

/// Any value, at most so deep.
pub(crate) fn value(dice: &mut Dice, depth: usize) -> String {
    match dice.below(if depth == 0 { 5 } else { 8 }) {
        0 => dice.pick(&["null", "true", "false"]).into(),
        1 => number(dice),
        // Half of a surrogate pair: JSON can write it, UTF-8 can't.
        2 if dice.one_in(3) => dice.pick(&["\"\\ud800\"", "\"a\\uDFFFb\"", "\"\\udc00\\ud800\""]).into(),
        2..=4 => {
            let (letters, pieces) =
                (dice.pick(&[&Letters::Ascii, &Letters::Lines, &Letters::Any]), dice.below(12));
            let text = text(dice, *letters, pieces);
            quoted(dice, &text)
        }
        5 => list(dice, depth),
        _ => {
            let members =
                names(dice).into_iter().map(|name| (name, value(dice, depth - 1))).collect::<Vec<_>>();
            object(dice, &members)
        }
    }
}

/// A list of values that are less deep by one.
pub(crate) fn list(dice: &mut Dice, depth: usize) -> String {
    let length = dice.below(5);
    let values: Vec<_> = (0..length).map(|_| value(dice, depth - 1)).collect();
    format!("[{}]", values.join(","))
}

/// Some names, each once.
pub(crate) fn names(dice: &mut Dice) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for _ in 0..dice.below(6) {
        let name = dice.pick(&NAMES);
        if !names.iter().any(|other| other == name) {
            names.push(name.into());
        }
    }
    names
}
