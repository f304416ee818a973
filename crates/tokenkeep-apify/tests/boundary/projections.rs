//! What comes through of each operation's answer.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};
use tokenkeep_apify::{Access, Boundary, Class};
use tokenkeep_https::Passage;

use crate::answers::{CANARY, UNKNOWN, answer, is_empty_object, leaves};
use crate::description::{Described, operations};

const JSON: Option<&str> = Some("application/json; charset=utf-8");

/// Names that no answer under `analytics` has at any place.
const NEVER: &[&str] = include!("never.in");

/// The answer of an operation, and what comes through of it.
fn through(boundary: Boundary, operation: &Described) -> Option<(Value, Value)> {
    let admitted = boundary.judge(&operation.method, &operation.own_target()).ok()?;
    let sent = answer(operation.schema()?);
    if admitted.passage(200, JSON) != Passage::Projected {
        return None;
    }
    let body = admitted.project(200, sent.to_string().as_bytes());
    let body = body.unwrap_or_else(|why| panic!("{}: {why}", operation.name()));
    let received = serde_json::from_slice(&body).unwrap_or_else(|_| panic!("{}", operation.name()));
    Some((sent, received))
}

/// What came through stands where it stood, and is what it was.
fn unchanged(sent: &Value, received: &Value, name: &str) {
    match (sent, received) {
        (Value::Object(sent), Value::Object(received)) => {
            for (field, value) in received {
                unchanged(sent.get(field).expect("no field is made up"), value, name);
            }
        }
        (Value::Array(sent), Value::Array(received)) => {
            assert_eq!(sent.len(), received.len(), "{name}");
            sent.iter().zip(received).for_each(|(sent, received)| unchanged(sent, received, name));
        }
        _ => assert_eq!(sent, received, "{name}"),
    }
}

fn names(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                into.insert(name.clone());
                names(value, into);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| names(value, into)),
        _ => {}
    }
}

/// The page `analytics.txt` beside this file is the promise, field by field, for a person to read and to object to. It is compared,
/// never written by a test.
#[test]
fn apify_openapi_of_analytics_the_promised_fields_come_through_and_no_others() {
    let mut seen: BTreeMap<BTreeSet<String>, BTreeSet<String>> = BTreeMap::new();
    for operation in operations() {
        let Some((sent, received)) = through(Boundary::analytics(), &operation) else { continue };
        unchanged(&sent, &received, &operation.name());
        let mut found = BTreeSet::new();
        names(&received, &mut found);
        for name in NEVER.iter().chain([&UNKNOWN]) {
            assert!(!found.contains(*name), "{} gives {name}", operation.name());
        }
        // By value, wherever it may stand: what came through is one of the leaves that are promised.
        let places = leaves(&received).into_iter().map(|(place, _)| place).collect();
        seen.entry(places).or_default().insert(operation.name());
    }
    let mut page = String::new();
    let mut seen: Vec<_> = seen.into_iter().map(|(places, operations)| (operations, places)).collect();
    seen.sort();
    for (operations, places) in &seen {
        operations.iter().for_each(|operation| writeln!(page, "{operation}").unwrap());
        places.iter().for_each(|place| writeln!(page, "    {place}").unwrap());
    }
    let promised = include_str!("analytics.txt");
    assert!(page == promised, "these come through:\n{page}");
}

