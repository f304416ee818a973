//! The stand-in over real TLS: tokens, lists, recording, and the end of it.

mod common;

use common::{ACCOUNT, builder, client, connected, get, tls};
use reqwest::{Response, StatusCode};
use rustls::version::{TLS12, TLS13};
use serde_json::{Value, json};
use tokenkeep_testkit::{Access, ApifyStandIn, Run, fake_token};

async fn json(answer: Response) -> Value {
    serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON")
}

async fn status_and_type(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let body = json(answer).await;
    assert!(body["error"]["message"].is_string());
    (status, body["error"]["type"].as_str().expect("a type").to_owned())
}

fn is(status: u16, error_type: &str) -> (u16, String) {
    (status, error_type.to_owned())
}

#[tokio::test]
async fn a_valid_token_gets_whose_it_is_with_all_that_apify_would_add() {
    let (apify, client, token) = connected().await;
    let answer = get(&client, &apify, &token, "/v2/users/me").await;
    assert_eq!(answer.status(), StatusCode::OK);
    let data = json(answer).await["data"].take();
    assert_eq!(data["id"], ACCOUNT);
    assert_eq!(data["username"], "jane-doe");
    for private in ["/email", "/proxy/password", "/plan/id"] {
        assert!(data.pointer(private).is_some_and(Value::is_string), "{private}");
    }
}

#[tokio::test]
async fn revoke_and_grant_act_at_once() {
    let (apify, client, token) = connected().await;
    assert_eq!(get(&client, &apify, &token, "/v2/actor-runs").await.status(), StatusCode::OK);
    apify.revoke(&token);
    let answer = get(&client, &apify, &token, "/v2/actor-runs").await;
    assert_eq!(status_and_type(answer).await, is(401, "user-or-token-not-found"));
    apify.grant(&token, Access::full(ACCOUNT, "jane-roe"));
    let answer = get(&client, &apify, &token, "/v2/users/me").await;
    assert_eq!(json(answer).await["data"]["username"], "jane-roe");
}

#[tokio::test]
async fn only_a_bearer_header_with_a_known_token_counts() {
    let (apify, client, token) = connected().await;
    let stranger = get(&client, &apify, &fake_token(), "/v2/users/me").await;
    assert_eq!(status_and_type(stranger).await, is(401, "user-or-token-not-found"));
    let url = format!("{}/v2/users/me?token={token}", apify.origin());
    let none = client.get(&url).send().await.expect("an answer");
    assert_eq!(status_and_type(none).await, is(401, "token-not-provided"));
    let basic = client.get(&url).basic_auth(&token, None::<&str>).send().await.expect("an answer");
    assert_eq!(status_and_type(basic).await, is(401, "token-not-provided"));
}

#[tokio::test]
async fn an_under_scoped_token_learns_whose_it_is_and_nothing_else() {
    let (apify, client, _) = connected().await;
    let token = fake_token();
    apify.grant(&token, Access::under_scoped(ACCOUNT, "jane-doe"));
    assert_eq!(get(&client, &apify, &token, "/v2/users/me").await.status(), StatusCode::OK);
    for target in ["/v2/acts", "/v2/actors", "/v2/actor-runs", "/v2/acts/FakeActor00000000/runs"] {
        let answer = get(&client, &apify, &token, target).await;
        assert_eq!(status_and_type(answer).await, is(403, "insufficient-permissions"), "{target}");
    }
}

#[tokio::test]
async fn unknown_paths_actors_and_methods_are_refused_in_apifys_form() {
    let (apify, client, token) = connected().await;
    for (target, expected) in [
        ("/v2/request-queues", is(404, "page-not-found")),
        ("/v2/datasets/nothing", is(404, "record-not-found")),
        ("/v2/actor-runs/nothing/log", is(404, "record-not-found")),
        ("/", is(404, "page-not-found")),
        ("/v2/actors/nobody~nothing/runs", is(404, "record-not-found")),
        ("/v2/users/me?method=DELETE", is(405, "method-not-allowed")),
        ("/v2/actors?limit=-1", is(400, "invalid-value")),
        ("/v2/actor-runs?startedAfter=yesterday", is(400, "invalid-value")),
    ] {
        assert_eq!(status_and_type(get(&client, &apify, &token, target).await).await, expected, "{target}");
    }
    let post = client.post(format!("{}/v2/actors", apify.origin())).bearer_auth(&token).body("{}");
    assert_eq!(status_and_type(post.send().await.expect("an answer")).await, is(405, "method-not-allowed"));
}

