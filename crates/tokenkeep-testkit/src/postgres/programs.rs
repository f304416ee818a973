//! PostgreSQL's programs, and the user that they run as.

use std::env;
use std::fs;
use std::io::{self, Read, Seek, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where they are, and as whom they run.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    folder: PathBuf,
    /// User and group, for root alone: `None` runs them as who we are.
    pub(crate) run_as: Option<(u32, u32)>,
}

const MISSING: &str = "PostgreSQL's programs (initdb, pg_ctl, psql) are neither in PATH nor under \
    /usr/lib/postgresql. Install the server: `apt install postgresql` on Debian and Ubuntu, `dnf install \
    postgresql-server postgresql-contrib` on Fedora, `brew install postgresql` on macOS";

impl Programs {
    pub(crate) fn find() -> io::Result<Self> {
        let folder = in_path().or_else(installed);
        let folder = folder.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, MISSING))?;
        Ok(Self { folder, run_as: unprivileged()? })
    }

    /// One of PostgreSQL's programs, as the user that it runs as, without the settings of whoever started the test.
    pub(crate) fn command(&self, program: &str) -> Command {
        self.as_user(self.folder.join(program))
    }

    /// Any other program, as the same user.
    pub(crate) fn command_in_path(&self, program: &str) -> Command {
        self.as_user(program.into())
    }

    fn as_user(&self, program: PathBuf) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/").env("LC_ALL", "C").stdin(Stdio::null());
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        if let Some((user, group)) = self.run_as {
            command.uid(user).gid(group);
        }
        command
    }

    pub(crate) fn path(&self, program: &str) -> PathBuf {
        self.folder.join(program)
    }
}

fn has_all(folder: &Path) -> bool {
    ["initdb", "pg_ctl", "postgres", "psql", "pg_basebackup"].iter().all(|name| folder.join(name).is_file())
}

/// Beside the `initdb` in the search path, which may be a link to where the others are.
fn in_path() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let mut found = env::split_paths(&path).filter_map(|folder| folder.join("initdb").canonicalize().ok());
    found.find_map(|initdb| initdb.parent().filter(|folder| has_all(folder)).map(Path::to_owned))
}

/// Debian's place, which is not in the search path; the newest version.
fn installed() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let version = |folder: &PathBuf| folder.file_name()?.to_str()?.parse::<u32>().ok();
    let mut folders: Vec<PathBuf> = versions.filter_map(|entry| Some(entry.ok()?.path())).collect();
    folders.sort_by_key(version);
    folders.into_iter().rev().map(|folder| folder.join("bin")).find(|folder| has_all(folder))
}

/// PostgreSQL refuses to run as root.
fn unprivileged() -> io::Result<Option<(u32, u32)>> {
    let id = |arguments: &[&str]| -> io::Result<u32> {
        let number = captured(Command::new("id").args(arguments).stdin(Stdio::null()), None)?;
        number.trim().parse().map_err(io::Error::other)
    };
    if id(&["-u"])? != 0 {
        return Ok(None);
    }
    Ok(Some((id(&["-u", "nobody"])?, id(&["-g", "nobody"])?)))
}

/// Runs it, and fails with what it said when it fails.
pub(crate) fn succeeded(command: &mut Command) -> io::Result<()> {
    // Its output goes to a file: a server that it starts would keep a pipe open, and reading it would never end.
    let mut output = nameless_file()?;
    let status = command.stdout(output.try_clone()?).stderr(output.try_clone()?).status();
    let status = status.map_err(|error| cannot_start(command, &error))?;
    if status.success() {
        return Ok(());
    }
    let mut said = Vec::new();
    output.rewind()?;
    output.read_to_end(&mut said)?;
    Err(failed(command, &String::from_utf8_lossy(&said)))
}

/// A file that is gone once it is closed.
fn nameless_file() -> io::Result<fs::File> {
    let path = env::temp_dir().join(random_name()?);
    let file = fs::OpenOptions::new().read(true).append(true).create_new(true).open(&path)?;
    fs::remove_file(path)?;
    Ok(file)
}

/// 32 hex digits that nobody else has.
pub(crate) fn random_name() -> io::Result<String> {
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Runs it with this input and gives its output.
pub(crate) fn captured(command: &mut Command, input: Option<&str>) -> io::Result<String> {
    if input.is_some() {
        command.stdin(Stdio::piped());
    }
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| cannot_start(command, &error))?;
    if let (Some(input), Some(mut pipe)) = (input, child.stdin.take()) {
        // Small enough for the pipe; a program that ended already says why on its own.
        let _ = pipe.write_all(input.as_bytes());
    }
    let output = child.wait_with_output()?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(failed(command, &String::from_utf8_lossy(&output.stderr)))
    }
}

fn cannot_start(command: &Command, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot start {}: {error}", command.get_program().display()))
}

fn failed(command: &Command, said: &str) -> io::Error {
    io::Error::other(format!("{} failed: {}", command.get_program().display(), said.trim()))
}
