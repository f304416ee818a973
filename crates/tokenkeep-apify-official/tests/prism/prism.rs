//! The table, row by row, against Prism: it refuses a request that the description does not allow, and answers with its examples.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;
use std::io::Write as _;

use serde_json::Value;
use tokenkeep_apify::{Boundary, Refused};
use tokenkeep_apify_official::error_of;
use tokenkeep_core::ErrorKind;

use crate::disagreements::{self, Failure};
use crate::promised::strangers;
use crate::scene::{Prism, Seen};
use crate::table::{Analytics, Came, Row, table};

/// What is wrong with a call that Prism was to take and whose answer the official client was to read.
fn accepted(seen: &Seen) -> Result<(), String> {
    for exchange in &seen.exchanges {
        let violations = exchange.header("sl-violations");
        if !(200..300).contains(&exchange.status) || violations.is_some() {
            let sent = &exchange.request;
            return Err(format!("{} {}: {} {violations:?}", sent.method, sent.target, exchange.status));
        }
    }
    match &seen.outcome {
        Ok(_) if seen.exchanges.is_empty() => Err("nothing was sent".to_owned()),
        Ok(_) => Ok(()),
        Err(error) => Err(error_of(error).map_or_else(|| error.to_string(), |ours| ours.report())),
    }
}

/// Why the boundary refused it, if it did.
fn refused(seen: &Seen) -> Option<&Refused> {
    let error = error_of(seen.outcome.as_ref().err()?).filter(|error| error.kind() == ErrorKind::Misuse)?;
    error.source()?.downcast_ref()
}

fn fails_so(seen: &Seen, failure: &Failure) -> bool {
    match failure {
        Failure::Refused(why) => seen.exchanges.is_empty() && refused(seen) == Some(why),
        Failure::Prism(status, text) => seen.exchanges.iter().any(|exchange| {
            exchange.status == *status
                && exchange.header("sl-violations").is_some_and(|said| said.contains(text))
        }),
        Failure::Client(text) => {
            let taken =
                seen.exchanges.iter().all(|it| it.status < 300 && it.header("sl-violations").is_none());
            taken && seen.outcome.as_ref().is_err_and(|error| error.to_string().contains(text))
        }
    }
}

#[derive(Default)]
struct Count {
    calls: usize,
    accepted: usize,
    methods: BTreeSet<&'static str>,
    /// Requests.
    reworded: usize,
    disagreements: Vec<String>,
}

#[tokio::test]
#[ignore = "needs Prism: cargo xtask test --only prism"]
async fn every_method_of_the_official_client_under_all() {
    let prism = Prism::new().await;
    let client = prism.client(Boundary::all());
    let (mut groups, mut wrong): (BTreeMap<_, Count>, Vec<String>) = Default::default();
    let (mut works, mut disputed) = (BTreeSet::new(), BTreeSet::new());
    for row in table() {
        let seen = prism.call(&row, &client).await;
        let count = groups.entry(row.group).or_default();
        count.calls += 1;
        count.methods.insert(row.method);
        count.reworded += seen.reworded();
        if row.analytics == Analytics::NoCall {
            if !seen.exchanges.is_empty() {
                wrong.push(format!("{} asks: {:?}", row.name(), seen.exchanges));
            }
            continue;
        }
        match (accepted(&seen), disagreements::of(&row)) {
            (Ok(()), None) => {
                count.accepted += 1;
                works.insert(row.method);
            }
            (Err(_), Some(known)) if fails_so(&seen, &known.failure) => {
                disputed.insert(row.method);
                count.disagreements.push(format!("{}: {}", row.name(), known.why));
            }
            (found, known) => {
                let said: Vec<_> =
                    seen.exchanges.iter().filter_map(|it| it.header("sl-violations")).collect();
                wrong.push(format!(
                    "{}: {found:?}, {:?}, {said:?}, known: {known:?}",
                    row.name(),
                    seen.outcome
                ));
            }
        }
    }
    report(&groups);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // However they disagree about one way of calling a method, there is one that works.
    assert!(disputed.is_subset(&works), "{:?}", disputed.difference(&works));
}

