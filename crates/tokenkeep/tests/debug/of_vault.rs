//! tokenkeep itself, through the life of a connection that holds a token, and tokenkeep-sql's SQLite under it.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokenkeep::apify::{self, Apify, Boundary, Class, Retries};
use tokenkeep::{
    CheckpointFile, ConnectionId, Credential, DueConnections, EnvChange, Error, Incarnation, Incident,
    LocalKeyring, MemoryStore, Observed, Observer, Origin, PurgeHook, Receipt, SecretCommand, SecretVars,
    SqliteEpochStore, SqliteStore, Timestamp, TokenStore, Vault,
};
use tokenkeep_store::Scan;
use tokenkeep_testkit::{Access, ApifyStandIn, Fault, Run};

use crate::Secrets;
use crate::of_store;
use crate::shown::{Shown, show, show_small};

/// What an observer is told, shown while it is told.
#[derive(Default)]
struct Watch(Mutex<Shown>);

impl Observer for Watch {
    fn operation(&self, done: &Observed<'_>) {
        show!(self.0.lock().unwrap(), tokenkeep::Observed<'_>: *done);
    }

    fn incident(&self, incident: &Incident<'_>) {
        show!(self.0.lock().unwrap(), tokenkeep::Incident<'_>: *incident);
    }

    fn wants_names(&self) -> bool {
        true
    }
}

/// Fails whenever it is asked.
struct Failing;

#[async_trait]
impl PurgeHook for Failing {
    async fn purge(
        &self,
        _: &ConnectionId,
        _: Incarnation,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Err("the cache is down".into())
    }
}

pub(crate) async fn show(shown: &mut Shown, secrets: &Secrets) {
    let folder = tempfile::tempdir().unwrap();
    let stand_in = ApifyStandIn::start().await.unwrap();
    for token in [&secrets.token, &secrets.next] {
        stand_in.grant(token, Access::full("FakeUser17", "jane-doe"));
    }
    let origin = Origin::parse(&stand_in.origin()).unwrap();
    let builder = Apify::builder().origin(origin).extra_root_der(&stand_in.ca_der());
    let boundary = Boundary::analytics().allow(Class::EnvVars, apify::Access::ReadAndWrite);
    let apify = builder.boundary(boundary).retries(Retries::none()).build().unwrap();
    let keyring = folder.path().join("keys/keyring");
    let keys = LocalKeyring::create(&keyring).unwrap();
    let store = SqliteStore::open(folder.path().join("db/tokenkeep.sqlite")).await.unwrap();
    let watch = Arc::new(Watch::default());
    let sink = CheckpointFile::open_or_create(folder.path().join("sink/checkpoints")).await.unwrap();
    let options = || Vault::options().observer(Arc::clone(&watch)).checkpoints(sink.clone());
    show!(shown, tokenkeep::CheckpointFile: sink);
    of_process(shown, secrets);
    show!(shown, tokenkeep::VaultOptions: options().on_disconnect("cache", Failing));
    let vault = options().on_disconnect("cache", Failing).open(store.clone(), keys.clone()).await.unwrap();
    let connection = vault.connection("customer-17", "apify").unwrap();

    stand_in.answer_next(Fault::EchoAuthorization);
    error(shown, &connection.connect(apify.provider(), secrets.token()).await.unwrap_err());
    let prepared = connection.prepare_connect(apify.provider(), secrets.token()).await.unwrap();
    show!(shown, tokenkeep::PreparedChange: prepared);
    show!(shown, tokenkeep::KeptToken: prepared.commit().await.unwrap());
    let client = apify.with(connection.credential());
    client.me().await.unwrap();
    let checkpoint = vault.checkpoint().await.unwrap();
    show!(shown, tokenkeep::Checkpoint: checkpoint);
    show!(shown, tokenkeep::CheckpointKey: vault.checkpoint_key());

    // From here on the vault's keys and the token's DEK are looked for too.
    let record = store.vault().await.unwrap().unwrap();
    let records = store.scan(&Scan::All, None, 10).await.unwrap();
    secrets.also_vault(&fs::read_to_string(&keyring).unwrap(), &record, &records);
    secrets.also_keyring(&fs::read_to_string(&keyring).unwrap());
    of_store::show(shown, &store, &prepared).await;
    sets(shown, secrets, &vault, &apify).await;
    show!(shown, tokenkeep::PreparedChange: prepared);
    show!(shown, tokenkeep::Vault: vault);
    show!(shown, tokenkeep::Connection: connection);
    show!(shown, tokenkeep_core::Credential: connection.credential());
    show!(shown, tokenkeep_sql::SqliteStore: store);
    let epochs = SqliteEpochStore::open(folder.path().join("epochs/epochs.sqlite")).await.unwrap();
    show!(shown, tokenkeep_sql::SqliteEpochStore: epochs);

    show_paused(shown, &vault, &apify, &stand_in).await;
    show_work(shown, &vault, &keys).await;
    stand_in.add_run("FakeUser17", Run { started_at: Timestamp::now().to_string(), ..Run::default() });
    let now = Timestamp::now().as_millis();
    let around = Timestamp::from_millis(now - 60_000)..Timestamp::from_millis(now + 60_000);
    let mut runs = connection.reconcile(&apify, around);
    show!(shown, tokenkeep::UnknownRun: runs.next().await.unwrap().expect("it was not started here"));
    show!(shown, tokenkeep::Reconciliation<'_>: runs);

    error(shown, &connection.replace(apify.provider(), secrets.token()).await.unwrap_err());
    show!(shown, tokenkeep::KeptToken: connection.replace(apify.provider(), secrets.next()).await.unwrap());
    let mut response = connection.suspect_leak();
    show!(shown, tokenkeep::SuspectedToken: response.next().await.unwrap().expect("it is marked"));
    show!(shown, tokenkeep::LeakResponse: response);
    error(shown, &client.me().await.unwrap_err());
    show_end(shown, &vault, &connection).await;

    // A store that keeps all of it in its own memory.
    let memory = Arc::new(MemoryStore::new());
    let vault = Vault::options().open(Arc::clone(&memory), keys.clone()).await.unwrap();
    let connection = vault.connection("customer-17", "apify").unwrap();
    connection.connect(apify.provider(), secrets.token()).await.unwrap();
    let (record, records) =
        (memory.vault().await.unwrap().unwrap(), memory.scan(&Scan::All, None, 10).await.unwrap());
    secrets.also_vault(&fs::read_to_string(&keyring).unwrap(), &record, &records);
    of_store::show_keys(shown, secrets, &memory).await;
    show!(shown, tokenkeep::Vault: vault);
    shown.append(std::mem::take(&mut watch.0.lock().unwrap()));

    show_small!(
        shown,
        tokenkeep::Backups,
        tokenkeep::BadCheckpoint,
        tokenkeep::CheckpointCopy,
        tokenkeep::ConnectionState,
        tokenkeep::Ended,
        tokenkeep::IncidentKind,
        tokenkeep::Operation,
        tokenkeep::PauseReason,
        tokenkeep::RecheckOutcome,
        tokenkeep::RecheckStopped,
        tokenkeep::Replacement,
        tokenkeep::SystemClock,
        tokenkeep::VerifiedUpTo,
        tokenkeep::VerifyProgress,
    );
}

fn error(shown: &mut Shown, error: &Error) {
    shown.add_error("tokenkeep_core::Error", error);
}

/// The provider refuses the token, and says it in its answer.
async fn show_paused(shown: &mut Shown, vault: &Vault, apify: &Apify, stand_in: &ApifyStandIn) {
    let connection = vault.connection("customer-17", "apify").unwrap();
    let client = apify.with(connection.credential());
    stand_in.answer_next(Fault::status(401, "invalid-token"));
    error(shown, &client.me().await.unwrap_err());
    error(shown, &client.me().await.unwrap_err());
    let mut recheck = vault.recheck_paused(apify.provider());
    show!(shown, tokenkeep::RecheckPaused<'_>: recheck);
    show!(shown, tokenkeep::RecheckedConnection: recheck.next().await.unwrap().expect("it is paused"));
    show!(shown, tokenkeep::RecheckPaused<'_>: recheck);
    show!(shown, tokenkeep::RecheckProgress: recheck.progress());
    show!(shown, tokenkeep::ConnectionStatus: connection.status().await.unwrap());
    client.me().await.unwrap();
}

/// What goes through all that a vault has.
async fn show_work(shown: &mut Shown, vault: &Vault, keys: &LocalKeyring) {
    let mut run = vault.verify_run().against("no checkpoint's note");
    run.step().await.unwrap();
    show!(shown, tokenkeep::VerifyRun: run);
    let verification = run.finish().await.unwrap();
    verification.findings.iter().for_each(|finding| show!(shown, tokenkeep::Finding: *finding));
    show!(shown, tokenkeep::Verification: verification);
    let readiness = vault.check().await;
    show!(shown, tokenkeep::KeysCheck: readiness.keys);
    show!(shown, tokenkeep::DatabaseCheck: readiness.database);
    show!(shown, tokenkeep::TrailCheck: readiness.trail);
    show!(shown, tokenkeep::SinkCheck: readiness.sink);
    show!(shown, tokenkeep::Readiness: readiness);

    let mut export = vault.audit().export();
    let page = export.next().await.unwrap().expect("there are entries");
    assert!(page.contains("connected"));
    show!(shown, tokenkeep::AuditTrail: vault.audit());
    show!(shown, tokenkeep::AuditExport: export);
    show!(shown, tokenkeep::AuditCursor: export.cursor());
    let mut due: DueConnections = vault.due();
    due.next().await.unwrap();
    show!(shown, tokenkeep::DueConnections: due);

    let old = keys.rotate().unwrap();
    let retirement = vault.retire(keys, &old, Duration::ZERO).await;
    retirement.iter().for_each(|retirement| show!(shown, tokenkeep::Retirement: *retirement));
    retirement.err().iter().for_each(|failed| error(shown, failed));
    show!(shown, tokenkeep::Retirement: tokenkeep::Retirement::Needed(tokenkeep::Census::default()));
    show!(shown, tokenkeep::Census: tokenkeep::Census::default());
    let mut rewrap = vault.rewrap(old);
    rewrap.next().await.unwrap();
    show!(shown, tokenkeep::Rewrap: rewrap);
    show!(shown, tokenkeep::RewrapProgress: rewrap.progress());
}

/// What is left when it ends, with a hook that fails.
async fn show_end(shown: &mut Shown, vault: &Vault, connection: &tokenkeep::Connection) {
    let receipt: Receipt = connection.disconnect().await.unwrap();
    show!(shown, tokenkeep::Receipt: receipt);
    for finished in vault.finish_disconnects().await.unwrap() {
        show!(shown, tokenkeep::FinishedDisconnect: finished);
    }
    let mut erasure = vault.erase_tenant("customer-17").unwrap();
    show!(shown, tokenkeep::TenantErasure: erasure);
    show!(shown, tokenkeep::Erased: erasure.next().await.unwrap().expect("its hooks are pending"));
    show!(shown, tokenkeep::TenantErasure: erasure);
}

/// A set of secret variables, whose values are tokens here.
async fn sets(shown: &mut Shown, secrets: &Secrets, vault: &Vault, apify: &Apify) {
    let env = vault.secret_env("customer-18", "scraper").unwrap();
    let mut vars = SecretVars::new();
    vars.set("SECRET", secrets.token.clone()).unwrap();
    show!(shown, tokenkeep::SecretEnvStatus: env.create(apify.provider(), &vars).await.unwrap());
    let mut change = EnvChange::new();
    change.set("ANOTHER", secrets.next.clone()).unwrap();
    show!(shown, tokenkeep::EnvChange: change);
    env.change(&change).await.unwrap();
    show!(shown, tokenkeep::SecretEnv: env);
    show!(shown, tokenkeep::EnvVarStatus: env.names().await.unwrap()[0]);
    show!(shown, tokenkeep_core::SecretVars: env.open().await.unwrap());
    error(shown, &env.create(apify.provider(), &vars).await.unwrap_err());

    let credential = Credential::fixed(apify.provider().spec().origin.clone(), secrets.token());
    let there = apify.with(credential).actor("jane-doe~price-watch").env_vars("0.1");
    let plan = env.plan(&there).await.unwrap();
    show!(shown, tokenkeep::EnvPlan<'_>: plan);
    show!(shown, tokenkeep::EnvStep: plan.steps()[0]);
    let mut push = plan.push();
    push.next().await.unwrap();
    show!(shown, tokenkeep::EnvPush<'_>: push);
    push.finish().await.unwrap();
    show!(shown, tokenkeep::EnvTargetStatus: env.targets().await.unwrap()[0]);
    for there in tokenkeep::EnvTarget::list(&there).await.unwrap() {
        show!(shown, tokenkeep_core::TargetVar: there);
    }
    show_small!(shown, tokenkeep::EnvAction);
}

fn of_process(shown: &mut Shown, secrets: &Secrets) {
    let mut vars = SecretVars::new();
    vars.set("A_NAME", secrets.token.clone()).unwrap();
    let command = SecretCommand::new("sh").args(["-c", "true"]);
    let child = command.spawn(&vars).unwrap();
    show!(shown, tokenkeep::SecretCommand: command);
    show!(shown, tokenkeep::SecretChild: child);
    show!(shown, tokenkeep::RedactedRead<tokio::process::ChildStdout>: child.into_parts().1);
    let mut vars = SecretVars::new();
    vars.set("LD_PRELOAD", secrets.token.clone()).unwrap();
    show!(shown, tokenkeep::SecretCommandError: command.spawn(&vars).unwrap_err());
}
