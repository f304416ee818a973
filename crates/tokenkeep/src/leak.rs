//! The answer to a suspected leak: stop, list, replace.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use tokenkeep_core::{
    Account, ConnectionId, CustomerAction, Error, ErrorKind, Origin, PayloadKind, ProviderName,
};
use tokenkeep_store::{Action, Change, Record, Scan, Status, Timestamp};

use crate::env::SetIds;
use crate::env::names::{absent, named};
use crate::inner::Inner;
use crate::observe::{IncidentKind, Operation};
use crate::status::{ConnectionState, ConnectionStatus};

/// How many connections are marked in one commit.
const PAGE: u32 = 64;

/// A token that may have leaked and is not used any more, and what is to be done about it. Holds no token. `Display` gives
/// a line for an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SuspectedToken {
    /// Whose connection it is, and which; or the values of a set of secret environment variables, named `~env/NAME`.
    pub id: ConnectionId,
    /// [`Suspected`](ConnectionState::Suspected); or [`Tampered`](ConnectionState::Tampered), when its record was altered: it
    /// is not used then either, and [`Vault::verify`](crate::Vault::verify) says more.
    pub state: ConnectionState,
    /// The provider; `None` when the record was altered.
    pub provider: Option<ProviderName>,
    /// Where the provider is; `None` when the record was altered.
    pub origin: Option<Origin>,
    /// Whose token it is there; `None` when the record was altered.
    pub account: Option<Account>,
    /// When it was set, of a set the value that was set first of those that it has; `None` when the record was altered.
    pub token_set_at: Option<Timestamp>,
}

impl SuspectedToken {
    fn of(record: &Record) -> Self {
        Self {
            id: record.id.clone(),
            state: ConnectionState::Suspected,
            provider: Some(record.provider.clone()),
            origin: Some(record.origin.clone()),
            account: record.account.clone(),
            token_set_at: Some(record.token_set_at),
        }
    }

    fn tampered(id: &ConnectionId) -> Self {
        let (id, state) = (id.clone(), ConnectionState::Tampered);
        Self { id, state, provider: None, origin: None, account: None, token_set_at: None }
    }

    /// What its customer must do, in words that an application can show.
    #[must_use]
    pub fn customer_action(&self) -> CustomerAction {
        // Also for one whose record was altered: what was connected there once may have leaked as the others did.
        match SetIds::of(&self.id) {
            None => CustomerAction::DeleteAndReplace,
            Some(_) => CustomerAction::ReplaceVariables,
        }
    }
}

impl fmt::Display for SuspectedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if SetIds::of(&self.id).is_some() {
            let altered = match self.state {
                ConnectionState::Tampered => "its record was altered, run verify and discard it; ",
                _ => "",
            };
            return write!(
                f,
                "{}: {altered}replace each of these secret variables where it came from, then set the new values here, then push",
                self.id
            );
        }
        let (Some(provider), Some(origin)) = (&self.provider, &self.origin) else {
            return write!(
                f,
                "{}: its record was altered, run verify; delete its token at the provider, discard the record, connect a new one",
                self.id
            );
        };
        let account = self.account.as_ref().map_or("", |account| match account.name() {
            "" => account.id(),
            name => name,
        });
        write!(
            f,
            "{}: delete the token of {account} at {provider} ({origin}), make a new one there, replace it here",
            self.id
        )
    }
}

/// Marks tokens that may have leaked, page by page, and lists what is to be done about each. Made by
/// [`Connection::suspect_leak`](crate::Connection::suspect_leak),
/// [`Vault::suspect_leaks_of`](crate::Vault::suspect_leaks_of) and
/// [`Vault::suspect_all_leaked`](crate::Vault::suspect_all_leaked).
///
/// A token that is given by [`next`](Self::next) is marked and not used any more; each has its entry in the audit trail.
/// One that was marked before is given again and not marked twice. After an interruption, go on with
/// [`behind`](Self::behind) the last one that was given, or begin anew: [`set_before`](Self::set_before) then spares the
/// tokens that were replaced meanwhile.
#[must_use = "nothing is marked until `next` is called"]
pub struct LeakResponse {
    vault: Arc<Inner>,
    from: From,
    /// The one that was marked before those that hold the same token.
    first: Option<ConnectionId>,
    after: Option<ConnectionId>,
    set_before: Option<Timestamp>,
    marked: VecDeque<SuspectedToken>,
}

