//! `cargo xtask mutants`: cargo-mutants changes the core in one place after the other and looks whether a test notices.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;

use crate::workspace::Workspace;
use crate::{cargo, tools};

const PACKAGE: &str = "tokenkeep-core";
const SOURCES: &str = "crates/tokenkeep-core/src/";

/// Where no change may go unnoticed: opening, decoding, the encoding of contexts, the comparison of commitments.
const STRICT: [&str; 8] = [
    "aad.rs",
    "backend/aws_lc.rs",
    "backend/rust.rs",
    "context.rs",
    "envelope.rs",
    "seal.rs",
    "suite.rs",
    "wrap.rs",
];

/// Of a hundred changes elsewhere, how many must be noticed.
const CAUGHT_ELSEWHERE: usize = 95;

/// One run for each backend: its name, the features, and the files.
const RUNS: [(&str, &str, [&str; 2]); 2] = [
    // With what seals reproducibly, which the published vectors are tested with.
    ("rust", "dangerous-test-vectors", ["--exclude", "**/backend/aws_lc.rs"]),
    ("aws-lc", "dangerous-test-vectors,aws-lc", ["--file", "**/backend/aws_lc.rs"]),
];

const HELP: &str = "\
Changes the core in one place after the other and looks whether a test notices (cargo-mutants).

Usage: cargo xtask mutants [--resume]

Options:
  --resume    Goes on where a run was broken off, or tries those again that went unnoticed; what was caught
              before counts as caught

It fails when a change goes unnoticed in opening, decoding, the encoding of contexts or the comparison of commitments, or
when fewer than 95 of 100 are noticed elsewhere. What is left out, and why, is in .cargo/mutants.toml. It takes about
an hour; what it finds is under target/mutants. cargo-mutants is installed under the target folder when there is none.";

pub(crate) fn main(arguments: &[String]) -> ExitCode {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let resume = match arguments[..] {
        [] => false,
        ["--resume"] => true,
        ["--help" | "-h"] => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("error: it takes --resume or nothing; see `cargo xtask mutants --help`");
            return ExitCode::from(2);
        }
    };
    match run(resume) {
        Ok(counts) => {
            println!("\n{}", table(&counts));
            if verdict(&counts).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What came of the changes of one file. Those that don't compile are not counted.
#[derive(Debug, Default, Clone, PartialEq)]
struct Count {
    caught: usize,
    /// The tests did not come to an end, which is as good as caught.
    timeouts: usize,
    missed: Vec<String>,
}

impl Count {
    fn noticed(&self) -> usize {
        self.caught + self.timeouts
    }
}

/// By file, from the crate's `src`.
type Counts = BTreeMap<String, Count>;

fn run(resume: bool) -> Result<Counts, String> {
    let workspace = Workspace::read()?;
    let program = tools::cargo_mutants(&workspace)?;
    let mut counts = Counts::new();
    for (name, features, files) in RUNS {
        println!("\n=== backend {name}");
        let folder = workspace.target.join("mutants").join(name);
        let mut command = workspace.command(&program);
        command.args(["mutants", "--package", PACKAGE, "--features", features]).args(files);
        command.arg("--output").arg(&folder);
        if resume {
            keep_unviable(&folder)?;
            command.arg("--iterate");
        } else if folder.exists() {
            fs::remove_dir_all(&folder)
                .map_err(|error| format!("cannot empty {}: {error}", folder.display()))?;
        }
        fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        // Hundreds of builds and runs of the tests: no debug information to link, and fast ciphers under the tests.
        command.env("CARGO_PROFILE_DEV_DEBUG", "false");
        command.args(["--cargo-arg=--config", "--cargo-arg=profile.dev.package.'*'.opt-level=2"]);
        // Without the tests in the documentation, each of which is a program to link.
        command.args(["--", "--lib", "--tests"]);
        let ended = cargo::status(&mut command)?;
        // 2: some were missed; 3: some timed out. All others are no verdict: the tests fail unchanged, say.
        if !matches!(ended.code(), Some(0 | 2 | 3)) {
            return Err(format!("cargo mutants: {ended}"));
        }
        collect(&folder, &mut counts)?;
    }
    Ok(counts)
}

/// Below a run's folder: the lists of cargo-mutants, one change a line, led by its file.
const LISTS: &str = "mutants.out";
/// In a run's folder: what didn't compile in the runs before. cargo-mutants itself puts those among the caught ones.
const UNVIABLE: &str = "unviable_before.txt";

/// Keeps the list of what doesn't compile before cargo-mutants begins a new one.
fn keep_unviable(folder: &Path) -> Result<(), String> {
    let kept = list(&folder.join(UNVIABLE))? + &list(&folder.join(LISTS).join("unviable.txt"))?;
    let path = folder.join(UNVIABLE);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&path, kept))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// A list, or nothing where there is none yet.
fn list(path: &Path) -> Result<String, String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        read => read.map_err(|error| format!("cannot read {}: {error}", path.display())),
    }
}

fn collect(folder: &Path, counts: &mut Counts) -> Result<(), String> {
    let lists = folder.join(LISTS);
    let unviable = list(&folder.join(UNVIABLE))?;
    let unviable: HashSet<&str> = unviable.lines().collect();
    let before = list(&lists.join("previously_caught.txt"))?;
    let before: Vec<&str> = before.lines().filter(|change| !unviable.contains(change)).collect();
    for caught in [list(&lists.join("caught.txt"))?, before.join("\n")] {
        each(&caught, counts, |count, _| count.caught += 1);
    }
    each(&list(&lists.join("timeout.txt"))?, counts, |count, _| count.timeouts += 1);
    each(&list(&lists.join("missed.txt"))?, counts, |count, change| count.missed.push(change.into()));
    Ok(())
}

