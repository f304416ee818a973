//! What comes back through a boundary: bodies and headers.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokenkeep_apify::{Access, Boundary, Class, Retries};
use tokenkeep_apify_official::apify_client::http_client::{HttpMethod, HttpRequest};
use tokenkeep_apify_official::{official_backend, official_client};
use tokenkeep_testkit::{TlsFront, fake_token};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::scene::{ACTOR, BUILD, DATASET, RUN, STORE, Scene, Spy, apify};

#[tokio::test]
async fn under_analytics_metadata_comes_and_nothing_else_of_it() {
    let scene = Scene::new().await;
    let client = scene.client(Boundary::analytics());
    let me = client.me().get().await.unwrap().unwrap();
    assert_eq!(me.username.as_deref(), Some("jane-doe"));
    let actor = client.actor(ACTOR).get().await.unwrap().unwrap();
    let run = client.run(RUN).get().await.unwrap().unwrap();
    let build = client.build(BUILD).get().await.unwrap().unwrap();
    let dataset = client.dataset(DATASET).get().await.unwrap().unwrap();
    let store = client.key_value_store(STORE).get().await.unwrap().unwrap();
    assert_eq!((run.id.as_str(), build.id.as_str()), (RUN, BUILD));
    let shown = format!("{me:?} {actor:?} {run:?} {build:?} {dataset:?} {store:?}");
    for never in ["password", "urlSigningSecretKey", "sourceFiles", "envVars", "FAKE"] {
        assert!(!shown.contains(never), "{never} in {shown}");
    }
    assert_eq!(scene.asked()[1], "GET /v2/actors/jane-doe~price-watch");
    assert_eq!(scene.spy.issued(), 6);
}

#[tokio::test]
async fn what_signs_links_to_items_does_not_come() {
    let scene = Scene::new().await;
    let link = async |boundary| {
        scene
            .client(boundary)
            .dataset(DATASET)
            .create_items_public_url(Default::default(), None)
            .await
            .unwrap()
    };
    let plain = format!("{}/v2/datasets/{DATASET}/items", scene.stand_in.origin());
    assert_eq!(link(Boundary::analytics()).await, plain);
    assert!(link(Boundary::all()).await.starts_with(&format!("{plain}?signature=")));
}

/// A server that answers every request with this head and body, without TLS; and TLS before it.
async fn server(head: &'static str, body: &'static str) -> TlsFront {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    // Ends with the test's runtime.
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                asked.push(socket.read_u8().await?);
            }
            let body = if asked.starts_with(b"HEAD") { "" } else { body };
            let answer = format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n{body}");
            socket.write_all(answer.as_bytes()).await?;
        }
        Ok::<_, std::io::Error>(())
    });
    TlsFront::start(port).await.unwrap()
}

const HEAD: &str = "200 OK\r\ncontent-type: application/json\r\nset-cookie: session=1\r\nauthorization: x\r\nserver: y\r\n\
    x-apify-pagination-total: 70\r\nx-apify-pagination-offset: 20\r\nx-apify-pagination-limit: 2\r\n\
    x-apify-pagination-count: <b>\r\nlocation: https://evil.example/";
const ITEMS: &str = r#"[{"a": 1}, {"a": 2}]"#;

#[tokio::test]
async fn of_an_answers_headers_those_that_are_wanted_pass() {
    let front = server(HEAD, ITEMS).await;
    let spy = Spy::new(&fake_token());
    let allowed =
        Boundary::none().allow(Class::DatasetItems, Access::Read).allow(Class::Datasets, Access::Read);
    let apify =
        apify(&front.origin(), &front.ca_der(), allowed.allow(Class::Records, Access::Read), Retries::none());
    let client = official_client(&apify, spy.credential());
    let page = client.dataset(DATASET).list_items::<Value>(Default::default()).await.unwrap();
    assert_eq!(page.items, [json!({ "a": 1 }), json!({ "a": 2 })]);
    assert_eq!((page.total, page.offset, page.limit), (70, 20, 2));
    let record = client.key_value_store(STORE).get_record("OUTPUT").await.unwrap().unwrap();
    assert_eq!(
        (record.content_type.as_deref(), &record.value[..]),
        (Some("application/json"), ITEMS.as_bytes())
    );
    assert!(client.key_value_store(STORE).record_exists("OUTPUT").await.unwrap());

    let backend = official_backend(&apify, spy.credential());
    let asked = |path: &str| HttpRequest {
        method: HttpMethod::Get,
        url: format!("{}{path}", front.origin()),
        headers: Default::default(),
        body: None,
        timeout: apify.timeout(),
    };
    let items = format!("/v2/datasets/{DATASET}/items");
    let answer = backend.send(asked(&items)).await.unwrap();
    let names: BTreeMap<_, _> =
        answer.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let expected = [
        ("content-type", "application/json"),
        ("x-apify-pagination-limit", "2"),
        ("x-apify-pagination-offset", "20"),
        ("x-apify-pagination-total", "70"),
    ];
    assert_eq!(names, expected.into());
    let streamed = backend.send_streaming(asked(&items)).await.unwrap();
    assert_eq!(streamed.headers, [("content-type".to_owned(), "application/json".to_owned())].into());
    // What is projected has none.
    let answer = backend.send(asked("/v2/users/me")).await;
    assert!(answer.is_err(), "a list is no account: {answer:?}");
    assert_eq!(front.take_exchanges().len(), 6);
}

#[tokio::test]
async fn a_projected_answer_has_no_headers() {
    let front =
        server(HEAD, r#"{"data": {"id": "FakeUser000000001", "username": "jane-doe", "email": "a@b"}}"#)
            .await;
    let apify = apify(&front.origin(), &front.ca_der(), Boundary::analytics(), Retries::none());
    let backend = official_backend(&apify, Spy::new(&fake_token()).credential());
    let answer = backend
        .send(HttpRequest {
            method: HttpMethod::Get,
            url: format!("{}/v2/users/me", front.origin()),
            headers: Default::default(),
            body: None,
            timeout: apify.timeout(),
        })
        .await
        .unwrap();
    assert_eq!(answer.headers, Default::default());
    assert_eq!(answer.body, br#"{"data":{"id":"FakeUser000000001","username":"jane-doe"}}"#);
}
