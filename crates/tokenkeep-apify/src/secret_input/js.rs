//! What JavaScript makes of a field's schema: `JSON.parse`, the keys that matter, sorted, and `JSON.stringify`, as
//! `normalizeFieldSchema` of `@apify/input_secrets` has it.

use std::collections::BTreeMap;
use std::fmt::Write;

use aws_lc_rs::digest::{SHA256, digest};

use super::scan::{Bad, Kind, Scanner};
use super::string::units;

/// How deep a field's schema may be nested: what is done here recurses.
pub(super) const MAX_DEPTH: usize = 128;

/// What people alone read of a schema, at every level. And `__proto__`: where the package sets it on an object, it makes no key.
const DROPPED: [&str; 9] = [
    "title",
    "description",
    "sectionCaption",
    "sectionDescription",
    "nullable",
    "example",
    "prefill",
    "editor",
    "__proto__",
];

/// The hash of a field's schema, which was looked over already.
pub(super) fn hash(field: &str) -> Result<String, Bad> {
    let digest = digest(&SHA256, normal(field)?.as_bytes());
    Ok(digest.as_ref()[..5].iter().fold(String::new(), |mut hash, byte| {
        // Writing to a `String` does not fail.
        let _ = write!(hash, "{byte:02x}");
        hash
    }))
}

/// The text that is hashed.
fn normal(field: &str) -> Result<String, Bad> {
    let mut out = String::with_capacity(field.len());
    write_value(Kind::Object, field, MAX_DEPTH, &mut out)?;
    Ok(out)
}

/// Whether `!!value` is true.
pub(super) fn is_truthy(kind: Kind, json: &str) -> bool {
    match kind {
        Kind::Object | Kind::Array | Kind::True => true,
        Kind::False | Kind::Null => false,
        Kind::String => json.len() > 2,
        Kind::Number => number(json) != 0.0,
    }
}

fn write_value(kind: Kind, json: &str, depth: usize, out: &mut String) -> Result<(), Bad> {
    match kind {
        Kind::Object => write_object(json, depth, out)?,
        Kind::Array => {
            let mut before = '[';
            for (kind, place) in Scanner::new(json).elements(depth)? {
                out.push(before);
                before = ',';
                write_value(kind, &json[place], depth - 1, out)?;
            }
            out.push_str(if before == '[' { "[]" } else { "]" });
        }
        Kind::String => write_string(units(&json[1..json.len() - 1]), out),
        Kind::Number => write_number(number(json), out),
        Kind::True | Kind::False | Kind::Null => out.push_str(json),
    }
    Ok(())
}

fn write_object(json: &str, depth: usize, out: &mut String) -> Result<(), Bad> {
    let mut members = BTreeMap::new();
    for member in Scanner::new(json).members(depth)? {
        let name = member.name_in(json);
        if members.insert((array_index(&name), name), (member.kind, member.value)).is_some() {
            return Err("one name stands twice in an object of it");
        }
    }
    let mut before = '{';
    for ((_, name), (kind, place)) in members {
        if DROPPED.iter().any(|dropped| dropped.encode_utf16().eq(name.iter().copied())) {
            continue;
        }
        out.push(before);
        before = ',';
        write_string(name.into_iter(), out);
        out.push(':');
        write_value(kind, &json[place], depth - 1, out)?;
    }
    out.push_str(if before == '{' { "{}" } else { "}" });
    Ok(())
}

/// Where a key comes among an object's: by number those that are array indices (0 to 2³² − 2, as numbers are written), then the
/// others, here all in one place.
fn array_index(name: &[u16]) -> u32 {
    let text = String::from_utf16_lossy(name);
    match text.parse::<u32>() {
        Ok(index) if index.to_string() == text => index,
        _ => u32::MAX,
    }
}

/// The floating-point number that JavaScript has for it; out of range is infinite.
fn number(json: &str) -> f64 {
    // Never the default: JSON's numbers are Rust's too.
    json.parse().unwrap_or_default()
}

/// As `JSON.stringify`: what has no UTF-8 is escaped, and little else.
fn write_string(units: impl Iterator<Item = u16>, out: &mut String) {
    out.push('"');
    for char in char::decode_utf16(units) {
        // Writing to a `String` does not fail.
        let _ = match char {
            Ok('"') => out.write_str("\\\""),
            Ok('\\') => out.write_str("\\\\"),
            Ok('\u{8}') => out.write_str("\\b"),
            Ok('\t') => out.write_str("\\t"),
            Ok('\n') => out.write_str("\\n"),
            Ok('\u{c}') => out.write_str("\\f"),
            Ok('\r') => out.write_str("\\r"),
            Ok(control @ '\0'..' ') => write!(out, "\\u{:04x}", u32::from(control)),
            Ok(char) => out.write_char(char),
            Err(half) => write!(out, "\\u{:04x}", half.unpaired_surrogate()),
        };
    }
    out.push('"');
}

/// `Number::toString` of ECMA-262: the shortest digits that are read as this number, of these the nearest, and of two as near the even ones.
fn write_number(number: f64, out: &mut String) {
    if !number.is_finite() {
        return out.push_str("null");
    }
    if number == 0.0 {
        // Minus zero, too.
        return out.push('0');
    }
    if number < 0.0 {
        out.push('-');
    }
    let scientific = shortest(number.abs());
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits = digits.replace('.', "");
    // Where the point stands, counted in digits from the first.
    let point = exponent.parse::<i32>().unwrap_or_default() + 1;
    let count = digits.len() as i32;
    let zeros = |count: i32| "0".repeat(count.max(0) as usize);
    if (count..=21).contains(&point) {
        out.push_str(&digits);
        out.push_str(&zeros(point - count));
    } else if (1..=21).contains(&point) {
        let (whole, fraction) = digits.split_at(point as usize);
        out.extend([whole, ".", fraction]);
    } else if (-5..=0).contains(&point) {
        out.extend(["0.", &zeros(-point), &digits]);
    } else {
        let (first, rest) = digits.split_at(1);
        out.push_str(first);
        if !rest.is_empty() {
            out.extend([".", rest]);
        }
        // Writing to a `String` does not fail.
        let _ = write!(out, "e{:+}", point - 1);
    }
}

/// The digits and the exponent. Rust finds how many digits it takes, but of two that are as near it has the greater; rounding to so
/// many digits is to even. Beside a power of two what is nearest may not be read as the number, and then Rust's first are right.
fn shortest(number: f64) -> String {
    let shortest = format!("{number:e}");
    let digits = shortest.bytes().take_while(|byte| *byte != b'e').filter(u8::is_ascii_digit).count();
    let nearest = format!("{number:.*e}", digits - 1);
    if nearest.parse() == Ok(number) { nearest } else { shortest }
}

#[cfg(test)]
#[path = "js_tests.rs"]
mod tests;
