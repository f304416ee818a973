//! The vault on SQLite and PostgreSQL, beside the same work on the database alone. `cargo xtask bench` shows it as a
//! table. With `--scale`: PostgreSQL with ten thousand, a hundred thousand and a million connections. With `--epochs`: what
//! epochs cost, and what they spare the key provider. With `--calls`: calls over HTTPS.
//! With `--redact`: values hidden in a text.
#![forbid(unsafe_code)]

mod calls;
mod epochs;
mod fixture;
mod floors;
mod load;
mod on_postgres;
mod on_sqlite;
mod redact;
mod rounds;
mod scale;
mod subjects;

use std::sync::Arc;
use std::time::Duration;

use tokenkeep::{TokenStore, Vault};

use fixture::{Keys, StillClock, Yes, connection, example, tenant};
use floors::{Raw, RawConnect, RawReplace, RawUse};
use rounds::{Effort, Turn, pairs};
use subjects::{Connect, Replace, UseToken};

/// How many tasks use the vault at a time.
const TASKS: usize = 16;
/// How many connections there are to begin with.
const CONNECTIONS: u64 = 1024;

#[tokio::main]
async fn main() {
    let asked = |flag: &str| std::env::args().any(|argument| argument == flag);
    // `cargo bench` says so; `cargo test` does not.
    let effort = if asked("--bench") {
        let rounds = std::env::var("TOKENKEEP_BENCH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
        Effort { rounds: rounds.unwrap_or(1), slices: 5, slice: Duration::from_millis(200) }
    } else {
        Effort::UNMEASURED
    };
    // As Criterion has it: only operations whose name holds this.
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let without_postgres = std::env::var_os("TOKENKEEP_BENCH_WITHOUT_POSTGRES").is_some();
    if asked("--scale") {
        scale::measure(effort, &scale::SIZES).await;
        return;
    }
    if asked("--epochs") {
        epochs::measure(effort, &epochs::Sizes::FULL).await;
        return;
    }
    if asked("--calls") {
        calls::measure(effort).await;
        return;
    }
    if asked("--redact") {
        redact::measure(effort).await;
        return;
    }
    on_sqlite::measure(effort, &only).await;
    if !effort.is_measured() {
        redact::measure(effort).await;
        epochs::measure(effort, &epochs::Sizes::SMALL).await;
        calls::measure(effort).await;
    }
    if !without_postgres {
        on_postgres::measure(effort, &only).await;
        if !effort.is_measured() {
            scale::measure(effort, &[200, 400]).await;
        }
    }
}

/// A vault, and a database like the vault's for its floors to write to.
struct Places<S, R> {
    /// What the operations' names begin with.
    name: &'static str,
    keys: Arc<Keys>,
    clock: Arc<StillClock>,
    vault: Vault,
    store: S,
    /// Reads where the vault is.
    beside: R,
    /// Another database, with its own vault: what a floor writes fits no MAC.
    apart_store: S,
    apart: R,
}

impl<S: TokenStore + Clone + 'static, R: Raw> Places<S, R> {
    async fn measure(&self, effort: Effort, only: &str) {
        let Self { name, keys, clock, vault, store, beside, apart_store, apart } = self;
        for store in [store, apart_store] {
            load::connect_many(keys, store, clock, 0..CONNECTIONS, None).await;
        }

        let tenants = (0..CONNECTIONS).map(tenant).collect();
        let floor = Turn::of(RawUse { raw: beside.clone(), tenants });
        let subject = Turn::of(UseToken::of(vault, 0..CONNECTIONS).await);
        pairs(&format!("{name} use by {TASKS}"), only, TASKS, effort, &floor, &subject).await;

        let example = example(vault).await;
        let (raw, from) = (apart.clone(), CONNECTIONS);
        let floor = Turn::of(RawConnect { raw, example: example.clone(), from });
        let subject = Turn::of(Connect { vault: vault.clone(), provider: Yes::new(), from });
        for tasks in [TASKS, 1] {
            pairs(&format!("{name} connect by {tasks}"), only, tasks, effort, &floor, &subject).await;
        }

        let (raw, many) = (apart.clone(), CONNECTIONS);
        let floor = Turn::of(RawReplace { raw, example, many });
        let connections = (0..many).map(|number| connection(vault, number)).collect();
        let subject = Turn::of(Replace { provider: Yes::new(), connections });
        for tasks in [TASKS, 1] {
            pairs(&format!("{name} replace by {tasks}"), only, tasks, effort, &floor, &subject).await;
        }

        let found = vault.verify().await.expect("it can be read");
        assert!(found.findings.is_empty(), "what was measured is whole: {:?}", found.findings);
    }
}
