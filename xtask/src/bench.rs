//! `cargo xtask bench`: the benchmarks, each subject beside its floor in the same rounds, as tables.

mod machine;
mod measured;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::cargo;
use crate::options::POSTGRES;
use crate::postgres::Postgres;
use crate::workspace::Workspace;
use measured::Measured;
use table::{Goal, Table};

const HELP: &str = "\
The benchmarks: medians of alternated rounds, each beside the floor of the same run.

Usage: cargo xtask bench [--rounds N] [--only seal|vault|epochs|calls|redact] [--without postgres] [--scale]

  --rounds N          how many rounds, 9 unless told (an odd number has a middle)
  --only NAME         only the core's (seal), on each backend; the vault's on SQLite and PostgreSQL; or what epochs cost, and
                      what they spare a key service (epochs): a quarter of an hour at most, and 2 GB of disk
  --without postgres  leaves PostgreSQL out
  --scale             instead of these, and within ten minutes: a vault of 10 thousand, 100 thousand and a million
                      connections on PostgreSQL; it also draws benches/scale.svg. Needs 4 GB of disk";

/// What a subject may cost, by what its operation's name begins with.
const GOALS: [(&str, Goal); 11] = [
    ("call", Goal::AtLeast(0.95)),
    ("warm open", Goal::AtMost(1.1)),
    ("new key", Goal::AtMost(1.1)),
    ("seal", Goal::AtMost(2.5)),
    ("open", Goal::AtMost(4.5)),
    ("postgres use", Goal::AtLeast(0.90)),
    ("sqlite use", Goal::AtLeast(0.80)),
    ("postgres", Goal::AtLeast(0.70)),
    ("sqlite", Goal::AtLeast(0.70)),
    ("use, table", Goal::AtMost(1.1)),
    ("due page", Goal::AtMost(1.1)),
];

/// What the subjects do not do, for the reader of the table.
const SEAL_NOTES: [(&str, &str); 6] = [
    ("floor", "one AES-256-GCM call: no wrapped key, no commitment, no context"),
    ("tokenkeep", "a wrapped key of its own for each token; commitment and context at both levels"),
    ("orion", "XChaCha20-Poly1305 under one long-lived key: no wrapped key, no commitment, no context"),
    (
        "envelopers",
        "AES-256-GCM; a wrapped key, context as text; no commitment, KEK of 128 bits, user-space generator",
    ),
    (
        "paseto v4",
        "XChaCha20 and BLAKE2b under one long-lived key; context as text; no wrapped key; output in base64",
    ),
    ("age", "a file key wrapped to an X25519 key, so it pays for a public key; no context"),
];

const VAULT_NOTES: [(&str, &str); 2] = [
    (
        "floor",
        "sqlx alone: use is the store's own SELECT, decoded; connect and replace one transaction with the same rows",
    ),
    ("tokenkeep", "the vault, its provider's check answered at once; a use within a minute of the first one"),
];

const EPOCHS_NOTES: [(&str, &str); 5] = [
    ("keyring", "a LocalKeyring; epochs are over the same one, and held"),
    ("alone", "the DEK unwrapped and the token opened"),
    ("memory", "a use of a vault in memory, within a minute of the first one"),
    ("sqlite", "the same on SQLite"),
    (
        "new key",
        "a new key in the keyring and a new epoch under it, on SQLite beside so many tokens, which stay as they are",
    ),
];

const CALLS_NOTES: [(&str, &str); 6] = [
    ("reqwest", "a client that holds the token, the body whole; typed: the answer parsed"),
    ("call", "through the transport, with a token that no vault keeps"),
    ("typed", "Apify's client: the call judged by its boundary, the answer projected and parsed"),
    (
        "issue",
        "a vault asked for a token, within a minute of the first time: what the transport does before a call",
    ),
    ("parts", "an issue, and then a call with a token that no vault keeps"),
    ("whole", "a call with a vault's credential"),
];

