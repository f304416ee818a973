//! The fuzz targets, which are a workspace of their own, and `cargo xtask fuzz`.

mod progress;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use progress::{Progress, follow};

use crate::workspace::Workspace;
use crate::{cargo, tools};

pub(crate) const MANIFEST: &str = "fuzz/Cargo.toml";
const TARGETS: &str = "fuzz/fuzz_targets";

/// The core's backends: their names, and the feature of the fuzz package that chooses each.
const BACKENDS: [(&str, Option<&str>); 2] = [("rust", None), ("aws-lc", Some("aws-lc"))];

const HELP: &str = "\
Runs the fuzz targets on each backend, one after the other, and shows what came of it.

Usage: cargo xtask fuzz [--seconds N] [--target NAME]... [--backend NAME]

Options:
  --seconds N      How long each target runs on each backend (60)
  --target NAME    Runs this target alone (several may be named)
  --backend NAME   Runs on this backend alone: rust or aws-lc

It needs cargo-fuzz, which it installs under the target folder when there is none, a C++ compiler, and the nightly
compiler (`rustup toolchain install nightly`). The corpus grows under target/fuzz-corpus; fuzz/corpus is not written to.";

/// Checks that every fuzz target compiles and replays the corpus, on any toolchain and without a C++ compiler.
pub(crate) fn check(workspace: &Workspace) -> Result<(), String> {
    let targets = targets(workspace)?;
    println!("    fuzz targets: {}", targets.len());
    let of_package = |command: &mut Command| {
        // Without the default feature libFuzzer isn't compiled, which only a program that is linked needs.
        command.args(["--locked", "--manifest-path", MANIFEST, "--no-default-features", "--target-dir"]);
        command.arg(workspace.target.join("fuzz"));
    };
    let mut lint = workspace.cargo();
    of_package(lint.arg("clippy"));
    cargo::run(lint.args(["--all-targets", "--", "-D", "warnings"]))?;
    let mut replay = workspace.cargo();
    of_package(replay.arg("test"));
    cargo::run(replay.arg("--lib"))
}

/// The names of the targets: each file is declared, and there is at least one.
fn targets(workspace: &Workspace) -> Result<Vec<String>, String> {
    let files = target_files(&workspace.root.join(TARGETS))?;
    let declared = workspace.other(MANIFEST)?;
    let declared: Vec<_> = declared.packages.iter().flat_map(|package| &package.targets).collect();
    let name = |file: &String| {
        let path = Path::new(TARGETS).join(file);
        let target = declared.iter().find(|target| target.source.ends_with(&path));
        Ok(target.ok_or(format!("{TARGETS}/{file} is no [[bin]] in {MANIFEST}"))?.name.clone())
    };
    files.iter().map(name).collect()
}

/// The names of the Rust files in the folder, in order; at least one.
fn target_files(folder: &Path) -> Result<Vec<String>, String> {
    // A missing folder is a folder without targets.
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut files: Vec<String> = names.filter(|name| name.ends_with(".rs")).collect();
    files.sort();
    if files.is_empty() { Err(format!("no fuzz target in {TARGETS}")) } else { Ok(files) }
}

