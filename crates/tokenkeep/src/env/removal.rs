//! The end of a set: both of its records.

use tokenkeep_core::{ConnectionId, Error, ErrorKind, ProviderSpec};
use tokenkeep_store::{Action, Purge, Record, Status};

use super::names::{SetIds, absent};
use super::set::halves;
use crate::discard::discard;
use crate::disconnect::finish;
use crate::inner::Inner;
use crate::receipt::Receipt;

/// How often it is begun anew when the set changes under it.
const TRIES: usize = 16;

pub(crate) async fn remove_set(vault: &Inner, ids: &SetIds) -> Result<Receipt, Error> {
    for _ in 0..TRIES {
        let (values, index) = (load(vault, &ids.values).await?, load(vault, &ids.index).await?);
        // The hooks are told the values' record, and run once for the set.
        let halves = [(&values, vault.hooks.due()), (&index, Purge::Done)];
        let changes: Vec<_> = halves
            .into_iter()
            .filter_map(|(half, purge)| {
                Some((half.as_ref().ok()?.as_ref().filter(|it| it.is_live())?, purge))
            })
            .map(|(before, purge)| {
                let tombstone = Record {
                    status: Status::Disconnected,
                    sealed: None,
                    token_set_at: vault.now(),
                    purge,
                    ..before.clone()
                };
                vault.change(Some(before), tombstone, Action::Disconnected)
            })
            .collect();
        if changes.is_empty() {
            // What was altered is not removed here; whatever could be, is.
            let (values, _) = (values?, index?);
            return Ok(finish(vault, &values.ok_or_else(|| absent(&ids.values))?).await);
        }
        match vault.commit(&changes).await {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::Conflict.into())
}

/// A record, or why it can't be believed; what is wrong with the database is the outer error.
async fn load(vault: &Inner, id: &ConnectionId) -> Result<Result<Option<Record>, Error>, Error> {
    match vault.load(id).await {
        Err(error) if error.kind() == ErrorKind::Tampered => Ok(Err(error)),
        record => record.map(Ok),
    }
}

/// Puts tombstones where records of the set were tampered with, and removes the half that was whole with it.
pub(crate) async fn discard_set(vault: &Inner, ids: &SetIds, spec: &ProviderSpec) -> Result<Receipt, Error> {
    let mut discarded = None;
    let mut refused = None;
    for id in [&ids.index, &ids.values] {
        match discard(vault, id, spec).await {
            Ok(receipt) => discarded = Some(receipt),
            Err(error) if matches!(error.kind(), ErrorKind::Misuse | ErrorKind::NotConnected) => {
                refused.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    if let (None, Some(error)) = (&discarded, refused) {
        // Both records are the trail's. One that was ended alone is no set: the other one is removed.
        return match halves(vault, ids).await {
            Err(half) if half.kind() == ErrorKind::Tampered => remove_set(vault, ids).await,
            _ => Err(error),
        };
    }
    match (remove_set(vault, ids).await, discarded) {
        // There never were values: somebody planted an index.
        (Err(error), Some(receipt)) if error.kind() == ErrorKind::NotConnected => Ok(receipt),
        (receipt, _) => receipt,
    }
}
