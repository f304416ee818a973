//! Which fields come through `Boundary::analytics()`: by the page that says so to a person, and the names that never do.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;
use tokenkeep_apify::Boundary;

use crate::scene::Answer;

const NEVER: &[&str] = include!("../../../tokenkeep-apify/tests/boundary/never.in");

/// The places of each operation's answer, as their names from the root down; `{}` is any name, `[]` an element.
type Places = Vec<Vec<String>>;

static PROMISED: LazyLock<BTreeMap<String, Places>> = LazyLock::new(|| {
    let page = include_str!("../../../tokenkeep-apify/tests/boundary/analytics.txt");
    let mut promised = BTreeMap::new();
    let (mut operations, mut places) = (Vec::new(), Places::new());
    for line in page.lines() {
        if let Some(place) = line.strip_prefix("    ") {
            let names = place.replace("[]", ".[]");
            places.push(names.trim_start_matches('.').split('.').map(str::to_owned).collect());
            continue;
        }
        if !places.is_empty() {
            let places = std::mem::take(&mut places);
            promised.extend(operations.drain(..).map(|operation| (operation, places.clone())));
        }
        operations.push(line.to_owned());
    }
    promised.extend(operations.into_iter().map(|operation| (operation, places.clone())));
    promised
});

/// What of this answer is not promised, or never comes: empty under `analytics`. `None` where the boundary lets no such call through.
pub(crate) fn strangers(answer: &Answer) -> Option<Vec<String>> {
    let admitted = Boundary::analytics().judge(answer.method, &answer.target).ok()?;
    let operation = format!("{} {}", admitted.method(), admitted.path());
    let Some(places) = PROMISED.get(&operation) else { return Some(vec![format!("all of {operation}")]) };
    let mut found = Vec::new();
    if !answer.body.is_empty() {
        let body: Value = serde_json::from_slice(&answer.body).expect("what is projected is JSON");
        walk(&body, &mut Vec::new(), places, &mut found);
    }
    Some(found)
}

fn walk(value: &Value, place: &mut Vec<String>, places: &Places, found: &mut Vec<String>) {
    let fits = |promised: &Vec<String>| {
        let one = |(name, promised): (&String, &String)| promised == name || promised == "{}" && name != "[]";
        promised.len() >= place.len() && place.iter().zip(promised).all(one)
    };
    let never = place.last().is_some_and(|name| NEVER.contains(&name.as_str()));
    if never || !places.iter().any(fits) {
        found.push(place.join("."));
        return;
    }
    let mut deeper = |name: &str, value: &Value| {
        place.push(name.to_owned());
        walk(value, place, places, found);
        place.pop();
    };
    match value {
        Value::Object(object) => object.iter().for_each(|(name, value)| deeper(name, value)),
        Value::Array(list) => list.iter().for_each(|value| deeper("[]", value)),
        _ => {}
    }
}

/// The check itself.
#[test]
fn a_field_that_is_not_promised_is_a_stranger() {
    let strangers = |target: &str, body: &str| {
        strangers(&Answer { method: "GET", target: target.to_owned(), body: body.as_bytes().to_vec() })
    };
    let dataset = r#"{"data":{"id":"d1","itemCount":3,"stats":{"readCount":1},"fields":["a"]}}"#;
    assert_eq!(strangers("/v2/datasets/d1", dataset), Some(vec![]));
    let more =
        r#"{"data":{"id":"d1","urlSigningSecretKey":"k","stats":{"other":1},"fields":[{"a":1}]},"x":null}"#;
    let found = ["data.fields.[].a", "data.stats.other", "data.urlSigningSecretKey", "x"].map(str::to_owned);
    assert_eq!(strangers("/v2/datasets/d1", more), Some(found.to_vec()));
    assert_eq!(strangers("/v2/datasets/d1/items", "[]"), None);
    let builds = r#"{"data":{"taggedBuilds":{"any":{"buildId":"b1"},"other":{"value":1}}}}"#;
    let found = vec!["data.taggedBuilds.other.value".to_owned()];
    assert_eq!(strangers("/v2/actors/a1", builds), Some(found));
}
