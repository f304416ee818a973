//! More nodes for one storage.

use std::io;
use std::sync::Arc;

use serde_json::{Value, json};

use super::ThrowawayOpenBao;

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
        self.write("sys/storage/raft/autopilot/configuration", &autopilot)?;
        follower.call("POST", "sys/storage/raft/join", "", &leader)?;
        follower.unseal()?;
        let name = follower.port().to_string();
        self.wait_until("the follower has no vote", || {
            let nodes = self.read("sys/storage/raft/configuration")?;
            let nodes = nodes["data"]["config"]["servers"].as_array().cloned().unwrap_or_default();
            Ok(nodes.iter().any(|node| node["node_id"] == name && node["voter"] == true))
        })?;
        Ok(follower)
    }

    /// Whether this node is the active one. `false` for one that does not run.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        let leader = self.call("GET", "sys/leader", "", &Value::Null);
        leader.is_ok_and(|leader| leader["is_self"] == true)
    }
}
