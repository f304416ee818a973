//! The three implementations, asked alike.

use serde_json::json;

use crate::peer::{Answer, Peer};

/// A pair of keys as the platform keeps and gives them, in base64 of PEM.
pub(crate) struct Keys {
    pub(crate) public: String,
    pub(crate) private: String,
    pub(crate) passphrase: String,
}

/// An error of any of these is a failure of the harness; what the implementation itself refuses is an answer.
pub(crate) trait Party {
    fn name(&self) -> &'static str;

    /// Reads the keys and keeps them for what is asked next.
    fn open(&mut self, keys: &Keys) -> Result<Answer<()>, String>;

    /// The input with its secret fields encrypted.
    fn encrypt(&mut self, schema: &str, input: &str) -> Result<Answer<String>, String>;

    /// The input with its encrypted fields opened.
    fn decrypt(&mut self, input: &str) -> Result<Answer<String>, String>;
}

impl Party for Peer {
    fn name(&self) -> &'static str {
        Self::name(self)
    }

    fn open(&mut self, keys: &Keys) -> Result<Answer<()>, String> {
        let question = json!({ "ask": "open", "file": keys.private, "passphrase": keys.passphrase });
        Ok(match self.ask(&question)? {
            Answer::Gives(_) => Answer::Gives(()),
            Answer::Refuses(kind) => Answer::Refuses(kind),
        })
    }

    fn encrypt(&mut self, schema: &str, input: &str) -> Result<Answer<String>, String> {
        self.ask_for_text(&json!({ "ask": "encrypt", "schema": schema, "input": input }))
    }

    fn decrypt(&mut self, input: &str) -> Result<Answer<String>, String> {
        self.ask_for_text(&json!({ "ask": "decrypt", "input": input }))
    }
}

/// The three, all with the same keys.
pub(crate) struct Parties {
    pub(crate) npm: Peer,
    pub(crate) python: Peer,
    pub(crate) ours: crate::ours::Ours,
}

impl Parties {
    /// Gives all three the same keys.
    pub(crate) fn open(&mut self, keys: &Keys) -> Result<(), String> {
        for party in self.each() {
            if let Answer::Refuses(kind) = party.open(keys)? {
                return Err(format!("{} does not open the private key: {kind}", party.name()));
            }
        }
        Ok(())
    }

    pub(crate) fn each(&mut self) -> [&mut dyn Party; 3] {
        [&mut self.npm, &mut self.python, &mut self.ours]
    }
}
