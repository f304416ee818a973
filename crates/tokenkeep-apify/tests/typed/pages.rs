//! Lists read to their end.

use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::StreamExt;
use tokenkeep_apify::{Boundary, RunStatus};
use tokenkeep_core::{ErrorKind, RunList};
use tokenkeep_testkit::{Fault, JsonStandIn, fake_token};

use crate::scene::{ACCOUNT, Scene, apify, client};

fn targets(scene: &Scene) -> Vec<String> {
    scene.stand_in.requests().into_iter().map(|sent| sent.target).collect()
}

#[tokio::test]
async fn a_list_is_read_to_its_end_and_no_further() {
    let scene = Scene::new().await;
    let client = scene.client(Boundary::analytics());
    let list = client.runs().list().status(RunStatus::Succeeded).status(RunStatus::Failed);
    let ids: Vec<String> = list.clone().limit(2).items().map(|run| run.unwrap().id).collect().await;
    assert_eq!(ids, ["FakeRun0000000000", "FakeRun0000000001", "FakeRun0000000002"]);
    let filter = "status=SUCCEEDED%2CFAILED";
    assert_eq!(
        targets(&scene),
        [format!("/v2/actor-runs?limit=2&{filter}"), format!("/v2/actor-runs?offset=2&limit=2&{filter}")]
    );

    scene.stand_in.clear_requests();
    let pages: Vec<_> = list.offset(1).newest_first().limit(1).pages().collect().await;
    let sizes: Vec<_> = pages.into_iter().map(|page| page.unwrap().items.len()).collect();
    assert_eq!((sizes, targets(&scene).len()), (vec![1, 1], 2));

    let none = client.runs().list().status(RunStatus::TimingOut).items().count().await;
    assert_eq!(none, 0);
}

#[tokio::test]
async fn a_list_is_read_without_futures_util_too() {
    let scene = Scene::new().await;
    let mut items = scene.client(Boundary::analytics()).actors().list().limit(2).items();
    let mut pages = scene.client(Boundary::analytics()).actors().list().limit(2).pages();
    let (mut count, mut sizes) = (0, Vec::new());
    while let Some(actor) = tokenkeep_apify::Items::next(&mut items).await {
        actor.unwrap();
        count += 1;
    }
    while let Some(page) = tokenkeep_apify::Pages::next(&mut pages).await {
        sizes.push(page.unwrap().items.len());
    }
    assert_eq!((count, sizes), (3, vec![2, 1]));
}

#[tokio::test]
async fn a_stream_asks_for_a_page_once_it_is_polled_for_it() {
    let scene = Scene::new().await;
    let mut items = scene.client(Boundary::analytics()).actors().list().limit(1).items();
    assert!(targets(&scene).is_empty());
    assert_eq!(items.next().await.unwrap().unwrap().name, "web-scraper");
    assert_eq!(targets(&scene).len(), 1);

    // A poll that is given up loses nothing: the stream goes on with the very request.
    let given_up = tokio::time::timeout(std::time::Duration::ZERO, items.next()).await;
    assert!(given_up.is_err());
    assert_eq!(items.next().await.unwrap().unwrap().name, "price-watch");
    assert_eq!(targets(&scene).len(), 2);
    drop(items);
    // What was dropped asks for nothing more; what fails ends.
    scene.stand_in.clear_requests();
    let mut items = scene.client(Boundary::analytics()).actors().list().limit(2).items();
    assert!(items.next().await.unwrap().is_ok() && items.next().await.unwrap().is_ok());
    scene.stand_in.answer_next(Fault::status(429, "rate-limit-exceeded"));
    assert_eq!(items.next().await.unwrap().unwrap_err().kind(), ErrorKind::RateLimited);
    assert!(items.next().await.is_none());
    assert_eq!(targets(&scene).len(), 2);
}

#[tokio::test]
async fn the_keys_of_a_store_are_read_to_their_end() {
    let scene = Scene::new().await;
    let store = scene.client(Boundary::analytics()).key_value_store("FakeStore00000000");
    let keys: Vec<String> = store.keys().limit(2).items().map(|key| key.unwrap().key).collect().await;
    assert_eq!(keys, ["INPUT", "OUTPUT", "prices.csv"]);
    let base = "/v2/key-value-stores/FakeStore00000000/keys?limit=2";
    assert_eq!(targets(&scene), [base.to_owned(), format!("{base}&exclusiveStartKey=OUTPUT")]);
    let after = store.keys().after("INPUT").prefix("p").pages().collect::<Vec<_>>().await;
    let page = after[0].as_ref().unwrap();
    assert_eq!((after.len(), page.items[0].key.as_str(), page.items[0].size), (1, "prices.csv", Some(4000)));
}

/// A provider that always says that there is more.
async fn lying(
    answer: impl Fn(u32) -> String + Send + Sync + 'static,
) -> (JsonStandIn, tokenkeep_apify::ApifyClient) {
    let asked = AtomicU32::new(0);
    let liar =
        JsonStandIn::start(move |_| (200, answer(asked.fetch_add(1, Ordering::SeqCst)))).await.unwrap();
    let client = client(&liar.origin(), &liar.ca_der(), &fake_token(), Boundary::analytics());
    (liar, client)
}

