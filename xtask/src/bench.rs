//! `cargo xtask bench`: the benchmarks, each subject beside its floor in the same rounds, as one table.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use serde_json::Value;

use crate::cargo;
use crate::workspace::Workspace;

const HELP: &str = "\
The core's benchmarks on each backend: medians of alternated rounds, beside the floor of the same run.

Usage: cargo xtask bench [--rounds N]

  --rounds N   how many rounds, 9 unless told (an odd number has a middle)";

/// Seals and opens may take this many times their floor.
const GOALS: [(&str, f64); 2] = [("seal", 2.5), ("open", 4.5)];

/// What the subjects do not do, for the reader of the table.
const NOTES: [(&str, &str); 6] = [
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

/// The benchmarks, which are a workspace of their own.
pub(crate) const MANIFEST: &str = "benches/Cargo.toml";

/// Checks that the benchmarks compile, warnings denied, and runs each once, unmeasured.
pub(crate) fn check(workspace: &Workspace) -> Result<(), String> {
    let mut lint = of_package(workspace, "clippy");
    cargo::run(lint.args(["--all-targets", "--all-features", "--", "-D", "warnings"]))?;
    // `cargo test`, not `cargo bench`: Criterion then measures nothing, and nothing is built with optimizations.
    cargo::run(of_package(workspace, "test").args(["--benches", "--all-features"]))
}

fn of_package(workspace: &Workspace, subcommand: &str) -> Command {
    let mut command = workspace.cargo();
    // Into the workspace's own target folder: what both need, in the same version, is built once.
    command.args([subcommand, "--quiet", "--manifest-path", MANIFEST, "--target-dir"]).arg(&workspace.target);
    command
}

pub(crate) fn main(arguments: &[String]) -> ExitCode {
    let rounds = match arguments {
        [] => 9,
        [flag, rounds] if flag == "--rounds" && rounds.parse::<u32>().is_ok_and(|n| n > 0) => {
            rounds.parse().unwrap_or(9)
        }
        _ => {
            println!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match run(rounds) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(rounds: u32) -> Result<(), String> {
    let workspace = Workspace::read()?;
    for (backend, feature) in [("pure Rust", None), ("aws-lc", Some("aws-lc"))] {
        let results = workspace.target.join("bench").join(feature.unwrap_or("rust"));
        // What an earlier run measured must not be shown as this one's.
        if results.exists() {
            fs::remove_dir_all(&results).map_err(|error| error.to_string())?;
        }
        let mut command = of_package(&workspace, "bench");
        command.args(["--bench", "seal"]);
        command.args(feature.iter().flat_map(|feature| ["--features", *feature]));
        command.args(["--", "--quiet"]);
        command.env("TOKENKEEP_BENCH_ROUNDS", rounds.to_string()).env("CRITERION_HOME", &results);
        cargo::run(&mut command)?;
        show(backend, &Measured::read(&results)?)?;
    }
    println!();
    for (subject, note) in NOTES {
        println!("  {subject:<10} {note}");
    }
    Ok(())
}

/// Nanoseconds by operation (`seal 46`), subject and round.
struct Measured(BTreeMap<String, BTreeMap<String, BTreeMap<u32, f64>>>);

impl Measured {
    fn read(folder: &Path) -> Result<Self, String> {
        let mut all = Self(BTreeMap::new());
        for operation in folders(folder)? {
            for subject in folders(&operation)? {
                all.add(&operation, &subject)?;
            }
        }
        if all.0.is_empty() { Err("nothing was measured".into()) } else { Ok(all) }
    }

    /// Criterion names the folder of `floor/3` `floor_3`.
    fn add(&mut self, operation: &Path, folder: &Path) -> Result<(), String> {
        let folder_name = name(folder);
        let Some((subject, round)) = folder_name.rsplit_once(' ') else { return Ok(()) };
        let Ok(number) = round.parse() else { return Ok(()) };
        let text =
            fs::read_to_string(folder.join("new/estimates.json")).map_err(|error| error.to_string())?;
        let estimates: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let median = estimates["median"]["point_estimate"].as_f64().ok_or("criterion gave no median")?;
        let subjects = self.0.entry(name(operation)).or_default();
        subjects.entry(subject.to_owned()).or_default().insert(number, median);
        Ok(())
    }
}

fn show(backend: &str, measured: &Measured) -> Result<(), String> {
    println!("\n{backend}");
    println!(
        "  {:<10} {:<10} {:>10} {:>19}   {:>7} {:>13}   goal",
        "", "", "median", "least … most", "× floor", "least … most"
    );
    for (operation, subjects) in &measured.0 {
        let floor = subjects.get("floor").ok_or("no floor was measured")?;
        for (subject, rounds) in subjects {
            let times = Spread::of(rounds.values().copied());
            let ratios = Spread::of(rounds.iter().filter_map(|(round, time)| Some(time / floor.get(round)?)));
            let goal = GOALS.iter().find(|(of, _)| operation.starts_with(of) && subject == "tokenkeep");
            let goal = goal.map_or(String::new(), |(_, most)| {
                let met = if ratios.median <= *most { "met" } else { "NOT MET" };
                format!("≤ {most}: {met}")
            });
            println!(
                "  {operation:<10} {subject:<10} {:>7.0} ns {:>7.0} … {:>6.0} ns   {:>7.2} {:>5.2} … {:>5.2}   {goal}",
                times.median, times.least, times.most, ratios.median, ratios.least, ratios.most
            );
        }
    }
    Ok(())
}

struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.collect();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        Self { median: at(sorted.len() / 2), least: at(0), most: at(sorted.len().saturating_sub(1)) }
    }
}

fn folders(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect())
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_an_odd_number_is_the_median() {
        let spread = Spread::of([3.0, 1.0, 9.0].into_iter());
        assert_eq!((spread.least, spread.median, spread.most), (1.0, 3.0, 9.0));
    }
}
