//! Looks at what a killed process left, as the next one does: opens the vault, finishes, and compares.

use std::collections::{HashMap, HashSet};
use std::fs;

use tokenkeep::{
    AuditEntry, ConnectionId, Error, ErrorKind, FinishedDisconnect, Provider as _, Receipt, TokenStore, Use,
    Vault,
};

use crate::ledger::{Expected, Figures, Ledger, State};
use crate::parts::AcceptsAll;
use crate::place::{Opened, Place, SLOTS, names};

/// How many entries of a chain are read at a time.
const PAGE: u32 = 500;

/// How far the trail was read before: the last entry of each chain.
pub(crate) type Read = HashMap<u16, u64>;

/// What else it found.
#[derive(Debug, Default, Clone)]
pub(crate) struct Finished {
    /// Disconnects that had to be finished.
    pub(crate) disconnects: u64,
}

/// # Errors
/// What is not as it must be.
pub(crate) async fn examine(
    place: &Place,
    ledger: &mut Ledger,
    read: &mut Read,
    figures: &mut Figures,
    finished: &mut Finished,
) -> Result<(), String> {
    let Opened { vault, store, application } =
        place.open(true).await.map_err(|error| at("opening", &error))?;
    let readiness = vault.check().await;
    if !readiness.is_ready() {
        return Err(format!("not ready: {readiness}"));
    }
    let entries = entries(&*store, read).await?;
    let provider = AcceptsAll::new()?;
    for slot in 0..SLOTS {
        let (tenant, name) = names(slot);
        let id = ConnectionId::new(tenant, name).map_err(|error| error.to_string())?;
        let mine = entries.get(&id).map(Vec::as_slice).unwrap_or_default();
        let compared = match ledger.settle(slot, mine, figures) {
            Ok(expected) => compare(&vault, &*store, &provider, &id, &expected).await,
            Err(error) => Err(error),
        };
        compared.map_err(|error| format!("connection {slot} ({id}): {error}"))?;
    }
    if let Some(application) = &application {
        application.compare(&ledger.tokens_of_the_application).await?;
    }
    *finished = Finished { disconnects: finished.disconnects + finish(&vault).await? };
    hooks_ran(place, ledger)?;
    vault.checkpoint().await.map_err(|error| at("a checkpoint", &error))?;
    let verification = vault.verify().await.map_err(|error| at("verify", &error))?;
    if !verification.is_whole() {
        return Err(format!("not whole: {verification}"));
    }
    // What the looking itself put on record belongs to no life of the process.
    self::entries(&*store, read).await.map(drop)
}

fn at(what: &str, error: &Error) -> String {
    format!("{what}: {}", error.report())
}

/// The entries that came since, of each connection.
async fn entries(
    store: &dyn TokenStore,
    read: &mut Read,
) -> Result<HashMap<ConnectionId, Vec<AuditEntry>>, String> {
    let mut found: HashMap<ConnectionId, Vec<AuditEntry>> = HashMap::new();
    for head in store.audit_heads().await.map_err(|error| at("heads", &error))? {
        let last = read.entry(head.shard).or_default();
        while *last < head.sequence {
            let page = store.audit_entries(head.shard, *last, PAGE).await;
            let page = page.map_err(|error| at("entries", &error))?;
            *last = page.last().ok_or("the trail ends before its head")?.sequence;
            for entry in page {
                found.entry(entry.draft.id.clone()).or_default().push(entry);
            }
        }
    }
    Ok(found)
}

/// The connection is as the trail and what was acknowledged say: token, incarnation, secret version.
async fn compare(
    vault: &Vault,
    store: &dyn TokenStore,
    provider: &AcceptsAll,
    id: &ConnectionId,
    expected: &Expected,
) -> Result<(), String> {
    let row = store.record(id).await.map_err(|error| at("its row", &error))?;
    let life = row.as_ref().map(|row| (row.incarnation, row.secret_version));
    if life != expected.life {
        return Err(format!("its row is of {life:?}, the trail says {:?}", expected.life));
    }
    let sealed = row.as_ref().is_some_and(|row| row.sealed.is_some() || row.account.is_some());
    let given = vault.connection_of(id).credential().issue(Use::at(provider.spec())).await;
    match (&expected.state, given) {
        (State::Holds(token), Ok(issued)) if issued.token.expose_secret() == token => {
            let given = Some((issued.incarnation, issued.secret_version));
            if given == life { Ok(()) } else { Err(format!("given as {given:?}, its row is of {life:?}")) }
        }
        (State::Never | State::Disconnected, Err(error)) if error.kind() == ErrorKind::NotConnected => {
            if sealed {
                Err("a disconnected row holds sealed bytes".into())
            } else {
                Ok(())
            }
        }
        (State::Holds(_), Ok(_)) => Err("it opens to another token".into()),
        (State::Holds(_), Err(error)) => Err(at("its token is lost", &error)),
        (_, Ok(_)) => Err("it is back from the dead".into()),
        (_, Err(error)) => Err(at("it should be refused in another way", &error)),
    }
}

async fn finish(vault: &Vault) -> Result<u64, String> {
    let finished = vault.finish_disconnects().await.map_err(|error| at("finishing", &error))?;
    let complete = |one: &FinishedDisconnect| one.receipt.as_ref().is_ok_and(Receipt::hooks_complete);
    if let Some(one) = finished.iter().find(|one| !complete(one)) {
        return Err(format!("not finished: {one}"));
    }
    let left = vault.finish_disconnects().await.map_err(|error| at("finishing", &error))?;
    if left.is_empty() { Ok(finished.len() as u64) } else { Err(format!("{} are left", left.len())) }
}

fn hooks_ran(place: &Place, ledger: &Ledger) -> Result<(), String> {
    // No file yet: no hook ran.
    let list = fs::read_to_string(place.hooks()).unwrap_or_default();
    let ran: HashSet<&str> = list.lines().collect();
    let missing = ledger.disconnected.iter().find(|former| !ran.contains(former.to_string().as_str()));
    missing.map_or(Ok(()), |former| Err(format!("the hook never ran for {former}")))
}
