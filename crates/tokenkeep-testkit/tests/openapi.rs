//! The stand-in's answers against Apify's own API description.

mod common;

use common::{ACCOUNT, connected, get};
use serde_json::{Value, json};
use std::path::PathBuf;
use tokenkeep_testkit::{Access, Fault, Run, fake_token};

/// Apify's API description, made strict: a field that it doesn't know is an error too.
struct Description {
    strict: Value,
}

impl Description {
    fn read() -> Self {
        let path = std::env::var_os("APIFY_OPENAPI").map_or_else(
            || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/apify/openapi.json")),
            PathBuf::from,
        );
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| {
            panic!(
                "Apify's API description can't be read from {}: {error}. Apify publishes it as openapi.json; give \
                 the absolute path of a copy as APIFY_OPENAPI, or leave out the tests named apify_openapi_",
                path.display(),
            )
        });
        let mut strict: Value = serde_json::from_str(&text).expect("the description is JSON");
        let schemas = strict["components"]["schemas"].as_object_mut().expect("the description has schemas");
        let mut parts_of_a_whole = Vec::new();
        for schema in schemas.values() {
            for part in schema["allOf"].as_array().into_iter().flatten() {
                parts_of_a_whole.extend(part["$ref"].as_str().map(str::to_owned));
            }
        }
        for (name, schema) in schemas {
            let is_part = parts_of_a_whole.contains(&format!("#/components/schemas/{name}"));
            let is_closed = schema.get("additionalProperties").is_some();
            if !is_part && !is_closed && (schema.get("properties").is_some() || schema.get("allOf").is_some())
            {
                schema["unevaluatedProperties"] = json!(false);
            }
        }
        Self { strict }
    }

    /// What is wrong with an answer of `GET` of this path, as the description calls it.
    fn complaints(&self, path: &str, status: u16, body: &Value) -> Vec<String> {
        let mut pointer = format!("/paths/{}/get/responses/{status}", path.replace('/', "~1"));
        let response =
            self.strict.pointer(&pointer).unwrap_or_else(|| panic!("{path} never answers {status}"));
        if let Some(shared) = response["$ref"].as_str() {
            pointer = shared.trim_start_matches('#').to_owned();
        }
        self.check(&format!("{pointer}/content/application~1json/schema"), body)
    }

    /// What is wrong with JSON that should fit the schema at this pointer.
    fn check(&self, pointer: &str, body: &Value) -> Vec<String> {
        assert!(self.strict.pointer(pointer).is_some(), "the description has no {pointer}");
        let mut root = self.strict.clone();
        root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
        let pointer = pointer.replace('{', "%7B").replace('}', "%7D");
        root["$ref"] = json!(format!("#{pointer}"));
        let validator =
            jsonschema::options().should_validate_formats(true).build(&root).expect("the schema is one");
        validator.iter_errors(body).map(|error| format!("{error} at {}", error.instance_path())).collect()
    }
}

const RUNS: &str = "/v2/actor-runs";
const RUNS_OF: &str = "/v2/actors/{actorId}/runs";
const ENV_VARS: &str = "/v2/actors/{actorId}/versions/{versionNumber}/env-vars";

#[tokio::test]
async fn apify_openapi_answers_200() {
    let (apify, client, token) = connected().await;
    apify.add_run(
        ACCOUNT,
        Run {
            status: "TIMED-OUT".to_owned(),
            origin: "MCP".to_owned(),
            user_agent: Some("a-test/1".to_owned()),
            client_ip: Some("192.0.2.7".to_owned()),
            ..Run::default()
        },
    );
    let description = Description::read();
    for (target, path) in [
        ("/v2/users/me", "/v2/users/me"),
        ("/v2/actors", "/v2/actors"),
        ("/v2/acts?my=1&desc=1&limit=1", "/v2/actors"),
        ("/v2/actors?offset=100&sortBy=stats.lastRunStartedAt", "/v2/actors"),
        ("/v2/actor-runs", RUNS),
        ("/v2/actor-runs?offset=1&limit=2&desc=true&status=SUCCEEDED,RUNNING", RUNS),
        ("/v2/actors/jane-doe~price-watch/runs", RUNS_OF),
        ("/v2/acts/made-up-store~web-scraper/runs?limit=0", RUNS_OF),
        ("/v2/users/me/usage/monthly", "/v2/users/me/usage/monthly"),
        ("/v2/users/me/limits", "/v2/users/me/limits"),
        ("/v2/actors/jane-doe~price-watch", "/v2/actors/{actorId}"),
        ("/v2/actors/jane-doe~price-watch/runs/last?status=SUCCEEDED", "/v2/actors/{actorId}/runs/last"),
        ("/v2/actors/jane-doe~price-watch/builds", "/v2/actors/{actorId}/builds"),
        ("/v2/actors/jane-doe~price-watch/builds/default", "/v2/actors/{actorId}/builds/default"),
        ("/v2/actors/jane-doe~price-watch/versions/0.1/env-vars", ENV_VARS),
        ("/v2/actor-runs/FakeRun0000000003?waitForFinish=1", "/v2/actor-runs/{runId}"),
        ("/v2/actor-builds", "/v2/actor-builds"),
        ("/v2/actor-builds/FakeBuild00000001", "/v2/actor-builds/{buildId}"),
        ("/v2/datasets", "/v2/datasets"),
        ("/v2/datasets/FakeItems00000000", "/v2/datasets/{datasetId}"),
        ("/v2/key-value-stores?unnamed=1", "/v2/key-value-stores"),
        ("/v2/key-value-stores/FakeStore00000000", "/v2/key-value-stores/{storeId}"),
        ("/v2/key-value-stores/FakeStore00000000/keys?limit=2", "/v2/key-value-stores/{storeId}/keys"),
    ] {
        let answer = get(&client, &apify, &token, target).await;
        assert_eq!(answer.status().as_u16(), 200, "{target}");
        assert!(
            answer.headers()["content-type"].to_str().is_ok_and(|kind| kind.starts_with("application/json"))
        );
        let body = serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON");
        assert_eq!(description.complaints(path, 200, &body), [""; 0], "{target}");
    }
}

