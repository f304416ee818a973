//! Rules about one record.

use tokenkeep_core::{Revision, SecretVersion};

use super::samples::{sample_account, sample_kek};
use super::{
    commit, read, reads_back, refused, rule, sample_change, sample_id, sample_record, sample_tombstone,
};
use crate::{Purge, Status, Timestamp, TokenStore};

/// Texts that a store may take for something else.
const ODD: [&str; 12] = [
    "NULL",
    "null",
    "'; DROP TABLE tokenkeep_connection; --",
    "100%",
    "a_b",
    "\"quoted\" 'text'",
    "back\\slash",
    "$1 ?1 :x",
    "客户 17 é e\u{301}",
    "🔑",
    "0x1F",
    "-1",
];

/// Every field of a record comes back as it was written, whatever ids and texts are in it, and nothing comes back for
/// an id that was not written.
///
/// # Panics
/// When the store breaks the rule.
pub async fn records_come_back_as_written(store: &dyn TokenStore) {
    const RULE: &str = "records_come_back_as_written";
    let longest = "x".repeat(255);
    let wide = "é".repeat(127);
    let texts = || ODD.into_iter().chain([longest.as_str(), wide.as_str()]);
    for text in texts() {
        for id in [sample_id(text, "name"), sample_id("tenant", text), sample_id(text, text)] {
            rule!(RULE, read(RULE, store, &id).await.is_none(), "{id} is there before it was written");
            let mut record = sample_record(&id, 1);
            record.account = Some(sample_account(text, if text == "NULL" { "" } else { text }));
            commit(RULE, store, &[sample_change(&record, None)]).await;
            reads_back(RULE, store, &record).await;
        }
    }
    // Ids that a store might take for one another.
    for (tenant, name) in [("a", "bc"), ("ab", "c"), ("A", "bc"), ("a", "BC"), ("é", "x"), ("e\u{301}", "x")]
    {
        commit(RULE, store, &[sample_change(&sample_record(&sample_id(tenant, name), 1), None)]).await;
    }
    for (tenant, name) in [("a", "bc"), ("ab", "c"), ("A", "bc"), ("a", "BC"), ("é", "x"), ("e\u{301}", "x")]
    {
        reads_back(RULE, store, &sample_record(&sample_id(tenant, name), 1)).await;
    }
    // Every field as it may be, in one record's place after another.
    let id = sample_id("fields", "name");
    let mut revision = 0;
    for status in [Status::Active, Status::Paused, Status::Revoked, Status::Suspected, Status::Disconnected] {
        for purge in [Purge::NotDue, Purge::Pending, Purge::Done] {
            for (with_optional, size) in [(true, 0), (true, 1), (false, 0), (true, 16 * 1024 + 210)] {
                let mut record = sample_record(&id, revision + 1);
                record.status = status;
                record.purge = purge;
                match record.sealed.as_mut().filter(|_| with_optional) {
                    Some(sealed) => {
                        sealed.envelope = vec![0; size];
                        sealed.kek = sample_kek(&vec![0xff; 1 + size % 29]);
                    }
                    None => {
                        record.sealed = None;
                        record.account = None;
                        record.expires_at = None;
                        record.paused_at = None;
                    }
                }
                commit(RULE, store, &[sample_change(&record, (revision > 0).then_some(revision))]).await;
                reads_back(RULE, store, &record).await;
                revision += 1;
            }
        }
    }
    // The token without the account and the other way round, each over the other.
    for keep_sealed in [true, false, true] {
        let mut record = sample_record(&id, revision + 1);
        if keep_sealed {
            record.account = None;
        } else {
            record.sealed = None;
        }
        commit(RULE, store, &[sample_change(&record, Some(revision))]).await;
        reads_back(RULE, store, &record).await;
        revision += 1;
    }
}

/// Counters up to 2⁶³ − 1 and any time are kept.
///
/// # Panics
/// When the store breaks the rule.
pub async fn large_numbers_are_kept(store: &dyn TokenStore) {
    const RULE: &str = "large_numbers_are_kept";
    let id = sample_id("tenant", "name");
    let largest = i64::MAX as u64;
    let mut record = sample_record(&id, largest - 1);
    record.secret_version = SecretVersion::from_u64(largest);
    record.connected_at = Timestamp::from_millis(i64::MIN);
    record.token_set_at = Timestamp::from_millis(-1);
    record.updated_at = Timestamp::from_millis(0);
    record.expires_at = Some(Timestamp::from_millis(i64::MAX));
    record.paused_at = Some(Timestamp::from_millis(i64::MIN));
    let mut first = sample_change(&record, None);
    first.entry.count = largest;
    commit(RULE, store, std::slice::from_ref(&first)).await;
    reads_back(RULE, store, &record).await;
    record.revision = Revision::from_u64(largest);
    let second = sample_change(&record, Some(largest - 1));
    commit(RULE, store, std::slice::from_ref(&second)).await;
    reads_back(RULE, store, &record).await;
    let entries = super::trail::of_shard(RULE, store, crate::shard_of(id.tenant()), 10).await;
    let drafts: Vec<_> = entries.into_iter().map(|entry| entry.draft).collect();
    rule!(
        RULE,
        drafts == [first.entry, second.entry],
        "the entries are not as they were written: {drafts:?}"
    );
}

