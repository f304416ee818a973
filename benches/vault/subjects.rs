//! What is measured of the vault.

use std::hint::black_box;

use tokenkeep::{Connection, Credential, Provider, Use, Vault};

use crate::fixture::{Yes, connection, token};
use crate::rounds::Work;

/// Gives a token as a transport asks for it: reads the record, checks its MAC, unwraps the key, opens the envelope, counts
/// the use. The first use of a minute, which is committed, is behind each of these connections.
pub(crate) struct UseToken {
    provider: Yes,
    credentials: Vec<Credential>,
}

impl UseToken {
    pub(crate) async fn of(vault: &Vault, numbers: impl Iterator<Item = u64>) -> Self {
        let provider = Yes::new();
        let credentials: Vec<_> = numbers.map(|number| connection(vault, number).credential()).collect();
        for credential in &credentials {
            credential.issue(Use::at(provider.spec())).await.expect("a first use");
        }
        Self { provider, credentials }
    }
}

impl Work for UseToken {
    async fn once(&self, number: u64) {
        let credential = &self.credentials[number as usize % self.credentials.len()];
        black_box(credential.issue(Use::at(self.provider.spec())).await.expect("a token"));
    }
}

/// Connects a customer that was not connected before.
pub(crate) struct Connect {
    pub(crate) vault: Vault,
    pub(crate) provider: Yes,
    /// Above those that are connected already.
    pub(crate) from: u64,
}

impl Work for Connect {
    async fn once(&self, number: u64) {
        let connection = connection(&self.vault, self.from + number);
        black_box(connection.connect(&self.provider, token()).await.expect("it connects"));
    }
}

/// Puts a new token in the place of one.
pub(crate) struct Replace {
    pub(crate) provider: Yes,
    pub(crate) connections: Vec<Connection>,
}

impl Work for Replace {
    async fn once(&self, number: u64) {
        let connection = &self.connections[number as usize % self.connections.len()];
        black_box(connection.replace(&self.provider, token()).await.expect("it replaces"));
    }
}