/// `cargo xtask fuzz`.
pub(crate) fn main(arguments: &[String]) -> ExitCode {
    let options = match parse(arguments) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(runs) => {
            println!("\n{}", table(&runs));
            if runs.iter().all(|run| run.failure.is_none()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Debug, PartialEq)]
struct Options {
    seconds: u32,
    /// Empty: all.
    targets: Vec<String>,
    /// `None`: all.
    backend: Option<String>,
}

/// `None`: help was asked for.
fn parse(arguments: &[String]) -> Result<Option<Options>, String> {
    let mut options = Options { seconds: 60, targets: Vec::new(), backend: None };
    let mut arguments = arguments.iter().map(String::as_str);
    while let Some(argument) = arguments.next() {
        let (option, value) = match argument.split_once('=') {
            Some((option, value)) => (option, Some(value)),
            None => (argument, None),
        };
        if matches!(option, "--help" | "-h") {
            return Ok(None);
        }
        if !matches!(option, "--seconds" | "--target" | "--backend") {
            return Err(format!("unknown argument {argument:?}; see `cargo xtask fuzz --help`"));
        }
        let value = value.or_else(|| arguments.next()).ok_or(format!("{option} needs a value"))?;
        match option {
            "--target" => options.targets.push(value.into()),
            "--backend" if BACKENDS.iter().any(|(name, _)| *name == value) => {
                options.backend = Some(value.into());
            }
            "--backend" => return Err(format!("no backend is named {value:?}; there are: rust, aws-lc")),
            // libFuzzer takes 0 for no limit.
            _ => match value.parse() {
                Ok(seconds) if seconds > 0 => options.seconds = seconds,
                _ => return Err(format!("--seconds takes a number of at least 1, not {value:?}")),
            },
        }
    }
    Ok(Some(options))
}

/// What came of one target on one backend.
#[derive(Debug, Default)]
struct Run {
    target: String,
    backend: &'static str,
    progress: Progress,
    /// Why it is no success, in a line.
    failure: Option<String>,
}

fn run(options: &Options) -> Result<Vec<Run>, String> {
    let workspace = Workspace::read()?;
    let all = targets(&workspace)?;
    if let Some(unknown) = options.targets.iter().find(|name| !all.contains(name)) {
        return Err(format!("no fuzz target is named {unknown:?}; there are: {}", all.join(", ")));
    }
    let chosen: Vec<&String> =
        all.iter().filter(|name| options.targets.is_empty() || options.targets.contains(name)).collect();
    let fuzzer = Fuzzer::find(&workspace)?;

    let mut runs = Vec::new();
    for (backend, feature) in BACKENDS {
        if options.backend.as_ref().is_some_and(|only| only != backend) {
            continue;
        }
        println!("\n=== backend {backend}");
        // Built first, so that code that doesn't compile is told apart from a finding.
        let built = cargo::run(&mut fuzzer.command("build", feature));
        for target in &chosen {
            runs.push(match &built {
                Ok(()) => fuzzer.run(target, backend, feature, options.seconds)?,
                Err(_) => {
                    let failure = Some("it does not compile".into());
                    Run { target: target.to_string(), backend, failure, ..Run::default() }
                }
            });
        }
    }
    Ok(runs)
}

struct Fuzzer<'a> {
    workspace: &'a Workspace,
    program: PathBuf,
}