/// `Expected::Absent` is met only where there is no record, a tombstone being one.
///
/// # Panics
/// When the store breaks the rule.
pub async fn absent_means_no_record(store: &dyn TokenStore) {
    const RULE: &str = "absent_means_no_record";
    let id = sample_id("tenant", "name");
    let live = sample_record(&id, 1);
    commit(RULE, store, &[sample_change(&live, None)]).await;
    let other = sample_record(&id, 7);
    refused(RULE, store, &[sample_change(&other, None)], "a record in another one's place").await;
    let tombstone = sample_tombstone(&live);
    commit(RULE, store, &[sample_change(&tombstone, Some(1))]).await;
    refused(RULE, store, &[sample_change(&other, None)], "a record in a tombstone's place").await;
    reads_back(RULE, store, &tombstone).await;
}

/// A change that expects another revision than the record has, or a record where there is none, is refused.
///
/// # Panics
/// When the store breaks the rule.
pub async fn stale_revisions_are_refused(store: &dyn TokenStore) {
    const RULE: &str = "stale_revisions_are_refused";
    let id = sample_id("tenant", "name");
    refused(RULE, store, &[sample_change(&sample_record(&id, 2), Some(1))], "a revision of no record").await;
    commit(RULE, store, &[sample_change(&sample_record(&id, 1), None)]).await;
    commit(RULE, store, &[sample_change(&sample_record(&id, 2), Some(1))]).await;
    for stale in [0, 1, 3, i64::MAX as u64] {
        let change = sample_change(&sample_record(&id, 9), Some(stale));
        refused(RULE, store, &[change], "a revision that the record doesn't have").await;
    }
    // The revision of the neighbour is not this one's.
    let neighbour = sample_id("tenant", "name2");
    refused(RULE, store, &[sample_change(&sample_record(&neighbour, 3), Some(2))], "another one's revision")
        .await;
    reads_back(RULE, store, &sample_record(&id, 2)).await;
}

/// A tombstone keeps nothing of the token, and is replaced by whoever states its revision.
///
/// # Panics
/// When the store breaks the rule.
pub async fn tombstones_give_way(store: &dyn TokenStore) {
    const RULE: &str = "tombstones_give_way";
    let id = sample_id("tenant", "name");
    let live = sample_record(&id, 1);
    let tombstone = sample_tombstone(&live);
    let again = sample_record(&id, 3);
    commit(RULE, store, &[sample_change(&live, None)]).await;
    commit(RULE, store, &[sample_change(&tombstone, Some(1))]).await;
    reads_back(RULE, store, &tombstone).await;
    commit(RULE, store, &[sample_change(&again, Some(2))]).await;
    reads_back(RULE, store, &again).await;
}

/// Over a tombstone nobody brings back what was there, be it with the revision that it had, with none or with the next
/// one's: whoever did not see the removal is refused, alone and among others, once and again.
///
/// # Panics
/// When the store breaks the rule.
pub async fn removed_records_stay_removed(store: &dyn TokenStore) {
    const RULE: &str = "removed_records_stay_removed";
    let (id, other) = (sample_id("tenant", "name"), sample_id("other", "name"));
    let live = sample_record(&id, 1);
    commit(RULE, store, &[sample_change(&live, None)]).await;
    let mut tombstone = sample_tombstone(&live);
    let removal = sample_change(&tombstone, Some(1));
    // The removal and whoever overlooks it in one commit: then neither is made.
    let both = [removal.clone(), sample_change(&sample_record(&id, 2), Some(1))];
    refused(RULE, store, &both, "a change of what the same commit removed").await;
    commit(RULE, store, &[removal]).await;
    for purge in [Purge::Pending, Purge::Done] {
        if purge == Purge::Done {
            let revision = tombstone.revision;
            tombstone = sample_tombstone(&tombstone);
            tombstone.purge = purge;
            commit(RULE, store, &[sample_change(&tombstone, Some(revision.get()))]).await;
        }
        for stale in [None, Some(0), Some(1), Some(tombstone.revision.get() + 1)] {
            for revision in [1, 2, 9] {
                let back = sample_change(&sample_record(&id, revision), stale);
                let beside = sample_change(&sample_record(&other, 1), None);
                refused(RULE, store, std::slice::from_ref(&back), "a record over a tombstone").await;
                refused(RULE, store, &[beside, back], "a record over a tombstone, among others,").await;
            }
        }
        reads_back(RULE, store, &tombstone).await;
    }
    rule!(RULE, read(RULE, store, &other).await.is_none(), "what came with a refused change is there");
}
