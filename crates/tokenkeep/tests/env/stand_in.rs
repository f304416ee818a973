//! Sets at Apify's stand-in, over TLS.

use tokenkeep::apify::{Access, Apify, Boundary, Class, Retries};
use tokenkeep::{ErrorKind, Origin};
use tokenkeep_testkit::{Access as Granted, ApifyStandIn, Fault, LeakScanner, fake_token};

use crate::common::{Fixture, token};
use crate::push::steps;
use crate::sets::{change, vars};

#[tokio::test]
async fn a_set_is_sent_as_secret_and_never_read_back() {
    let f = Fixture::new().await;
    let stand_in = ApifyStandIn::start().await.unwrap();
    let origin = Origin::parse(&stand_in.origin()).unwrap();
    let apify = Apify::builder()
        .origin(origin)
        .extra_root_der(&stand_in.ca_der())
        .retries(Retries::none())
        .boundary(Boundary::analytics().allow(Class::EnvVars, Access::ReadAndWrite))
        .build()
        .unwrap();
    let text = fake_token();
    stand_in.grant(&text, Granted::full("FakeUser17", "jane-doe"));
    let connection = f.vault.connection("t", "apify").unwrap();
    connection.connect(apify.provider(), token(&text)).await.unwrap();
    let there = apify.with(connection.credential()).actor("jane-doe~price-watch").env_vars("0.1");

    let env = f.vault.secret_env("t", "scraper").unwrap();
    let (one, two) = (fake_token(), fake_token());
    env.create(apify.provider(), &vars(&[("ONE", &one), ("TWO", &two)])).await.unwrap();
    let plan = env.plan(&there).await.unwrap();
    assert!(plan.to_string().starts_with("scraper, version 1, to jane-doe~price-watch/0.1\n"), "{plan}");

    // A token that may not do this leaves all of it for another one.
    stand_in.grant(&text, Granted::full("FakeUser17", "jane-doe"));
    stand_in.answer_next(Fault::status(403, "insufficient-permissions"));
    let error = plan.apply().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ScopeTooSmall, "{}", error.report());
    let plan = env.plan(&there).await.unwrap();
    assert_eq!(steps(&plan), "create ONE, create TWO");

    // An answer that is lost behind a change that was made.
    let mut push = plan.push();
    push.next().await.unwrap().unwrap();
    stand_in.answer_next(Fault::status(500, "internal-error"));
    assert_eq!(push.next().await.unwrap_err().kind(), ErrorKind::ProviderUnavailable);
    push.finish().await.unwrap();
    let plan = env.plan(&there).await.unwrap();
    assert_eq!((steps(&plan).as_str(), plan.unchanged()), ("", &["ONE".to_owned(), "TWO".to_owned()][..]));

    // What was not answered may arrive still: nobody else sends before it can't.
    let new = fake_token();
    env.change(&change(&[("ONE", &new)], &["TWO"])).await.unwrap();
    stand_in.clear_requests();
    let plan = env.plan(&there).await.unwrap().removing_others();
    assert_eq!(steps(&plan), "update ONE, remove TWO");
    assert_eq!(plan.apply().await.unwrap_err().kind(), ErrorKind::Conflict);
    assert!(stand_in.requests().iter().all(|request| request.method == "GET"));
    f.clock.advance(5 * 60 * 1000);
    stand_in.clear_requests();
    let plan = env.plan(&there).await.unwrap().removing_others();
    plan.apply().await.unwrap();
    let listed = there.list().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert!(listed[0].is_secret && listed[0].value.is_none(), "{listed:?}");
    let asked: Vec<String> =
        stand_in.requests().iter().map(|request| format!("{} {}", request.method, request.path())).collect();
    let path = "/v2/actors/jane-doe~price-watch/versions/0.1/env-vars";
    assert_eq!(
        asked,
        [
            format!("GET {path}"),
            format!("PUT {path}/ONE"),
            format!("DELETE {path}/TWO"),
            format!("GET {path}"),
        ],
        "one variable is never asked for by itself"
    );
    let scanner = LeakScanner::new().token("a value", &new);
    let shown = format!("{listed:?} {env:?} {:?}", env.plan(&there).await.unwrap());
    assert!(scanner.scan_bytes("what is shown", shown.as_bytes()).is_empty());
    assert!(f.vault.verify().await.unwrap().is_whole());
}