fn each(list: &str, counts: &mut Counts, mut add: impl FnMut(&mut Count, &str)) {
    for change in list.lines() {
        let change = change.strip_prefix(SOURCES).unwrap_or(change);
        let file = change.split(':').next().unwrap_or(change);
        add(counts.entry(file.into()).or_default(), change);
    }
}

/// Of all files that are not in the strict list: how many changes were noticed, and how many there were.
fn elsewhere(counts: &Counts) -> (usize, usize) {
    let others = counts.iter().filter(|(file, _)| !STRICT.contains(&file.as_str()));
    others.fold((0, 0), |(noticed, all), (_, count)| {
        (noticed + count.noticed(), all + count.noticed() + count.missed.len())
    })
}

fn verdict(counts: &Counts) -> Result<(), String> {
    let mut faults = Vec::new();
    for file in STRICT {
        match counts.get(file) {
            None => faults.push(format!("{file} was not tried")),
            Some(count) if !count.missed.is_empty() => {
                faults.push(format!("{file}: {} unnoticed", count.missed.len()));
            }
            Some(_) => {}
        }
    }
    let (noticed, all) = elsewhere(counts);
    if noticed * 100 < all * CAUGHT_ELSEWHERE {
        faults.push(format!("elsewhere {noticed} of {all}, below {CAUGHT_ELSEWHERE} %"));
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
}

fn table(counts: &Counts) -> String {
    let mut text = format!("{:<20}  {:>6}  {:>8}  {:>6}\n", "file", "caught", "timeouts", "missed");
    for (file, count) in counts {
        let strict = if STRICT.contains(&file.as_str()) { "  none may be missed" } else { "" };
        let Count { caught, timeouts, missed } = count;
        text.push_str(&format!("{file:<20}  {caught:>6}  {timeouts:>8}  {:>6}{strict}\n", missed.len()));
    }
    for change in counts.values().flat_map(|count| &count.missed) {
        text.push_str(&format!("  missed: {change}\n"));
    }
    let (noticed, all) = elsewhere(counts);
    text.push_str(&format!("elsewhere: {noticed} of {all} noticed\n"));
    match verdict(counts) {
        Ok(()) => text.push_str("ok"),
        Err(faults) => text.push_str(&format!("FAILED: {faults}")),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_strict_caught() -> Counts {
        STRICT.map(|file| (file.into(), Count { caught: 1, ..Count::default() })).into()
    }

    #[test]
    fn lists_are_counted_by_file() {
        let mut counts = Counts::new();
        let list = "crates/tokenkeep-core/src/wrap.rs:1:2: replace a with b\ncrates/tokenkeep-core/src/wrap.rs:9:1: x\n";
        each(list, &mut counts, |count, change| count.missed.push(change.into()));
        assert_eq!(counts["wrap.rs"].missed, ["wrap.rs:1:2: replace a with b", "wrap.rs:9:1: x"]);
    }

    #[test]
    fn what_did_not_compile_in_a_run_before_is_not_caught() {
        let folder = std::env::temp_dir().join(format!("tokenkeep-xtask-mutants-{}", std::process::id()));
        let lists = folder.join(LISTS);
        fs::create_dir_all(&lists).unwrap();
        let change = |number| format!("{SOURCES}wrap.rs:{number}:1: x\n");
        fs::write(lists.join("unviable.txt"), change(1)).unwrap();
        keep_unviable(&folder).unwrap();
        fs::write(lists.join("unviable.txt"), "").unwrap();
        keep_unviable(&folder).unwrap();
        fs::write(lists.join("previously_caught.txt"), change(1) + &change(2)).unwrap();
        fs::write(lists.join("caught.txt"), change(3)).unwrap();
        fs::write(lists.join("timeout.txt"), change(4)).unwrap();
        fs::write(lists.join("missed.txt"), change(5)).unwrap();
        let mut counts = Counts::new();
        let collected = collect(&folder, &mut counts);
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(collected, Ok(()));
        let missed = vec!["wrap.rs:5:1: x".to_owned()];
        assert_eq!(counts, Counts::from([("wrap.rs".into(), Count { caught: 2, timeouts: 1, missed })]));
    }

    #[test]
    fn one_survivor_in_a_strict_file_fails_and_a_file_that_was_not_tried_does_too() {
        let mut counts = all_strict_caught();
        assert_eq!(verdict(&counts), Ok(()));
        counts.get_mut("suite.rs").unwrap().missed.push("suite.rs:1:1: x".into());
        assert!(verdict(&counts).unwrap_err().contains("suite.rs: 1 unnoticed"));
        assert!(table(&counts).contains("missed: suite.rs:1:1: x"));
        counts.remove("suite.rs");
        assert!(verdict(&counts).unwrap_err().contains("suite.rs was not tried"));
    }

    #[test]
    fn elsewhere_95_of_100_are_enough_and_94_are_not() {
        let mut counts = all_strict_caught();
        let missed = vec!["kind.rs:1:1: x".to_owned(); 5];
        counts.insert("kind.rs".into(), Count { caught: 90, timeouts: 5, missed });
        assert_eq!(verdict(&counts), Ok(()));
        counts.get_mut("kind.rs").unwrap().caught = 89;
        assert!(verdict(&counts).unwrap_err().contains("elsewhere 94 of 99"));
    }
}
