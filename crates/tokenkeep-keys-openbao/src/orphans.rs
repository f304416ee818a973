//! Keys that were made for an epoch, and that no epoch names.

use std::collections::HashSet;

use tokenkeep_core::{Envelope, Error, KekId};
use tokenkeep_keys::EpochStore;

use crate::{OpenBaoFailure, OpenBaoKeys};

/// A key at the service that was made for an epoch, and that no epoch names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrphanKey {
    /// For [`destroy_key`](tokenkeep_keys::DestroyableKeys::destroy_key).
    pub id: KekId,
    /// When it was made, by the service's clock, in seconds since 1970 UTC; 0 for one that is disabled, whose time the service does not
    /// tell.
    pub made_at: u64,
}

impl OpenBaoKeys {
    /// The keys that were made for epochs and that no epoch in these stores names, destroyed ones aside. A process that dies while it
    /// makes an epoch leaves one. It wraps nothing that is kept, so it may be destroyed; it may also stay, at no harm. For an operator,
    /// with [`own_keys`](crate::OpenBaoBuilder::own_keys).
    ///
    /// **Give the store of every application that uses this transit key**, as it is now and no copy: what one of them names and none of
    /// the given ones is listed too, and destroying it loses that application's tokens. A key that was just made may get its epoch in a
    /// moment: destroy none that is younger than an hour.
    ///
    /// # Errors
    /// `Misuse` where there are keys and the stores name none of them, as those are another application's stores, more likely than not.
    /// Those of the stores; as said at [`KeyProvider`](tokenkeep_keys::KeyProvider).
    pub async fn orphans(&self, stores: &[&dyn EpochStore]) -> Result<Vec<OrphanKey>, Error> {
        let own = self.own()?;
        // The keys first: what is kept between the two looks is named.
        let left = own.left(&self.inner).await?;
        let mut named = HashSet::new();
        for store in stores {
            for epoch in store.epochs().await? {
                named.insert(*Envelope::decode(epoch.sealed)?.kek());
            }
        }
        if !left.is_empty() && !left.iter().any(|(id, _)| named.contains(id)) {
            return Err(OpenBaoFailure::Misuse(
                "the epochs' stores name none of the keys that are here; are they those of another application?",
            )
            .into());
        }
        let orphans = left.into_iter().filter(|(id, _)| !named.contains(id));
        Ok(orphans.map(|(id, made_at)| OrphanKey { id, made_at }).collect())
    }
}
