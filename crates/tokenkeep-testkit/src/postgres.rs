//! A PostgreSQL server for tests.

mod folder;
mod programs;
mod replica;

use std::fmt;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use folder::Folder;
use programs::{Programs, captured, random_name, succeeded};

use crate::tls;

/// How long the server may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// A PostgreSQL server of the test's own: in a folder that vanishes, on 127.0.0.1 at a port that the kernel gave and on a
/// Unix socket, with a password (SCRAM).
///
/// It is stopped and its folder removed when this is dropped, and also when the process ends in any other way, killed
/// included: a shell waits for that. So one server in a `static` serves all tests of a test binary, each in a
/// [`fresh_database`](Self::fresh_database) of its own.
///
/// The programs are those in `PATH`, or the newest ones under `/usr/lib/postgresql`. PostgreSQL refuses to run as root; for
/// root it runs as `nobody`. Calls block: they start programs and wait for them.
///
/// ```no_run
/// # fn main() -> std::io::Result<()> {
/// use tokenkeep_testkit::ThrowawayPostgres;
///
/// let postgres = ThrowawayPostgres::start()?;
/// let database = postgres.fresh_database()?;
/// println!("{}", postgres.url(&database)); // for the code under test
/// postgres.kill()?; // as a crash does
/// postgres.start_again()?;
/// # Ok(())
/// # }
/// ```
pub struct ThrowawayPostgres {
    programs: Programs,
    folder: Folder,
    port: u16,
    password: String,
    ca_pem: Option<String>,
    databases: AtomicU32,
}

/// How a [`ThrowawayPostgres`] is to be.
#[derive(Debug, Clone, Default)]
pub struct PostgresBuilder {
    durable: bool,
    tls: bool,
    settings: Vec<(String, String)>,
}

impl PostgresBuilder {
    /// Whether a commit reaches the disk before it is acknowledged. Off by default: a test that pulls no plug loses
    /// nothing, and is faster. A killed server loses nothing either way; only the operating system's crash would.
    #[must_use]
    pub fn fsync(mut self, on: bool) -> Self {
        self.durable = on;
        self
    }

    /// Whether it speaks TLS, with a certificate for `localhost` from a new CA. Off by default.
    #[must_use]
    pub fn tls(mut self, on: bool) -> Self {
        self.tls = on;
        self
    }

    /// A setting, as in `postgresql.conf`; the value is quoted for you.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// When PostgreSQL's programs are not there (the error says what to install), or fail; with what they said.
    pub fn start(self) -> io::Result<ThrowawayPostgres> {
        let programs = Programs::find()?;
        let folder = Folder::new(&programs)?;
        let password = random_name()?;
        let password_file = folder.path().join("password");
        folder.write("password", &password)?;
        let mut initdb = programs.command("initdb");
        initdb.args([
            "-U",
            USER,
            "-A",
            "scram-sha-256",
            "-E",
            "UTF8",
            "--no-locale",
            "--no-sync",
            "--pwfile",
        ]);
        succeeded(initdb.arg(&password_file).arg("-D").arg(folder.data()))?;
        fs::remove_file(&password_file)?;

        let mut server = ThrowawayPostgres {
            programs,
            folder,
            port: 0,
            password,
            ca_pem: None,
            databases: AtomicU32::new(0),
        };
        let mut lines = self.lines();
        if self.tls {
            lines.push_str(&server.make_certificate()?);
        }
        server.configure(&lines)?;
        server.start_on_free_port()?;
        Ok(server)
    }

    fn lines(&self) -> String {
        let onoff = if self.durable { "on" } else { "off" };
        let mut lines = format!(
            "fsync = {onoff}\nfull_page_writes = {onoff}\nshared_buffers = 32MB\nlisten_addresses = '127.0.0.1'\n"
        );
        for (name, value) in &self.settings {
            lines.push_str(&format!("{name} = '{}'\n", value.replace('\'', "''")));
        }
        lines
    }
}

/// The database's superuser.
const USER: &str = "postgres";

impl ThrowawayPostgres {
    /// Starts one as it is by default: without `fsync`, without TLS.
    ///
    /// # Errors
    /// As [`PostgresBuilder::start`].
    pub fn start() -> io::Result<Self> {
        Self::builder().start()
    }

    /// To start one that is different.
    #[must_use]
    pub fn builder() -> PostgresBuilder {
        PostgresBuilder::default()
    }

    /// The port, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of its Unix socket.
    #[must_use]
    pub fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    /// The superuser's name.
    #[must_use]
    pub fn user(&self) -> &str {
        USER
    }

