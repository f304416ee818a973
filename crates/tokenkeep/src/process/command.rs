//! A program that is given secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::{env, fmt, io};

use futures_util::future::try_join;
use thiserror::Error;
use tokenkeep_core::{HiddenValues, SecretVars, TextPart, ValueScan};
use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use super::environment::{is_handed_down, takes_over};
use super::redacted_read::RedactedRead;

/// How much is relayed at a time, in bytes.
const PIECE: usize = 8 * 1024;

/// A program that is given secrets in its environment, and nowhere else: not in a file, not on its command line. What it says comes back with the secrets' names
/// in place of their values.
///
/// ```
/// # #[cfg(unix)]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tokenkeep::{SecretCommand, SecretVars};
///
/// let mut vars = SecretVars::new();
/// vars.set("DB_PASSWORD", "an-example-value".to_owned())?;
///
/// let child = SecretCommand::new("sh").args(["-c", "echo connecting with $DB_PASSWORD"]).spawn(&vars)?;
/// let (mut said, mut complained) = (Vec::new(), Vec::new());
/// let status = child.relay(&mut said, &mut complained).await?;
/// assert!(status.success());
/// assert_eq!(said, b"connecting with [hidden DB_PASSWORD]\n");
/// # Ok(()) }
/// # #[cfg(not(unix))]
/// # fn main() {}
/// ```
///
/// # The environment
/// It begins empty. Of our own, `PATH`, `HOME`, `LANG`, `LC_*`, `TZ`, `TERM` and `TMPDIR` are handed down, and what [`inherit`](Self::inherit)
/// names: so a keyring or a passphrase that *we* were given in a variable does not get there. [`env`](Self::env) adds plain ones, and
/// [`spawn`](Self::spawn) the secret ones, which win. Names that are known to take a program over, or to lead its requests elsewhere (`LD_PRELOAD`, `PATH`, `NODE_OPTIONS`, `BASH_ENV`, `HTTPS_PROXY` …), are refused, in
/// a set as in `env`, unless [`allow_name`](Self::allow_name) has each: who may write a set could else run code here. **No such list is whole:** each program has names of its own. Who may
/// write a set is to be trusted with the program, too.
///
/// # Who can still read it
/// The same user and root (`/proc/PID/environ`, `ps e`, a debugger), as long as the process lives. Its own children, which inherit it. Whatever takes a picture of it: core dumps, crash reporters, error
/// trackers that send the environment along. And the program may do with it what it likes: what it writes to files or sends elsewhere is not seen here.
///
/// In this process, the standard library copies the values to give them to the system, and frees those copies unwiped. An allocator that
/// zeroes what is freed wipes them; nothing else does.
///
/// What the program says is searched by value: see [`HiddenValues`] for the forms that are found, and those that are not.
pub struct SecretCommand {
    program: OsString,
    args: Vec<OsString>,
    plain: BTreeMap<String, OsString>,
    inherited: BTreeSet<String>,
    allowed: BTreeSet<String>,
    unredacted: BTreeSet<String>,
    directory: Option<PathBuf>,
}

/// Why a program was not started. It names variables and holds no value.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SecretCommandError {
    /// A variable would take the program over. The caller's to allow, by [`SecretCommand::allow_name`].
    #[error(
        "the variable {0} could make the program run other code, or send what it sends elsewhere; rename it, or allow it by name"
    )]
    TakesOver(String),
    /// Values, or all lines of them, are too short to be hidden in what the program says. The caller's to allow, by [`SecretCommand::allow_unredacted`].
    #[error("too short to be hidden in what the program says: {}; allow each by name", .0.join(", "))]
    Unredacted(Vec<String>),
    /// An argument, the program's name or a plain variable holds the value of this secret variable, in one of the forms of [`HiddenValues`]: other users of the host can read the first
    /// two, and plain ones are not meant to be secret. The caller's fault, or to be allowed by [`SecretCommand::allow_unredacted`] where the value is no secret.
    #[error(
        "the value of {0} is in an argument or in a plain variable; let the program read it from its environment, or allow it by name if it is no secret"
    )]
    InTheOpen(String),
    /// A plain variable has a name that is empty, or has `=` or NUL in it.
    #[error("a variable's name is empty, or has = or NUL in it")]
    BadName,
    /// The system does not start it.
    #[error("the program does not start")]
    Start(#[source] io::Error),
}

