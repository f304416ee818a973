//! The two records of a set, made, changed and opened together.

use tokenkeep_core::{
    Error, ErrorKind, Incarnation, PayloadKind, ProviderSpec, Revision, SecretVars, SecretVersion,
    fill_random,
};
use tokenkeep_store::{Action, Change, Purge, Record, Status, Timestamp};

use super::change::EnvChange;
use super::index::{Index, IndexedVar};
use super::names::{SetIds, absent};
use super::status::SecretEnvStatus;
use crate::inner::{Inner, TokenPlace, of_kind};
use crate::purge::purge;

/// How often something is done anew when the set changes under it.
const TRIES: usize = 16;

/// A set as it is kept: both records, checked, and what the index says.
pub(crate) struct Pair {
    pub(crate) values: Record,
    pub(crate) record: Record,
    pub(crate) index: Index,
}

/// The records of a set, checked: both are live, or none is.
pub(crate) struct Halves {
    pub(crate) values: Option<Record>,
    pub(crate) index: Option<Record>,
}

impl Halves {
    async fn read(vault: &Inner, ids: &SetIds) -> Result<Self, Error> {
        let index = vault.load(&ids.index).await?;
        Ok(Self { values: vault.load(&ids.values).await?, index })
    }

    fn live(&self) -> [Option<&Record>; 2] {
        [&self.values, &self.index].map(|half| half.as_ref().filter(|record| record.is_live()))
    }

    /// Whether they can be what one commit left.
    fn fit(&self) -> bool {
        match self.live() {
            [None, None] => true,
            [Some(values), Some(index)] => {
                (&values.provider, &values.origin, values.incarnation)
                    == (&index.provider, &index.origin, index.incarnation)
            }
            _ => false,
        }
    }
}

/// Looks at two records that do not fit. Between the two reads a change may have been committed. Found twice, they stood side by side: no
/// commit leaves them so.
#[derive(Default)]
struct Looks(Option<[Option<Revision>; 2]>);

impl Looks {
    fn again(&mut self, at: &Halves) -> Result<(), Error> {
        let seen = [&at.values, &at.index].map(|half| half.as_ref().map(|record| record.revision));
        if self.0.replace(seen) != Some(seen) {
            return Ok(());
        }
        let detail = match at.live() {
            [Some(_), Some(_)] => "a set's values and its index are of two versions",
            _ => "one of a set's two records is missing, or was ended without the other one",
        };
        Err(Error::new(ErrorKind::Tampered).because(detail))
    }
}

/// The two records as they stand.
pub(crate) async fn halves(vault: &Inner, ids: &SetIds) -> Result<Halves, Error> {
    let mut looks = Looks::default();
    for _ in 0..TRIES {
        let halves = Halves::read(vault, ids).await?;
        if halves.fit() {
            return Ok(halves);
        }
        looks.again(&halves)?;
    }
    Err(ErrorKind::Conflict.into())
}

/// The set as it is now: two records that were written together.
pub(crate) async fn pair(vault: &Inner, ids: &SetIds) -> Result<Pair, Error> {
    let mut looks = Looks::default();
    for _ in 0..TRIES {
        let halves = halves(vault, ids).await?;
        let [Some(values), Some(record)] = halves.live() else { return Err(absent(&ids.values)) };
        of_kind(values, PayloadKind::EnvVars)?;
        let index = open_index(vault, ids, record).await?;
        if index.values == values.secret_version.get() {
            return Ok(Pair { values: values.clone(), record: record.clone(), index });
        }
        looks.again(&halves)?;
    }
    Err(ErrorKind::Conflict.into())
}

/// The index alone.
pub(crate) async fn indexed(vault: &Inner, ids: &SetIds) -> Result<(Record, Index), Error> {
    let record = vault.live(&ids.index).await?;
    let index = open_index(vault, ids, &record).await?;
    Ok((record, index))
}

async fn open_index(vault: &Inner, ids: &SetIds, record: &Record) -> Result<Index, Error> {
    let payload = vault.open_payload(&ids.index, record, PayloadKind::EnvIndex).await?;
    Index::from_payload(&payload).ok_or_else(illegible)
}

/// The values of a set, which must be those that its index knows.
async fn values(vault: &Inner, ids: &SetIds, pair: &Pair) -> Result<SecretVars, Error> {
    let payload = vault.open_payload(&ids.values, &pair.values, PayloadKind::EnvVars).await?;
    let vars = SecretVars::from_payload(&payload).ok_or_else(illegible)?;
    let fits = |name: &str| {
        let known = pair.index.vars.get(name).map(|var| var.fingerprint);
        let value = vars.expose_secret(name).unwrap_or_default();
        known == Some(vault.keys.fingerprints.of_variable(&ids.values, name, value))
    };
    if vars.len() != pair.index.vars.len() || !vars.names().all(fits) {
        return Err(
            Error::new(ErrorKind::Tampered).because("a set's values are not those that its index knows")
        );
    }
    Ok(vars)
}