    /// The superuser's password.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The certificate of its CA in PEM; `None` without TLS. The server's own is for `localhost` alone.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// The URL of a database, for the superuser.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    /// Makes an empty database and gives its name.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn fresh_database(&self) -> io::Result<String> {
        let name = format!("fresh_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"))?;
        Ok(name)
    }

    /// Makes a database that is a copy of another one, to which nobody may be connected, and gives its name: quicker than to
    /// make the same tables in each.
    ///
    /// # Errors
    /// When the server does not answer, or somebody stays connected to the other one.
    pub fn fresh_copy(&self, of: &str) -> io::Result<String> {
        let name = format!("fresh_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE {of}"))?;
        Ok(name)
    }

    /// Runs statements as the superuser, each committed by itself, and gives what they print (`psql -At`).
    ///
    /// # Errors
    /// When a statement fails, with what psql said.
    pub fn sql(&self, database: &str, statements: &str) -> io::Result<String> {
        let mut psql = self.programs.command("psql");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", USER]);
        psql.env("PGPASSWORD", &self.password);
        psql.arg("-p").arg(self.port.to_string()).arg("-d").arg(database);
        captured(&mut psql, Some(statements))
    }

    /// What the server wrote to its log.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn log(&self) -> io::Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(self.log_file())?).into_owned())
    }

    /// Kills the postmaster (SIGKILL), as a crash does; its other processes notice that and end. Connections break, what was
    /// acknowledged stays.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&self) -> io::Result<()> {
        let pid = self.pid()?;
        succeeded(self.programs.command_in_path("kill").args(["-9", &pid]))?;
        // It stays visible, as a zombie, until whoever adopted it reaps it: the port tells better.
        self.wait_until("the killed server holds its port", || {
            TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).is_ok()
        })
    }

    /// Stops it in order (`fast`): clients are cut off, each with an error that says so.
    ///
    /// # Errors
    /// When it does not run, or does not stop.
    pub fn stop(&self) -> io::Result<()> {
        succeeded(self.pg_ctl().args(["stop", "-w", "-m", "fast"]))
    }

    /// Starts it again, after [`kill`](Self::kill) or [`stop`](Self::stop), on the same port.
    ///
    /// # Errors
    /// When it does not start, with the end of its log.
    pub fn start_again(&self) -> io::Result<()> {
        // Processes of a killed server may hold its memory for a moment longer.
        let until = Instant::now() + PATIENCE;
        loop {
            match self.launch() {
                Err(error) if Instant::now() > until => return Err(error),
                Err(_) => thread::sleep(Duration::from_millis(100)),
                done => return done,
            }
        }
    }

    fn launch(&self) -> io::Result<()> {
        let mut start = self.pg_ctl();
        start.args(["start", "-w", "-l"]).arg(self.log_file());
        start.arg("-o").arg(format!("-p {} -k {}", self.port, self.folder.path().display()));
        succeeded(&mut start).map_err(|error| {
            let log = self.log().unwrap_or_default();
            let end = log.lines().rev().take(20).collect::<Vec<_>>();
            io::Error::other(format!("{error}\n{}", end.into_iter().rev().collect::<Vec<_>>().join("\n")))
        })
    }

    fn start_on_free_port(&mut self) -> io::Result<()> {
        let mut tries = 5;
        loop {
            // Free for the moment; another process may be quicker, so it is tried more than once.
            self.port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
            tries -= 1;
            match self.launch() {
                Err(error) if tries > 0 && error.to_string().contains("in use") => {}
                done => return done,
            }
        }
    }

    /// Appends to its configuration.
    fn configure(&self, lines: &str) -> io::Result<()> {
        let file = self.folder.data().join("postgresql.conf");
        let present = fs::read_to_string(&file)?;
        fs::write(file, format!("{present}\n{lines}"))
    }

    fn make_certificate(&mut self) -> io::Result<String> {
        let authority = tls::authority()?;
        let (certificate, key) = tls::for_localhost(&authority, "PostgreSQL for tests")?;
        self.folder.write("server.crt", &certificate.pem())?;
        self.folder.write("server.key", &key.serialize_pem())?;
        self.ca_pem = Some(authority.pem());
        let path = self.folder.path().display();
        Ok(format!("ssl = on\nssl_cert_file = '{path}/server.crt'\nssl_key_file = '{path}/server.key'\n"))
    }

    fn pg_ctl(&self) -> std::process::Command {
        let mut command = self.programs.command("pg_ctl");
        command.arg("-D").arg(self.folder.data()).arg("-t").arg(PATIENCE.as_secs().to_string());
        command
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn pid(&self) -> io::Result<String> {
        let file = fs::read_to_string(self.folder.data().join("postmaster.pid"))?;
        file.lines().next().map(str::to_owned).ok_or_else(|| io::Error::other("postmaster.pid is empty"))
    }

    fn wait_until(&self, what: &str, done: impl Fn() -> bool) -> io::Result<()> {
        let until = Instant::now() + PATIENCE;
        while !done() {
            if Instant::now() > until {
                return Err(io::Error::new(io::ErrorKind::TimedOut, format!("after a minute {what}")));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl fmt::Debug for ThrowawayPostgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThrowawayPostgres")
            .field("port", &self.port)
            .field("folder", &self.folder.path())
            .finish_non_exhaustive()
    }
}
