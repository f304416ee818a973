//! Apify's secret input, held against the packages that Apify itself runs: for JavaScript and for Python.

use std::env;
use std::path::Path;
use std::process::Command;

use crate::workspace::Workspace;
use crate::{examples, tools};

/// From the root of the workspace, as the next one. The lock file beside it pins every package by its hash.
const MANIFEST: &str = "interop/secret_input/package.json";
const REQUIREMENTS: &str = "interop/secret_input/requirements.txt";
const PACKAGE: &str = "tokenkeep-apify";
const EXAMPLE: &str = "secret_input_interop";

/// How much is done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Every case.
    Cases,
    /// Every case, and the speed beside npm's package: in an optimized build.
    CasesAndSpeed,
}

/// `cryptography` is the folder with the Python package of that name.
///
/// # Errors
/// The packages can't be had, Node.js or Python is not there, or a case does not come through.
pub(crate) fn run(workspace: &Workspace, cryptography: &Path, extent: Extent) -> Result<(), String> {
    let node = tools::npm_packages(workspace, MANIFEST, "secret-input-npm").map_err(|error| {
        format!(
            "{error}; the package comes from npm and runs on Node.js 20 or later, or say `--without interop`"
        )
    })?;
    let python = tools::pip_packages(workspace, REQUIREMENTS, "secret-input-pypi")?;
    let path = env::join_paths([python.as_path(), cryptography]).map_err(|error| error.to_string())?;

    let mut build = workspace.cargo();
    match extent {
        // As in the part `test`, so that nothing is compiled anew.
        Extent::Cases => build.args(["build", "--workspace", "--all-features"]),
        Extent::CasesAndSpeed => {
            build.args(["build", "--release", "--package", PACKAGE, "--features", "secret-input"])
        }
    };
    let program = examples::built(build.arg("--quiet"), EXAMPLE)?;
    let mut arguments = vec![node.into_os_string()];
    if extent == Extent::CasesAndSpeed {
        arguments.push("--speed".into());
    }
    let mut command = workspace.command(program);
    seen(command.args(arguments).env("PYTHONPATH", path).env("PYTHONDONTWRITEBYTECODE", "1"))
}

/// Runs it without naming it: its output, as it comes, is the table.
fn seen(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|error| format!("cannot start {EXAMPLE}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{EXAMPLE}: {status}")) }
}
