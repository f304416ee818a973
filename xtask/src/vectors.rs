//! The core's published vectors: the program that makes them, and the file that is in the repository.

use std::fs;
use std::process::ExitCode;

use crate::cargo;
use crate::workspace::Workspace;

/// From the root of the workspace.
pub(crate) const FILE: &str = "crates/tokenkeep-core/vectors/envelope_v1.json";
const USAGE: &str = "\
Makes the core's published vectors.

Usage: cargo xtask vectors [--check]

Options:
  --check    Writes nothing, and fails if the file is not what would be written";

pub(crate) fn main(arguments: &[String]) -> ExitCode {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let task = match arguments[..] {
        [] => write,
        ["--check"] => check,
        ["--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("error: unknown arguments\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match Workspace::read().and_then(|workspace| task(&workspace)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(workspace: &Workspace) -> Result<(), String> {
    let made = make(workspace)?;
    fs::write(workspace.root.join(FILE), &made).map_err(|error| format!("cannot write {FILE}: {error}"))?;
    println!("{FILE}: {} bytes", made.len());
    Ok(())
}

/// Fails if the file is not what the program makes.
pub(crate) fn check(workspace: &Workspace) -> Result<(), String> {
    let made = make(workspace)?;
    let kept = fs::read(workspace.root.join(FILE)).map_err(|error| format!("cannot read {FILE}: {error}"))?;
    if kept != made {
        return Err(format!("{FILE} is not what `cargo xtask vectors` makes"));
    }
    println!("    {FILE}: as it is made");
    Ok(())
}

fn make(workspace: &Workspace) -> Result<Vec<u8>, String> {
    let mut command = workspace.cargo();
    command.args(["run", "--quiet", "--package", "tokenkeep-core", "--example", "make_vectors"]);
    cargo::capture(command.args(["--features", "dangerous-test-vectors"]))
}