/// Not by a macro that prints: the harness keeps what those show of a passing test.
fn report(groups: &BTreeMap<&str, Count>) {
    let mut text =
        format!("\n{:<18}{:>9}{:>7}{:>10}{:>15}\n", "group", "methods", "calls", "accepted", "disagreements");
    let mut sum = [0; 4];
    for (group, count) in groups {
        let figures = [count.methods.len(), count.calls, count.accepted, count.disagreements.len()];
        text += &line(group, figures);
        sum = std::array::from_fn(|i| sum[i] + figures[i]);
    }
    text += &line("all", sum);
    let reworded: usize = groups.values().map(|count| count.reworded).sum();
    text += &format!("{reworded} requests hold booleans as 1 or 0; Prism was asked with true and false\n");
    for known in groups.values().flat_map(|count| &count.disagreements) {
        text += &format!("  {known}\n");
    }
    std::io::stdout().write_all(text.as_bytes()).expect("the standard output");
}

fn line(group: &str, [methods, calls, accepted, disagreements]: [usize; 4]) -> String {
    format!("{group:<18}{methods:>9}{calls:>7}{accepted:>10}{disagreements:>15}\n")
}

/// What is wrong with what came of a call under `Boundary::analytics()`.
fn under_analytics(row: &Row, seen: &Seen) -> Result<(), String> {
    let sent = seen.exchanges.len();
    for exchange in &seen.exchanges {
        let sent = &exchange.request;
        if Boundary::analytics().judge(&sent.method, &sent.target).is_err() {
            return Err(format!("{} {} was sent", sent.method, sent.target));
        }
    }
    for answer in &seen.answers {
        let found = match row.analytics {
            Analytics::Streams => Some(vec![]),
            _ => strangers(answer),
        };
        if found.as_ref().is_none_or(|found| !found.is_empty()) {
            return Err(format!("{} {}: these came through: {found:?}", answer.method, answer.target));
        }
    }
    if is_signed(seen) {
        return Err("it signs a link to what the boundary does not let through".to_owned());
    }
    let refused = refused(seen).is_some();
    let fits = match row.analytics {
        Analytics::NoCall => sent == 0,
        Analytics::Projected => accepted(seen).is_ok(),
        Analytics::Streams => {
            accepted(seen).is_ok() && matches!(&seen.outcome, Ok(Came::Bytes(bytes)) if !bytes.is_empty())
        }
        Analytics::Refused => sent == 0 && seen.answers.is_empty() && refused,
        Analytics::RefusedMidway => sent > 0 && refused,
        Analytics::RefusedInSilence => sent == 0 && nothing_was_done(seen),
    };
    if fits { Ok(()) } else { Err(format!("{sent} sent, {:?}, {:?}", accepted(seen), seen.outcome)) }
}

/// Whether what came is a link that opens what it points at, to whoever has it.
fn is_signed(seen: &Seen) -> bool {
    matches!(&seen.outcome, Ok(Came::Json(Value::String(link))) if link.contains("signature="))
}

/// All requests of a batch are among those that were not processed.
fn nothing_was_done(seen: &Seen) -> bool {
    let Ok(Came::Json(Value::Object(said))) = &seen.outcome else { return false };
    said["processedRequests"] == Value::Array(vec![])
        && said["unprocessedRequests"].as_array().is_some_and(|it| it.len() == 1)
}

#[tokio::test]
#[ignore = "needs Prism: cargo xtask test --only prism"]
async fn every_method_of_the_official_client_under_analytics() {
    let prism = Prism::new().await;
    let (all, analytics) = (prism.client(Boundary::all()), prism.client(Boundary::analytics()));
    let (mut wrong, mut less, mut signed) = (Vec::new(), 0, 0);
    for row in table() {
        let seen = prism.call(&row, &analytics).await;
        if let Err(why) = under_analytics(&row, &seen) {
            wrong.push(format!("{} is not {:?}: {why}", row.name(), row.analytics));
        }
        // The examples hold what has to be kept back, or nothing would be seen here.
        if row.analytics == Analytics::Projected {
            let whole = prism.call(&row, &all).await;
            signed += usize::from(is_signed(&whole));
            less += usize::from(whole.answers.iter().filter_map(strangers).any(|found| !found.is_empty()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(less > 20, "of {less} answers only something has to be kept back");
    assert!(signed > 0, "no example holds the key that links are signed with");
}
