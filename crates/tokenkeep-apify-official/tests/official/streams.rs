//! What comes piece by piece.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use tokenkeep_apify::{Apify, Boundary, CallFailure, Retries};
use tokenkeep_apify_official::apify_client::{DownloadItemsFormat, LogRedirect, StreamedLogOptions, Timeout};
use tokenkeep_apify_official::{error_of, into_error, official_client};
use tokenkeep_core::ErrorKind;
use tokenkeep_testkit::Fault;

use crate::scene::{BUILD, DATASET, RUN, STORE, Scene};

pub(crate) const FORMAT: DownloadItemsFormat = DownloadItemsFormat::Json;

#[tokio::test]
async fn a_log_comes_as_it_is_written() {
    let scene = Scene::new().await;
    let client = scene.client(Boundary::all());
    scene.stand_in.answer_next(Fault::Pause(Duration::from_secs(3600)));
    let log = client.run(RUN).log().with_timeout(Timeout::NoTimeout);
    let mut log = Box::pin(log.stream().await.unwrap().unwrap());
    // The second line is an hour away.
    assert_eq!(log.next().await.unwrap().unwrap(), b"The first line.\n");
    drop(log);
    assert_eq!(scene.asked(), [format!("GET /v2/actor-runs/{RUN}/log?stream=1")]);

    let analytics = scene.client(Boundary::analytics());
    let mut log = Box::pin(analytics.build(BUILD).log().stream().await.unwrap().unwrap());
    let mut text = Vec::new();
    while let Some(piece) = log.next().await {
        text.extend(piece.unwrap());
    }
    assert!(String::from_utf8(text).unwrap().contains("log of FakeBuild00000001"));
}

#[tokio::test]
async fn silence_ends_a_stream() {
    let scene = Scene::new().await;
    scene.stand_in.answer_always(Some(Fault::Pause(Duration::from_secs(3600))));
    let limit = Timeout::Custom(Duration::from_secs(2));
    let log = scene.client(Boundary::all()).run(RUN).log().with_timeout(limit);
    let mut log = Box::pin(log.stream().await.unwrap().unwrap());
    assert!(log.next().await.unwrap().is_ok());
    let error = log.next().await.unwrap().unwrap_err();
    // Ours, which says more than the official client's.
    assert_eq!(error_of(&error).map(tokenkeep_core::Error::kind), Some(ErrorKind::ProviderUnavailable));
    assert!(log.next().await.is_none());
}

#[tokio::test]
async fn silence_before_a_stream_ends_in_an_error_of_ours_too() {
    let scene = Scene::new().await;
    scene.stand_in.answer_always(Some(Fault::Silence));
    let retries = Retries::standard().first_wait(Duration::from_millis(1));
    let client = official_client(&scene.apify(Boundary::all(), retries), scene.spy.credential());
    let log = client.run(RUN).log().with_timeout(Timeout::Custom(Duration::from_secs(1)));
    let error = log.stream().await.err().unwrap();
    assert!(CallFailure::of(error_of(&error).unwrap()).unwrap().is_timeout(), "{error:?}");
    assert_eq!(scene.spy.told(), ["Unanswered"]);
}

/// The limits of the official client's calls are not those of this Apify's others.
#[tokio::test]
async fn what_may_be_silent_or_slow_is_waited_for() {
    let scene = Scene::new().await;
    scene.stand_in.answer_always(Some(Fault::Pause(Duration::from_secs(3))));
    let hasty = Apify::builder().origin(scene.origin()).extra_root_der(&scene.stand_in.ca_der());
    let hasty = hasty.timeout(Duration::from_millis(1500)).retries(Retries::none());
    let hasty = hasty.boundary(Boundary::all()).build().unwrap();
    let client = official_client(&hasty, scene.spy.credential());
    let log = client.run(RUN).log().with_timeout(Timeout::NoTimeout);
    let mut log = Box::pin(log.stream().await.unwrap().unwrap());
    assert_eq!(log.next().await.unwrap().unwrap(), b"The first line.\n");
    assert_eq!(log.next().await.unwrap().unwrap(), b"The second line.\n");

    let store = client.key_value_store(STORE);
    let record = store.get_record("OUTPUT").await.unwrap().unwrap();
    assert!(record.value.ends_with(b"The second line.\n"));
    let unlimited = store.clone().with_timeout(Timeout::NoTimeout).get_record("OUTPUT").await.unwrap();
    assert_eq!(unlimited.unwrap().value, record.value);
    // What is short by the official client's word takes this Apify's limit.
    assert!(error_of(&client.me().get().await.unwrap_err()).is_some());
}

#[tokio::test]
async fn items_come_though_they_never_end() {
    let scene = Scene::new().await;
    scene.stand_in.answer_always(Some(Fault::Endless));
    let dataset = scene.client(Boundary::all()).dataset(DATASET);
    let mut items = Box::pin(dataset.download_items_stream(FORMAT, Default::default()).await.unwrap());
    let mut length = 0;
    // More than an answer may have that is held whole.
    while length < 9 << 20 {
        length += items.next().await.unwrap().unwrap().len();
    }
    drop(items);
    let error = dataset.download_items(FORMAT, Default::default()).await.unwrap_err();
    assert_eq!(into_error(error).kind(), ErrorKind::ProviderMisbehaved);
}

#[tokio::test]
async fn a_log_is_redirected_line_by_line() {
    let scene = Scene::new().await;
    let client = scene.client(Boundary::all());
    let lines = Arc::new(Mutex::new(String::new()));
    let sink = Arc::clone(&lines);
    let to_log = LogRedirect::to_sink(move |line: &str| sink.lock().unwrap().push_str(line));
    let options = StreamedLogOptions { to_log, ..Default::default() };
    let mut log = client.run(RUN).get_streamed_log(options).await.unwrap().unwrap();
    log.start().unwrap();
    log.stop().await.unwrap();
    assert!(lines.lock().unwrap().contains("log of FakeRun0000000001"), "{lines:?}");
}
