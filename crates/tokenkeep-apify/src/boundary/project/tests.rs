use super::*;
use crate::boundary::Access;
use crate::boundary::class::Class;
use crate::boundary::shape::{part, plain};

const INNER: Shape = Shape::Object(&[plain(&["a", "b"])]);
const SHAPE: Shape = Shape::Object(&[
    plain(&["id", "n"]),
    plain(&["secret"]).of(&[Class::Sharing]),
    plain(&["two"]).of(&[Class::Sharing, Class::Runs]),
    plain(&["echo"]).never(),
    part(&["inner"], &INNER),
    part(&["list"], &Shape::List(&INNER)),
    part(&["map"], &Shape::Map(&INNER)),
    part(&["free"], &Shape::Any),
]);

fn run(grants: Grants, json: &str) -> Result<String, &'static str> {
    project(&SHAPE, grants, json.as_bytes()).map(|out| String::from_utf8(out).unwrap())
}

fn kept(json: &str) -> String {
    run(Grants::NONE, json).unwrap()
}

#[test]
fn fields_that_are_known_and_allowed_come_through() {
    assert_eq!(kept(r#" { "id" : "x" , "n" : -1.5e3, "new": {"id": 1} } "#), r#"{"id":"x","n":-1500.0}"#);
    assert_eq!(kept(r#"{"new": 1, "id": true}"#), r#"{"id":true}"#);
    assert_eq!(kept(r#"{"secret": "s", "echo": "e", "two": 2}"#), "{}");
    let sharing = Grants::NONE.with(Class::Sharing, Access::Read);
    assert_eq!(run(sharing, r#"{"secret": "s", "echo": "e", "two": 2}"#).unwrap(), r#"{"secret":"s"}"#);
    let both = sharing.with(Class::Runs, Access::ReadAndWrite);
    assert_eq!(run(both, r#"{"two": 2, "echo": [], "secret": 1}"#).unwrap(), r#"{"two":2,"secret":1}"#);
    // A name is what it says, however it is written.
    assert_eq!(kept(r#"{"\u0069d": "\u00e9\"\\\n/", "s\u0065cret": 1}"#), "{\"id\":\"é\\\"\\\\\\n/\"}");
    assert_eq!(
        kept(r#"{"id": 18446744073709551615, "n": -9223372036854775808}"#),
        r#"{"id":18446744073709551615,"n":-9223372036854775808}"#
    );
}

#[test]
fn what_is_inside_is_projected_too() {
    assert_eq!(
        kept(r#"{"inner": {"a": 1, "c": 2}, "list": [{"c": 1}, {"b": 2, "c": [3]}]}"#),
        r#"{"inner":{"a":1},"list":[{},{"b":2}]}"#
    );
    assert_eq!(kept(r#"{"map": {"x": {"a": 1, "c": 1}, "y\"": {}}}"#), r#"{"map":{"x":{"a":1},"y\"":{}}}"#);
    assert_eq!(kept(r#"{"free": {"c": [1, {"d": null}, "e"]}}"#), r#"{"free":{"c":[1,{"d":null},"e"]}}"#);
    assert_eq!(kept(r#"{"list": [], "map": {}, "free": []}"#), r#"{"list":[],"map":{},"free":[]}"#);
}

#[test]
fn what_is_of_another_kind_is_dropped() {
    for json in [
        r#"{"id": {"secret": 1}}"#,
        r#"{"id": ["secret"]}"#,
        r#"{"inner": "secret"}"#,
        r#"{"inner": [{"a": 1}]}"#,
        r#"{"list": {"a": 1}}"#,
        r#"{"list": "secret"}"#,
        r#"{"map": ["secret"]}"#,
        r#"{"map": 1}"#,
    ] {
        assert_eq!(kept(json), "{}", "{json}");
    }
    assert_eq!(kept(r#"{"list": [1, {"a": 2}, [3], "x", null]}"#), r#"{"list":[{"a":2},null]}"#);
    assert_eq!(kept(r#"{"map": {"x": 1, "y": {"a": 1}, "z": []}}"#), r#"{"map":{"y":{"a":1}}}"#);
    // The commas stay right, whatever is left out.
    assert_eq!(
        kept(r#"{"id": [], "n": 1, "inner": 0, "list": [0, 0], "map": {"a": 0}}"#),
        r#"{"n":1,"list":[],"map":{}}"#
    );
    assert_eq!(
        kept(r#"{"id": null, "inner": null, "list": null, "map": null}"#),
        r#"{"id":null,"inner":null,"list":null,"map":null}"#
    );
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    for json in [
        "",
        " ",
        "{",
        "{}{}",
        "{} x",
        "{\"id\":1",
        "{\"id\":1,}",
        "{'id':1}",
        "{\"id\":01}",
        "\u{feff}{}",
        "<html>",
        "{\"id\":\"\n\"}",
        r#"{"id": 1, "id": 2}"#,
        r#"{"id": 1, "\u0069d": 2}"#,
        r#"{"id": [], "id": 2}"#,
        r#"{"secret": 1, "secret": 2}"#,
        r#"{"inner": {"a": 1, "a": 2}}"#,
        r#"{"list": [{"a": 1, "a": 2}]}"#,
        r#"{"map": {"x": {}, "x": {}}}"#,
        r#"{"map": {"x": 1, "x": {}}}"#,
        r#"{"free": {"x": 1, "x": 1}}"#,
        r#"{"id": 1e999}"#,
    ] {
        assert_eq!(run(Grants::NONE, json), Err(NOT_JSON), "{json}");
    }
    for json in ["1", "\"x\"", "[]", "[{}]"] {
        assert!(run(Grants::NONE, json).is_err(), "{json}");
    }
    let mut bad = br#"{"id": "x"}"#.to_vec();
    bad[8] = 0xff;
    assert_eq!(project(&SHAPE, Grants::NONE, &bad), Err(NOT_JSON));
}

#[test]
fn depth_is_no_danger() {
    let deep = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    // What is dropped is skipped without a stack; what is passed on has a limit.
    assert_eq!(kept(&format!(r#"{{"new": {}, "id": 1}}"#, deep(1_000_000))), r#"{"id":1}"#);
    assert!(run(Grants::NONE, &format!(r#"{{"free": {}}}"#, deep(100))).is_ok());
    assert_eq!(run(Grants::NONE, &format!(r#"{{"free": {}}}"#, deep(200))), Err(NOT_JSON));
    assert_eq!(run(Grants::NONE, &"[".repeat(1_000_000)), Err(NOT_JSON));
}

#[test]
fn of_an_error_the_type_comes_through() {
    let typed = |text: &str| {
        format!(r#"{{"error": {{"message": "a secret", "type": {text}, "data": {{"x": 1}}}}, "more": 1}}"#)
    };
    for good in ["record-or-token-not-found", "invalid-token", "a1", &"a".repeat(64)] {
        let out = project_error(typed(&format!("\"{good}\"")).as_bytes());
        assert_eq!(String::from_utf8(out).unwrap(), format!(r#"{{"error":{{"type":"{good}"}}}}"#));
    }
    for bad in [
        r#""""#,
        r#""A""#,
        r#""a--b""#,
        r#""-a""#,
        r#""a-""#,
        r#""a b""#,
        r#""a_b""#,
        r#""a\"b""#,
        r#""é""#,
        "1",
        "null",
        "[\"a\"]",
        "{}",
        "true",
        &format!("\"{}\"", "a".repeat(65)),
    ] {
        assert!(project_error(typed(bad).as_bytes()).is_empty(), "{bad}");
    }
    for bad in [
        "",
        "invalid-token",
        r#"{"type":"invalid-token"}"#,
        r#"{"error":"invalid-token"}"#,
        r#"{"error":{"type":"a","type":"b"}}"#,
        r#"{"error":{"type":"a"},"error":{"type":"a"}}"#,
        r#"{"error":{"message":"x"}}"#,
        r#"{"error":[{"type":"a"}]}"#,
    ] {
        assert!(project_error(bad.as_bytes()).is_empty(), "{bad}");
    }
}