const REDACT_NOTES: [(&str, &str); 2] = [
    ("copy", "the pieces appended to a buffer that is large enough"),
    ("redact", "so many values of 40 characters looked for in all forms, none of which is there"),
];

const SCALE_NOTES: [(&str, &str); 2] = [
    ("use", "4096 connections from all over the table, by 16 tasks"),
    ("due page", "the first 128 connections whose token should be replaced soon, read one after another"),
];

/// The benchmarks, which are a workspace of their own.
pub(crate) const MANIFEST: &str = "benches/Cargo.toml";

/// Checks that the benchmarks compile, warnings denied, and runs each once, unmeasured.
pub(crate) fn check(workspace: &Workspace, postgres: &Postgres) -> Result<(), String> {
    let mut lint = of_package(workspace, "clippy");
    cargo::run(lint.args(["--all-targets", "--all-features", "--", "-D", "warnings"]))?;
    if let Some(why) = postgres.left_out() {
        println!("    {why}");
    }
    // `cargo test`, not `cargo bench`: nothing is measured then, and nothing is built with optimizations.
    let mut test = of_package(workspace, "test");
    cargo::run(leave_out(&mut test, postgres).args(["--benches", "--all-features"]))
}

fn leave_out<'c>(command: &'c mut Command, postgres: &Postgres) -> &'c mut Command {
    if *postgres != Postgres::Found {
        command.env("TOKENKEEP_BENCH_WITHOUT_POSTGRES", "1");
    }
    command
}

fn of_package(workspace: &Workspace, subcommand: &str) -> Command {
    let mut command = workspace.cargo();
    // Into the workspace's own target folder: what both need, in the same version, is built once. Locked, here as for the fuzz
    // targets: nobody sees otherwise that their own lock file lacks what a crate of ours has come to need.
    command.args([subcommand, "--quiet", "--locked", "--manifest-path", MANIFEST, "--target-dir"]);
    command.arg(&workspace.target);
    command
}

/// What `cargo xtask bench` was asked to do.
#[derive(Debug, PartialEq)]
struct Options {
    rounds: u32,
    seal: bool,
    vault: bool,
    epochs: bool,
    calls: bool,
    redact: bool,
    scale: bool,
    without_postgres: bool,
}

impl Options {
    const ALL: Self = Self {
        rounds: 9,
        seal: true,
        vault: true,
        epochs: true,
        calls: true,
        redact: true,
        scale: false,
        without_postgres: false,
    };

