//! Programs that are given secrets, and what they say.

mod command;
mod environment;
mod redacted_read;

pub use command::{SecretChild, SecretCommand, SecretCommandError};
pub use redacted_read::RedactedRead;