fn illegible() -> Error {
    Error::new(ErrorKind::Tampered).because("what was sealed is not of the form that a set has")
}

pub(crate) async fn create(
    vault: &Inner,
    ids: &SetIds,
    spec: &ProviderSpec,
    vars: &SecretVars,
) -> Result<SecretEnvStatus, Error> {
    for _ in 0..TRIES {
        let Halves { values: values_before, index: index_before } = halves(vault, ids).await?;
        if values_before.as_ref().is_some_and(Record::is_live) {
            return Err(Error::new(ErrorKind::AlreadyConnected).of_variables());
        }
        if let Some(tombstone) = values_before.as_ref().filter(|before| before.purge == Purge::Pending) {
            if !purge(vault, tombstone).await.complete {
                return Err(ErrorKind::PurgePending.into());
            }
            // Another look: while the hooks ran, another process may have made the set.
            continue;
        }
        let (now, version) = (vault.now(), SecretVersion::FIRST);
        let incarnation = Incarnation::random()?;
        let mut index = Index { values: version.get(), ..Index::default() };
        set_vars(vault, ids, &mut index, vars, version, now);
        let record = |of: &tokenkeep_core::ConnectionId, kind| Record {
            id: of.clone(),
            provider: spec.name.clone(),
            origin: spec.origin.clone(),
            kind,
            incarnation,
            secret_version: version,
            revision: Revision::FIRST,
            status: Status::Active,
            sealed: None,
            account: None,
            connected_at: now,
            token_set_at: now,
            updated_at: now,
            expires_at: None,
            paused_at: None,
            purge: Purge::NotDue,
            mac: [0; 32],
        };
        let mut values = record(&ids.values, PayloadKind::EnvVars);
        seal(vault, &mut values, &vars.to_payload()).await?;
        let mut record = record(&ids.index, PayloadKind::EnvIndex);
        seal_index(vault, &mut record, &mut index, None).await?;
        let changes = [
            vault.change(values_before.as_ref(), values, Action::Connected),
            vault.change(index_before.as_ref(), record, Action::Connected),
        ];
        match vault.commit(&changes).await {
            Ok(()) => return SecretEnvStatus::of_changes(ids, &changes),
            Err(error) if error.kind() == ErrorKind::Conflict => vault.key_provider.refresh().await?,
            // Its answer may have been lost.
            Err(error) if error.kind() == ErrorKind::StoreUnavailable => {
                let made = vault.load(&ids.values).await.ok().flatten();
                let mine = changes[0].record.as_ref().map(|step| &step.record);
                if made.is_some() && made.as_ref() == mine {
                    return SecretEnvStatus::of_changes(ids, &changes);
                }
                return Err(error);
            }
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::Conflict.into())
}

pub(crate) async fn change(
    vault: &Inner,
    ids: &SetIds,
    change: &EnvChange,
) -> Result<SecretEnvStatus, Error> {
    for _ in 0..TRIES {
        let pair = pair(vault, ids).await?;
        let differs = |name: &str| {
            let value = change.set.expose_secret(name)?;
            let fingerprint = vault.keys.fingerprints.of_variable(&ids.values, name, value);
            let known = pair.index.vars.get(name).map(|var| var.fingerprint);
            (known != Some(fingerprint)).then(|| name.to_owned())
        };
        let set: Vec<String> = change.set.names().filter_map(differs).collect();
        let removed: Vec<&String> =
            change.removed.iter().filter(|name| pair.index.vars.contains_key(*name)).collect();
        let suspected = pair.values.status == Status::Suspected;
        let stays = |name: &&String| !set.contains(*name) && !removed.contains(name);
        if suspected && pair.index.vars.keys().any(|name| stays(&name)) {
            return Err(Error::new(ErrorKind::Suspected)
                .of_variables()
                .because("replace or remove all values of the set in one change"));
        }
        if set.is_empty() && removed.is_empty() && !suspected {
            return Ok(SecretEnvStatus::of(ids, &pair.values, pair.record.token_set_at));
        }
        // Of values that may have leaked none is taken over, so none is opened.
        let mut vars = if suspected { SecretVars::new() } else { values(vault, ids, &pair).await? };
        for name in set.iter().chain(removed.iter().copied()) {
            vars.remove(name);
        }
        for name in &set {
            vars.set(name, change.set.expose_secret(name).unwrap_or_default().to_owned())?;
        }
        let (now, version) = (vault.now(), pair.values.secret_version.next());
        let mut index = pair.index.clone();
        index.values = version.get();
        index.vars.retain(|name, _| vars.expose_secret(name).is_some());
        index.forget_removed();
        set_vars(vault, ids, &mut index, &vars, version, now);
        let mut values = Record { secret_version: version, ..pair.values.clone() };
        // A leak that ended since one of the values was set may have that one.
        values.token_set_at = index.vars.values().map(|var| var.changed_at).min().unwrap_or(now);
        values.status = Status::Active;
        seal(vault, &mut values, &vars.to_payload()).await?;
        let before = Record { token_set_at: now, ..pair.record.clone() };
        let record = next_index(vault, &before, &mut index, None).await?;
        let changes = [
            vault.change(Some(&pair.values), values, Action::Replaced),
            vault.change(Some(&pair.record), record, Action::Replaced),
        ];
        match vault.commit(&changes).await {
            Ok(()) => return SecretEnvStatus::of_changes(ids, &changes),
            // Somebody changed it, or the KEK was closed.
            Err(error) if error.kind() == ErrorKind::Conflict => vault.key_provider.refresh().await?,
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::Conflict.into())
}

/// Notes which of these values differ from what the index knows, as of this version.
fn set_vars(
    vault: &Inner,
    ids: &SetIds,
    index: &mut Index,
    vars: &SecretVars,
    version: SecretVersion,
    now: Timestamp,
) {
    for name in vars.names() {
        let value = vars.expose_secret(name).unwrap_or_default();
        let fingerprint = vault.keys.fingerprints.of_variable(&ids.values, name, value);
        if index.vars.get(name).map(|var| var.fingerprint) != Some(fingerprint) {
            let var = IndexedVar { changed_in: version, changed_at: now, fingerprint };
            index.vars.insert(name.to_owned(), var);
        }
    }
}

/// The values of a set, on record as a use, and the pair that they are of. As a token's: what was read is read again once they are open.
pub(crate) async fn open(vault: &Inner, ids: &SetIds) -> Result<(Pair, SecretVars), Error> {
    for _ in 0..TRIES {
        let pair = pair(vault, ids).await?;
        permit(&pair.values)?;
        let entry = vault.entry(&pair.values, Action::Used);
        // On record before the key is even asked for.
        vault.commit(&[Change { record: None, entry }]).await?;
        let vars = values(vault, ids, &pair).await?;
        // A removal, a suspicion or a change may have been committed and told meanwhile.
        let now = vault.live(&ids.values).await?;
        permit(&now)?;
        if (now.incarnation, now.secret_version) == (pair.values.incarnation, pair.values.secret_version) {
            return Ok((pair, vars));
        }
    }
    Err(ErrorKind::Conflict.into())
}

pub(crate) fn permit(values: &Record) -> Result<(), Error> {
    match values.status {
        Status::Active => Ok(()),
        Status::Suspected => Err(Error::new(ErrorKind::Suspected).of_variables()),
        Status::Disconnected => Err(absent(&values.id)),
        // No provider refuses a set.
        Status::Paused | Status::Revoked => Err(ErrorKind::Internal.into()),
    }
}

/// The record with this index in it, as its next version. It keeps the time at which the values changed last.
pub(crate) async fn next_index(
    vault: &Inner,
    before: &Record,
    index: &mut Index,
    keep: Option<&str>,
) -> Result<Record, Error> {
    let mut record = Record { secret_version: before.secret_version.next(), ..before.clone() };
    seal_index(vault, &mut record, index, keep).await?;
    Ok(record)
}

async fn seal_index(
    vault: &Inner,
    record: &mut Record,
    index: &mut Index,
    keep: Option<&str>,
) -> Result<(), Error> {
    let payload = index.fitted(keep, vault.now()).ok_or_else(|| {
        Error::new(ErrorKind::Conflict).because("the set is applied to too many targets at the same time")
    })?;
    seal(vault, record, &payload).await
}

/// Seals what a record holds, with a fingerprint that tells nothing: equal sets must not look equal.
async fn seal(vault: &Inner, record: &mut Record, payload: &[u8]) -> Result<(), Error> {
    let mut fingerprint = [0; 32];
    fill_random(&mut fingerprint)?;
    let sealed = vault.seal_payload(&record.id, &TokenPlace::of(record), payload, fingerprint).await?;
    record.sealed = Some(sealed);
    Ok(())
}