    fn parts(&mut self) -> [(&'static str, &mut bool); 5] {
        let Self { seal, vault, epochs, calls, redact, .. } = self;
        [("seal", seal), ("vault", vault), ("epochs", epochs), ("calls", calls), ("redact", redact)]
    }

    /// Leaves one of the parts.
    fn only(&mut self, name: &str) -> Option<()> {
        for (part, on) in self.parts() {
            *on &= part == name;
        }
        self.parts().iter().any(|(_, on)| **on).then_some(())
    }
}

/// `None` for what makes no sense, and for `--help`.
fn parse(arguments: &[String]) -> Option<Options> {
    let mut options = Options::ALL;
    let mut arguments = arguments.iter().map(String::as_str);
    while let Some(argument) = arguments.next() {
        match argument {
            "--rounds" => options.rounds = arguments.next()?.parse().ok().filter(|n| *n > 0)?,
            "--only" => options.only(arguments.next()?)?,
            "--without" => {
                arguments.next().filter(|name| *name == POSTGRES)?;
                options.without_postgres = true;
            }
            "--scale" => options.scale = true,
            _ => return None,
        }
    }
    let all = options.parts().iter().all(|(_, on)| **on);
    let scale_alone = !options.scale || (all && !options.without_postgres);
    scale_alone.then_some(options)
}

pub(crate) fn main(arguments: &[String]) -> ExitCode {
    let Some(options) = parse(arguments) else {
        println!("{HELP}");
        return ExitCode::from(2);
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    let workspace = Workspace::read()?;
    // Found out first: nobody should wait to learn that it is missing.
    let postgres =
        if options.vault { Postgres::find(options.without_postgres)? } else { Postgres::NotNeeded };
    println!("{}", machine::describe());
    if options.scale {
        return scale(&workspace, options.rounds);
    }
    if options.seal {
        seal(&workspace, options.rounds)?;
    }
    if options.vault {
        vault(&workspace, options.rounds, &postgres)?;
    }
    if options.epochs {
        epochs(&workspace, options.rounds)?;
    }
    if options.calls {
        calls(&workspace, options.rounds)?;
    }
    if options.redact {
        redact(&workspace, options.rounds)?;
    }
    println!("\nload average at the end: {}", machine::load());
    Ok(())
}

fn seal(workspace: &Workspace, rounds: u32) -> Result<(), String> {
    for (backend, feature) in [("pure Rust", None), ("aws-lc", Some("aws-lc"))] {
        let results = fresh(workspace, feature.unwrap_or("rust"))?;
        let mut command = of_package(workspace, "bench");
        command.args(["--bench", "seal"]);
        command.args(feature.iter().flat_map(|feature| ["--features", *feature]));
        command.args(["--", "--quiet"]);
        command.env("TOKENKEEP_BENCH_ROUNDS", rounds.to_string()).env("CRITERION_HOME", &results);
        cargo::run(&mut command)?;
        show(backend, "floor", &Measured::of_criterion(&results)?)?;
    }
    notes(&SEAL_NOTES);
    Ok(())
}

fn vault(workspace: &Workspace, rounds: u32, postgres: &Postgres) -> Result<(), String> {
    let results = fresh(workspace, "vault")?.with_extension("tsv");
    let mut command = of_package(workspace, "bench");
    command.args(["--bench", "vault"]);
    own_harness(leave_out(&mut command, postgres), rounds, &results)?;
    let measured = Measured::of_lines(&results)?;
    show(&on_server("the vault", &measured), "floor", &measured)?;
    notes(&VAULT_NOTES);
    if let Some(why) = postgres.left_out() {
        println!("\n{why}");
    }
    Ok(())
}

fn epochs(workspace: &Workspace, rounds: u32) -> Result<(), String> {
    let results = fresh(workspace, "epochs")?.with_extension("tsv");
    let mut command = of_package(workspace, "bench");
    own_harness(command.args(["--bench", "vault", "--", "--epochs"]), rounds, &results)?;
    let measured = Measured::of_lines(&results)?;
    show("epochs, beside the keyring that they are over", "keyring", &measured.of("warm open"))?;
    show("a new key", "1000", &measured.of("new key"))?;
    println!("\n  {:<82} {:>8} {:>9}", "calls to the key service", "epochs", "without");
    for [what, with, without] in &measured.calls {
        println!("  {what:<82} {with:>8} {without:>9}");
    }
    notes(&EPOCHS_NOTES);
    Ok(())
}

fn calls(workspace: &Workspace, rounds: u32) -> Result<(), String> {
    let results = fresh(workspace, "calls")?.with_extension("tsv");
    let mut command = of_package(workspace, "bench");
    own_harness(command.args(["--bench", "vault", "--", "--calls"]), rounds, &results)?;
    let measured = Measured::of_lines(&results)?;
    for (title, floor, operations) in [
        ("a call with a token that no vault keeps", "reqwest", "call"),
        ("a typed call of Apify's client", "reqwest", "typed"),
        ("what a call with a vault's credential consists of", "call", "part"),
        ("a call with a vault's credential, beside the sum of its parts", "parts", "whole"),
    ] {
        show(title, floor, &measured.of(operations))?;
    }
    notes(&CALLS_NOTES);
    Ok(())
}

fn redact(workspace: &Workspace, rounds: u32) -> Result<(), String> {
    let results = fresh(workspace, "redact")?.with_extension("tsv");
    let mut command = of_package(workspace, "bench");
    own_harness(command.args(["--bench", "vault", "--", "--redact"]), rounds, &results)?;
    show("a log of 1 MiB, in pieces of 8 KiB", "copy", &Measured::of_lines(&results)?)?;
    notes(&REDACT_NOTES);
    Ok(())
}

fn scale(workspace: &Workspace, rounds: u32) -> Result<(), String> {
    let results = fresh(workspace, "scale")?.with_extension("tsv");
    let mut command = of_package(workspace, "bench");
    command.args(["--bench", "vault"]).env("TOKENKEEP_BENCH_PLOT", workspace.root.join("benches/scale.svg"));
    own_harness(command.args(["--", "--scale"]), rounds, &results)?;
    let measured = Measured::of_lines(&results)?;
    show(&on_server("the vault as it grows", &measured), "10000", &measured)?;
    println!("\n  bytes for each of {:>14} {:>9} {:>9}", "table", "indexes", "trail");
    for [connections, table, indexes, trail] in &measured.bytes {
        println!("  {connections:>17} {table:>14} {indexes:>9} {trail:>9}");
    }
    notes(&SCALE_NOTES);
    println!("\nload average at the end: {}", machine::load());
    Ok(())
}

fn own_harness(command: &mut Command, rounds: u32, results: &Path) -> Result<(), String> {
    command.env("TOKENKEEP_BENCH_ROUNDS", rounds.to_string()).env("TOKENKEEP_BENCH_RESULTS", results);
    cargo::run(command)
}

/// Where results are put. What an earlier run measured must not be shown as this one's.
fn fresh(workspace: &Workspace, name: &str) -> Result<PathBuf, String> {
    let results = workspace.target.join("bench").join(name);
    let old = [results.clone(), results.with_extension("tsv")];
    for old in old.iter().filter(|old| old.exists()) {
        let removed = if old.is_dir() { fs::remove_dir_all(old) } else { fs::remove_file(old) };
        removed.map_err(|error| error.to_string())?;
    }
    fs::create_dir_all(workspace.target.join("bench")).map_err(|error| error.to_string())?;
    Ok(results)
}

fn on_server(title: &str, measured: &Measured) -> String {
    measured.server.as_ref().map_or(title.into(), |server| format!("{title}, PostgreSQL {server}"))
}

fn show(title: &str, floor: &str, measured: &Measured) -> Result<(), String> {
    println!("\n{}", Table { title, floor, goals: &GOALS }.of(measured)?);
    Ok(())
}

fn notes(notes: &[(&str, &str)]) {
    println!();
    for (subject, note) in notes {
        println!("  {subject:<10} {note}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Option<Options> {
        parse(&line.split_whitespace().map(String::from).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read() {
        let all = Options::ALL;
        assert_eq!(parsed(""), Some(Options { ..all }));
        assert_eq!(
            parsed("--rounds 15 --only vault"),
            Some(Options { rounds: 15, seal: false, epochs: false, calls: false, redact: false, ..all })
        );
        assert_eq!(
            parsed("--only epochs"),
            Some(Options { seal: false, vault: false, calls: false, redact: false, ..all })
        );
        assert_eq!(
            parsed("--only calls"),
            Some(Options { seal: false, vault: false, epochs: false, redact: false, ..all })
        );
        assert_eq!(parsed("--without postgres"), Some(Options { without_postgres: true, ..all }));
        assert_eq!(parsed("--scale"), Some(Options { scale: true, ..all }));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "--rounds",
            "--rounds 0",
            "--only all",
            "--only seal --only vault",
            "--without seal",
            "--only calls --only epochs",
            "--scale --only vault",
            "--scale --without postgres",
            "--help",
        ] {
            assert_eq!(parsed(line), None, "{line}");
        }
    }
}
