//! An OpenBao server for tests.

mod api;
mod calls;
mod cluster;
mod folder;
mod freeze;
mod program;

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{CertifiedIssuer, KeyPair};
use serde_json::{Value, json};

use crate::tls;
use api::Api;
use folder::Folder;

pub use freeze::FrozenOpenBao;

/// How long the server may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// An OpenBao server of the test's own: over TLS on 127.0.0.1 at a port that the kernel gave, with its storage in a folder that
/// vanishes, initialized and unsealed, with the transit engine at `transit/`.
///
/// It is stopped and its folder removed when this is dropped, and also when the process ends in any other way, killed included: a
/// shell waits for that. So one server in a `static` serves all tests of a test binary, each with a key, policy and token of its
/// own ([`fresh_name`](Self::fresh_name)).
///
/// The program is the one that `OPENBAO_BIN` names, `bao` in `PATH`, or the one that `cargo xtask openbao` put beside the test's
/// own program. Calls block: they start a program and wait for answers.
///
/// ```no_run
/// # fn main() -> std::io::Result<()> {
/// use tokenkeep_testkit::ThrowawayOpenBao;
///
/// let openbao = ThrowawayOpenBao::start()?;
/// openbao.write("transit/keys/tokenkeep", &serde_json::json!({ "type": "aes256-gcm96", "derived": true }))?;
/// println!("{}", openbao.origin()); // for the code under test, with openbao.ca_pem() and a token
/// openbao.kill()?; // as a crash does
/// openbao.start_again()?;
/// # Ok(())
/// # }
/// ```
pub struct ThrowawayOpenBao {
    program: std::path::PathBuf,
    folder: Folder,
    port: u16,
    /// Shared with the nodes that follow it.
    authority: Arc<CertifiedIssuer<'static, KeyPair>>,
    ca_pem: String,
    api: Api,
    root_token: String,
    unseal_key: String,
    server: Mutex<Option<Child>>,
    names: AtomicU32,
}

impl ThrowawayOpenBao {
    /// Starts one: some two seconds.
    ///
    /// # Errors
    /// When the program is not there (the error says how to get it), or fails; with the end of its log.
    pub fn start() -> io::Result<Self> {
        let mut server = Self::launched(Arc::new(tls::authority()?))?;
        let shares = json!({ "secret_shares": 1, "secret_threshold": 1 });
        let keys = server.call("PUT", "sys/init", "", &shares)?;
        let text = |key: &Value| key.as_str().map(str::to_owned).ok_or_else(|| io::Error::other("no keys"));
        server.unseal_key = text(&keys["keys_base64"][0])?;
        server.root_token = text(&keys["root_token"])?;
        server.unseal()?;
        server.write("sys/mounts/transit", &json!({ "type": "transit" }))?;
        Ok(server)
    }

    /// Runs, and has no storage yet.
    fn launched(authority: Arc<CertifiedIssuer<'static, KeyPair>>) -> io::Result<Self> {
        let program = program::find()?;
        let folder = Folder::new()?;
        fs::create_dir(folder.path().join("data"))?;
        let (certificate, key) = tls::for_localhost(&authority, "OpenBao for tests")?;
        folder.write("server.crt", &certificate.pem())?;
        folder.write("server.key", &key.serialize_pem())?;
        let mut server = Self {
            program,
            folder,
            port: 0,
            ca_pem: authority.pem(),
            api: Api::trusting(authority.der())?,
            authority,
            root_token: String::new(),
            unseal_key: String::new(),
            server: Mutex::default(),
            names: AtomicU32::new(0),
        };
        server.start_on_free_port()?;
        Ok(server)
    }

    /// `https://localhost:PORT`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// The port, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate of its CA in PEM. The server's own is for `localhost` alone.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The same in DER.
    #[must_use]
    pub fn ca_der(&self) -> &[u8] {
        self.authority.der()
    }

    /// The token that may do everything.
    #[must_use]
    pub fn root_token(&self) -> &str {
        &self.root_token
    }

    /// A name that was not given before, for a key or a policy.
    #[must_use]
    pub fn fresh_name(&self, prefix: &str) -> String {
        format!("{prefix}-{}", self.names.fetch_add(1, Ordering::Relaxed))
    }

    /// Seals it: 503 to every call until [`unseal`](Self::unseal).
    ///
    /// # Errors
    /// When it refuses.
    pub fn seal(&self) -> io::Result<()> {
        self.write("sys/seal", &Value::Null).map(drop)
    }

