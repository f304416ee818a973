//! The end of a KEK.

use std::time::Duration;

use tokenkeep_core::{Envelope, Error, ErrorKind, KekId};
use tokenkeep_keys::{Destruction, End, KekState, RetirableKeys};
use tokenkeep_store::{Scan, Timestamp};

use crate::inner::Inner;
use crate::vault_keys;

/// How many records are read at a time.
const PAGE: u32 = 512;

/// How often another process may make the KEK primary anew.
const TRIES: usize = 8;

/// How far [`Vault::retire`](crate::Vault::retire) has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retirement {
    /// Nothing is to be done before then.
    Waiting(Timestamp),
    /// It is refused: this much needs the KEK. Nothing is sealed under it any more.
    Needed(Census),
    /// Its service destroys it by then, and may bring it back until then.
    Scheduled(Timestamp),
    /// It is destroyed, no instance holds it, and nothing of it is left with its provider, as far as this says.
    Destroyed(Destruction),
    /// The keys know no such KEK: it was destroyed before, or never there.
    Unknown,
}

/// What needs a KEK, by the envelopes' own headers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Census {
    /// Records whose envelope names it.
    pub tokens: u64,
    /// The vault's own keys whose envelope names it.
    pub vault_keys: u64,
    /// Records and keys whose envelope has no readable header: what they need is not known.
    pub unreadable: u64,
    /// Records that were looked at, tombstones too.
    pub looked_at: u64,
}

impl Census {
    /// Whether nothing needs it.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        self.tokens == 0 && self.vault_keys == 0 && self.unreadable == 0
    }

    fn count(&mut self, envelope: &[u8], kek: &KekId, token: bool) {
        match Envelope::decode(envelope.to_vec()) {
            Ok(envelope) if envelope.kek() != kek => {}
            Ok(_) if token => self.tokens += 1,
            Ok(_) => self.vault_keys += 1,
            Err(_) => self.unreadable += 1,
        }
    }
}

pub(crate) async fn retire(
    vault: &Inner,
    keys: &dyn RetirableKeys,
    kek: &KekId,
    grace: Duration,
) -> Result<Retirement, Error> {
    let mut state = keys.kek_state(kek).await?;
    for _ in 0..TRIES {
        if state != Some(KekState::Primary) {
            break;
        }
        keys.make_open_only(kek).await?;
        state = keys.kek_state(kek).await?;
    }
    // It may be so by another's hand: what needs it is counted all the same, before it is out of reach for good.
    let destroyed = match state {
        None => return Ok(Retirement::Unknown),
        Some(KekState::Destroyed) => true,
        Some(KekState::OpenOnly) => false,
        Some(_) => return Err(ErrorKind::Conflict.into()),
    };
    // Before the waiting: from here on the database takes nothing more under it.
    let closed = vault.store.close_kek(kek, vault.now()).await?;
    if destroyed && closed.drained_at.is_some_and(|drained| vault.now() >= drained.after(grace)) {
        // A backup that is restored now changes nothing any more.
        return destroy(keys, kek).await;
    }
    let settled = closed.closed_at.after(keys.settles_in());
    if vault.now() < settled {
        return Ok(Retirement::Waiting(settled));
    }
    // Each time anew: a backup may have been restored meanwhile.
    let census = census(vault, kek).await?;
    if !census.is_clear() {
        vault.store.note_drained(kek, None).await?;
        return Ok(Retirement::Needed(census));
    }
    if !destroyed && let Some(settled) = keys.mark_drained(kek).await? {
        return Ok(Retirement::Waiting(Timestamp::from_millis(settled)));
    }
    let now = vault.now();
    let over = vault.store.note_drained(kek, Some(now)).await?.drained_at.unwrap_or(now).after(grace);
    if now < over {
        return Ok(Retirement::Waiting(over));
    }
    destroy(keys, kek).await
}

async fn destroy(keys: &dyn RetirableKeys, kek: &KekId) -> Result<Retirement, Error> {
    Ok(match keys.destroy_kek(kek).await? {
        End::Settling(at) => Retirement::Waiting(Timestamp::from_millis(at)),
        End::Scheduled(at) => Retirement::Scheduled(Timestamp::from_millis(at)),
        End::Destroyed(destruction) => Retirement::Destroyed(destruction),
        _ => return Err(ErrorKind::Internal.into()),
    })
}

/// All records, whatever the database's column for the KEK says of them.
async fn census(vault: &Inner, kek: &KekId) -> Result<Census, Error> {
    let mut census = Census::default();
    let record = vault.store.vault().await?.ok_or_else(vault_keys::row_is_missing)?;
    for (_, envelope) in &record.keys {
        census.count(envelope, kek, false);
    }
    let mut after = None;
    loop {
        let page = vault.store.scan(&Scan::All, after.as_ref(), PAGE).await?;
        for record in &page {
            census.looked_at += 1;
            if let Some(sealed) = &record.sealed {
                census.count(&sealed.envelope, kek, true);
            }
        }
        match page.last() {
            Some(last) => after = Some(last.id.clone()),
            None => return Ok(census),
        }
    }
}
