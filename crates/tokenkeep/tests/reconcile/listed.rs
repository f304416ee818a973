//! Which runs are listed, and which are ours.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokenkeep::{ErrorKind, ListedRun, TenantId, Vault};
use tokenkeep_store::shard_of;
use tokenkeep_testkit::fake_token;

use crate::common::{Unsteady, token};
use crate::world::{World, all, connected, ids, start};

#[tokio::test]
async fn runs_that_we_did_not_start_are_listed() {
    let w = World::new().await;
    let other = connected(&w.f.vault, "t", "second", &w.listing).await;
    // Its entries are in the same chain.
    let tenant = |name: &str| shard_of(&TenantId::new(name).unwrap());
    let stranger = (0..).map(|number| format!("u{number}")).find(|name| tenant(name) == tenant("t")).unwrap();
    let stranger = connected(&w.f.vault, &stranger, "apify", &w.listing).await;
    for (by, run) in
        [(Some(&w.connection), "ours"), (Some(&other), "same-tenant"), (Some(&stranger), "other-tenant")]
    {
        w.listing.add(run, w.now());
        start(by.unwrap(), &w.listing, run).await;
        w.f.clock.advance(1000);
    }
    let theirs = ListedRun::new("theirs", w.now()).unwrap().with_origin("API");
    let theirs = theirs.with_address("203.0.113.7").with_user_agent("curl/8.7\u{1b}[2J\u{202e}");
    w.listing.runs.lock().unwrap().push(theirs);
    w.listing
        .runs
        .lock()
        .unwrap()
        .push(ListedRun::new("web", w.now() + 1_800_000).unwrap().with_origin("WEB").without_token());
    w.f.clock.advance(1_800_000);
    start(&other, &w.listing, "unlisted").await;
    w.f.clock.advance(-1_800_000);
    w.listing.add("before", w.around().start.as_millis() - 1);
    w.listing.add("after", w.around().end.as_millis());

    w.listing.careless.store(true, Ordering::SeqCst);
    assert_eq!(ids(&all(&mut w.reconcile()).await), ["other-tenant", "theirs", "web"]);
    w.listing.careless.store(false, Ordering::SeqCst);
    let mut runs = w.reconcile();
    let found = all(&mut runs).await;
    assert_eq!(ids(&found), ["other-tenant", "theirs", "web"]);
    assert_eq!((runs.listed(), runs.ours()), (5, 2));
    assert_eq!(runs.done_until(), w.around().end);
    let theirs = &found[1];
    assert_eq!(theirs.started_at.as_millis(), theirs.run.started_at());
    assert!(theirs.run.may_be_by_token() && theirs.while_in_use);
    let shown = theirs.to_string();
    assert!(shown.contains("203.0.113.7") && shown.contains("curl/8.7[2J\""), "{shown}");
    assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown}");
    let web = &found[2];
    assert!(!web.run.may_be_by_token() && !web.while_in_use, "half an hour after the last use of this one");
    assert_eq!(runs.next().await.unwrap(), None, "the end is the end");
}

#[tokio::test]
async fn a_run_that_starts_meanwhile_is_ours() {
    let w = World::new().await;
    w.listing.add("theirs", w.now());
    let mut runs = w.reconcile();
    for number in 0..6 {
        w.listing.add(&format!("ours-{number}"), w.now() + 1 + number);
    }
    // The first page is listed and the trail read. The second page comes after these were put on record.
    let first = [runs.next().await.unwrap().unwrap(), runs.next().await.unwrap().unwrap()];
    assert_eq!(ids(&first), ["theirs", "ours-0"], "listed, and not on record yet");
    for number in 2..6 {
        start(&w.connection, &w.listing, &format!("ours-{number}")).await;
    }
    assert_eq!(ids(&all(&mut runs).await), ["ours-1"], "it was on the first page");
    assert_eq!((runs.listed(), runs.ours()), (7, 4));

    let w = World::new().await;
    *w.listing.meanwhile.lock().unwrap() = Some((w.connection.clone(), "ours"));
    let mut runs = w.reconcile();
    assert_eq!(all(&mut runs).await, [], "the trail is read when the page is there, not before");
    assert_eq!((runs.listed(), runs.ours()), (1, 1));
}

#[tokio::test]
async fn nobody_hides_a_run_by_writing_it_into_the_trail() {
    let w = World::new().await;
    let store = Unsteady::new(&w.f.store);
    let options = Vault::options().clock(Arc::clone(&w.f.clock));
    let vault = options.open(Arc::clone(&store), w.f.keys.clone()).await.unwrap();
    start(&w.connection, &w.listing, "ours").await;
    w.listing.add("theirs", w.now());
    let connection = vault.connection("t", "apify").unwrap();
    let found = all(&mut connection.reconcile(&w.listing, w.around())).await;
    assert_eq!(ids(&found), ["theirs"], "before");
    *store.forge.lock().unwrap() = Some(|entry| {
        if let Some(subject) = &mut entry.draft.subject {
            "theirs".clone_into(subject);
        }
    });
    let error = connection.reconcile(&w.listing, w.around()).next().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tampered);
}

#[tokio::test]
async fn a_token_that_may_not_be_used_lists_nothing() {
    let w = World::new().await;
    w.listing.add("theirs", w.now());
    let mut response = w.connection.suspect_leak();
    while response.next().await.unwrap().is_some() {}
    assert_eq!(w.reconcile().next().await.unwrap_err().kind(), ErrorKind::Suspected);
    assert_eq!(w.listing.pages.load(Ordering::SeqCst), 0);
    // The list is the account's: the token that took its place shows what was started with the old one.
    w.connection.replace(&w.listing, token(&fake_token())).await.unwrap();
    assert_eq!(ids(&all(&mut w.reconcile()).await), ["theirs"]);
    let _ = w.connection.disconnect().await.unwrap();
    assert_eq!(w.reconcile().next().await.unwrap_err().kind(), ErrorKind::NotConnected);

    let empty = w.around().end..w.around().start;
    assert_eq!(w.connection.reconcile(&w.listing, empty).next().await.unwrap(), None);
}
