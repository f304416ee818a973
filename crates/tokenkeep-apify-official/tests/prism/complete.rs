//! The table has every public method of the release that is in the lock, and none that is not there.

use std::collections::BTreeSet;

use crate::local::{OTHER_TRANSPORT, TRAITS};
use crate::methods::Public;
use crate::table::{Analytics, table};

fn sorted<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

#[test]
fn every_public_method_has_a_row() {
    let (public, table) = (Public::read(), table());
    let mut rows = sorted(table.iter().map(|row| row.method));
    rows.extend(sorted(OTHER_TRANSPORT.iter().copied()));
    let difference = |one: &BTreeSet<String>, other| one.difference(other).cloned().collect::<Vec<_>>();
    let (missing, gone) = (difference(&public.reaching, &rows), difference(&rows, &public.reaching));
    assert!(
        missing.is_empty(),
        "the client has these methods, and the table has no row for them: {missing:#?}"
    );
    assert!(gone.is_empty(), "the table has rows for these methods, and the client has no such: {gone:#?}");
    assert_eq!(public.traits, sorted(TRAITS.iter().copied()));
    let twice: Vec<String> = table.iter().map(|row| format!("{} {}", row.method, row.route)).collect();
    assert_eq!(twice.iter().collect::<BTreeSet<_>>().len(), twice.len());
}

/// So that nothing can be called "no call" by whoever writes the table: what is async is awaited with its requests counted, and what is
/// not calls nothing, but for one that begins a task.
#[test]
fn what_is_not_async_calls_nothing_with_one_exception() {
    let public = Public::read();
    for row in table() {
        let calls = public.awaited.contains(row.method) || row.method == "StreamedLog::start";
        assert_eq!(calls, row.analytics != Analytics::NoCall, "{}", row.method);
    }
}

/// The reader of the source sees what is there: by hand, of release 0.15.
#[test]
fn the_source_is_read_as_it_stands() {
    let public = Public::read();
    for name in
        ["ApifyClient::set_status_message", "ListIterator::next", "StreamedLog::stop", "RunClient::get"]
    {
        assert!(public.awaited.contains(name), "{name}");
    }
    // A macro writes it.
    assert!(public.reaching.contains("WebhookClient::with_timeout"));
    assert!(
        public.data.contains("ApiError::is_not_found") && public.data.contains("KeyValueStoreRecord::json")
    );
    let within = ["RunClient::id", "QueryParams::add_str", "ResourceContext::url"];
    for name in within {
        assert!(!public.reaching.contains(name) && !public.data.contains(name), "{name}");
    }
    assert!(public.awaited.len() > 100 && public.reaching.len() > 200, "{}", public.reaching.len());
}
