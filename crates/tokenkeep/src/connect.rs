//! Connecting a token, and replacing it.

use std::sync::{Arc, OnceLock};

use tokenkeep_core::{
    Account, ApiToken, ConnectionId, Credential, Error, ErrorKind, Incarnation, PayloadKind, Provider,
    SecretVersion,
};
use tokenkeep_store::{Action, AuditChain, Change, Purge, Record, Status, Timestamp};

use crate::env::names::check_connection;
use crate::inner::{Inner, TokenPlace};
use crate::kept::KeptToken;
use crate::leak::LeakResponse;
use crate::observe::Operation;
use crate::purge::purge;
use crate::reuse::Holders;

/// How often the hooks of a former connection are run when others connect and disconnect meanwhile.
const TRIES: usize = 4;

/// A token that its provider accepted, sealed and ready to be committed. Nothing has changed anywhere yet.
#[derive(Debug)]
#[must_use = "nothing is kept until it is committed"]
pub struct PreparedChange {
    vault: Arc<Inner>,
    change: Change,
    /// The same change with the token's DEK under another KEK, where the database would have none under the first any more.
    moved: OnceLock<Change>,
    account: Account,
    /// As of when it was prepared.
    reused: Vec<ConnectionId>,
    /// Whether the operator was told that another tenant holds the token.
    told: bool,
}

impl PreparedChange {
    /// Whose token it is, as the provider says.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// The change as plain data, for a store that commits it inside the application's own transaction.
    #[must_use]
    pub fn change(&self) -> &Change {
        self.moved.get().unwrap_or(&self.change)
    }

    /// What chains the change's audit entry.
    #[must_use]
    pub fn chain(&self) -> &AuditChain {
        &self.vault.keys.chain
    }

    /// Commits it to the vault's own store. May be repeated after a `StoreUnavailable`: if the first try was committed
    /// after all, the second one finds that out and is `Ok`.
    ///
    /// # Errors
    /// `Conflict` when the connection changed since it was prepared; `StoreUnavailable`, after which it may be committed all the
    /// same. `Suspected` when the token was suspected under another name at the same moment: it is kept, and suspected too.
    ///
    /// # Cancellation
    /// Safe: committed wholly or not at all.
    pub async fn commit(&self) -> Result<KeptToken, Error> {
        let id = &self.change.entry.id;
        self.vault.watch.over(Operation::Commit, Some(id), self.commit_unwatched()).await
    }

    /// For an application that commits it itself, and gets no more than a refusal where the KEK is closed: under another one, if the
    /// one that it was prepared under is closed already.
    pub(crate) async fn off_closed_kek(mut self) -> Result<Self, Error> {
        let sealed = self.change.record.as_ref().and_then(|step| step.record.sealed.as_ref());
        let kek = sealed.ok_or(ErrorKind::Internal)?.kek;
        if self.vault.store.kek_closure(&kek).await?.is_some()
            && let Some(moved) = self.vault.moved_off_closed_kek(&self.change).await?
        {
            self.change = moved;
        }
        Ok(self)
    }

    pub(crate) async fn commit_unwatched(&self) -> Result<KeptToken, Error> {
        let mut committed = self.vault.commit_and_look(self.change(), self.fingerprint()?).await;
        if committed.as_ref().is_err_and(|error| error.kind() == ErrorKind::Conflict)
            && self.moved.get().is_none()
            && let Some(moved) = self.vault.moved_off_closed_kek(&self.change).await?
        {
            let _ = self.moved.set(moved);
            committed = self.vault.commit_and_look(self.change(), self.fingerprint()?).await;
        }
        match committed {
            Ok(holders) => self.seen_again(holders).await,
            Err(error) => {
                let unsure = matches!(error.kind(), ErrorKind::Conflict | ErrorKind::StoreUnavailable);
                // Its answer may have been lost, now or at an earlier try.
                if !(unsure && self.is_in_place().await.unwrap_or(false)) {
                    return Err(error);
                }
                self.look_again().await
            }
        }
    }