enum From {
    One(ConnectionId),
    Many(Scan),
    Done,
}

impl LeakResponse {
    pub(crate) fn new(vault: Arc<Inner>, scan: Scan) -> Self {
        Self::from(vault, From::Many(scan))
    }

    pub(crate) fn one(vault: Arc<Inner>, id: ConnectionId) -> Self {
        Self::from(vault, From::One(named(id)))
    }

    fn from(vault: Arc<Inner>, from: From) -> Self {
        Self { vault, from, first: None, after: None, set_before: None, marked: VecDeque::new() }
    }

    /// Only tokens that were set before this time, and sets of which a value was: the leak ended then, or this is what an earlier run left
    /// over.
    pub fn set_before(mut self, time: Timestamp) -> Self {
        self.set_before = Some(time);
        self
    }

    /// Goes on behind this connection.
    pub fn behind(mut self, last: ConnectionId) -> Self {
        self.after = Some(last);
        self
    }

    /// The next one; `None` at the end. They come by tenant and name.
    ///
    /// # Errors
    /// `NotConnected` when a single connection holds no token; `Tampered` when it was altered (among many, such a one is given
    /// as [`Tampered`](ConnectionState::Tampered)) or when a record's very name can't be read; `StoreUnavailable`, and the same call
    /// goes on later.
    ///
    /// # Cancellation
    /// Safe: a dropped call skips nothing and marks nothing twice.
    pub async fn next(&mut self) -> Result<Option<SuspectedToken>, Error> {
        loop {
            if let Some(marked) = self.marked.pop_front() {
                return Ok(Some(marked));
            }
            let watch = &self.vault.watch;
            match &self.from {
                From::Done => return Ok(None),
                From::One(id) => {
                    let work = self.mark_with_twins(id);
                    let (marked, page, scan) = watch.over(Operation::SuspectLeak, Some(id), work).await?;
                    self.first = Some(id.clone());
                    self.marked = marked;
                    self.from = self.go_on(&page, scan);
                }
                From::Many(scan) => {
                    let work = async {
                        let page = self.vault.store.scan(scan, self.after.as_ref(), PAGE).await?;
                        Ok((self.mark_page(&page).await?, page))
                    };
                    let (marked, page) = watch.over(Operation::SuspectLeak, None, work).await?;
                    self.marked = marked;
                    let scan = scan.clone();
                    self.from = self.go_on(&page, scan);
                }
            }
        }
    }

    /// All that are left. For a few: of many, take them one by one.
    ///
    /// # Errors
    /// As [`next`](Self::next). What was marked stays so.
    pub async fn finish(mut self) -> Result<Vec<SuspectedToken>, Error> {
        let mut all = Vec::new();
        while let Some(marked) = self.next().await? {
            all.push(marked);
        }
        Ok(all)
    }

    fn is_meant(&self, record: &Record) -> bool {
        self.first.as_ref() != Some(&record.id)
            && record.sealed.is_some()
            // Of a set the values are marked: the index holds none, and says which they are.
            && record.kind != PayloadKind::EnvIndex
            && self.set_before.is_none_or(|time| record.token_set_at < time)
    }

