//! How a vault is opened.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokenkeep_core::{Error, ErrorKind};
use tokenkeep_keys::KeyProvider;
use tokenkeep_store::TokenStore;

use crate::checkpoint::CheckpointSink;
use crate::clock::{Clock, SystemClock};
use crate::high_water::HighWater;
use crate::inner::Inner;
use crate::observe::{Observer, Operation, Watch};
use crate::probe::Probe;
use crate::purge::{Hooks, PurgeHook};
use crate::replacement::{DAY, ReplacementPolicy};
use crate::suspicion::Providers;
use crate::uses::Uses;
use crate::vault::Vault;
use crate::vault_keys::{self, TenantNames};

/// How a vault is opened. Made by [`Vault::options`].
#[derive(Debug, Default)]
#[must_use]
pub struct VaultOptions {
    strict_audit: bool,
    keys_beside_database: bool,
    clock: Option<Arc<dyn Clock>>,
    hooks: Hooks,
    watch: Watch,
    pseudonymous: bool,
    replace_every: Option<u32>,
    replace_warning: Option<u32>,
    sink: Option<Arc<dyn CheckpointSink>>,
    keks_end_within: Option<u32>,
}

impl VaultOptions {
    /// Every single use is written to the audit trail before its token is given, not only the first of each minute.
    /// Costs one commit for each use.
    pub fn strict_audit(mut self) -> Self {
        self.strict_audit = true;
        self
    }

    /// Clears something that the application cached, whenever a connection is disconnected. The name is shown in the
    /// receipt. All processes that serve customers must register the same hooks: [`PurgeHook`] says why, and how a new one is
    /// rolled out.
    pub fn on_disconnect(mut self, name: &'static str, hook: impl PurgeHook + 'static) -> Self {
        self.hooks.add(name, Arc::new(hook));
        self
    }

    /// Says that other processes register this vault's hooks, and this one, a job, has none: what it disconnects waits for one
    /// of them, which runs the hooks in [`Vault::finish_disconnects`], and is not connected anew before. Without this, a
    /// process that has no hooks takes it that nobody has any: the connections that it disconnects count as finished. Hooks
    /// that another process left pending it leaves alone either way.
    pub fn hooks_elsewhere(mut self) -> Self {
        self.hooks.elsewhere = true;
        self
    }

    /// Says that no process of this vault registers any hook. [`Vault::finish_disconnects`] then finishes what is pending without
    /// any, where a process that says nothing leaves it to one that has hooks: what was left when the last hook was removed, and
    /// what [`discard_tampered`](crate::Connection::discard_tampered) can't know better. Said by mistake, what other processes
    /// cached for a former account is still there when the next one is connected.
    pub fn hooks_nowhere(mut self) -> Self {
        self.hooks.nowhere = true;
        self
    }

    /// Tokens should be replaced once they are this many days old, from 1 to 3650; 90 if nothing is said. An older one is
    /// reported ([`ConnectionStatus::replacement`](crate::ConnectionStatus::replacement), [`Vault::overdue`]) and still used.
    pub fn replace_every(mut self, days: u32) -> Self {
        self.replace_every = Some(days);
        self
    }

    /// A token is due ([`Vault::due`]) this many days before the date by which it should be replaced; 14 if nothing is said,
    /// or half of a period that is shorter than 28 days. Must be fewer than the days of [`replace_every`](Self::replace_every).
    pub fn replace_warning(mut self, days: u32) -> Self {
        self.replace_warning = Some(days);
        self
    }

