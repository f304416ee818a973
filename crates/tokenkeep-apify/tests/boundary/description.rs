//! Apify's API description, read by means of the tests' own.

use std::path::PathBuf;
use std::sync::LazyLock;

use serde_json::Value;

/// Read once. A test that uses it begins with `apify_openapi_`.
pub(crate) static DESCRIPTION: LazyLock<Value> = LazyLock::new(|| {
    let path = std::env::var_os("APIFY_OPENAPI").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/apify/openapi.json")),
        PathBuf::from,
    );
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!(
            "Apify's API description can't be read from {}: {error}. Apify publishes it as openapi.json; give the \
             absolute path of a copy as APIFY_OPENAPI, or leave out the tests named apify_openapi_",
            path.display(),
        )
    });
    serde_json::from_str(&text).expect("the description is JSON")
});

/// An operation, as the description has it.
pub(crate) struct Described {
    pub(crate) method: String,
    pub(crate) path: &'static str,
    pub(crate) queries: Vec<&'static str>,
    operation: &'static Value,
}

pub(crate) fn operations() -> Vec<Described> {
    let mut found = Vec::new();
    for (path, item) in DESCRIPTION["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if method == "parameters" {
                continue;
            }
            let parameters = [&item["parameters"], &operation["parameters"]];
            let queries = parameters
                .into_iter()
                .flat_map(|list| list.as_array().into_iter().flatten())
                .map(resolve)
                .filter(|parameter| parameter["in"] == "query")
                .map(|parameter| parameter["name"].as_str().unwrap())
                .collect();
            found.push(Described { method: method.to_uppercase(), path, queries, operation });
        }
    }
    found
}

/// What a reference leads to, or the value itself.
pub(crate) fn resolve(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(pointer) => DESCRIPTION.pointer(pointer.trim_start_matches('#')).expect("it is there"),
        None => value,
    }
}

impl Described {
    /// A target with made-up identifiers, without a query.
    pub(crate) fn target(&self) -> String {
        self.path.split('/').map(sample).collect::<Vec<_>>().join("/")
    }

    /// The same, and a list kept to what the account owns.
    pub(crate) fn own_target(&self) -> String {
        let of_others = self.queries.contains(&"ownership");
        format!("{}{}", self.target(), if of_others { "?ownership=ownedByMe" } else { "" })
    }

    /// The schema of its answer in JSON.
    pub(crate) fn schema(&self) -> Option<&'static Value> {
        let responses = self.operation["responses"].as_object().unwrap();
        let (_, success) = responses.iter().find(|(status, _)| status.starts_with('2'))?;
        resolve(success).pointer("/content/application~1json/schema")
    }

    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// What could stand for a segment of a path.
pub(crate) fn sample(segment: &str) -> &str {
    match segment {
        "{actorId}" => "jane-doe~price-watch",
        "{actorTaskId}" => "3KH8gEpp4d8uQSe8T",
        "{versionNumber}" => "0.12",
        "{envVarName}" => "MY_KEY",
        "{recordKey}" => "a.key-1_%21",
        "{userId}" => "jane.doe",
        parameter if parameter.starts_with('{') => "WkzbQMuFYuamGv3YF",
        literal => literal,
    }
}