    /// To be called once the application has committed the change in a transaction of its own: what else
    /// [`commit`](Self::commit) does then. Whoever connected the same token at the same moment is seen only now.
    ///
    /// # Errors
    /// `Conflict` when the change is not there: the transaction was not committed, or the connection was changed again.
    /// `Suspected` as at [`commit`](Self::commit); `StoreUnavailable`: call it again.
    ///
    /// # Cancellation
    /// Safe, and repeating it is no error.
    pub async fn committed(&self) -> Result<KeptToken, Error> {
        let id = &self.change.entry.id;
        let work = async {
            if !self.is_in_place().await? {
                return Err(
                    Error::new(ErrorKind::Conflict).because("the change that was prepared is not there")
                );
            }
            self.look_again().await
        };
        self.vault.watch.over(Operation::Commit, Some(id), work).await
    }

    /// What [`commit`](Self::commit) gives, as of when it was prepared. An application that commits the change itself calls
    /// [`committed`](Self::committed) after that.
    #[must_use]
    pub fn kept(&self) -> KeptToken {
        let replaced = self.change.entry.action == Action::Replaced;
        KeptToken { account: self.account.clone(), replaced, reused: self.reused.clone() }
    }

    /// Of two that connect one token at the same time, the later one sees the other here. And of two calls that connect a
    /// token and suspect it under another name, the later one sees the other: the token is used under neither.
    async fn look_again(&self) -> Result<KeptToken, Error> {
        self.seen_again(self.vault.holders(&self.change.entry.id, self.fingerprint()?).await).await
    }

    fn fingerprint(&self) -> Result<&[u8; 32], Error> {
        let sealed = self.change.record.as_ref().and_then(|step| step.record.sealed.as_ref());
        Ok(&sealed.ok_or(ErrorKind::Internal)?.fingerprint)
    }

    async fn seen_again(&self, holders: Result<Holders, Error>) -> Result<KeptToken, Error> {
        let id = &self.change.entry.id;
        let mut kept = self.kept();
        match holders {
            Ok(Holders { twins, others }) => {
                if !self.told {
                    self.vault.tell_other_tenants(id, others);
                }
                if twins.iter().any(|twin| twin.status == Status::Suspected) {
                    Box::pin(LeakResponse::one(Arc::clone(&self.vault), id.clone()).mark(id)).await?;
                    return Err(ErrorKind::Suspected.into());
                }
                kept.reused = twins.into_iter().map(|twin| twin.id).collect();
            }
            // The token is kept all the same, and its status names them.
            Err(error) => tracing::warn!(error = %error.report(), "not known whether the token is reused"),
        }
        Ok(kept)
    }

    async fn is_in_place(&self) -> Result<bool, Error> {
        let mine = self.change().record.as_ref().map(|step| &step.record);
        Ok(self.vault.load(&self.change.entry.id).await?.as_ref() == mine)
    }
}

pub(crate) async fn prepare_connect(
    vault: &Arc<Inner>,
    id: &ConnectionId,
    provider: &dyn Provider,
    token: &Arc<ApiToken>,
) -> Result<PreparedChange, Error> {
    // A handle by an id may be of a set.
    check_connection(id.clone())?;
    let spec = provider.spec();
    let fingerprint = vault.keys.fingerprints.of(&spec.origin, PayloadKind::ApiToken, token);
    let (before, holders) = vacant(vault, id, &fingerprint).await?;
    let account = check(provider, token).await?;
    let place = TokenPlace {
        provider: &spec.name,
        origin: &spec.origin,
        kind: PayloadKind::ApiToken,
        incarnation: Incarnation::random()?,
        secret_version: SecretVersion::FIRST,
    };
    let (reused, told) = reuse(vault, id, holders)?;
    let sealed = vault.seal(id, &place, token).await?;
    let now = vault.now();
    let record = Record {
        id: id.clone(),
        provider: spec.name.clone(),
        origin: spec.origin.clone(),
        kind: place.kind,
        incarnation: place.incarnation,
        secret_version: place.secret_version,
        revision: tokenkeep_core::Revision::FIRST,
        status: Status::Active,
        sealed: Some(sealed),
        account: Some(account.clone()),
        connected_at: now,
        token_set_at: now,
        updated_at: Timestamp::from_millis(0),
        expires_at: None,
        paused_at: None,
        purge: Purge::NotDue,
        mac: [0; 32],
    };
    let change = vault.change(before.as_ref(), record, Action::Connected);
    Ok(PreparedChange { vault: Arc::clone(vault), change, moved: OnceLock::new(), account, reused, told })
}

