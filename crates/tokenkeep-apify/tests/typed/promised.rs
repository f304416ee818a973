//! The least and the most that Apify's API description promises of each answer, as answers: fields that may be missing are, lists of
//! values and fields go on, and every call still reads them.

use std::path::PathBuf;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};
use tokenkeep_apify::Boundary;
use tokenkeep_testkit::{JsonStandIn, RecordedRequest, fake_token};

use crate::boundaries::allowing;
use crate::calls::CASES;
use crate::scene::client;

/// Read once. A test that uses it begins with `apify_openapi_`.
pub(crate) static DESCRIPTION: LazyLock<Value> = LazyLock::new(|| {
    let path = std::env::var_os("APIFY_OPENAPI").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/apify/openapi.json")),
        PathBuf::from,
    );
    let text = std::fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "Apify's API description can't be read from {}: {error}. Apify publishes it as openapi.json; give the absolute path \
             of a copy as APIFY_OPENAPI, or leave out the tests named apify_openapi_",
            path.display(),
        )
    });
    serde_json::from_slice(&text).expect("the description is JSON")
});

#[derive(Clone, Copy, PartialEq)]
enum Much {
    /// What is required alone, and null where that may be.
    Least,
    /// Everything, and what is in no description.
    Most,
}

fn resolve(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(pointer) => DESCRIPTION.pointer(pointer.trim_start_matches('#')).expect("it is there"),
        None => value,
    }
}

/// A value that fits the schema. Every text is the same, in the place of every value of an enum too: a new one.
fn sample(schema: &'static Value, much: Much, depth: u32) -> Value {
    let schema = resolve(schema);
    if depth > 16 {
        return Value::Null;
    }
    let deeper = |schema| sample(schema, much, depth + 1);
    if let Some(parts) = schema["allOf"].as_array() {
        let mut whole = Map::new();
        for part in parts {
            if let Value::Object(part) = deeper(part) {
                whole.extend(part);
            }
        }
        return Value::Object(whole);
    }
    for choice in ["anyOf", "oneOf"] {
        if let Some(choices) = schema[choice].as_array() {
            let null = choices.iter().any(|one| one["type"] == "null");
            return if null && much == Much::Least { Value::Null } else { deeper(&choices[0]) };
        }
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        kind => kind.as_str().into_iter().collect(),
    };
    if much == Much::Least && kinds.contains(&"null") {
        return Value::Null;
    }
    match kinds.first().copied() {
        Some("object") => object(schema, much, &deeper),
        Some("array") => json!([deeper(&schema["items"])]),
        Some("string") => json!("0.1"),
        Some("integer") => json!(1),
        Some("number") => json!(1.5),
        Some("boolean") => json!(true),
        _ => Value::Null,
    }
}

fn object(schema: &'static Value, much: Much, deeper: &dyn Fn(&'static Value) -> Value) -> Value {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut fields = Map::new();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        if much == Much::Most || required.contains(&name.as_str()) {
            fields.insert(name.clone(), deeper(field));
        }
    }
    if schema["additionalProperties"].is_object() {
        fields.insert("SOMETHING".to_owned(), deeper(&schema["additionalProperties"]));
    } else if much == Much::Most {
        fields.insert("inNoDescription".to_owned(), json!({ "a": [1, null, "b"] }));
    }
    Value::Object(fields)
}

fn answer(request: &RecordedRequest, much: Much) -> (u16, String) {
    let admitted = Boundary::all().judge(&request.method, &request.target).unwrap();
    let operation = &DESCRIPTION["paths"][admitted.path()][admitted.method().to_lowercase()];
    let responses = operation["responses"].as_object().unwrap();
    let (status, success) = responses.iter().find(|(status, _)| status.starts_with('2')).unwrap();
    let schema = resolve(success).pointer("/content/application~1json/schema").expect("an answer in JSON");
    let mut body = sample(schema, much, 0);
    if admitted.path() == "/v2/users/me" {
        // The description does not promise it, and everything here rests on it.
        body["data"]["id"] = json!("0.1");
    }
    (status.parse().unwrap(), body.to_string())
}

async fn each_call_reads(much: Much) {
    let stand_in = JsonStandIn::start(move |request| answer(request, much)).await.unwrap();
    for case in CASES.iter().filter(|case| !case.name.ends_with("log()")) {
        for boundary in [allowing(case.needs), Boundary::all()] {
            let client = client(&stand_in.origin(), &stand_in.ca_der(), &fake_token(), boundary);
            if let Err(error) = case.call(client).await {
                panic!("{}: {error:?} under {boundary:?}", case.name);
            }
        }
    }
    assert!(stand_in.requests().len() >= 2 * (CASES.len() - 2));
}

#[tokio::test]
async fn apify_openapi_the_least_that_is_promised_is_read() {
    each_call_reads(Much::Least).await;
}

#[tokio::test]
async fn apify_openapi_more_than_is_known_breaks_nothing() {
    each_call_reads(Much::Most).await;
}

/// Of every field of every answer, that it may be null as well as missing, where there is something that it is then.
#[tokio::test]
async fn null_is_what_is_not_there() {
    for (answer, read) in [
        (r#"{"id":"r1","actId":"a1","status":"READY","meta":null}"#, "run"),
        (r#"{"monthlyServiceUsage":null,"dailyServiceUsages":null}"#, "usage"),
        (r#"{"dailyServiceUsages":[{"serviceUsage":null}]}"#, "usage"),
        (r#"{"limits":null,"current":null}"#, "limits"),
        (r#"{"items":[],"total":0,"offset":null,"limit":null,"desc":null}"#, "actors"),
        (r#"{"items":[],"isTruncated":null}"#, "keys"),
        (r#"{"id":"b1","actId":"a1","status":"READY","meta":null}"#, "build"),
    ] {
        let stand_in = JsonStandIn::start(move |_| (200, format!(r#"{{"data":{answer}}}"#))).await.unwrap();
        let client = client(&stand_in.origin(), &stand_in.ca_der(), &fake_token(), Boundary::all());
        let result = match read {
            "run" => client.run("r1").get().await.map(drop),
            "build" => client.build("b1").get().await.map(drop),
            "usage" => client.usage().await.map(drop),
            "limits" => client.limits().await.map(drop),
            "actors" => client.actors().list().await.map(drop),
            _ => client.key_value_store("s1").keys().await.map(drop),
        };
        assert!(result.is_ok(), "{answer}: {result:?}");
    }
}
