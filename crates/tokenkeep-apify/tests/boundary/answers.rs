//! Answers made from the description's schemas: every property is there, every value is one of its own, and every object has a field
//! that no description knows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::description::{DESCRIPTION, resolve};

/// What stands in every value that was planted, and in the name of every unknown field.
pub(crate) const CANARY: &str = "canary-";
pub(crate) const UNKNOWN: &str = "canaryField";
/// Planted numbers are above this.
const NUMBERS: u64 = 7_000_000;

/// An answer that fits a schema.
pub(crate) fn answer(schema: &'static Value) -> Value {
    Maker { planted: 0 }.value(schema, 0)
}

struct Maker {
    planted: u64,
}

impl Maker {
    fn value(&mut self, schema: &'static Value, depth: usize) -> Value {
        assert!(depth < 40, "the description goes round in circles");
        let parts = parts(schema);
        let properties = properties(&parts);
        let free = || parts.iter().map(|part| &part["additionalProperties"]);
        if !properties.is_empty() || free().any(|free| free.is_object() || free == &json!(true)) {
            let mut object = Map::new();
            for (name, schema) in properties {
                object.insert(name.to_owned(), self.value(schema, depth + 1));
            }
            if let Some(schema) = free().find(|free| free.is_object()) {
                for _ in 0..2 {
                    self.planted += 1;
                    let name = format!("name-{}", self.planted);
                    object.insert(name, self.value(schema, depth + 1));
                }
            }
            // Where any name is data, none is unknown.
            if !free().any(|free| free.is_object() || free == &json!(true)) {
                let inner = self.text();
                object.insert(UNKNOWN.to_owned(), json!({ "inner": [inner, { "id": self.text() }] }));
            }
            return Value::Object(object);
        }
        if let Some(items) = parts.iter().find_map(|part| part.get("items")) {
            return json!([self.value(items, depth + 1), self.value(items, depth + 1)]);
        }
        let types: BTreeSet<&str> = parts.iter().flat_map(|part| types(part)).collect();
        self.planted += 1;
        if types.contains("string") || types.is_empty() {
            json!(format!("{CANARY}{}", self.planted))
        } else if types.contains("integer") || types.contains("number") {
            json!(NUMBERS + self.planted)
        } else if types.contains("boolean") {
            json!(true)
        } else {
            json!({ "free": self.text(), "secret": [self.text()] })
        }
    }

    fn text(&mut self) -> Value {
        self.planted += 1;
        json!(format!("{CANARY}{}", self.planted))
    }
}

/// Whether it promises an object of which nothing is told.
pub(crate) fn is_empty_object(schema: &'static Value) -> bool {
    let parts = parts(schema);
    let told = ["properties", "items", "additionalProperties", "description"];
    let told =
        |part: &&'static Value| told.iter().any(|what| part.get(what).is_some_and(|it| it != &json!(false)));
    !parts.iter().any(told) && parts.iter().any(|part| part["type"] == "object")
}

/// The schema itself, and all that it is made of.
fn parts(schema: &'static Value) -> Vec<&'static Value> {
    let schema = resolve(schema);
    let mut found = vec![schema];
    for way in ["allOf", "anyOf", "oneOf"] {
        for part in schema[way].as_array().into_iter().flatten() {
            found.extend(parts(part));
        }
    }
    found
}

fn properties(parts: &[&'static Value]) -> BTreeMap<&'static str, &'static Value> {
    let mut found: BTreeMap<&str, &'static Value> = BTreeMap::new();
    for part in parts {
        for (name, schema) in part["properties"].as_object().into_iter().flatten() {
            // Of several that share a name, the one that says most: an object before a mere type.
            let richer = |other: &&'static Value| weight(schema) > weight(other);
            if found.get(name.as_str()).is_none_or(richer) {
                found.insert(name, schema);
            }
        }
    }
    found
}

fn weight(schema: &'static Value) -> usize {
    parts(schema).iter().map(|part| part.as_object().map_or(0, |object| object.len())).sum()
}

fn types(part: &'static Value) -> Vec<&'static str> {
    match &part["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
    .into_iter()
    .filter(|name| *name != "null")
    .collect()
}

/// Every value that is no object and no list, with where it stands: a list's places as `[]`, a map's planted names as `{}`.
pub(crate) fn leaves(value: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    collect(value, String::new(), &mut found);
    found
}

fn collect(value: &Value, at: String, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let name = if name.starts_with("name-") { "{}" } else { name };
                collect(value, format!("{at}.{name}"), found);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, format!("{at}[]"), found)),
        leaf => found.push((at, leaf.clone())),
    }
}

#[test]
fn apify_openapi_the_answers_are_full() {
    let actor = answer(&DESCRIPTION["components"]["schemas"]["ActorResponse"]);
    let places: BTreeSet<String> = leaves(&actor).into_iter().map(|(place, _)| place).collect();
    for place in [
        ".data.id",
        ".data.versions[].sourceFiles[].content",
        ".data.versions[].envVars[].value",
        ".data.taggedBuilds.{}.buildId",
        ".data.exampleRunInput.body",
        ".data.stats.publicActorRunStats30Days.TIMED-OUT",
        ".data.pricingInfos[].pricingPerEvent.actorChargeEvents.{}.eventTitle",
        ".data.canaryField.inner[].id",
    ] {
        assert!(places.contains(place), "{place}: {places:#?}");
    }
}