impl SecretCommand {
    /// A program, looked for along `PATH` where it is no path. No secret belongs into its name or arguments: every user of the host can read them. Where
    /// [`spawn`](Self::spawn) finds one there, it refuses.
    #[must_use]
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            plain: BTreeMap::new(),
            inherited: BTreeSet::new(),
            allowed: BTreeSet::new(),
            unredacted: BTreeSet::new(),
            directory: None,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item: AsRef<OsStr>>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Adds a plain variable, which is not hidden.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl AsRef<OsStr>) -> Self {
        self.plain.insert(name.into(), value.as_ref().to_owned());
        self
    }

    /// Hands this variable of our own environment down too, if it is set.
    #[must_use]
    pub fn inherit(mut self, name: impl Into<String>) -> Self {
        self.inherited.insert(name.into());
        self
    }

    /// Allows a variable of this name, though it could take the program over.
    #[must_use]
    pub fn allow_name(mut self, name: impl Into<String>) -> Self {
        self.allowed.insert(name.into());
        self
    }

    /// Allows that the value of this secret variable is **not** hidden, where it is too short, and that it is in an argument or in a plain variable.
    #[must_use]
    pub fn allow_unredacted(mut self, name: impl Into<String>) -> Self {
        self.unredacted.insert(name.into());
        self
    }

    /// Where it runs; else where we do.
    #[must_use]
    pub fn current_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Starts it with these secrets. It reads nothing (its standard input is empty), and is killed when the child is dropped. Needs a tokio runtime with I/O.
    ///
    /// # Errors
    /// [`SecretCommandError`]; nothing was started then.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn spawn(&self, secrets: &SecretVars) -> Result<SecretChild, SecretCommandError> {
        let mut names = secrets.names().chain(self.plain.keys().map(String::as_str));
        if let Some(name) = names.find(|name| takes_over(name) && !self.allowed.contains(*name)) {
            return Err(SecretCommandError::TakesOver(name.to_owned()));
        }
        if self.plain.keys().any(|name| name.is_empty() || name.contains(['=', '\0'])) {
            return Err(SecretCommandError::BadName);
        }
        let values = HiddenValues::from(secrets);
        let shown = values.unredacted().filter(|name| !self.unredacted.contains(*name));
        let shown: Vec<String> = shown.map(str::to_owned).collect();
        if !shown.is_empty() {
            return Err(SecretCommandError::Unredacted(shown));
        }
        if let Some(name) = self.in_the_open(secrets, &values) {
            return Err(SecretCommandError::InTheOpen(name));
        }
        let handed_down = |name: &OsString| {
            let name = name.to_str();
            name.is_some_and(|name| is_handed_down(name) || self.inherited.contains(name))
        };

        // Dropped at the end: it holds copies.
        let mut command = Command::new(&self.program);
        command.args(&self.args).env_clear();
        command.envs(env::vars_os().filter(|(name, _)| handed_down(name))).envs(&self.plain);
        command.envs(secrets.names().filter_map(|name| Some((name, secrets.expose_secret(name)?))));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        let mut child = command.spawn().map_err(SecretCommandError::Start)?;
        let missing = || SecretCommandError::Start(io::ErrorKind::BrokenPipe.into());
        let values = Arc::new(values);
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let stderr = child.stderr.take().ok_or_else(missing)?;
        Ok(SecretChild {
            stdout: RedactedRead::new(stdout, values.clone()),
            stderr: RedactedRead::new(stderr, values),
            child,
        })
    }

    /// The name of a secret whose value stands where it is no secret any more, but for those that are allowed to.
    fn in_the_open(&self, secrets: &SecretVars, all: &HiddenValues) -> Option<String> {
        let guarded = secrets.names().filter(|name| !self.unredacted.contains(*name));
        let guarded = guarded.filter_map(|name| Some((name, secrets.expose_secret(name)?.as_bytes())));
        // The forms of long values take time: they are made again only where some are left out.
        let some = (!self.unredacted.is_empty()).then(|| HiddenValues::new(guarded));
        let values = some.as_ref().unwrap_or(all);
        let texts = [&self.program].into_iter().chain(&self.args).chain(self.plain.values());
        let mut found = None;
        for text in texts {
            ValueScan::new().finish(values, text.as_encoded_bytes(), |part| {
                if let TextPart::Begins(number) = part {
                    found = Some(number);
                }
            });
        }
        values.name(found?).map(str::to_owned)
    }
}

/// Without arguments and values: somebody may have put there what does not belong there.
impl fmt::Debug for SecretCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretCommand")
            .field("plain", &self.plain.keys())
            .field("inherited", &self.inherited)
            .field("allowed", &self.allowed)
            .field("unredacted", &self.unredacted)
            .finish_non_exhaustive()
    }
}

/// A program that runs with secrets. It is killed when this is dropped; what it started itself is not ([`kill`](Self::kill)).
pub struct SecretChild {
    child: Child,
    stdout: RedactedRead<ChildStdout>,
    stderr: RedactedRead<ChildStderr>,
}

impl SecretChild {
    /// The number of its process, until it was waited for.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Passes on what it says and what it complains about, each as it comes, until both are closed, and then waits for its end.
    ///
    /// What may be the beginning of a value at the very end of either is hidden, be it one byte, as the program may have been killed there
    /// ([`RedactedRead`]): a text that ends with a line break is seldom touched.
    ///
    /// Both go on at once, with 8 KiB of each in memory; where one of ours takes nothing, the program waits in that one. Both are closed when
    /// the last process that has them is gone, be it one that the program left behind.
    ///
    /// # Errors
    /// Of reading, or of `out` and `err`. The program is killed.
    ///
    /// # Cancellation
    /// Dropped, it kills the program. What was passed on is whole up to some point.
    pub async fn relay(
        mut self,
        out: &mut (impl AsyncWrite + Unpin),
        err: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<ExitStatus> {
        try_join(pump(&mut self.stdout, out), pump(&mut self.stderr, err)).await?;
        self.child.wait().await
    }

    /// Kills it and waits for its end. **What it started itself lives on**, with the secrets that it inherited, unless it ends on its own: here as where this is
    /// dropped. It is left in our process group, so that a Ctrl-C in a terminal reaches all of them; a service that is to end all should run in a cgroup or a container that ends
    /// with it.
    ///
    /// # Errors
    /// Of the system.
    pub async fn kill(mut self) -> io::Result<()> {
        self.child.kill().await
    }

    /// Its two streams, redacted, to be read by the caller, and the process itself. Read both at once: where one is full, the program waits.
    #[must_use]
    pub fn into_parts(self) -> (Child, RedactedRead<ChildStdout>, RedactedRead<ChildStderr>) {
        (self.child, self.stdout, self.stderr)
    }
}

impl fmt::Debug for SecretChild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretChild").field("id", &self.id()).finish_non_exhaustive()
    }
}

async fn pump<R: tokio::io::AsyncRead + Unpin>(
    from: &mut RedactedRead<R>,
    to: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let length = from.read(&mut piece).await?;
        if length == 0 {
            return to.flush().await;
        }
        to.write_all(&piece[..length]).await?;
        to.flush().await?;
    }
}
