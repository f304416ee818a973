//! `cargo xtask interop`: other implementations against this one.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use crate::secret_input::Extent;
use crate::workspace::Workspace;
use crate::{cargo, secret_input, tools, vectors};

/// From the root of the workspace.
const FOLDER: &str = "interop";
const REQUIREMENTS: &str = "interop/requirements.txt";
/// The published checkpoint's key and note.
const CHECKPOINT: [&str; 2] =
    ["crates/tokenkeep/vectors/checkpoint.key", "crates/tokenkeep/vectors/checkpoint.note"];
const USAGE: &str = "\
Holds the core against the second implementation, in Python: each opens what the other sealed and refuses what is bad.
Checks a published checkpoint with Python too.
Holds Apify's secret input against npm's @apify/input_secrets and PyPI's apify, both ways, and measures it beside the former.

Usage: cargo xtask interop

It needs python3 with pip, and Node.js 20 with npm; packages go under the target folder.";

pub(crate) fn main(arguments: &[String]) -> ExitCode {
    match arguments {
        [] => {}
        [help] if help == "--help" || help == "-h" => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("error: it takes no arguments\n\n{USAGE}");
            return ExitCode::from(2);
        }
    }
    match Workspace::read().and_then(|workspace| run(&workspace, Extent::CasesAndSpeed)) {
        Ok(()) => {
            println!("ok");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Apify's secret input to this extent, and all the rest.
pub(crate) fn run(workspace: &Workspace, extent: Extent) -> Result<(), String> {
    let packages = tools::pip_packages(workspace, REQUIREMENTS, "interop")?;
    let python = |command: &str, file: &Path| {
        let mut python = workspace.command("python3");
        python.env("PYTHONPATH", &packages).env("PYTHONDONTWRITEBYTECODE", "1");
        python.arg(Path::new(FOLDER).join("exchange.py")).arg(command).arg(file);
        python
    };

    vectors::check(workspace)?;
    println!("  Python, with the published vectors:");
    quietly(&mut python("check", Path::new(vectors::FILE)))?;

    println!("  Python, with the published checkpoint:");
    let mut checkpoint = workspace.command("python3");
    checkpoint.env("PYTHONPATH", &packages).env("PYTHONDONTWRITEBYTECODE", "1");
    checkpoint.arg(Path::new(FOLDER).join("checkpoint.py")).args(CHECKPOINT);
    quietly(&mut checkpoint)?;

    let sealed = workspace.target.join("xtask").join("sealed-by-python.json");
    let folder = sealed.parent().unwrap_or(&workspace.target);
    fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    println!("  Python, with fresh keys and facts:");
    quietly(&mut python("seal", &sealed))?;
    println!("  Rust, with what Python sealed:");
    let mut rust = workspace.cargo();
    rust.args(["run", "--quiet", "--package", "tokenkeep-core", "--example", "check_vectors", "--"]);
    quietly(rust.arg(&sealed))?;

    println!("  Apify's own packages, with secret input:");
    secret_input::run(workspace, &packages, extent)
}

/// Runs it without naming it: its output is the table.
fn quietly(command: &mut Command) -> Result<(), String> {
    let output = cargo::capture(command)?;
    print!("{}", String::from_utf8_lossy(&output));
    Ok(())
}
