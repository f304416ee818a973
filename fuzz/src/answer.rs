//! Answers in JSON: made of the fuzzer's bytes, with names that Apify uses, at places where it may not; and compared.

use arbitrary::{Result, Unstructured};
use serde_json::{Map, Value};

/// Names that nothing under `Boundary::analytics` has, wherever it stands.
pub(crate) const FORBIDDEN: &[&str] = include!("../../crates/tokenkeep-apify/tests/boundary/never.in");

/// Names behind which an object's own names are data: tags, names of storages, of fields, of services.
const MAPS: &[&str] = &[
    "datasets",
    "keyValueStores",
    "requestQueues",
    "fieldStatistics",
    "taggedBuilds",
    "serviceUsage",
    "monthlyServiceUsage",
];

/// Names that come through somewhere.
const KNOWN: &[&str] = &[
    "data",
    "items",
    "error",
    "type",
    "message",
    "id",
    "userId",
    "name",
    "username",
    "total",
    "offset",
    "limit",
    "desc",
    "count",
    "stats",
    "versions",
    "versionNumber",
    "meta",
    "origin",
    "clientIp",
    "userAgent",
    "options",
    "build",
    "memoryMbytes",
    "status",
    "startedAt",
    "finishedAt",
    "usage",
    "usageUsd",
    "actId",
    "buildId",
    "storageIds",
    "default",
    "fields",
    "key",
    "size",
    "cycle",
    "current",
    "limits",
    "dailyServiceUsages",
    "quantity",
    "actorStandby",
    "defaultRunOptions",
    "categories",
    "x",
];

/// The text of a value that the bytes choose.
pub(crate) fn made(source: &mut Unstructured<'_>) -> Vec<u8> {
    let value = value(source, 0).unwrap_or(Value::Null);
    // As most answers are, so that more is read of it.
    let wrapped = source.ratio(1, 2).unwrap_or(false);
    if wrapped { serde_json::json!({ "data": value }) } else { value }.to_string().into_bytes()
}

fn value(source: &mut Unstructured<'_>, depth: u8) -> Result<Value> {
    Ok(match source.int_in_range(0..=if depth < 8 { 9 } else { 4 })? {
        0 => Value::Null,
        1 => source.arbitrary::<bool>()?.into(),
        2 => source.arbitrary::<i64>()?.into(),
        3 => source.arbitrary::<f64>()?.into(),
        4 => source.arbitrary::<String>()?.into(),
        5 | 6 => (0..source.int_in_range(0..=3)?).map(|_| value(source, depth + 1)).collect::<Result<_>>()?,
        _ => {
            let mut object = Map::new();
            for _ in 0..source.int_in_range(0..=6)? {
                let names = [KNOWN, FORBIDDEN, MAPS][source.int_in_range(0..=2)?];
                let name = (*source.choose(names)?).to_owned();
                object.insert(name, value(source, depth + 1)?);
            }
            Value::Object(object)
        }
    })
}

/// The same with every forbidden name in each of its objects: whichever of them is let through, is seen where it stands. None for what is
/// no JSON, or long.
pub(crate) fn salted(body: &[u8], choice: u8) -> Option<Vec<u8>> {
    if body.len() > 2048 {
        return None;
    }
    let mut value = serde_json::from_slice(body).ok()?;
    let salt = match choice % 3 {
        0 => Value::from("salt"),
        1 => serde_json::json!({ "id": "salt", "name": "salt", "body": "salt" }),
        _ => serde_json::json!([{ "name": "salt" }, "salt"]),
    };
    salt_objects(&mut value, &salt);
    Some(value.to_string().into_bytes())
}

fn salt_objects(value: &mut Value, salt: &Value) {
    match value {
        Value::Object(object) => {
            object.values_mut().for_each(|value| salt_objects(value, salt));
            for name in FORBIDDEN {
                object.entry(*name).or_insert_with(|| salt.clone());
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| salt_objects(value, salt)),
        _ => {}
    }
}

/// Panics where one of the names stands.
pub(crate) fn check_names(value: &Value, forbidden: &[&str]) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                assert!(!forbidden.contains(&name.as_str()), "{name} comes through");
                match value {
                    Value::Object(data) if MAPS.contains(&name.as_str()) => {
                        data.values().for_each(|value| check_names(value, forbidden));
                    }
                    _ => check_names(value, forbidden),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| check_names(value, forbidden)),
        _ => {}
    }
}

/// Whether one is the other with members and elements left out.
pub(crate) fn is_part(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(name, value)| whole.get(name).is_some_and(|other| is_part(value, other)))
        }
        (Value::Array(part), Value::Array(whole)) => {
            let mut rest = whole.iter();
            part.iter().all(|value| rest.any(|other| is_part(value, other)))
        }
        (Value::Number(part), Value::Number(whole)) => {
            // A floating-point number may be read as its neighbour.
            let (one, other) = (part.as_f64().unwrap_or(f64::NAN), whole.as_f64().unwrap_or(f64::NAN));
            part == whole || (one - other).abs() <= one.abs() * 1e-12
        }
        _ => part == whole,
    }
}
