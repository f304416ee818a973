//! The fuzz targets, which are a workspace of their own.

use std::fs;
use std::path::Path;

use crate::cargo;
use crate::workspace::Workspace;

pub(crate) const MANIFEST: &str = "fuzz/Cargo.toml";
const TARGETS: &str = "fuzz/fuzz_targets";

/// Checks that every fuzz target compiles, on any toolchain and without a C++ compiler.
pub(crate) fn check(workspace: &Workspace) -> Result<(), String> {
    let files = target_files(&workspace.root.join(TARGETS))?;
    let declared = workspace.other(MANIFEST)?;
    let sources: Vec<_> =
        declared.packages.iter().flat_map(|package| &package.targets).map(|target| &target.source).collect();
    for file in &files {
        if !sources.iter().any(|source| source.ends_with(Path::new(TARGETS).join(file))) {
            return Err(format!("{TARGETS}/{file} is no [[bin]] in {MANIFEST}"));
        }
    }
    println!("    fuzz targets: {}", files.len());
    let mut command = workspace.cargo();
    // Without the default feature libFuzzer isn't compiled, which only a program that is linked needs.
    command.args(["clippy", "--manifest-path", MANIFEST, "--no-default-features"]);
    command.arg("--target-dir").arg(workspace.target.join("fuzz"));
    cargo::run(command.args(["--", "-D", "warnings"]))
}

/// The names of the Rust files in the folder; at least one.
fn target_files(folder: &Path) -> Result<Vec<String>, String> {
    // A missing folder is a folder without targets.
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let files: Vec<String> = names.filter(|name| name.ends_with(".rs")).collect();
    if files.is_empty() { Err(format!("no fuzz target in {TARGETS}")) } else { Ok(files) }
}