    /// In one commit, unless something changes under it.
    async fn mark_page(&self, page: &[Record]) -> Result<VecDeque<SuspectedToken>, Error> {
        let meant: Vec<&Record> = page.iter().filter(|record| self.is_meant(record)).collect();
        let current = |record: &Record| {
            self.vault.keys.records.fits(record) && self.vault.seen.mark(&record.id) <= Some(record.revision)
        };
        // Of all: what was altered may say that it holds nothing.
        if page.iter().all(current) {
            let open = meant.iter().filter(|record| record.status != Status::Suspected);
            let changes: Vec<Change> = open
                .map(|record| self.vault.change(Some(record), suspected(record), Action::Suspected))
                .collect();
            let done = if changes.is_empty() { Ok(()) } else { self.vault.commit(&changes).await };
            match done {
                Ok(()) => {
                    let ids: Vec<ConnectionId> =
                        changes.iter().map(|change| change.entry.id.clone()).collect();
                    if !ids.is_empty() {
                        self.vault.watch.incident(IncidentKind::Suspected, &ids);
                    }
                    return Ok(meant.into_iter().map(SuspectedToken::of).collect());
                }
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        let mut marked = VecDeque::new();
        for record in page {
            match self.mark(&record.id).await {
                Err(error) if error.kind() == ErrorKind::Tampered => {
                    marked.push_back(SuspectedToken::tampered(&record.id));
                }
                done => marked.extend(done?),
            }
        }
        Ok(marked)
    }

    /// What comes behind this page.
    fn go_on(&mut self, page: &[Record], scan: Scan) -> From {
        match page.last() {
            Some(last) if page.len() >= PAGE as usize => {
                self.after = Some(last.id.clone());
                From::Many(scan)
            }
            _ => From::Done,
        }
    }

    /// One, and the first page of its tenant's that hold the same token, which it is on itself.
    async fn mark_with_twins(
        &self,
        id: &ConnectionId,
    ) -> Result<(VecDeque<SuspectedToken>, Vec<Record>, Scan), Error> {
        let mut marked = VecDeque::from([self.mark(id).await?.ok_or_else(|| absent(id))?]);
        let Some(sealed) = self.vault.load(id).await?.and_then(|record| record.sealed) else {
            return Ok((marked, Vec::new(), Scan::Tenant(id.tenant().clone())));
        };
        let of = sealed.fingerprint;
        let others = self.vault.holders(id, &of).await?.others;
        self.vault.tell_other_tenants(id, others);
        let scan = Scan::Fingerprint { of, tenant: Some(id.tenant().clone()) };
        let page = self.vault.store.scan(&scan, self.after.as_ref(), PAGE).await?;
        let twins: Vec<Record> = page.iter().filter(|record| record.id != *id).cloned().collect();
        marked.extend(self.mark_page(&twins).await?);
        Ok((marked, page, scan))
    }

    /// One; `None` when it holds no token that is meant.
    pub(crate) async fn mark(&self, id: &ConnectionId) -> Result<Option<SuspectedToken>, Error> {
        let suspect = |before: &Record| {
            (self.is_meant(before) && before.status != Status::Suspected).then(|| suspected(before))
        };
        let Some(marked) = self.vault.update(id, Action::Suspected, suspect).await? else { return Ok(None) };
        if marked.changed {
            self.vault.watch.incident(IncidentKind::Suspected, std::slice::from_ref(id));
        }
        Ok(self.is_meant(&marked.record).then(|| SuspectedToken::of(&marked.record)))
    }
}

impl fmt::Debug for LeakResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeakResponse").field("after", &self.after).finish_non_exhaustive()
    }
}

fn suspected(before: &Record) -> Record {
    Record { status: Status::Suspected, ..before.clone() }
}

pub(crate) async fn clear_suspicion(vault: &Inner, id: &ConnectionId) -> Result<ConnectionStatus, Error> {
    let id = &named(id.clone());
    let before = vault.live(id).await?;
    if before.status == Status::Suspected {
        let change =
            vault.change(Some(&before), Record { status: Status::Active, ..before.clone() }, Action::Cleared);
        vault.commit(std::slice::from_ref(&change)).await?;
        vault.watch.incident(IncidentKind::Cleared, std::slice::from_ref(id));
    }
    vault.status(id).await
}
