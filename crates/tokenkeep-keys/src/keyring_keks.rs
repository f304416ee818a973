//! The KEKs of a keyring, and what may become of each.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use tokenkeep_core::{Kek, KekId};

use crate::{KekState, KekStatus, KeyringError};

/// The KEKs of a keyring; one is primary.
pub(crate) struct Keks {
    /// Oldest first, destroyed ones too.
    pub(crate) all: Vec<StoredKek>,
    /// Where in `all` the primary one is.
    pub(crate) primary: usize,
}

/// One KEK, or what is left of it.
pub(crate) struct StoredKek {
    pub(crate) id: KekId,
    /// When it was made, in seconds since 1970 UTC.
    pub(crate) made: u64,
    pub(crate) held: Held,
}

///
/// A key is in a place of its own: a list that grows moves the pointer and leaves no key behind.
pub(crate) enum Held {
    /// It is primary, or was once.
    InTurn(Box<Kek>),
    /// It was made beside the primary one and never becomes primary.
    Beside(Box<Kek>),
    /// Its bytes are gone, since this time in seconds since 1970 UTC.
    Destroyed { at: u64 },
}

/// What a keyring says of an id.
pub(crate) enum Found<'a> {
    InTurn(&'a Kek),
    Beside(&'a Kek),
    Destroyed,
    Unknown,
}

impl Keks {
    /// A new keyring's one KEK.
    pub(crate) fn generate() -> Result<Self, KeyringError> {
        Ok(Self { all: vec![StoredKek::generate(Held::InTurn)?], primary: 0 })
    }

    /// Adds a KEK and makes it primary.
    pub(crate) fn rotate(&mut self) -> Result<KekId, KeyringError> {
        let id = self.add(Held::InTurn)?;
        self.primary = self.all.len() - 1;
        Ok(id)
    }

    /// Adds a KEK beside the primary one.
    pub(crate) fn make_beside(&mut self) -> Result<KekId, KeyringError> {
        self.add(Held::Beside)
    }

    /// Drops a KEK's bytes and keeps its id. Says whether anything changed.
    pub(crate) fn destroy(&mut self, id: &KekId) -> Result<bool, KeyringError> {
        let at = self.all.iter().position(|kek| kek.id == *id).ok_or(KeyringError::UnknownKek)?;
        if at == self.primary {
            return Err(KeyringError::PrimaryNeeded);
        }
        let held = &mut self.all[at].held;
        if matches!(held, Held::Destroyed { .. }) {
            return Ok(false);
        }
        *held = Held::Destroyed { at: now() };
        Ok(true)
    }

    pub(crate) fn primary(&self) -> &Kek {
        match &self.all[self.primary].held {
            Held::InTurn(kek) => kek,
            Held::Beside(_) | Held::Destroyed { .. } => unreachable!("only a KEK in turn becomes primary"),
        }
    }

    pub(crate) fn find(&self, id: &KekId) -> Found<'_> {
        // Newest first: what is opened is mostly new, and there are a handful.
        match self.all.iter().rev().find(|kek| kek.id == *id).map(|kek| &kek.held) {
            Some(Held::InTurn(kek)) => Found::InTurn(kek),
            Some(Held::Beside(kek)) => Found::Beside(kek),
            Some(Held::Destroyed { .. }) => Found::Destroyed,
            None => Found::Unknown,
        }
    }

    /// Oldest first.
    pub(crate) fn statuses(&self) -> Vec<KekStatus> {
        let state = |index: usize, held: &Held| match held {
            Held::Destroyed { .. } => KekState::Destroyed,
            _ if index == self.primary => KekState::Primary,
            _ => KekState::OpenOnly,
        };
        let status = |(index, kek): (usize, &StoredKek)| KekStatus::new(kek.id, state(index, &kek.held));
        self.all.iter().enumerate().map(status).collect()
    }

    /// Whether this may be what became of `former`: every KEK is there, with the same bytes or destroyed, and a
    /// destroyed one is not back.
    pub(crate) fn follows(&self, former: &Self) -> bool {
        let held: HashMap<&KekId, &Held> = self.all.iter().map(|kek| (&kek.id, &kek.held)).collect();
        former.all.iter().all(|before| match (held.get(&before.id), &before.held) {
            (Some(Held::Destroyed { .. }), _) => true,
            (Some(Held::InTurn(after)), Held::InTurn(before))
            | (Some(Held::Beside(after)), Held::Beside(before)) => {
                after.expose_secret() == before.expose_secret()
            }
            _ => false,
        })
    }

    fn add(&mut self, held: fn(Box<Kek>) -> Held) -> Result<KekId, KeyringError> {
        let kek = StoredKek::generate(held)?;
        let id = kek.id;
        self.all.push(kek);
        Ok(id)
    }
}

impl StoredKek {
    fn generate(held: fn(Box<Kek>) -> Held) -> Result<Self, KeyringError> {
        let kek = Box::new(Kek::generate()?);
        Ok(Self { id: *kek.id(), made: now(), held: held(kek) })
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