impl<'a> Fuzzer<'a> {
    fn find(workspace: &'a Workspace) -> Result<Self, String> {
        let mut nightly = Command::new("cargo");
        nightly.args(["+nightly", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
        if !nightly.status().is_ok_and(|status| status.success()) {
            return Err(
                "there is no nightly compiler, which cargo-fuzz needs: `rustup toolchain install nightly`"
                    .into(),
            );
        }
        Ok(Self { workspace, program: tools::cargo_fuzz(workspace)? })
    }

    /// `cargo +nightly fuzz SUBCOMMAND`.
    fn command(&self, subcommand: &str, feature: Option<&str>) -> Command {
        let mut command = self.workspace.command(&self.program);
        // Told by the environment, as `+nightly` would be lost on a program that is not Cargo.
        command.env("RUSTUP_TOOLCHAIN", "nightly").env_remove("CARGO");
        // No sanitizer: the code is `forbid(unsafe_code)`, the targets look for broken promises, and AWS-LC's C would
        // not be instrumented anyway. It is several times as fast.
        command.args(["fuzz", subcommand, "--sanitizer", "none", "--target-dir"]);
        command.arg(self.workspace.target.join("fuzz-nightly"));
        if let Some(feature) = feature {
            command.args(["--features", feature]);
        }
        command
    }

    fn run(
        &self,
        target: &str,
        backend: &'static str,
        feature: Option<&str>,
        seconds: u32,
    ) -> Result<Run, String> {
        let grown = self.workspace.target.join("fuzz-corpus").join(target);
        fs::create_dir_all(&grown).map_err(|error| format!("cannot make {}: {error}", grown.display()))?;
        let mut command = self.command("run", feature);
        command.arg(target).arg(grown).arg(format!("fuzz/corpus/{target}"));
        command.args(["--", "-print_final_stats=1", "-timeout=10"]);
        command.arg(format!("-max_total_time={seconds}"));

        println!("    {target} on {backend}, {seconds} s");
        let begin = Instant::now();
        let (progress, told, status) = follow(&mut command, begin)?;
        let failure = match (&progress.artifact, status) {
            (Some(artifact), _) => {
                println!("{told}\n    A finding: {artifact}. Once more, with libFuzzer:");
                let features = feature.map(|name| format!(" --features {name}")).unwrap_or_default();
                let program = self.program.display();
                println!(
                    "      RUSTUP_TOOLCHAIN=nightly {program} fuzz run -s none{features} {target} {artifact}"
                );
                println!("    or, with any compiler, as a part of the corpus:");
                println!("      cp {artifact} fuzz/corpus/{target}/NAME");
                println!("      cargo test --manifest-path {MANIFEST} --no-default-features{features} --lib");
                Some(format!("FINDING: {artifact}"))
            }
            (None, Err(why)) => {
                println!("{told}");
                Some(why)
            }
            (None, Ok(())) if progress.executions == 0 => Some("it ran nothing".into()),
            (None, Ok(())) => None,
        };
        Ok(Run { target: target.into(), backend, progress, failure })
    }
}

fn table(runs: &[Run]) -> String {
    let mut text = format!(
        "{:<18}  {:<7}  {:>12}  {:>10}  {:>8}  findings\n",
        "target", "backend", "executions", "per second", "coverage"
    );
    for run in runs {
        let Progress { executions, per_second, coverage, .. } = run.progress;
        let failure = run.failure.as_deref().unwrap_or("none");
        text.push_str(&format!(
            "{:<18}  {:<7}  {executions:>12}  {per_second:>10}  {coverage:>8}  {failure}\n",
            run.target, run.backend
        ));
    }
    let (failed, all) = (runs.iter().filter(|run| run.failure.is_some()).count(), runs.len());
    let total: u64 = runs.iter().map(|run| run.progress.executions).sum();
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    text.push_str(&format!(
        "{verdict}: {} of {all} runs without a finding, {total} executions",
        all - failed
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Option<Options>, String> {
        parse(&line.split_whitespace().map(String::from).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read() {
        assert_eq!(parsed(""), Ok(Some(Options { seconds: 60, targets: Vec::new(), backend: None })));
        let both =
            Options { seconds: 5, targets: vec!["a".into(), "b".into()], backend: Some("rust".into()) };
        assert_eq!(parsed("--target a --seconds=5 --target=b --backend rust"), Ok(Some(both)));
        assert_eq!(parsed("--seconds 5 --help"), Ok(None));
        for bad in ["--seconds", "--seconds 0", "--seconds x", "--target", "--backend x", "5", "--second 5"] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_finding_is_in_the_table_and_in_the_verdict() {
        let good = Run { target: "one".into(), backend: "rust", ..Run::default() };
        assert!(
            table(std::slice::from_ref(&good)).ends_with("\nok: 1 of 1 runs without a finding, 0 executions")
        );
        let bad = Run { failure: Some("FINDING: a/crash-1".into()), ..Run::default() };
        let text = table(&[good, bad]);
        assert!(text.contains("FINDING: a/crash-1"), "{text}");
        assert!(text.contains("\nFAILED: 1 of 2 runs"), "{text}");
    }
}