#[tokio::test]
async fn a_server_that_gives_the_same_again_is_not_asked_for_ever() {
    // The first page, whatever is asked for.
    let (liar, client) = lying(|_| {
        r#"{"data":{"total":1000000,"offset":0,"limit":1,"items":[{"id":"a","name":"b","username":"c"}]}}"#
            .into()
    })
    .await;
    let mut items = client.actors().list().items();
    assert!(items.next().await.unwrap().is_ok());
    assert_eq!(items.next().await.unwrap().unwrap_err().kind(), ErrorKind::ProviderMisbehaved);
    assert!(items.next().await.is_none());
    assert_eq!(liar.requests().len(), 2);

    // A key that leads to itself.
    let (liar, client) = lying(|_| keys(r#""isTruncated":true,"nextExclusiveStartKey":"k""#)).await;
    assert_eq!(ended_as_liar(client.key_value_store("s1").keys().items()).await, 1);
    assert_eq!(liar.requests().len(), 2);

    // Two that lead to each other.
    let (liar, client) = lying(|asked| match asked % 2 {
        0 => keys(r#""isTruncated":true,"nextExclusiveStartKey":"a""#),
        _ => keys(r#""isTruncated":true,"nextExclusiveStartKey":"b""#),
    })
    .await;
    assert_eq!(ended_as_liar(client.key_value_store("s1").keys().items()).await, 2);
    assert_eq!(liar.requests().len(), 3);
}

fn keys(rest: &str) -> String {
    format!(r#"{{"data":{{"items":[{{"key":"k","size":1}}],{rest}}}}}"#)
}

/// How many items came before the provider was seen to lie.
async fn ended_as_liar<T: std::fmt::Debug>(items: tokenkeep_apify::Items<T>) -> usize {
    let mut all: Vec<_> = items.take(10).collect().await;
    assert_eq!(all.pop().unwrap().unwrap_err().kind(), ErrorKind::ProviderMisbehaved);
    assert!(all.iter().all(Result::is_ok));
    all.len()
}

#[tokio::test]
async fn a_list_that_stops_before_its_end_is_not_taken_for_whole() {
    // More, and nothing on the page.
    let (liar, client) =
        lying(|_| r#"{"data":{"total":1000000,"offset":0,"limit":1,"items":[]}}"#.into()).await;
    assert_eq!(ended_as_liar(client.actors().list().items()).await, 0);
    assert_eq!(liar.requests().len(), 1);
    // One page that is awaited is what it is.
    assert_eq!(client.actors().list().await.unwrap().next_offset(), None);

    // More, and no key to ask for it by.
    for rest in [r#""isTruncated":true"#, r#""isTruncated":true,"nextExclusiveStartKey":null"#] {
        let (_liar, client) = lying(move |_| keys(rest)).await;
        assert_eq!(ended_as_liar(client.key_value_store("s1").keys().items()).await, 0, "{rest}");
        assert!(client.key_value_store("s1").keys().await.unwrap().is_truncated);
    }

    // Nor is it where a vault holds runs against its record.
    for (answer, more) in [
        (r#"{"total":2,"offset":0,"items":[]}"#, None),
        (r#"{"total":2,"offset":1,"items":[{"id":"r1"}]}"#, None),
        (r#"{"total":2,"offset":0,"items":[{"id":"r1"}]}"#, Some(true)),
        (
            r#"{"total":1,"offset":null,"items":[{"id":"r1","meta":7,"startedAt":{},"status":null}]}"#,
            Some(false),
        ),
        (r#"{"total":0,"items":[]}"#, Some(false)),
    ] {
        let liar = JsonStandIn::start(move |_| (200, format!(r#"{{"data":{answer}}}"#))).await.unwrap();
        let (apify, credential) = apify(&liar.origin(), &liar.ca_der(), &fake_token(), Boundary::all());
        let page = apify.runs(&credential, 0..1_800_000_000_000).await;
        match more {
            Some(more) => assert_eq!(page.unwrap().more, more, "{answer}"),
            None => assert_eq!(page.unwrap_err().kind(), ErrorKind::ProviderMisbehaved, "{answer}"),
        }
    }
}

#[tokio::test]
async fn a_list_that_grows_is_followed_and_one_that_shrinks_ends() {
    // One more with each page, up to the fifth.
    let (liar, client) = lying(|asked| {
        let total = (asked + 2).min(5);
        format!(
            r#"{{"data":{{"total":{total},"offset":{asked},"limit":1,"items":[{{"id":"a{asked}","name":"b","username":"c"}}]}}}}"#
        )
    })
    .await;
    assert_eq!(client.actors().list().limit(1).items().count().await, 5);
    assert_eq!(liar.requests().len(), 5);
    let scene = Scene::new().await;
    let mut pages = scene.client(Boundary::analytics()).runs().list().limit(3).pages();
    assert_eq!(pages.next().await.unwrap().unwrap().next_offset(), Some(3));
    scene.stand_in.add_run(ACCOUNT, tokenkeep_testkit::Run::default());
    assert_eq!(pages.next().await.unwrap().unwrap().items.len(), 2);
    assert!(pages.next().await.is_none());
}
