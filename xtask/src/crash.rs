//! `cargo xtask crash`: the program in the folder `crash`.

use std::process::ExitCode;

use crate::cargo;
use crate::workspace::Workspace;

/// Kills on each store when it runs as a part of `cargo xtask test`.
const SHORT: &str = "20";

pub(crate) fn main(arguments: &[String]) -> ExitCode {
    match Workspace::read().and_then(|workspace| run(&workspace, arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The short form.
pub(crate) fn check(workspace: &Workspace, without_postgres: bool) -> Result<(), String> {
    let store: &[&str] = if without_postgres { &["--store", "sqlite"] } else { &[] };
    let arguments = ["--kills", SHORT].iter().chain(store);
    run(workspace, &arguments.map(ToString::to_string).collect::<Vec<_>>())
}

fn run(workspace: &Workspace, arguments: &[String]) -> Result<(), String> {
    // The features are the tests': nothing is compiled anew for this.
    let start = ["run", "--quiet", "--all-features", "--example", "crash", "--"];
    cargo::run(workspace.cargo().args(start).args(arguments))
}