#[tokio::test]
async fn apify_openapi_errors() {
    let (apify, client, token) = connected().await;
    let (under_scoped, unknown) = (fake_token(), fake_token());
    apify.grant(&under_scoped, Access::under_scoped(ACCOUNT, "jane-doe"));
    let description = Description::read();
    for (target, path) in [
        ("/v2/users/me", "/v2/users/me"),
        ("/v2/acts", "/v2/actors"),
        ("/v2/actor-runs", RUNS),
        ("/v2/actors/jane-doe~price-watch/runs", RUNS_OF),
    ] {
        let mut cases =
            vec![(target.to_owned(), &unknown, 401), (format!("{target}?method=PUT"), &token, 405)];
        if target != "/v2/users/me" {
            cases.push((target.to_owned(), &under_scoped, 403));
            cases.push((format!("{target}?limit=many"), &token, 400));
        }
        if path == RUNS_OF {
            cases.push(("/v2/acts/nobody~nothing/runs".to_owned(), &token, 404));
        }
        for (target, token, status) in cases {
            let answer = get(&client, &apify, token, &target).await;
            assert_eq!(answer.status().as_u16(), status, "{target}");
            let body = serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON");
            assert_eq!(description.complaints(path, status, &body), [""; 0], "{target}");
        }
        apify.answer_next(Fault::rate_limited("1"));
        let body = get(&client, &apify, &token, target).await.bytes().await.expect("a body");
        let body = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(description.complaints(path, 429, &body), [""; 0], "{target}");
        let without = client.get(format!("{}{target}", apify.origin())).send().await.expect("an answer");
        let body = serde_json::from_slice(&without.bytes().await.expect("a body")).expect("JSON");
        assert_eq!(description.complaints(path, 401, &body), [""; 0], "{target}");
    }
    // Not of any operation, but in the same form.
    let body = get(&client, &apify, &token, "/v2/nowhere").await.bytes().await.expect("a body");
    let body = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(description.check("/components/schemas/ErrorResponse", &body), [""; 0]);
}

/// The check itself: it must object to answers that are wrong in each of these ways.
#[tokio::test]
async fn apify_openapi_check_sees_what_is_wrong() {
    let (apify, client, token) = connected().await;
    let description = Description::read();
    let body = get(&client, &apify, &token, "/v2/actor-runs").await.bytes().await.expect("a body");
    let good: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(description.complaints(RUNS, 200, &good), [""; 0]);
    let run = "/data/items/0";
    for (holder, field, wrong) in [
        ("/data", "total", json!("many")),
        ("/data", "limit", json!(0)),
        ("/data", "totl", json!(5)),
        (run, "status", json!("DONE")),
        (run, "startedAt", json!("yesterday")),
        (run, "finshedAt", json!(null)),
        ("/data/items/0/meta", "origin", json!("NOWHERE")),
    ] {
        let mut bad = good.clone();
        bad.pointer_mut(holder).expect("it is there")[field] = wrong;
        assert_ne!(description.complaints(RUNS, 200, &bad), [""; 0], "{holder}/{field}");
    }
    let mut bad = good.clone();
    bad.pointer_mut(run).and_then(Value::as_object_mut).expect("a run").remove("buildId");
    assert_ne!(description.complaints(RUNS, 200, &bad), [""; 0]);
    let error = json!({ "error": { "type": "no-such-type", "message": "" } });
    assert_ne!(description.complaints(RUNS, 401, &error), [""; 0]);
}
