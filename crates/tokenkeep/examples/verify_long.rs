//! How long `verify` takes over a long trail in SQLite, and how much memory: 10,000, 100,000 and 1,000,000 entries of the
//! same number of connections, each in a process of its own.
//!
//! `cargo run --release -p tokenkeep --features sqlite --example verify_long [CONNECTIONS [ENTRIES...]]`
#![allow(clippy::print_stdout, reason = "a program for people prints")]

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use tokenkeep::{
    Account, Action, ApiToken, AuditDraft, Change, CheckpointFile, Credential, LocalKeyring, Origin,
    Provider, ProviderSpec, SqliteStore, TokenStore, Vault, async_trait,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, folder] = &arguments[..]
        && command == "verify"
    {
        return verify(Path::new(folder)).await;
    }
    let mut numbers = arguments.iter().map(|number| number.parse::<u64>()).collect::<Result<Vec<_>, _>>()?;
    let connections = if numbers.is_empty() { 1000 } else { numbers.remove(0) };
    let sizes = if numbers.is_empty() { vec![10_000, 100_000, 1_000_000] } else { numbers };
    println!("{connections} connections");
    println!(
        "{:>10} {:>10} {:>12} {:>10} {:>10}",
        "entries", "seconds", "entries/s", "start KiB", "peak KiB"
    );
    for entries in sizes {
        let folder = tempfile::tempdir()?;
        fill(folder.path(), connections, entries).await?;
        let done = Command::new(std::env::current_exe()?).arg("verify").arg(folder.path()).status()?;
        assert!(done.success(), "the verification failed");
    }
    Ok(())
}

async fn open(folder: &Path) -> Result<(Vault, SqliteStore), Box<dyn Error>> {
    let store = SqliteStore::open(folder.join("db/tokenkeep.sqlite")).await?;
    let keys = LocalKeyring::open_or_create(folder.join("keys/keyring"))?;
    let sink = CheckpointFile::open_or_create(folder.join("audit/checkpoints")).await?;
    Ok((Vault::options().checkpoints(sink).open(store.clone(), keys).await?, store))
}

/// Writes a trail as a vault would, but a thousand entries to a commit.
async fn fill(folder: &Path, connections: u64, entries: u64) -> Result<(), Box<dyn Error>> {
    let (vault, store) = open(folder).await?;
    let provider = Yes(ProviderSpec::new("any".parse()?, Origin::parse("https://api.example.com")?));
    let mut drafts: Vec<AuditDraft> = Vec::new();
    let mut prepared = Vec::new();
    for n in 0..connections {
        let connection = vault.connection(format!("customer {n}"), "any")?;
        let change = connection.prepare_connect(&provider, ApiToken::new("a-fake-token".to_owned())?).await?;
        drafts.push(AuditDraft { action: Action::Used, record_mac: None, ..change.change().entry.clone() });
        prepared.push(change);
    }
    let chain = prepared.first().ok_or("no connections")?.chain();
    let changes: Vec<Change> = prepared.iter().map(|prepared| prepared.change().clone()).collect();
    for changes in changes.chunks(1000) {
        store.commit(changes, chain).await?;
    }
    let mut written = connections;
    while written < entries {
        let many = (entries - written).min(1000);
        // In no order, as uses come.
        let uses =
            (written..written + many).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20) % connections);
        let uses: Vec<Change> =
            uses.map(|n| Change { record: None, entry: drafts[n as usize].clone() }).collect();
        store.commit(&uses, chain).await?;
        written += many;
    }
    vault.checkpoint().await?;
    store.close().await;
    Ok(())
}

/// From `/proc/self/status`, in KiB.
fn memory(field: &str) -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or("?");
    line.trim().trim_end_matches(" kB").to_owned()
}

async fn verify(folder: &Path) -> Result<(), Box<dyn Error>> {
    let (vault, _) = open(folder).await?;
    let before = memory("VmRSS:");
    let started = Instant::now();
    let found = vault.verify().await?;
    let took = started.elapsed().as_secs_f64();
    assert!(found.is_whole() && found.checkpoint.is_some(), "{found}");
    let rate = found.entries as f64 / took;
    println!("{:>10} {took:>10.2} {rate:>12.0} {before:>10} {:>10}", found.entries, memory("VmHWM:"));
    Ok(())
}

/// A provider that takes any token.
#[derive(Debug)]
struct Yes(ProviderSpec);

#[async_trait]
impl Provider for Yes {
    fn spec(&self) -> &ProviderSpec {
        &self.0
    }

    async fn check(&self, _: &Credential) -> Result<Account, tokenkeep::Error> {
        Ok(Account::new("user-1", "an account")?)
    }
}