#[tokio::test]
async fn lists_are_paged_turned_round_and_filtered() {
    let (apify, client, token) = connected().await;
    let added = apify.add_run(
        ACCOUNT,
        Run {
            status: "ABORTED".to_owned(),
            started_at: "2026-08-02T00:00:00Z".to_owned(),
            user_agent: Some("a-test/1".to_owned()),
            ..Run::default()
        },
    );
    let list = async |target: &str| json(get(&client, &apify, &token, target).await).await["data"].take();
    let names = |list: &Value, field: &str| -> Vec<Value> {
        list["items"].as_array().expect("a list").iter().map(|item| item[field].clone()).collect()
    };

    let all = list("/v2/actor-runs").await;
    let ids = names(&all, "id");
    assert_eq!(
        (&all["total"], &all["count"], &all["limit"], &all["offset"]),
        (&json!(5), &json!(5), &json!(1000), &json!(0))
    );
    assert!(names(&all, "startedAt").is_sorted_by(|a, b| a.as_str() < b.as_str()));
    assert_eq!(ids[2], added.as_str());
    assert_eq!(all["items"][2]["meta"]["userAgent"], "a-test/1");

    let page = list("/v2/actor-runs?offset=1&limit=2").await;
    assert_eq!((names(&page, "id"), &page["total"]), (ids[1..3].to_vec(), &json!(5)));
    let newest = list("/v2/actor-runs?desc=1&limit=1").await;
    assert_eq!((names(&newest, "id"), &newest["desc"]), (ids[4..].to_vec(), &json!(true)));
    assert_eq!(names(&list("/v2/actor-runs?status=ABORTED").await, "id"), [added.as_str()]);
    assert_eq!(
        names(&list("/v2/actor-runs?status=ABORTED%2CRUNNING").await, "status"),
        ["ABORTED", "RUNNING"]
    );
    let between =
        "/v2/actor-runs?startedAfter=2026-08-02T00:00:00Z&startedBefore=2026-08-02T06%3A00%3A00.000Z";
    assert_eq!(names(&list(between).await, "id"), ids[2..4]);

    let actors = list("/v2/acts").await;
    assert_eq!(names(&actors, "name"), ["web-scraper", "price-watch", "news-digest"]);
    assert_eq!(names(&list("/v2/actors?my=true&desc=true").await, "name"), ["news-digest", "price-watch"]);
    let by_last_run = list("/v2/actors?sortBy=stats.lastRunStartedAt").await;
    assert_eq!(names(&by_last_run, "name"), ["news-digest", "price-watch", "web-scraper"]);
    let watch = actors["items"][1]["id"].as_str().expect("an id");
    let by_id = list(&format!("/v2/acts/{watch}/runs")).await;
    assert_eq!(names(&by_id, "id"), [ids[0].clone(), ids[2].clone(), ids[3].clone()]);
    assert_eq!(list("/v2/actors/jane-doe%7Eprice-watch/runs").await, by_id);
}

#[tokio::test]
async fn what_was_sent_is_recorded_and_its_debug_shows_no_token() {
    let (apify, client, token) = connected().await;
    let url = format!("{}/v2/actors?my=1&token={token}", apify.origin());
    client
        .post(url)
        .bearer_auth(&token)
        .header("x-made-up", "yes")
        .body("a body")
        .send()
        .await
        .expect("an answer");
    let requests = apify.requests();
    let [request] = &requests[..] else { panic!("one request, not {}", requests.len()) };
    assert_eq!((&*request.method, request.path(), &*request.version), ("POST", "/v2/actors", "HTTP/2.0"));
    assert_eq!(request.target, format!("/v2/actors?my=1&token={token}"));
    assert_eq!((request.bearer(), request.header("x-made-up")), (Some(&*token), Some("yes")));
    assert_eq!(request.header(":authority"), Some(&apify.origin()["https://".len()..]));
    assert_eq!(request.body, b"a body");
    assert!(!format!("{request:?}").contains(&token));
    apify.clear_requests();
    assert!(apify.requests().is_empty());
}

#[tokio::test]
async fn both_versions_of_tls_and_of_http_are_spoken() {
    let (apify, _, token) = connected().await;
    for version in [&TLS12, &TLS13] {
        for (protocol, http) in [(&b"h2"[..], "HTTP/2.0"), (b"http/1.1", "HTTP/1.1")] {
            apify.clear_requests();
            let client = builder(tls(apify.ca_der(), &[version], &[protocol])).build().expect("a client");
            assert_eq!(get(&client, &apify, &token, "/v2/users/me").await.status(), StatusCode::OK);
            assert_eq!(apify.requests()[0].version, http);
        }
    }
}

#[tokio::test]
async fn its_authority_is_its_own_and_its_certificate_for_localhost_alone() {
    let (apify, own, token) = connected().await;
    let other = ApifyStandIn::start().await.expect("a free port");
    let url = format!("{}/v2/users/me", apify.origin());
    let refused = client(&other).get(&url).bearer_auth(&token).send().await.expect_err("another authority");
    assert!(refused.is_connect());
    let by_address = format!("https://127.0.0.1:{}/v2/users/me", apify.port());
    let refused = own.get(by_address).bearer_auth(&token).send().await.expect_err("another name");
    assert!(refused.is_connect());
    assert!(apify.requests().is_empty());
    assert!(apify.ca_pem().starts_with("-----BEGIN CERTIFICATE-----"));
}

#[tokio::test]
async fn it_neither_needs_nor_installs_a_default_crypto_provider() {
    let (apify, client, token) = connected().await;
    assert_eq!(get(&client, &apify, &token, "/v2/users/me").await.status(), StatusCode::OK);
    assert!(rustls::crypto::CryptoProvider::get_default().is_none());
}

#[tokio::test]
#[should_panic(expected = "Apify knows no run status")]
async fn a_run_that_apify_could_not_have_is_refused() {
    let (apify, ..) = connected().await;
    apify.add_run(ACCOUNT, Run { status: "DONE".to_owned(), ..Run::default() });
}
