//! Lists read to their end.

use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::StreamExt;
use tokenkeep_apify::{Boundary, RunStatus};
use tokenkeep_core::ErrorKind;
use tokenkeep_testkit::{Fault, JsonStandIn, fake_token};

use crate::scene::{ACCOUNT, Scene, client};

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
async fn lying(answer: fn(u32) -> String) -> (JsonStandIn, tokenkeep_apify::ApifyClient) {
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

    // More, and nothing on the page.
    let (liar, client) =
        lying(|_| r#"{"data":{"total":1000000,"offset":0,"limit":1,"items":[]}}"#.into()).await;
    assert_eq!(client.actors().list().items().count().await, 0);
    assert_eq!(liar.requests().len(), 1);

    // A key that leads to itself.
    let (liar, client) = lying(|_| {
        r#"{"data":{"items":[{"key":"k","size":1}],"isTruncated":true,"nextExclusiveStartKey":"k"}}"#.into()
    })
    .await;
    let keys: Vec<_> = client.key_value_store("s1").keys().items().collect().await;
    assert_eq!((keys.len(), liar.requests().len()), (2, 2));
    assert_eq!(keys[1].as_ref().unwrap_err().kind(), ErrorKind::ProviderMisbehaved);
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
