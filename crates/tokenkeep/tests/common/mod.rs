//! A vault over the in-memory store, and a provider that answers as it is told, without a network.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tempfile::TempDir;
use tokenkeep::{
    Account, ApiToken, AuditChain, AuditEntry, AuditHead, Change, Checkpoint, CheckpointSink, Clock,
    ConnectionId, Credential, Error, ErrorKind, LocalKeyring, MemoryStore, Origin, Provider, ProviderSpec,
    Receipt, Scrub, Timestamp, TokenStore, Use, Vault,
};
use tokenkeep_core::KekId;
use tokenkeep_store::{
    AtProvider, Counted, KekClosure, PausedRecord, ProbeLease, ProbeTurn, PurgeLease, Record, Scan,
    StoredCheckpoint, TokenSet, VaultRecord,
};

/// A provider that answers as it is told. It asks for the token, as a transport would, and keeps the last one.
#[derive(Debug)]
pub(crate) struct Scripted {
    spec: ProviderSpec,
    answer: Mutex<Result<Account, ErrorKind>>,
    pub(crate) asked: Mutex<Vec<String>>,
}

impl Scripted {
    pub(crate) fn new() -> Self {
        Self::named("apify", "https://api.apify.com")
    }

    pub(crate) fn named(name: &str, origin: &str) -> Self {
        Self {
            spec: ProviderSpec::new(name.parse().unwrap(), Origin::parse(origin).unwrap()),
            answer: Mutex::new(Ok(account("user-1"))),
            asked: Mutex::default(),
        }
    }

    pub(crate) fn answer(&self, answer: Result<Account, ErrorKind>) {
        *self.answer.lock().unwrap() = answer;
    }
}

#[async_trait]
impl Provider for Scripted {
    fn spec(&self) -> &ProviderSpec {
        &self.spec
    }

    async fn check(&self, credential: &Credential) -> Result<Account, Error> {
        let issued = credential.issue(Use::at(&self.spec)).await?;
        self.asked.lock().unwrap().push(issued.token.expose_secret().to_owned());
        tokio::task::yield_now().await;
        self.answer.lock().unwrap().clone().map_err(Error::new)
    }
}

pub(crate) fn account(id: &str) -> Account {
    Account::new(id, format!("name of {id}")).unwrap()
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_800_000_000_000)))
    }

    pub(crate) fn advance(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// A vault and all that a second instance of it needs.
pub(crate) struct Fixture {
    pub(crate) folder: TempDir,
    pub(crate) keys: LocalKeyring,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) provider: Scripted,
    pub(crate) vault: Vault,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = LocalKeyring::create(folder.path().join("keys/keyring")).unwrap();
        let store = Arc::new(MemoryStore::new());
        let clock = TestClock::new();
        let vault = open(&store, &keys, &clock).await;
        Self { folder, keys, store, clock, provider: Scripted::new(), vault }
    }

    /// Another process on the same database and keys.
    pub(crate) async fn second_instance(&self) -> Vault {
        open(&self.store, &self.keys, &self.clock).await
    }
}

async fn open(store: &Arc<MemoryStore>, keys: &LocalKeyring, clock: &Arc<TestClock>) -> Vault {
    Vault::options().clock(Arc::clone(clock)).open(Arc::clone(store), keys.clone()).await.unwrap()
}

pub(crate) fn token(text: &str) -> ApiToken {
    ApiToken::new(text.to_owned()).unwrap()
}

/// The token that a credential gives for this provider.
pub(crate) async fn give(credential: &Credential, provider: &Scripted) -> Result<String, ErrorKind> {
    let issued = credential.issue(Use::at(provider.spec())).await.map_err(|error| error.kind())?;
    Ok(issued.token.expose_secret().to_owned())
}

/// The receipts of interrupted disconnects, none of which was altered.
pub(crate) async fn finish(vault: &Vault) -> Vec<Receipt> {
    let finished = vault.finish_disconnects().await.unwrap();
    finished.into_iter().map(|finished| finished.receipt.unwrap()).collect()
}

