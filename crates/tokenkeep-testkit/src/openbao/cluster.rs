//! More nodes for one storage.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{PATIENCE, ThrowawayOpenBao};

impl ThrowawayOpenBao {
    /// Starts another node that follows this one over raft, with a certificate of the same authority, and the same root token. Standbys
    /// pass every call on to the active node (`disable_standby_reads`).
    ///
    /// # Errors
    /// As [`start`](Self::start); when the nodes do not find together in time.
    pub fn start_follower(&self) -> io::Result<Self> {
        let mut follower = Self::launched(Arc::clone(&self.authority))?;
        follower.unseal_key.clone_from(&self.unseal_key);
        follower.root_token.clone_from(&self.root_token);
        let leader = json!({ "leader_api_addr": self.origin(), "leader_ca_cert": self.ca_pem });
        // Who joins has a vote only once it was well for so long: ten seconds unless given.
        let autopilot = json!({ "server_stabilization_time": "1s" });
        self.patiently(|| self.write("sys/storage/raft/autopilot/configuration", &autopilot))?;
        self.patiently(|| {
            follower.call("POST", "sys/storage/raft/join", "", &leader)?;
            follower.unseal()
        })?;
        let name = follower.port().to_string();
        self.wait_until("the follower has no vote", || {
            let Ok(nodes) = self.read("sys/storage/raft/configuration") else { return Ok(false) };
            let nodes = nodes["data"]["config"]["servers"].as_array().cloned().unwrap_or_default();
            Ok(nodes.iter().any(|node| node["node_id"] == name && node["voter"] == true))
        })?;
        Ok(follower)
    }

    /// Does it again until it works, for a minute at most. Nodes elect anew when one ends, and on a busy host also when one joins: for
    /// that time each refuses what is right, in many words.
    ///
    /// # Errors
    /// The last one.
    pub fn patiently<T>(&self, call: impl Fn() -> io::Result<T>) -> io::Result<T> {
        let until = Instant::now() + PATIENCE;
        loop {
            match call() {
                Err(_) if Instant::now() < until => thread::sleep(Duration::from_millis(50)),
                done => return done,
            }
        }
    }

    /// Whether this node is the active one. `false` for one that does not run.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        let leader = self.call("GET", "sys/leader", "", &Value::Null);
        leader.is_ok_and(|leader| leader["is_self"] == true)
    }
}
