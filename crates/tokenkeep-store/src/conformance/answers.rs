//! Rules about commits whose answer was lost.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use super::{
    commit, is_conflict, read, rule, sample_chain, sample_change, sample_id, sample_record, sample_use,
    snapshot, trail,
};
use crate::{Action, AuditDraft, Change, Record, TokenStore, shard_of};

/// No commit of two records is polled more often than this.
const POLLS: usize = 1000;
/// How often the state is looked at, and how long after the last look, until what was dropped has come to its end.
const LOOKS: usize = 200;
const PAUSE: Duration = Duration::from_millis(4);

/// A commit that is dropped, wherever it has got to, has happened wholly or not at all, and making it again tells: it is a
/// `Conflict` if it had happened, and happens otherwise.
///
/// # Panics
/// When the store breaks the rule.
pub async fn lost_answers_leave_no_half(store: &dyn TokenStore) {
    const RULE: &str = "lost_answers_leave_no_half";
    let replaced = sample_id("replaced", "name");
    commit(RULE, store, &[sample_change(&sample_record(&replaced, 1), None)]).await;
    for (revision, round) in (1..).zip(0..2 * POLLS) {
        // Once dropped at once, and once when what was asked of the database has been done and nobody read the answer.
        let (polls, lingers) = (round / 2 + 1, round % 2 == 1);
        // One that is new and one that is replaced, in two shards, and a use.
        let before = read(RULE, store, &replaced).await;
        let new = sample_record(&sample_id(&format!("new-{round}"), "name"), 1);
        let next = sample_record(&replaced, revision + 1);
        let changes =
            [sample_change(&new, None), sample_use(&replaced), sample_change(&next, Some(revision))];
        let entries = written(RULE, store, &changes).await;

        let answered = polled(store.commit(&changes, &sample_chain()), polls, lingers).await;
        if let Some(done) = &answered {
            rule!(RULE, done.is_ok(), "a commit failed: {done:?}");
        }
        settled(RULE, store, &changes).await;
        let found = [read(RULE, store, &new.id).await, read(RULE, store, &replaced).await];
        let happened = found == [Some(new.clone()), Some(next.clone())];
        rule!(
            RULE,
            happened || found == [None, before],
            "after {polls} polls a commit that was dropped has happened by half: {found:?}"
        );
        rule!(RULE, happened || answered.is_none(), "an acknowledged commit is not there");
        let expected = if happened { with(&entries, &changes) } else { entries.clone() };
        let there = written(RULE, store, &changes).await;
        rule!(RULE, there == expected, "after {polls} polls records and entries do not fit: {there:?}");

        let again = store.commit(&changes, &sample_chain()).await;
        let told = if happened { is_conflict(&again) } else { again.is_ok() };
        rule!(RULE, told, "made again after {polls} polls (happened: {happened}) it said {again:?}");
        let there = written(RULE, store, &changes).await;
        rule!(RULE, there == with(&entries, &changes), "made again it was written twice: {there:?}");
        reads(RULE, store, [&new, &next]).await;
        if answered.is_some() {
            return;
        }
    }
    panic!("{RULE}: a commit was polled {POLLS} times and gave no answer");
}

async fn reads(rule: &str, store: &dyn TokenStore, records: [&Record; 2]) {
    for record in records {
        super::reads_back(rule, store, record).await;
    }
}

/// The entries in the shards of these changes, by shard, without those of [`marked`]; their heads fit.
async fn written(rule: &str, store: &dyn TokenStore, changes: &[Change]) -> Vec<(u16, Vec<AuditDraft>)> {
    let mut shards: Vec<u16> = changes.iter().map(|change| shard_of(change.entry.id.tenant())).collect();
    shards.sort_unstable();
    shards.dedup();
    let heads = trail::heads(rule, store).await;
    let mut written = Vec::new();
    for shard in shards {
        let entries = trail::of_shard(rule, store, shard, 1000).await;
        let last = entries.last().map_or(0, |entry| entry.sequence);
        let head = heads[usize::from(shard)].sequence;
        rule!(rule, head == last, "shard {shard} ends with entry {last}, its head says {head}");
        let drafts = entries.into_iter().map(|entry| entry.draft);
        written.push((shard, drafts.filter(|draft| draft.action != Action::UsedAgain).collect()));
    }
    written
}

/// The same once these changes are made.
fn with(before: &[(u16, Vec<AuditDraft>)], changes: &[Change]) -> Vec<(u16, Vec<AuditDraft>)> {
    let mut after = before.to_vec();
    for Change { entry, .. } in changes {
        let shard = shard_of(entry.id.tenant());
        let of_shard = after.iter_mut().filter(|(of, _)| *of == shard);
        of_shard.for_each(|(_, drafts)| drafts.push(entry.clone()));
    }
    after
}

/// What comes of a future that is polled so often at most, each time it wakes, and then dropped, at once or later.
async fn polled<F: Future>(future: F, polls: usize, lingers: bool) -> Option<F::Output> {
    let mut future = Box::pin(future);
    let mut left = polls;
    let answer = poll_fn(|context| {
        left = left.saturating_sub(1);
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await;
    if answer.is_none() && lingers {
        for _ in 0..5 {
            pause().await;
        }
    }
    answer
}

/// Waits until what a dropped call left at work has come to its end: another commit got the heads that it locks, and nothing
/// changes any more.
async fn settled(rule: &str, store: &dyn TokenStore, changes: &[Change]) {
    let behind: Vec<Change> = changes.iter().map(|change| sample_use(&change.entry.id)).map(marked).collect();
    commit(rule, store, &behind).await;
    let mut last = snapshot(rule, store).await;
    let mut same = 0;
    for _ in 0..LOOKS {
        pause().await;
        let next = snapshot(rule, store).await;
        same = if next == last { same + 1 } else { 0 };
        if same == 2 {
            return;
        }
        last = next;
    }
    panic!("{rule}: what a dropped commit left behind does not come to an end");
}

/// An entry that is none of those that are looked for.
fn marked(mut change: Change) -> Change {
    change.entry.action = Action::UsedAgain;
    change
}

/// The time is kept by a thread, as there is no certain runtime; other tasks go on meanwhile.
async fn pause() {
    let over = Arc::new(AtomicBool::new(false));
    let mut began = false;
    poll_fn(move |context| {
        if over.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        if !std::mem::replace(&mut began, true) {
            let (over, waker) = (Arc::clone(&over), context.waker().clone());
            thread::spawn(move || {
                thread::sleep(PAUSE);
                over.store(true, Ordering::Release);
                waker.wake();
            });
        }
        Poll::Pending
    })
    .await;
}