/// A store whose next commit fails, as one does when the database is gone for a moment, or whose next read is slow to
/// come back. What verification reads takes a moment, and fails as often as it is told.
#[derive(Debug)]
pub(crate) struct Unsteady {
    pub(crate) steady: Arc<MemoryStore>,
    pub(crate) fails: AtomicBool,
    /// The next commit is made, and its answer lost.
    pub(crate) loses_answer: AtomicBool,
    pub(crate) lags: AtomicBool,
    /// The next read of a record takes a moment to begin.
    pub(crate) hesitates: AtomicBool,
    /// The next read of a record finds one that can't be read.
    pub(crate) unreadable: AtomicBool,
    /// What the vault's own row does: 0 is as usual, 1 fails, 2 hangs, 3 is another vault's.
    pub(crate) vault_row: AtomicU8,
    /// It says that it takes no writes.
    pub(crate) takes_no_writes: AtomicBool,
    /// What it says of the trail's heads in place of the truth.
    pub(crate) heads: Mutex<Option<Vec<AuditHead>>>,
    pub(crate) reads: AtomicUsize,
    /// What is done to each entry of the trail that is read.
    pub(crate) forge: Mutex<Option<fn(&mut AuditEntry)>>,
    /// Each so-manieth read of the trail, a scan or a checkpoint fails; 0 for none.
    pub(crate) hiccup: AtomicUsize,
}

impl Unsteady {
    pub(crate) fn new(steady: &Arc<MemoryStore>) -> Arc<Self> {
        let (fails, lags) = (AtomicBool::new(false), AtomicBool::new(false));
        let (reads, hiccup) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self {
            steady: Arc::clone(steady),
            fails,
            loses_answer: AtomicBool::new(false),
            lags,
            hesitates: AtomicBool::new(false),
            unreadable: AtomicBool::new(false),
            vault_row: AtomicU8::new(0),
            takes_no_writes: AtomicBool::new(false),
            heads: Mutex::default(),
            forge: Mutex::default(),
            reads,
            hiccup,
        })
    }

    async fn read(&self) -> Result<(), Error> {
        tokio::task::yield_now().await;
        let (reads, hiccup) = (self.reads.fetch_add(1, Ordering::SeqCst), self.hiccup.load(Ordering::SeqCst));
        if hiccup > 0 && reads % hiccup == 0 { Err(ErrorKind::StoreUnavailable.into()) } else { Ok(()) }
    }
}

#[async_trait]
impl TokenStore for Unsteady {
    async fn vault(&self) -> Result<Option<VaultRecord>, Error> {
        let mut found = self.steady.vault().await?;
        match self.vault_row.load(Ordering::SeqCst) {
            1 => return Err(ErrorKind::StoreUnavailable.into()),
            2 => std::future::pending().await,
            3 => found.iter_mut().for_each(|vault| vault.id = tokenkeep_core::VaultId::from_bytes([7; 16])),
            _ => {}
        }
        Ok(found)
    }

    async fn init_vault(&self, vault: &VaultRecord) -> Result<VaultRecord, Error> {
        self.steady.init_vault(vault).await
    }

