//! Envelopes whose DEK a remote key service wrapped, in its own way: their wrapped DEKs are made up, and open nowhere.

use tokenkeep_core::VaultKeyPurpose;

use super::{Good, plain};
use crate::format::Context;
use crate::{kek, made_up};

/// The one that the bad ones are changes of: short, so that they are.
pub(crate) fn short() -> Good {
    wrapped::<1>("remote: wrapped DEK of 1 byte", "the shortest that a key service may return")
}

/// The one whose length the bad ones change.
pub(crate) fn long() -> Good {
    wrapped::<300>("remote: wrapped DEK of 300 bytes", "both bytes of its length count")
}

pub(super) fn all() -> Vec<Good> {
    let vault_key = Good {
        context: Context::VaultKey { vault: made_up("vault"), purpose: VaultKeyPurpose::RecordMac },
        payload: made_up::<32>("remote: vault key, the key").to_vec(),
        ..wrapped::<48>("remote: vault key", "a key service wraps a vault's own keys too")
    };
    let rewrapped = Good {
        drawn: plain().drawn,
        rewrap_of: Some("token"),
        ..wrapped::<112>(
            "remote: rewrapped",
            "the vector `token` moved to a key service: from the payload's nonce on, the same bytes",
        )
    };
    vec![
        short(),
        wrapped::<104>("remote: wrapped DEK of 104 bytes", "as long as a local one, which says nothing"),
        long(),
        wrapped::<65_535>("remote: wrapped DEK of 65,535 bytes", "the longest"),
        vault_key,
        rewrapped,
    ]
}

fn wrapped<const LENGTH: usize>(name: &'static str, shows: &'static str) -> Good {
    Good {
        name,
        shows,
        kek: kek("of a key service", 16),
        drawn: made_up(name),
        by_service: Some(made_up::<LENGTH>(&format!("{name}, as it was returned")).to_vec()),
        ..plain()
    }
}
