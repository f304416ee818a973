//! Rules about the checkpoints of the audit trail.

use tokenkeep_core::ErrorKind;

use super::{at_once, is_conflict, rule, sample_id, sample_use, snapshot};
use crate::{StoredCheckpoint, TokenStore};

/// A made-up one. To a store it is text; this one is as long as such a text gets and holds what SQL minds.
fn sample(number: u64, variant: usize) -> StoredCheckpoint {
    let note = format!("checkpoint 'é' \"{number}\" %_\\;-- \n\n\u{2014} {}\n", "x".repeat(3000 + variant));
    StoredCheckpoint { number, note }
}

async fn last(rule: &str, store: &dyn TokenStore) -> Option<StoredCheckpoint> {
    let last = store.checkpoint().await;
    last.unwrap_or_else(|error| panic!("{rule}: the checkpoint can't be read: {error:?}"))
}

/// The last checkpoint comes back as it was written, takes the place of the one whose number is one less, and of no
/// other; it touches neither records nor audit trail.
///
/// # Panics
/// When the store breaks the rule.
pub async fn checkpoints_replace_the_one_before(store: &dyn TokenStore) {
    const RULE: &str = "checkpoints_replace_the_one_before";
    super::commit(RULE, store, &[sample_use(&sample_id("tenant", "name"))]).await;
    let before = snapshot(RULE, store).await;
    rule!(RULE, last(RULE, store).await.is_none(), "there is a checkpoint before one was made");
    let mut present = None;
    for number in 1..=12_u64 {
        for wrong in [0, 2, number - 1, number + 1, number + 2, (1 << 32) + number, u64::MAX] {
            if wrong == number {
                continue;
            }
            let done = store.put_checkpoint(&sample(wrong, 1)).await;
            rule!(RULE, is_conflict(&done), "number {wrong} in the place of {}: {done:?}", number - 1);
            rule!(RULE, last(RULE, store).await == present, "a refused checkpoint left something behind");
        }
        let next = sample(number, 0);
        let done = store.put_checkpoint(&next).await;
        rule!(RULE, done.is_ok(), "number {number} was refused: {done:?}");
        present = Some(next);
        rule!(
            RULE,
            last(RULE, store).await == present,
            "number {number} did not come back as it was written"
        );
    }
    rule!(RULE, snapshot(RULE, store).await == before, "a checkpoint changed records or audit trail");
}

/// Of several with the same number, one wins and the others are told.
///
/// # Panics
/// When the store breaks the rule.
pub async fn checkpoints_have_one_winner(store: &dyn TokenStore) {
    const RULE: &str = "checkpoints_have_one_winner";
    for number in 1..=8 {
        let offered: Vec<StoredCheckpoint> = (0..6).map(|variant| sample(number, variant)).collect();
        let done = at_once(offered.iter().map(|checkpoint| store.put_checkpoint(checkpoint))).await;
        let winners: Vec<_> = offered.iter().zip(&done).filter(|(_, done)| done.is_ok()).collect();
        rule!(RULE, winners.len() == 1, "{} of 6 with number {number} won", winners.len());
        let losers = done.iter().filter_map(|done| done.as_ref().err());
        for loser in losers {
            rule!(RULE, loser.kind() == ErrorKind::Conflict, "a loser was told {loser:?}");
        }
        let kept = last(RULE, store).await;
        rule!(RULE, kept.as_ref() == Some(winners[0].0), "number {number} is not the one that won");
    }
}
