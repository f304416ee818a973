//! Held against Node 20.20.2.

use super::*;

fn of(field: &str) -> String {
    normal(field).unwrap()
}

/// `JSON.stringify(JSON.parse(text))`.
#[test]
fn numbers_are_written_as_javascript_writes_them() {
    for (text, expected) in [
        ("1.0", "1"),
        ("1e21", "1e+21"),
        ("-0", "0"),
        ("0.1", "0.1"),
        ("1e-7", "1e-7"),
        ("123456789012345678901234567890", "1.2345678901234568e+29"),
        ("1e999", "null"),
        ("-1e999", "null"),
        ("5e-324", "5e-324"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ("0.000001", "0.000001"),
        ("1e20", "100000000000000000000"),
        ("123456789012345680000", "123456789012345680000"),
        ("999999999999999900000", "999999999999999900000"),
        ("1000000000000000100000", "1.0000000000000001e+21"),
        ("-1.5E+3", "-1500"),
        ("4.35", "4.35"),
        ("100", "100"),
        ("9007199254740993", "9007199254740992"),
        ("12e-8", "1.2e-7"),
        ("0.0000012345", "0.0000012345"),
        ("1.25e-7", "1.25e-7"),
        ("-1e-300", "-1e-300"),
        ("123.456e5", "12345600"),
        // Two shortest are as near: the even one.
        ("1475792615837.4062", "1475792615837.4062"),
        ("2250208055776626.25", "2250208055776626.2"),
        ("144649165847494.125", "144649165847494.12"),
        ("2089814273046648.25", "2089814273046648.2"),
        ("1475792615837.4063", "1475792615837.4062"),
        ("5960464477539062.5", "5960464477539062"),
        // Beside a power of two: the nearest of these lengths is another number.
        ("9007199254740992", "9007199254740992"),
        ("9.5367431640625e-7", "9.5367431640625e-7"),
        ("2.2250738585072014e-308", "2.2250738585072014e-308"),
        ("5.764607523034235e17", "576460752303423500"),
    ] {
        assert_eq!(of(&format!("{{\"a\":{text}}}")), format!("{{\"a\":{expected}}}"), "{text}");
    }
}

#[test]
fn keys_are_dropped_and_sorted_at_every_level() {
    for (field, expected) in [
        (r#" { "b" : [ ] , "a" : { } } "#.trim(), r#"{"a":{},"b":[]}"#),
        (
            r#"{"title":1,"x":{"description":1,"y":[{"editor":1,"prefill":2,"z":3}]}}"#,
            r#"{"x":{"y":[{"z":3}]}}"#,
        ),
        (r#"{"a":1,"10":2,"9":3,"01":4,"-1":5}"#, r#"{"9":3,"10":2,"-1":5,"01":4,"a":1}"#),
        (
            r#"{"4294967296":1,"4294967294":2,"4294967295":3,"5":4}"#,
            r#"{"5":4,"4294967294":2,"4294967295":3,"4294967296":1}"#,
        ),
        // By UTF-16 units, not by characters.
        (r#"{"\uff5e":1,"\ud83d\udd11":2}"#, r#"{"🔑":2,"～":1}"#),
        (
            r#"{"\ud83d":"\udd11\ud83d x","\u0061":"\u007f\u001f\/"}"#,
            "{\"a\":\"\u{7f}\\u001f/\",\"\\ud83d\":\"\\udd11\\ud83d x\"}",
        ),
        (r#"{"__proto__":{"a":1},"b":{"\u005f_proto__":[]}}"#, r#"{"b":{}}"#),
    ] {
        assert_eq!(of(field), expected);
        assert_eq!(of(expected), expected, "what is normal stays so");
    }
}

#[test]
fn a_name_stands_once_in_each_object_and_depth_is_bounded() {
    assert!(normal(r#"{"a":{"title":1,"\u0074itle":2}}"#).is_err());
    let nested = |depth: usize| format!("{}{}", "{\"a\":".repeat(depth - 1) + "{}", "}".repeat(depth - 1));
    assert!(normal(&nested(MAX_DEPTH)).is_ok());
    assert!(normal(&nested(MAX_DEPTH + 1)).is_err());
    let array = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    assert!(normal(&array(MAX_DEPTH)).is_ok());
    assert!(normal(&array(MAX_DEPTH + 1)).is_err());
}