    /// Unseals it, and waits until it works.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn unseal(&self) -> io::Result<()> {
        self.call("PUT", "sys/unseal", "", &json!({ "key": self.unseal_key }))?;
        // It answers to the unsealing before it is active, or a standby that knows of an active one.
        self.wait_until("the unsealed server is not active", || {
            let active = || {
                let leader = self.call("GET", "sys/leader", "", &Value::Null).ok()?;
                leader["leader_address"].as_str().map(|address| !address.is_empty())
            };
            Ok(match self.status("sys/health").unwrap_or(0) {
                200 => true,
                429 | 473 => active().unwrap_or(false) && !self.is_leader(),
                _ => false,
            })
        })
    }

    /// Kills it (SIGKILL), as a crash does. What it acknowledged stays.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&self) -> io::Result<()> {
        let child = self.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut child = child.ok_or_else(|| io::Error::other("OpenBao does not run"))?;
        child.kill()?;
        child.wait()?;
        self.folder.forget_process()
    }

    /// Starts it again on the same port, after [`kill`](Self::kill), and unseals it.
    ///
    /// # Errors
    /// When it does not start, with the end of its log.
    pub fn start_again(&self) -> io::Result<()> {
        self.launch()?;
        self.unseal()
    }

    /// What the server wrote to its log.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn log(&self) -> io::Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(self.folder.path().join("log"))?).into_owned())
    }

    /// Its folder, which vanishes.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    fn start_on_free_port(&mut self) -> io::Result<()> {
        let mut tries = 5;
        loop {
            // Free for the moment; another process may be quicker, so it is tried more than once.
            let api = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let cluster = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            self.port = api.local_addr()?.port();
            let cluster_port = cluster.local_addr()?.port();
            drop((api, cluster));
            tries -= 1;
            self.folder.write("config.hcl", &self.config(cluster_port))?;
            match self.launch() {
                Err(error) if tries > 0 && error.to_string().contains("in use") => {}
                done => return done,
            }
        }
    }

    fn config(&self, cluster_port: u16) -> String {
        let (path, port) = (self.folder.path().display(), self.port);
        format!(
            "storage \"raft\" {{\n  path = \"{path}/data\"\n  node_id = \"{port}\"\n  performance_multiplier = 1\n}}\n\
             listener \"tcp\" {{\n  address = \"127.0.0.1:{port}\"\n  cluster_address = \"127.0.0.1:{cluster_port}\"\n  \
             tls_cert_file = \"{path}/server.crt\"\n  \
             tls_key_file = \"{path}/server.key\"\n}}\n\
             api_addr = \"https://localhost:{port}\"\ncluster_addr = \"https://127.0.0.1:{cluster_port}\"\nlog_level = \"warn\"\n\
             disable_standby_reads = true\n"
        )
    }

    fn launch(&self) -> io::Result<()> {
        let log = OpenOptions::new().append(true).create(true).open(self.folder.path().join("log"))?;
        let mut command = std::process::Command::new(&self.program);
        command.arg("server").arg("-config").arg(self.folder.path().join("config.hcl"));
        command.env_clear().env("HOME", self.folder.path()).current_dir("/");
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        let child = command.spawn().map_err(|error| {
            io::Error::new(error.kind(), format!("cannot start {}: {error}", self.program.display()))
        })?;
        self.folder.remember_process(child.id())?;
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
        self.wait_until("OpenBao does not answer", || {
            let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(Ok(Some(status))) = server.as_mut().map(Child::try_wait) {
                let log = self.log().unwrap_or_default();
                let end = log.lines().rev().take(20).collect::<Vec<_>>();
                let end = end.into_iter().rev().collect::<Vec<_>>().join("\n");
                return Err(io::Error::other(format!("OpenBao ended, {status}:\n{end}")));
            }
            Ok(self.status("sys/seal-status").is_ok())
        })
    }

    fn wait_until(&self, what: &str, done: impl Fn() -> io::Result<bool>) -> io::Result<()> {
        let until = Instant::now() + PATIENCE;
        while !done()? {
            if Instant::now() > until {
                return Err(io::Error::new(io::ErrorKind::TimedOut, format!("after a minute {what}")));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for ThrowawayOpenBao {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

impl fmt::Debug for ThrowawayOpenBao {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThrowawayOpenBao")
            .field("port", &self.port)
            .field("folder", &self.folder.path())
            .finish_non_exhaustive()
    }
}
