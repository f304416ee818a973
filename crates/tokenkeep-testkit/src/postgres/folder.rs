//! The server's folder, and the shell that removes it when nobody else can.

use std::env;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use super::programs::{Programs, random_name};

/// A folder that belongs to the server's user. Dropping it stops the server and removes it.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    owner: Option<(u32, u32)>,
    watchdog: Child,
}

/// Its input ends when this process does, however it does. Then it stops the server and removes the folder.
const WATCHDOG: &str = r#"cat >/dev/null
"$1" stop -D "$2/data" -m immediate -w -t 10 >/dev/null 2>&1
rm -rf "$2""#;

impl Folder {
    pub(crate) fn new(programs: &Programs) -> io::Result<Self> {
        // The name is short: a socket's path has at most 107 bytes.
        let path = env::temp_dir().join(format!("tokenkeep-pg-{}", &random_name()?[..12]));
        DirBuilder::new().mode(0o700).create(&path)?;
        if let Some((user, group)) = programs.run_as {
            chown(&path, Some(user), Some(group))?;
        }
        let mut watchdog = programs.command_in_path("sh");
        watchdog.args(["-c", WATCHDOG, "sh"]).arg(programs.path("pg_ctl")).arg(&path);
        // A group of its own: an interrupt at the terminal must not end it before its work is done.
        watchdog.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let watchdog = watchdog.spawn().inspect_err(|_| drop(fs::remove_dir(&path)))?;
        Ok(Self { path, owner: programs.run_as, watchdog })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The database's files.
    pub(crate) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    /// Makes a file that the server alone reads.
    pub(crate) fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let path = self.path.join(name);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(text.as_bytes())?;
        match self.owner {
            Some((user, group)) => chown(path, Some(user), Some(group)),
            None => Ok(()),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}
