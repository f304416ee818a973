//! A second server that follows the first.

use std::fs;
use std::io;
use std::sync::atomic::AtomicU32;

use super::folder::Folder;
use super::programs::succeeded;
use super::{ThrowawayPostgres, USER};

impl ThrowawayPostgres {
    /// Starts a server that follows this one, and makes this one wait for it: from now on a commit is acknowledged once
    /// both have it. One replica for each server.
    ///
    /// # Errors
    /// When a program fails, with what it said.
    pub fn start_replica(&self) -> io::Result<Self> {
        let folder = Folder::new(&self.programs)?;
        let mut backup = self.programs.command("pg_basebackup");
        backup
            .env("PGPASSWORD", &self.password)
            .args(["-R", "-X", "stream", "-c", "fast", "-C", "-S", "replica"]);
        backup.args(["-h", "127.0.0.1", "-U", USER, "-p"]).arg(self.port.to_string());
        succeeded(backup.arg("-D").arg(folder.data()))?;

        let mut replica = Self {
            programs: self.programs.clone(),
            folder,
            port: 0,
            password: self.password.clone(),
            ca_pem: self.ca_pem.clone(),
            databases: AtomicU32::new(0),
        };
        replica.copy_certificate(self)?;
        replica.start_on_free_port()?;
        self.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'; SELECT pg_reload_conf()")?;
        self.wait_until("the replica does not follow", || {
            let state = self.sql("postgres", "SELECT sync_state FROM pg_stat_replication");
            state.is_ok_and(|state| state.trim() == "sync")
        })?;
        Ok(replica)
    }

    /// Makes a replica a server that takes writes, and waits until it does.
    ///
    /// # Errors
    /// When it is no replica, or does not answer.
    pub fn promote(&self) -> io::Result<()> {
        succeeded(self.pg_ctl().args(["promote", "-w"]))
    }

    /// The configuration that was copied names the other server's files.
    fn copy_certificate(&self, of: &Self) -> io::Result<()> {
        if self.ca_pem.is_none() {
            return Ok(());
        }
        for name in ["server.crt", "server.key"] {
            self.folder.write(name, &fs::read_to_string(of.folder.path().join(name))?)?;
        }
        let path = self.folder.path().display();
        self.configure(&format!("ssl_cert_file = '{path}/server.crt'\nssl_key_file = '{path}/server.key'\n"))
    }
}