/// With every class allowed by name, all that the description knows comes through, and nothing else: the tables of fields are whole.
#[test]
fn apify_openapi_every_field_of_the_description_has_a_place() {
    let everything =
        Class::ALL.iter().fold(Boundary::none(), |all, &class| all.allow(class, Access::ReadAndWrite));
    let (mut projected, mut wrong) = (0, Vec::new());
    for operation in operations() {
        let Some((mut sent, received)) = through(everything, &operation) else { continue };
        projected += 1;
        // What has no description comes through as it is where its class is allowed: an input is somebody's own data.
        if operation.path.ends_with("/openapi.json") || operation.path.ends_with("/input") {
            assert_eq!(received, sent, "{}", operation.name());
            continue;
        }
        if operation.schema().is_some_and(is_empty_object) {
            assert_eq!(received, json!({}), "{}", operation.name());
            continue;
        }
        strip(&mut sent, operation.path == "/v2/browser-info");
        let mut received = received;
        strip(&mut received, false);
        let (sent, received): (BTreeSet<_>, BTreeSet<_>) = (places(&sent), places(&received));
        let difference: Vec<_> = sent.symmetric_difference(&received).collect();
        if !difference.is_empty() {
            wrong.push(format!("{}: {difference:?}", operation.name()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(projected > 150, "{projected}");
}

fn places(value: &Value) -> BTreeSet<String> {
    leaves(value).into_iter().map(|(place, _)| place).collect()
}

/// Takes out what is in no description, and what repeats the request.
fn strip(value: &mut Value, echo: bool) {
    match value {
        Value::Object(object) => {
            object.remove(UNKNOWN);
            if echo {
                object.remove("headers");
                object.remove("rawHeaders");
            }
            object.values_mut().for_each(|value| strip(value, false));
        }
        Value::Array(list) => list.iter_mut().for_each(|value| strip(value, echo)),
        _ => {}
    }
}

#[test]
fn apify_openapi_under_all_only_what_repeats_the_token_is_kept_back() {
    for operation in operations() {
        let admitted = Boundary::all().judge(&operation.method, &operation.own_target()).unwrap();
        let whole = admitted.passage(200, Some("text/html")) == Passage::AsItIs;
        assert_eq!(whole, operation.path != "/v2/browser-info", "{}", operation.name());
    }
    let admitted = Boundary::all().judge("GET", "/v2/browser-info?rawHeaders=1").unwrap();
    let body = br#"{"method":"GET","headers":{"authorization":"Bearer x"},"rawHeaders":["Bearer x"],"new":"Bearer x"}"#;
    assert_eq!(admitted.project(200, body).unwrap(), br#"{"method":"GET"}"#);
}

#[test]
fn who_it_is_comes_through_every_boundary() {
    let body = br#"{"data":{"id":"u1","username":"jane","email":"j@example.com","proxy":{"password":"p"},"plan":{"id":"x"}}}"#;
    for boundary in [Boundary::none(), Boundary::analytics()] {
        let admitted = boundary.judge("GET", "/v2/users/me").unwrap();
        assert_eq!(admitted.passage(200, JSON), Passage::Projected);
        assert_eq!(admitted.project(200, body).unwrap(), br#"{"data":{"id":"u1","username":"jane"}}"#);
    }
    let with = |class| Boundary::none().allow(class, Access::Read).judge("GET", "/v2/users/me").unwrap();
    let text = |class| String::from_utf8(with(class).project(200, body).unwrap()).unwrap();
    assert_eq!(text(Class::User), r#"{"data":{"id":"u1","username":"jane","email":"j@example.com"}}"#);
    assert_eq!(text(Class::Proxy), r#"{"data":{"id":"u1","username":"jane","proxy":{"password":"p"}}}"#);
    assert_eq!(text(Class::Billing), r#"{"data":{"id":"u1","username":"jane","plan":{"id":"x"}}}"#);
}

#[test]
fn a_passage_is_what_the_operation_promises() {
    let passage = |target: &str, status, kind| {
        Boundary::analytics().judge("GET", target).unwrap().passage(status, kind)
    };
    for kind in [
        "application/json",
        "Application/JSON",
        "application/json;charset=UTF-8",
        "application/json ; charset=utf-8",
    ] {
        assert_eq!(passage("/v2/actors", 200, Some(kind)), Passage::Projected, "{kind}");
        assert!(matches!(passage("/v2/actor-builds/b1/log", 200, Some(kind)), Passage::Refused(_)), "{kind}");
    }
    for kind in [
        "text/plain",
        "text/html",
        "",
        "application/jsonl",
        "application/json, text/plain",
        "application/json; charset=utf-7",
        "application/json;;",
    ] {
        assert!(matches!(passage("/v2/actors", 200, Some(kind)), Passage::Refused(_)), "{kind}");
    }
    assert_eq!(passage("/v2/actors", 200, None), Passage::Projected);
    assert_eq!(passage("/v2/actor-builds/b1/log", 200, Some("text/plain; charset=utf-8")), Passage::AsItIs);
    assert!(matches!(passage("/v2/actor-builds/b1/log", 200, None), Passage::Refused(_)));
    for status in [204, 301, 400, 401, 404, 500] {
        for target in ["/v2/actors", "/v2/actor-builds/b1/log"] {
            assert_eq!(passage(target, status, Some("text/html")), Passage::Projected, "{status} {target}");
        }
    }
}

#[test]
fn of_an_error_only_its_type_comes_through() {
    let body = format!(
        r#"{{"error":{{"type":"record-not-found","message":"{CANARY}1","data":{{"a":"{CANARY}2"}}}},"more":"{CANARY}3"}}"#
    );
    for boundary in [Boundary::analytics(), Boundary::all()] {
        for (method, target) in [("GET", "/v2/users/me"), ("GET", "/v2/actor-builds/b1/log")] {
            let admitted = boundary.judge(method, target).unwrap();
            assert_eq!(admitted.passage(404, JSON), Passage::Projected);
            assert_eq!(
                admitted.project(404, body.as_bytes()).unwrap(),
                br#"{"error":{"type":"record-not-found"}}"#
            );
            for nothing in [&b""[..], b"<html>canary-1</html>", br#"{"error":{"type":"Some Text canary-1"}}"#]
            {
                assert!(admitted.project(500, nothing).unwrap().is_empty());
            }
            for status in [204, 302] {
                assert!(admitted.project(status, body.as_bytes()).unwrap().is_empty());
            }
        }
    }
    let admitted = Boundary::all().judge("GET", "/v2/datasets/d1/items").unwrap();
    assert_eq!(admitted.project(404, body.as_bytes()).unwrap(), br#"{"error":{"type":"record-not-found"}}"#);
}