    async fn record(&self, id: &ConnectionId) -> Result<Option<Record>, Error> {
        if self.hesitates.swap(false, Ordering::SeqCst) {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        if self.unreadable.swap(false, Ordering::SeqCst) {
            return Err(ErrorKind::Tampered.into());
        }
        let record = self.steady.record(id).await;
        if self.lags.swap(false, Ordering::SeqCst) {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        record
    }

    async fn scan(
        &self,
        scan: &Scan,
        after: Option<&ConnectionId>,
        limit: u32,
    ) -> Result<Vec<Record>, Error> {
        self.read().await?;
        self.steady.scan(scan, after, limit).await
    }

    async fn tokens_set(
        &self,
        during: Range<Timestamp>,
        after: Option<&TokenSet>,
        limit: u32,
    ) -> Result<Vec<Record>, Error> {
        tokio::task::yield_now().await;
        if self.fails.swap(false, Ordering::SeqCst) {
            return Err(ErrorKind::StoreUnavailable.into());
        }
        self.steady.tokens_set(during, after, limit).await
    }

    async fn commit(&self, changes: &[Change], chain: &AuditChain) -> Result<(), Error> {
        if self.fails.swap(false, Ordering::SeqCst) {
            return Err(ErrorKind::StoreUnavailable.into());
        }
        self.steady.commit(changes, chain).await?;
        if self.loses_answer.swap(false, Ordering::SeqCst) {
            return Err(ErrorKind::StoreUnavailable.into());
        }
        Ok(())
    }

    async fn paused(
        &self,
        at: &AtProvider,
        due: RangeInclusive<Timestamp>,
        after: Option<&ProbeTurn>,
        limit: u32,
    ) -> Result<Vec<PausedRecord>, Error> {
        self.steady.paused(at, due, after, limit).await
    }

    async fn count(&self, at: &AtProvider, which: &Counted, limit: u32) -> Result<u32, Error> {
        self.steady.count(at, which, limit).await
    }

    async fn lease_probe(&self, id: &ConnectionId, lease: &ProbeLease) -> Result<bool, Error> {
        let leased = self.steady.lease_probe(id, lease).await?;
        if leased {
            // Whoever was refused goes on meanwhile.
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        Ok(leased)
    }

    async fn lease_purge(&self, id: &ConnectionId, lease: &PurgeLease) -> Result<bool, Error> {
        self.steady.lease_purge(id, lease).await
    }

    async fn rewrap_vault(
        &self,
        before: &VaultRecord,
        after: &VaultRecord,
        kek: &KekId,
    ) -> Result<(), Error> {
        self.steady.rewrap_vault(before, after, kek).await
    }

    async fn close_kek(&self, kek: &KekId, now: Timestamp) -> Result<KekClosure, Error> {
        self.steady.close_kek(kek, now).await
    }

    async fn kek_closure(&self, kek: &KekId) -> Result<Option<KekClosure>, Error> {
        self.steady.kek_closure(kek).await
    }

    async fn note_drained(&self, kek: &KekId, now: Option<Timestamp>) -> Result<KekClosure, Error> {
        self.steady.note_drained(kek, now).await
    }

    async fn audit_heads(&self) -> Result<Vec<AuditHead>, Error> {
        self.read().await?;
        let instead = self.heads.lock().unwrap().clone();
        match instead {
            Some(heads) => Ok(heads),
            None => self.steady.audit_heads().await,
        }
    }

    async fn audit_entries(&self, shard: u16, after: u64, limit: u32) -> Result<Vec<AuditEntry>, Error> {
        self.read().await?;
        let mut entries = self.steady.audit_entries(shard, after, limit).await?;
        if let Some(forge) = *self.forge.lock().unwrap() {
            entries.iter_mut().for_each(forge);
        }
        Ok(entries)
    }

    async fn checkpoint(&self) -> Result<Option<StoredCheckpoint>, Error> {
        self.read().await?;
        self.steady.checkpoint().await
    }

    async fn put_checkpoint(&self, checkpoint: &StoredCheckpoint) -> Result<(), Error> {
        if self.fails.swap(false, Ordering::SeqCst) {
            return Err(ErrorKind::StoreUnavailable.into());
        }
        self.steady.put_checkpoint(checkpoint).await
    }

    async fn writable(&self) -> Result<(), Error> {
        if self.takes_no_writes.load(Ordering::SeqCst) {
            return Err(ErrorKind::StoreUnavailable.into());
        }
        self.steady.writable().await
    }

    async fn scrub(&self) -> Result<Scrub, Error> {
        self.steady.scrub().await
    }
}

/// A sink in memory, which keeps one of each number and takes a moment for it.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    kept: Mutex<BTreeMap<u64, String>>,
    /// The next delivery fails.
    pub(crate) fails: AtomicBool,
    /// It does not say what it keeps: 1 fails, 2 hangs.
    pub(crate) silent: AtomicU8,
}

impl Sink {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// All notes, in order.
    pub(crate) fn kept(&self) -> Vec<String> {
        self.kept.lock().unwrap().values().cloned().collect()
    }

    /// What someone who can write to the sink does: leaves it these.
    pub(crate) fn holds(&self, notes: &[String]) {
        *self.kept.lock().unwrap() = (1..).zip(notes.iter().cloned()).collect();
    }
}

#[async_trait]
impl CheckpointSink for Sink {
    async fn deliver(&self, checkpoint: &Checkpoint) -> Result<(), Error> {
        tokio::task::yield_now().await;
        if self.fails.swap(false, Ordering::SeqCst) {
            return Err(ErrorKind::SinkUnavailable.into());
        }
        let mut kept = self.kept.lock().unwrap();
        let last = kept.last_key_value().map_or(0, |(number, _)| *number);
        let number = checkpoint.number();
        assert!(kept.is_empty() || number <= last + 1, "out of order: {number} behind {last}");
        let note = kept.entry(number).or_insert_with(|| checkpoint.note().to_owned());
        if note == checkpoint.note() { Ok(()) } else { Err(ErrorKind::Tampered.into()) }
    }

    async fn last(&self) -> Result<Option<String>, Error> {
        tokio::task::yield_now().await;
        match self.silent.load(Ordering::SeqCst) {
            1 => return Err(ErrorKind::SinkUnavailable.into()),
            2 => std::future::pending().await,
            _ => {}
        }
        Ok(self.kept.lock().unwrap().values().next_back().cloned())
    }
}