    /// Is told of everything that the vault does: for metrics.
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.watch = Watch::new(Arc::new(observer));
        self
    }

    /// Keeps pseudonyms in place of tenants' names: HMAC-SHA-256 of the name, under a key of the vault's own, in records,
    /// audit entries and encryption contexts alike. Whoever has the database can't tell whose connections it holds, nor try
    /// out names. The names of connections and of the provider's accounts stay as they are.
    ///
    /// It is decided when the vault is made, and sealed with its keys: nobody who writes to the database changes it. Said at a
    /// later opening, it only asks for it: a vault that keeps real names is then refused with `Misuse`.
    ///
    /// Wherever a method takes a tenant, it takes the real name. Every [`ConnectionId`](crate::ConnectionId) that the vault gives (in a status, a
    /// receipt, a list, a hook, an audit entry) has the pseudonym, since the vault knows no more:
    /// [`Vault::tenant_id`] tells a name's pseudonym, and [`Vault::connection_of`] takes such an id.
    pub fn pseudonymous_tenants(mut self) -> Self {
        self.pseudonymous = true;
        self
    }

    /// Where the audit trail's checkpoints go: somewhere that whoever can write to the database can't write to, and the
    /// same place for all instances. A file in the database's folder is refused when the vault is opened. Make them with [`Vault::checkpoint_every`].
    pub fn checkpoints(mut self, sink: impl CheckpointSink + 'static) -> Self {
        self.sink = Some(Arc::new(sink));
        self
    }

    /// Says by what date the receipts of disconnects may expect that older backups open no more: every KEK is destroyed at most this
    /// many days after it was made, from 1 to 3650. That is the operator's plan, to make and to keep by rotating and
    /// [retiring](Vault::retire) in time; nobody here checks it. So the days are those for which an epoch is active, and all that retiring
    /// it waits for, the service's own time to destroy a key too, with some to spare.
    ///
    /// Not for keys in a file: a file can be copied, and no date can be told.
    pub fn keks_end_within(mut self, days: u32) -> Self {
        self.keks_end_within = Some(days);
        self
    }

    /// Another clock, for tests.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Opens the vault although its key file lies beside its database. Whoever gets a copy of that folder then has both,
    /// and the encryption protects nothing. For trying things out.
    pub fn dangerous_keys_beside_database(mut self) -> Self {
        self.keys_beside_database = true;
        self
    }

    /// Opens the vault in this database with these keys; makes it if the database holds none yet.
    ///
    /// # Errors
    /// `KeysWrong` when the keys are not this vault's; `Tampered` when the vault's own row or one of its keys was altered or
    /// removed in the database; `KeysInsecure` when they lie beside the database; `StoreUnusable`
    /// for a database of a newer schema; `Misuse` for options that can't be; `StoreUnavailable` and `KeysUnavailable` when one of them does not answer.
    ///
    /// # Cancellation
    /// Safe: a dropped call made the vault or did not, and opening it again finds out.
    pub async fn open(
        self,
        store: impl TokenStore + 'static,
        keys: impl KeyProvider + 'static,
    ) -> Result<Vault, Error> {
        let watch = self.watch.clone();
        watch.over(Operation::Open, None, self.open_unwatched(store, keys)).await
    }

    async fn open_unwatched(
        self,
        store: impl TokenStore + 'static,
        keys: impl KeyProvider + 'static,
    ) -> Result<Vault, Error> {
        let replacement = ReplacementPolicy::new(self.replace_every, self.replace_warning)?;
        if self.hooks.contradict() {
            return Err(Error::new(ErrorKind::Misuse).because(
                "hooks are registered here, said to be elsewhere, or said to be nowhere: only one of these can be",
            ));
        }
        let keks_end_within = planned(self.keks_end_within, &keys)?;
        if !self.keys_beside_database && beside(store.database_file(), keys.key_file()) {
            return Err(Error::new(ErrorKind::KeysInsecure)
                .because("the key file lies in the database's folder, or the other way round; keep them in separate folders"));
        }
        if beside(store.database_file(), self.sink.as_ref().and_then(|sink| sink.file())) {
            return Err(Error::new(ErrorKind::Misuse)
                .because("the checkpoints' file lies in the database's folder, or the other way round; they would be put back together"));
        }
        let record = match store.vault().await? {
            Some(record) => record,
            None => store.init_vault(&vault_keys::make(&keys, self.pseudonymous).await?).await?,
        };
        let vault_keys = vault_keys::open(&record, &keys).await?;
        if self.pseudonymous && matches!(vault_keys.tenants, TenantNames::Clear) {
            return Err(Error::new(ErrorKind::Misuse).because(
                "the vault was made with tenants' names in the clear; they can't become pseudonyms",
            ));
        }
        tracing::debug!(vault = %record.id, "vault opened");
        Ok(Vault::new(Inner {
            id: record.id,
            probe: Probe::new(record.id)?,
            providers: Providers::default(),
            store: Arc::new(store),
            key_provider: Arc::new(keys),
            keys: vault_keys,
            clock: self.clock.unwrap_or_else(|| Arc::new(SystemClock)),
            hooks: self.hooks,
            sink: self.sink,
            uses: Uses::new(self.strict_audit),
            seen: HighWater::default(),
            watch: self.watch,
            replacement,
            keks_end_within,
        }))
    }
}

/// The plan for the end of KEKs.
fn planned(days: Option<u32>, keys: &impl KeyProvider) -> Result<Option<Duration>, Error> {
    let refused = |detail| Err(Error::new(ErrorKind::Misuse).because(detail));
    match days {
        None => Ok(None),
        Some(_) if keys.key_file().is_some() => {
            refused("keys in a file can be copied: no date can be told by which nobody has them")
        }
        Some(days @ 1..=3650) => Ok(Some(DAY * days)),
        Some(_) => refused("a KEK is destroyed after 1 to 3650 days"),
    }
}

/// Whether a folder that is copied whole holds both. Links are followed as far as the paths exist.
fn beside(database: Option<&Path>, other: Option<&Path>) -> bool {
    let folder = |file: &Path| file.canonicalize().ok().and_then(|file| file.parent().map(Path::to_owned));
    let folders = database.and_then(folder).zip(other.and_then(folder));
    folders.is_some_and(|(database, other)| other.starts_with(&database) || database.starts_with(&other))
}
