//! A server that hangs.

use std::io;
use std::process::{Child, Command, Stdio};
use std::sync::PoisonError;

use super::ThrowawayOpenBao;

/// A server whose process stands still for as long as this lives ([`ThrowawayOpenBao::freeze`]).
#[derive(Debug)]
#[must_use = "the server goes on when this is dropped"]
pub struct FrozenOpenBao<'a> {
    server: &'a ThrowawayOpenBao,
    process: u32,
}

impl ThrowawayOpenBao {
    /// Stops its process (SIGSTOP) until what this gives is dropped: nothing is answered, and no connection ends, as the kernel goes on
    /// acknowledging. So does a node that hangs, where a killed one's connections are reset.
    ///
    /// # Errors
    /// When it does not run.
    pub fn freeze(&self) -> io::Result<FrozenOpenBao<'_>> {
        let process = self.process().ok_or_else(|| io::Error::other("OpenBao does not run"))?;
        // From here on it is woken again, whatever happens.
        let frozen = FrozenOpenBao { server: self, process };
        signal("-STOP", process)?;
        Ok(frozen)
    }

    fn process(&self) -> Option<u32> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(Child::id)
    }
}

impl Drop for FrozenOpenBao<'_> {
    fn drop(&mut self) {
        // If it was killed meanwhile its number may be another's.
        if self.server.process() == Some(self.process) {
            let _ = signal("-CONT", self.process);
        }
    }
}

/// To a child that was not waited for yet, so that the number is its.
fn signal(name: &str, process: u32) -> io::Result<()> {
    let mut command = Command::new("kill");
    command.args([name, &process.to_string()]);
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other("the signal could not be sent")) }
}