/// What a connection is put in the place of: nothing, or a tombstone whose hooks ran. And who else holds the token.
async fn vacant(
    vault: &Inner,
    id: &ConnectionId,
    fingerprint: &[u8; 32],
) -> Result<(Option<Record>, Holders), Error> {
    for _ in 0..TRIES {
        let (before, holders) = vault.load_with_holders(id, fingerprint).await?;
        let Some(tombstone) = before else { return Ok((None, holders)) };
        if tombstone.is_live() {
            return Err(ErrorKind::AlreadyConnected.into());
        }
        if tombstone.purge != Purge::Pending {
            return Ok((Some(tombstone), holders));
        }
        // What was cached belongs to the former connection, perhaps of another account: it must not be found here.
        if !purge(vault, &tombstone).await.complete {
            return Err(ErrorKind::PurgePending.into());
        }
        // Another look: while the hooks ran, another process may have finished them, and connected.
    }
    Err(ErrorKind::PurgePending.into())
}

/// Where else the token is held, and whether the operator was told of another tenant. One that may have leaked is not taken
/// under another name. Asked before the provider was, so that it costs no turn of its own; the commit looks again.
fn reuse(
    vault: &Inner,
    id: &ConnectionId,
    Holders { twins, others }: Holders,
) -> Result<(Vec<ConnectionId>, bool), Error> {
    if twins.iter().any(|twin| twin.status == Status::Suspected) {
        return Err(ErrorKind::Suspected.into());
    }
    let told = vault.tell_other_tenants(id, others);
    Ok((twins.into_iter().map(|twin| twin.id).collect(), told))
}

pub(crate) async fn prepare_replace(
    vault: &Arc<Inner>,
    id: &ConnectionId,
    provider: &dyn Provider,
    token: &Arc<ApiToken>,
) -> Result<PreparedChange, Error> {
    // A handle by an id may be of a set.
    check_connection(id.clone())?;
    let fingerprint = vault.keys.fingerprints.of(&provider.spec().origin, PayloadKind::ApiToken, token);
    let (before, holders) = vault.load_with_holders(id, &fingerprint).await?;
    let before = before.filter(Record::is_live).ok_or(ErrorKind::NotConnected)?;
    same_provider(&before, provider)?;
    // Its age would begin anew, and who then deletes "the old one" deletes both.
    if before.sealed.as_ref().is_some_and(|sealed| sealed.fingerprint == fingerprint) {
        return Err(ErrorKind::SameToken.into());
    }
    let account = check(provider, token).await?;
    if before.account.as_ref().map(Account::id) != Some(account.id()) {
        return Err(ErrorKind::OtherAccount.into());
    }
    let (reused, told) = reuse(vault, id, holders)?;
    let mut record = before.clone();
    record.secret_version = before.secret_version.next();
    record.sealed = Some(vault.seal(id, &TokenPlace::of(&record), token).await?);
    record.status = Status::Active;
    record.account = Some(account.clone());
    record.token_set_at = vault.now();
    record.expires_at = None;
    let change = vault.change(Some(&before), record, Action::Replaced);
    Ok(PreparedChange { vault: Arc::clone(vault), change, moved: OnceLock::new(), account, reused, told })
}

/// A record's token may be sent to its own provider alone.
pub(crate) fn same_provider(record: &Record, provider: &dyn Provider) -> Result<(), Error> {
    let spec = provider.spec();
    if record.provider == spec.name && record.origin == spec.origin {
        Ok(())
    } else {
        Err(Error::new(ErrorKind::Misuse).because("the connection is of another provider"))
    }
}

/// Asks the provider about a token that is not kept yet. A credential that the provider held on to is worth nothing once
/// the token is dropped.
async fn check(provider: &dyn Provider, token: &Arc<ApiToken>) -> Result<Account, Error> {
    let credential = Credential::lent(provider.spec().origin.clone(), token);
    provider.check(&credential).await
}
