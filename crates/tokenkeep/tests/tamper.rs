//! What someone who can write to the database gets: refused, or named.

mod common;

use common::{Fixture, give, token};
use tokenkeep::{
    AuditChain, AuditDraft, Change, ConnectionId, ErrorKind, Finding, LocalKeyring, MemoryStore, Scrub,
    TokenStore, Vault,
};
use tokenkeep_store::{AuditEntry, AuditHead, Expected, Record, RecordChange, Scan, VaultRecord};
use tokenkeep_testkit::fake_token;

/// A database whose rows an attacker can show as they like. Everything not altered comes from the real store.
#[derive(Debug)]
struct Tampered<'a> {
    real: &'a MemoryStore,
    record: Option<Record>,
    vanished: Option<ConnectionId>,
    entry: fn(&mut Vec<AuditEntry>),
    head: fn(&mut Vec<AuditHead>),
}
