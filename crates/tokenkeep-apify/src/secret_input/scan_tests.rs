//! What is taken for JSON, held against another reader.

use serde::de::IgnoredAny;

use super::*;

const GOOD: &[&str] = &[
    "{}",
    " { } ",
    "[]",
    "[ ]",
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-1.5e+10",
    "1E5",
    "0.0",
    "\"\"",
    r#""\u00e9\n\/\"""#,
    r#""\ud800""#,
    "\t[1,[2,{\"a\":[]}],{}]\r\n",
    r#"{"a":{"b":[1,{"c":null}]},"d":"e"}"#,
    "[[],{}]",
    "\"ž客🔑\u{7f}\"",
];

const BAD: &[&str] = &[
    "",
    " ",
    "{",
    "}",
    "[",
    "]",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "{,}",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{\"a\":1",
    "{a:1}",
    "{1:1}",
    "[1}",
    "{\"a\":1]",
    "[1 2]",
    "01",
    "+1",
    "1.",
    ".5",
    "1e",
    "1e+",
    "-",
    "--1",
    "tru",
    "nul",
    "True",
    "NaN",
    "\"",
    "\"\\\"",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\u12g4\"",
    "\"\n\"",
    "\"\0\"",
    "'a'",
    "1 1",
    "{}{}",
    "[]]",
    "\u{feff}{}",
    "// a\n{}",
    "[1]x",
    "\u{a0}1",
    "[{]}",
    "{\"a\":{}",
    "[[]",
    "\"\\u+123\"",
];

#[test]
fn what_is_json_is_what_another_reader_takes() {
    let theirs = |text: &str| serde_json::from_str::<IgnoredAny>(text).is_ok();
    for text in GOOD {
        assert!(value(text).is_ok() && theirs(text), "{text}");
    }
    for text in BAD {
        assert!(value(text).is_err() && !theirs(text), "{text}");
        // Inside of something, too.
        for around in [format!("[{text}]"), format!("{{\"a\":{text}}}"), format!("[0,{text},[]]")] {
            assert_eq!(value(&around).is_ok(), theirs(&around), "{around}");
        }
    }
}

#[test]
fn fields_are_found_where_they_stand() {
    let json = " {\"a\" : [1, {\"b\": 2}] ,\n\"\\u0062\":\"x\\\"}\", \"\":null}\n";
    let found: Vec<_> = object(json)
        .unwrap()
        .into_iter()
        .map(|member| {
            (String::from_utf16(&member.name_in(json)).unwrap(), &json[member.value.clone()], member.kind)
        })
        .collect();
    assert_eq!(
        found,
        [
            ("a".to_owned(), "[1, {\"b\": 2}]", Kind::Array),
            ("b".to_owned(), "\"x\\\"}\"", Kind::String),
            (String::new(), "null", Kind::Null),
        ]
    );
}

#[test]
fn a_field_stands_once_however_it_is_spelt() {
    for twice in
        [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, r#"{"\/":1,"/":2}"#, r#"{"\ud83d\udd11":1,"🔑":2}"#]
    {
        assert_eq!(object(twice).unwrap_err(), TWICE, "{twice}");
    }
    for once in [r#"{"a":{"a":1},"A":2}"#, r#"{"\ud800":1,"\udc00":2,"\ufffd":3}"#] {
        assert!(object(once).is_ok(), "{once}");
    }
    for no_object in ["[]", "\"{}\"", "1", "null"] {
        assert_eq!(object(no_object).unwrap_err(), NO_OBJECT);
    }
}

#[test]
fn depth_is_bounded_and_costs_no_stack() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(value(&nested(MAX_DEPTH)).is_ok());
    assert_eq!(value(&nested(MAX_DEPTH + 1)).unwrap_err(), TOO_DEEP);
    let under_a_field = |depth: usize| format!("{{\"a\":{}}}", nested(depth));
    assert!(object(&under_a_field(MAX_DEPTH - 1)).is_ok());
    assert_eq!(object(&under_a_field(MAX_DEPTH)).unwrap_err(), TOO_DEEP);
    assert_eq!(value(&"[".repeat(1_000_000)).unwrap_err(), TOO_DEEP);
    assert_eq!(value(&"{\"a\":".repeat(1_000_000)).unwrap_err(), TOO_DEEP);
}
