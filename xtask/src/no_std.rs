//! Whether the core does without the standard library.

use std::path::Path;
use std::{fs, io};

use crate::cargo;
use crate::workspace::Workspace;

/// A crate with the panic handler that the standard library would bring. Were `std` loaded anywhere below it, the compiler
/// would find that item twice and refuse. So no target without `std` need be installed.
const SOURCE: &str = "\
#![no_std]
#![forbid(unsafe_code)]

#[cfg(feature = \"std\")]
extern crate std;

pub use tokenkeep_core;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
";

const MANIFEST: &str = "\
[package]
name = \"no-std\"
version = \"0.0.0\"
edition = \"2024\"
publish = false

[features]
async = [\"tokenkeep-core/async\"]
# On purpose, to see that it is noticed.
std = []

[dependencies]
tokenkeep-core = { default-features = false, path = CORE }

[workspace]
";

pub(crate) fn check(workspace: &Workspace) -> Result<(), String> {
    let folder = workspace.target.join("no-std");
    let core = workspace.root.join("crates/tokenkeep-core");
    write(workspace, &folder, &MANIFEST.replace("CORE", &format!("{core:?}")))
        .map_err(|error| format!("{}: {error}", folder.display()))?;
    let check = |features: &str| {
        let mut command = workspace.cargo();
        command.args(["check", "--quiet", "--manifest-path"]).arg(folder.join("Cargo.toml"));
        command.args(["--features", features, "--target-dir"]).arg(&folder);
        command
    };
    cargo::run(&mut check(""))?;
    cargo::run(&mut check("async"))?;
    let mut on_purpose = check("std");
    println!("    with `std` on purpose, which must be refused:");
    let output = on_purpose.output().map_err(|error| format!("cargo: {error}"))?;
    if output.status.success() || !String::from_utf8_lossy(&output.stderr).contains("panic_impl") {
        return Err("`std` was not noticed: this check proves nothing".into());
    }
    println!("    refused");
    Ok(())
}

fn write(workspace: &Workspace, folder: &Path, manifest: &str) -> io::Result<()> {
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("Cargo.toml"), manifest)?;
    fs::write(folder.join("src/lib.rs"), SOURCE)?;
    // The very versions that the workspace is locked to; Cargo drops what isn't used.
    fs::copy(workspace.root.join("Cargo.lock"), folder.join("Cargo.lock"))?;
    Ok(())
}
