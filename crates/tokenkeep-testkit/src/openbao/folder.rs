//! The server's folder, and the shell that ends the server and removes the folder when nobody else can.

use std::env;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Dropping it kills the server whose process it remembers and removes it.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    watchdog: Child,
}

/// Its input ends when this process does, however it does. Then it kills the server and removes the folder.
const WATCHDOG: &str = r#"cat >/dev/null
[ -f "$1/process" ] && kill -9 "$(cat "$1/process")" 2>/dev/null
for try in 1 2 3 4 5 6 7 8 9 10; do rm -rf "$1" && exit; sleep 0.1; done"#;

impl Folder {
    pub(crate) fn new() -> io::Result<Self> {
        let mut random = [0_u8; 6];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let name: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = env::temp_dir().join(format!("tokenkeep-bao-{name}"));
        DirBuilder::new().mode(0o700).create(&path)?;
        let mut watchdog = Command::new("sh");
        watchdog.args(["-c", WATCHDOG, "sh"]).arg(&path).current_dir("/");
        // A group of its own: an interrupt at the terminal must not end it before its work is done.
        watchdog.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let watchdog = watchdog.spawn().inspect_err(|_| drop(fs::remove_dir(&path)))?;
        Ok(Self { path, watchdog })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file that its owner alone reads.
    pub(crate) fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(self.path.join(name))?;
        file.write_all(text.as_bytes())
    }

    /// The process to kill with the folder.
    pub(crate) fn remember_process(&self, id: u32) -> io::Result<()> {
        self.write("process", &id.to_string())
    }

    /// It ended: its number may be another one's soon.
    pub(crate) fn forget_process(&self) -> io::Result<()> {
        fs::remove_file(self.path.join("process"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}
