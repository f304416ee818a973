//! What the corpus of `boundary` is begun with: calls, and answers as Apify gives them, with what must not come through.

use crate::boundary::{HEADER, OPERATIONS};

/// The header, for an operation that there is.
fn header(how: u8, operation: &str, place: u8, status: u8, kind: u8) -> [u8; HEADER] {
    let (method, path) = operation.split_once(' ').expect("a method and a path");
    let number = OPERATIONS.iter().position(|known| *known == (method, path)).expect("an operation");
    let [high, low] = (number as u16).to_be_bytes();
    [how, high, low, place, status, kind]
}

/// Name, whether the call is understood, and the bytes.
pub(crate) fn seeds() -> Vec<(&'static str, bool, Vec<u8>)> {
    let mut seeds = Vec::new();
    let raw = header(0, "GET /v2/users/me", 0, 0, 0);
    for (name, reaches, line) in [
        ("raw", true, "GET /v2/actor-runs?limit=10&desc=true"),
        ("raw-start", true, "POST /v2/actors/jane-doe~price-watch/runs?timeout=60&webhooks=x"),
        ("raw-word", false, "GET /v2/actor-runs/LAST"),
        ("raw-default", true, "GET /v2/actors/a1/builds/default"),
        ("raw-record", true, "GET /v2/key-value-stores/s1/records/a%21%27%28%29"),
        ("raw-user-file", false, "GET /v2/users/me.json"),
        ("raw-method", false, "GET /v2/datasets?method=DELETE"),
        ("raw-token", false, "GET /v2/users/me?token=x"),
        ("raw-encoded-method", false, "GET /v2/datasets?%6Dethod=DELETE"),
        ("raw-hidden-token", false, "GET /v2/datasets?limit=1%26token%3Dx"),
        ("raw-twice", false, "GET /v2/datasets?limit=1&limit=2"),
        ("raw-dots", false, "GET /v2/datasets/../users/me"),
        ("raw-slash", false, "GET /v2/datasets%2Fd1"),
        ("raw-origin", false, "GET https://api.apify.com/v2/users/me"),
        ("raw-unicode", false, "GET /v2/users/m\u{ff45}"),
    ] {
        seeds.push((name, reaches, [&raw, line.as_bytes()].concat()));
    }
    let mut answered = |name, how, operation, status, kind, line: &str, body: &str| {
        let header = header(how, operation, 9, status, kind);
        seeds.push((name, how != 1, [&header, line.as_bytes(), b"\n", body.as_bytes()].concat()));
    };
    let run = r#"{"id":"r1","actId":"a1","userId":"u1","status":"SUCCEEDED","statusMessage":"said","startedAt":"2026-08-05T10:00:00.000Z","meta":{"origin":"API","clientIp":"203.0.113.7"},"options":{"build":"latest","maxTotalChargeUsd":1},"usage":{"ACTOR_COMPUTE_UNITS":1.5},"containerUrl":"https://x","chargedEventCounts":{"e":1},"storageIds":{"datasets":{"default":"d1"}},"generalAccess":"ANYONE","pricingInfo":{"pricingModel":"FREE"}}"#;
    let me = r#"{"data":{"id":"u1","username":"jane","email":"j@example.com","profile":{"bio":"x"},"proxy":{"password":"p","groups":[{"name":"g"}]},"plan":{"id":"x"},"isPaying":true}}"#;
    let actor = r#"{"data":{"id":"a1","name":"watch","versions":[{"versionNumber":"0.1","sourceFiles":[{"name":"main.js","content":"x"}],"envVars":[{"name":"KEY","value":"v"}],"gitRepoUrl":"https://u:p@x"}],"taggedBuilds":{"email":{"buildId":"b1"}},"deploymentKey":"k","exampleRunInput":{"body":"{}"},"standbyUrl":"https://x"}}"#;
    let dataset = r#"{"data":{"id":"d1","itemCount":3,"urlSigningSecretKey":"s","itemsPublicUrl":"https://x","schema":{"fields":{}},"fields":["a"],"stats":{"readCount":1},"generalAccess":"RESTRICTED"}}"#;
    let keys = r#"{"data":{"items":[{"key":"INPUT","size":10,"recordPublicUrl":"https://x"}],"count":1,"limit":1000,"isTruncated":false}}"#;
    let usage = r#"{"data":{"usageCycle":{"startAt":"x","endAt":"y"},"monthlyServiceUsage":{"plan":{"quantity":1,"baseAmountUsd":2,"priceTiers":[{"min":1}]}},"dailyServiceUsages":[{"date":"d","serviceUsage":{"DATA":{"quantity":1}}}]}}"#;
    answered("me", 2, "GET /v2/users/me", 0, 0, "", me);
    answered(
        "run",
        2,
        "GET /v2/actor-runs/{runId}",
        0,
        1,
        "?waitForFinish=60",
        &format!(r#"{{"data":{run}}}"#),
    );
    answered(
        "runs",
        2,
        "GET /v2/actor-runs",
        0,
        0,
        "",
        &format!(r#"{{"data":{{"total":1,"items":[{run}]}}}}"#),
    );
    answered("actor", 2, "GET /v2/actors/{actorId}", 0, 0, "", actor);
    answered("dataset", 2, "GET /v2/datasets/{datasetId}", 0, 2, "", dataset);
    answered("keys", 2, "GET /v2/key-value-stores/{storeId}/keys", 0, 0, "?limit=1000", keys);
    answered("usage", 2, "GET /v2/users/me/usage/monthly", 0, 0, "", usage);
    answered(
        "limits",
        2,
        "GET /v2/users/me/limits",
        0,
        0,
        "",
        r#"{"data":{"limits":{"maxMonthlyUsageUsd":5}}}"#,
    );
    answered("build-log", 2, "GET /v2/actor-builds/{buildId}/log", 0, 3, "", "a log");
    answered("item", 2, "GET /v2/datasets/{datasetId}/items", 0, 0, "?format=json", r#"[{"secret":1}]"#);
    let refused = r#"{"error":{"type":"invalid-token","message":"the token x"},"more":"x"}"#;
    answered("refused", 2, "GET /v2/users/me", 6, 0, "", refused);
    answered("twice", 2, "GET /v2/users/me", 0, 0, "", r#"{"data":{"id":1,"id":2}}"#);
    answered("deep", 2, "GET /v2/users/me", 0, 0, "", &"[".repeat(200));
    answered(
        "echo",
        2,
        "GET /v2/browser-info",
        0,
        0,
        "?rawHeaders=1",
        r#"{"method":"GET","headers":{"authorization":"x"}}"#,
    );
    // A line put into the path, and answers that are made of the bytes.
    answered("inserted", 1, "GET /v2/datasets/{datasetId}", 0, 0, "/..", "");
    for (name, operation) in [
        ("made-me", "GET /v2/users/me"),
        ("made-run", "GET /v2/actor-runs/{runId}"),
        ("made-actor", "GET /v2/actors/{actorId}"),
        ("made-dataset", "GET /v2/datasets/{datasetId}"),
    ] {
        let bytes: String = (0..96).map(|number: u8| char::from(number.wrapping_mul(53) % 127)).collect();
        answered(name, 0x82, operation, 0, 0, "", &bytes);
    }
    seeds.push(("short", false, vec![0; HEADER - 1]));
    seeds
}
