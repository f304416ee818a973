//! The edges of encrypting. Python's package encrypts single texts alone, so it is asked about these.

use crate::edges::Does::{Encrypts, EncryptsAsJson, Keeps, Nothing, Refuses};
use crate::edges::{AS_USUAL, Does, Edge, FIELD, Forge, Forged, Task};

pub(crate) fn edges(forge: &mut Forge<'_>) -> Result<Vec<Edge>, String> {
    let (text, object, list) = (schema("string"), schema("object"), schema("array"));
    let encrypted = forge.make(&AS_USUAL)?;
    let with_hash = forge.make(&Forged { prefix: "ENCRYPTED_JSON", hash: Some("0123456789"), ..AS_USUAL })?;
    let unpadded = encrypted.trim_end_matches('=');
    let deep = format!("{}1{}", "[".repeat(513), "]".repeat(513));
    let quoted = |text: &str| format!("\"{text}\"");
    let odd =
        |field: &str| format!(r#"{{"properties":{{"{FIELD}":{{"type":"string","isSecret":{field}}}}}}}"#);

    let mut edges = Vec::new();
    let mut add = |name, schema: &str, input: String, npm: Does, ours: Does| {
        edges.push(Edge {
            name,
            task: Task::Encrypt { schema: schema.into(), input },
            expected: [npm, Nothing, ours],
        });
    };
    for (name, value) in [
        ("null", "null"),
        ("false", "false"),
        ("0", "0"),
        ("-0", "-0"),
        ("0.0e5", "0.0e5"),
        ("an empty text", "\"\""),
    ] {
        add(name, &text, input(value), Keeps, Keeps);
    }
    add("no such field", &text, r#"{"other":1}"#.into(), Keeps, Keeps);
    add("an empty object", &object, input("{}"), EncryptsAsJson, EncryptsAsJson);
    add("an empty list", &list, input("[ ]"), EncryptsAsJson, EncryptsAsJson);
    add("a number", &text, input("1"), Refuses, Refuses);
    add("a small number", &object, input("1e-7"), Refuses, Refuses);
    add("true", &text, input("true"), Refuses, Refuses);
    add("a text in a field for objects", &object, input("\"a fake secret\""), Encrypts, Encrypts);
    add("an object in a field for texts", &text, input(r#"{"a":1}"#), EncryptsAsJson, EncryptsAsJson);
    add("encrypted already", &text, input(&quoted(&encrypted)), Keeps, Keeps);
    add("encrypted already, JSON", &object, input(&quoted(&with_hash)), Keeps, Keeps);
    add(
        "encrypted already, a line feed behind it",
        &text,
        input(&quoted(&format!("{encrypted}\\n"))),
        Encrypts,
        Encrypts,
    );
    add(
        "looks encrypted: ENCRYPTED_VALUE:YQ==:YQ==",
        &text,
        input(r#""ENCRYPTED_VALUE:YQ==:YQ==""#),
        Keeps,
        Refuses,
    );
    add("looks encrypted: ENCRYPTED_VALUE::", &text, input(r#""ENCRYPTED_VALUE::""#), Keeps, Refuses);
    add("looks encrypted: ENCRYPTED_JSON:a:b:c", &text, input(r#""ENCRYPTED_JSON:a:b:c""#), Keeps, Refuses);
    add("looks encrypted: without its padding", &text, input(&quoted(unpadded)), Keeps, Refuses);
    add("begins as encrypted: ENCRYPTED_VALUE:a", &text, input(r#""ENCRYPTED_VALUE:a""#), Encrypts, Encrypts);
    add(
        "begins as encrypted: ENCRYPTED_VALUE:a b:c",
        &text,
        input(r#""ENCRYPTED_VALUE:a b:c""#),
        Encrypts,
        Encrypts,
    );
    add("half of a surrogate pair in a text", &text, input(r#""a\ud800""#), Encrypts, Refuses);
    add(
        "half of a surrogate pair in JSON",
        &object,
        input(r#"{"a":"\ud800"}"#),
        EncryptsAsJson,
        EncryptsAsJson,
    );
    add(
        "a field that is named __proto__",
        &schema_of("__proto__", "string"),
        r#"{"__proto__":"a fake secret"}"#.into(),
        Keeps,
        Encrypts,
    );
    add(
        "a field that stands there twice",
        &text,
        format!(r#"{{"{FIELD}":"one","{FIELD}":"two"}}"#),
        Encrypts,
        Refuses,
    );
    add("512 and more lists in each other", &list, input(&deep), EncryptsAsJson, Refuses);
    add(
        "secret in the depth alone",
        &format!(
            r#"{{"properties":{{"{FIELD}":{{"type":"object","properties":{{"a":{{"isSecret":true}}}}}}}}}}"#
        ),
        input(r#"{"a":"a fake secret"}"#),
        Keeps,
        Keeps,
    );
    add("isSecret is 1", &odd("1"), input("\"a fake secret\""), Encrypts, Encrypts);
    add("isSecret is \"false\"", &odd("\"false\""), input("\"a fake secret\""), Encrypts, Encrypts);
    add("isSecret is 0", &odd("0"), input("\"a fake secret\""), Keeps, Keeps);
    add("a schema without properties", "{}", input("\"a fake secret\""), Refuses, Refuses);
    add("a schema without secret fields", r#"{"properties":{}}"#, input("\"a fake secret\""), Keeps, Keeps);
    add("an input that is null", &text, "null".into(), Refuses, Refuses);
    add("an input that is a list", &text, "[]".into(), Keeps, Refuses);
    add("an input that is no JSON", &text, "{field:1}".into(), Refuses, Refuses);
    add(
        "a byte order mark before the input",
        &text,
        format!("\u{feff}{}", input("\"a fake secret\"")),
        Refuses,
        Refuses,
    );

    let half = edges.iter_mut().find(|edge| edge.name == "half of a surrogate pair in a text");
    half.ok_or("the case is gone")?.expected[1] = Refuses;
    Ok(edges)
}

fn schema(kind: &str) -> String {
    schema_of(FIELD, kind)
}

fn schema_of(field: &str, kind: &str) -> String {
    format!(r#"{{"properties":{{"{field}":{{"type":"{kind}","isSecret":true}}}}}}"#)
}

pub(crate) fn input(value: &str) -> String {
    format!(r#"{{"{FIELD}":{value}}}"#)
}
