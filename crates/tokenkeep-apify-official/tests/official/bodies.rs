//! What is sent with a request, and whether it is compressed.

use serde_json::{Value, json};
use tokenkeep_apify::Boundary;
use tokenkeep_apify_official::apify_client::clients::key_value_store::SetRecordOptions;
use tokenkeep_apify_official::apify_client::{ActorStartOptions, RequestCompression};
use tokenkeep_apify_official::error_of;
use tokenkeep_core::ErrorKind;

use crate::scene::{ACTOR, STORE, Scene};

/// Larger than what the official client compresses by itself.
fn large() -> Value {
    json!({ "text": "abc".repeat(1000) })
}

#[tokio::test]
async fn a_large_body_is_sent_as_it_is() {
    let scene = Scene::new().await;
    scene.client(Boundary::all()).actor(ACTOR).start(Some(&large()), Default::default()).await.unwrap();
    let sent = &scene.stand_in.requests()[0];
    assert_eq!(serde_json::from_slice::<Value>(&sent.body).unwrap(), large());
    assert_eq!(sent.header("content-encoding"), None);
}

#[tokio::test]
async fn what_a_caller_compresses_says_so() {
    let scene = Scene::new().await;
    let gzip = scene.builder(Boundary::all()).request_compression(RequestCompression::Gzip).build();
    // The stand-in reads no compressed inputs.
    assert_eq!(
        gzip.actor(ACTOR).start(Some(&large()), Default::default()).await.unwrap_err().status_code(),
        Some(400)
    );
    let brotli = scene.client(Boundary::all()).key_value_store(STORE);
    let record = |encoding| {
        brotli.set_record_raw_with_content_encoding("OUTPUT", b"made-up".to_vec(), "text/html", encoding)
    };
    assert_eq!(record("br").await.unwrap_err().status_code(), Some(404));
    let sent = scene.stand_in.requests();
    assert_eq!((sent[0].header("content-encoding"), &sent[0].body[..2]), (Some("gzip"), &[0x1f, 0x8b][..]));
    assert_eq!((sent[1].header("content-encoding"), &sent[1].body[..]), (Some("br"), &b"made-up"[..]));
    assert_eq!(sent[1].header("content-type"), Some("text/html"));

    for encoding in ["zstd", "gzip, br", "GZIP", "x\r\ny: z"] {
        assert_eq!(error_of(&record(encoding).await.unwrap_err()).unwrap().kind(), ErrorKind::Misuse);
    }
    assert_eq!(scene.asked().len(), 2);
}

#[tokio::test]
async fn an_input_of_another_type_is_sent_as_it_is() {
    let scene = Scene::new().await;
    let client = scene.client(Boundary::all());
    let options = ActorStartOptions { content_type: Some("text/csv".to_owned()), ..Default::default() };
    assert!(client.actor(ACTOR).start_raw(b"a,b", options).await.is_err());
    assert!(client.actor(ACTOR).start::<Value>(None, Default::default()).await.is_err());
    let options = SetRecordOptions::default();
    assert!(client.key_value_store(STORE).set_record_json_with_options("A", &1, options).await.is_err());
    let sent = scene.stand_in.requests();
    assert_eq!((sent[0].header("content-type"), &sent[0].body[..]), (Some("text/csv"), &b"a,b"[..]));
    assert_eq!((sent[1].header("content-type"), &sent[1].body[..]), (None, &b""[..]));
    assert_eq!(sent[2].header("content-type"), Some("application/json; charset=utf-8"));
}
