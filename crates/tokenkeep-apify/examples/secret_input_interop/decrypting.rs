//! The edges of decrypting.

use crate::base64;
use crate::edges::Does::{Keeps, Opens, OpensAs, OpensNoJson, Refuses};
use crate::edges::{AS_USUAL, Does, Edge, Forge, Forged, Task};
use crate::encrypting::input;

const SECRET: &str = "\"a fake secret\"";
const JSON: Forged<'static> = Forged { prefix: "ENCRYPTED_JSON", bytes: br#"{"a":[1]}"#, ..AS_USUAL };
const HELD: &str = r#"{"a":[1]}"#;

pub(crate) fn edges(forge: &mut Forge<'_>) -> Result<Vec<Edge>, String> {
    let mut edges = Vec::new();
    let mut add = |name, value: String, holds: &str, expected: [Does; 3]| {
        let input = if value.starts_with('{') { value } else { input(&format!("\"{value}\"")) };
        edges.push(Edge { name, task: Task::Decrypt { input, holds: holds.into() }, expected });
    };
    let all = |does| [does; 3];
    let theirs = [Opens, Opens, Refuses];
    let usual = forge.make(&AS_USUAL)?;

    for (name, hash, expected) in [
        ("JSON with a hash", Some("0123456789"), all(Opens)),
        ("JSON without a hash", None, all(Opens)),
        ("JSON with an empty hash", Some(""), theirs),
        ("JSON with a hash that is none", Some("no+hash/-="), theirs),
    ] {
        add(name, forge.make(&Forged { hash, ..JSON })?, HELD, expected);
    }
    add("a text", usual.clone(), SECRET, all(Opens));
    add(
        "a text with a hash",
        forge.make(&Forged { hash: Some("0123456789"), ..AS_USUAL })?,
        SECRET,
        all(Opens),
    );
    add("an empty text", forge.make(&Forged { bytes: b"", ..AS_USUAL })?, "\"\"", all(Opens));
    let twice = forge.make(&Forged { bytes: usual.as_bytes(), ..AS_USUAL })?;
    add("encrypted twice: opened once", twice, &format!("\"{usual}\""), all(Opens));

    let (before, password, value) = parts(&usual)?;
    let written = |password: &str, value: &str| format!("{before}:{password}:{value}");
    add(
        "padding left off",
        written(password, value.trim_end_matches('=')),
        SECRET,
        [Opens, Refuses, Refuses],
    );
    add("more padding", written(password, &format!("{value}=")), SECRET, theirs);
    add("stray bits in the last digit", written(password, &base64::with_stray_bits(value)), SECRET, theirs);
    let plus = with_plus(forge)?;
    let (_, password_with_plus, value_beside) = parts(&plus)?;
    let minus = written(&password_with_plus.replacen('+', "-", 1), value_beside);
    add("- in the place of +", minus, SECRET, [Opens, Refuses, Refuses]);
    add("a line feed behind it", format!("{usual}\\n"), SECRET, all(Keeps));
    add("a space before it", format!(" {usual}"), SECRET, all(Keeps));
    add("small letters", usual.to_lowercase(), SECRET, all(Keeps));
    add("a part too many", format!("{before}:a:b:{password}:{value}"), SECRET, all(Keeps));
    add("nothing between the colons", "ENCRYPTED_VALUE::".into(), SECRET, all(Refuses));
    add("a bit of the value flipped", written(password, &flipped(value)), SECRET, all(Refuses));
    add("a bit of the password flipped", written(&flipped(password), value), SECRET, all(Refuses));
    add("JSON's prefix over a text", usual.replace("VALUE", "JSON"), SECRET, all(Refuses));
    add(
        "a text's prefix over JSON",
        forge.make(&Forged { prefix: "ENCRYPTED_VALUE", ..JSON })?,
        r#""{\"a\":[1]}""#,
        all(Opens),
    );

    for (name, password, expected) in [
        ("a password of 47 bytes", &AS_USUAL.password[1..], all(Refuses)),
        ("a password of 49 bytes", b"0123456789abcdefghijklmnopqrstuvABCDEFGHIJKLMNOPQ", all(Refuses)),
        ("a password that is no letters and digits", &[0xff; 48], all(Opens)),
    ] {
        add(name, forge.make(&Forged { password, ..AS_USUAL })?, SECRET, expected);
    }
    add("OAEP with SHA-256", forge.make(&Forged { digest: "sha256", ..AS_USUAL })?, SECRET, all(Refuses));
    // npm's package takes the last 16 bytes for the tag also where there are fewer, and Node.js takes a tag of 4 bytes or 8.
    for (name, bytes, tag) in [
        ("a tag of 4 bytes over nothing", &b""[..], 4),
        ("a tag of 8 bytes over nothing", b"", 8),
        ("a tag of 4 bytes over 8 bytes", b"a secret", 4),
    ] {
        let holds = format!("\"{}\"", String::from_utf8_lossy(bytes));
        add(name, forge.make(&Forged { bytes, tag, ..AS_USUAL })?, &holds, [Opens, Refuses, Refuses]);
    }
    add(
        "a tag of 15 bytes over nothing",
        forge.make(&Forged { bytes: b"", tag: 15, ..AS_USUAL })?,
        "\"\"",
        all(Refuses),
    );
    add("a tag of 12 bytes", forge.make(&Forged { tag: 12, ..AS_USUAL })?, SECRET, all(Refuses));

    add(
        "bytes that are not UTF-8",
        forge.make(&Forged { bytes: b"a\xff", ..AS_USUAL })?,
        SECRET,
        [OpensAs("\"a\u{fffd}\""), Refuses, Refuses],
    );
    for (name, bytes, holds, expected) in [
        ("JSON that is none", &b"{a:1}"[..], "null", all(Refuses)),
        ("JSON with something behind it", b"{} {}", "null", all(Refuses)),
        ("JSON with a byte order mark", b"\xef\xbb\xbf{}", "{}", all(Refuses)),
        ("JSON that is a number", b"17", "17", theirs),
        ("JSON that is a text", b"\"text\"", "\"text\"", theirs),
        ("JSON with half of a surrogate pair", br#"["\ud800"]"#, r#"["\ud800"]"#, all(Opens)),
        ("JSON with white space around it", b" [ 1 ] ", "[1]", all(Opens)),
        ("JSON that is NaN", b"NaN", "null", [Refuses, OpensNoJson, Refuses]),
        ("JSON with one name twice", br#"{"a":1,"a":2}"#, r#"{"a":2}"#, all(Opens)),
    ] {
        add(name, forge.make(&Forged { bytes, ..JSON })?, holds, expected);
    }
    add("encrypted in the depth", input(&format!("[\"{usual}\"]")), SECRET, all(Keeps));
    add(
        "in a field that is named __proto__",
        format!(r#"{{"__proto__":"{usual}"}}"#),
        SECRET,
        [Keeps, Opens, Opens],
    );
    Ok(edges)
}

/// What stands before the password, the password, and the value.
fn parts(text: &str) -> Result<(&str, &str, &str), String> {
    let mut parts = text.rsplitn(3, ':');
    let (value, password, before) = (parts.next(), parts.next(), parts.next());
    before
        .zip(password)
        .zip(value)
        .map(|((before, password), value)| (before, password, value))
        .ok_or_else(|| "not three parts".into())
}

/// With another digit near the start, where every bit counts.
fn flipped(text: &str) -> String {
    let other = if text[4..].starts_with('A') { "B" } else { "A" };
    format!("{}{other}{}", &text[..4], &text[5..])
}

/// One with a `+` in its password, which three of four have twice.
fn with_plus(forge: &mut Forge<'_>) -> Result<String, String> {
    for _ in 0..64 {
        let made = forge.make(&AS_USUAL)?;
        if parts(&made)?.1.contains('+') {
            return Ok(made);
        }
    }
    Err("64 passwords without a plus".into())
}
