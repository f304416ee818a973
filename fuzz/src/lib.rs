//! The bodies of the fuzz targets. Each takes any bytes and panics where a promise is broken; each says whether the
//! bytes got as far as that promise, so that a replay of the corpus can tell a target that tests nothing.
//!
//! They are functions of a library so that `cargo test` replays the corpus with any compiler, without libFuzzer.

mod answer;
mod boundary;
mod boundary_seeds;
mod context_encoding;
mod corpus;
mod dotenv;
mod envelope_decode;
mod envelope_open;
mod facts;
mod input_key;
mod input_schema;
mod keyring_file;
mod redact;
mod sealed;
mod secret_input;
mod secret_made;
mod secret_seeds;
mod secret_value;
mod secret_vars;
mod token_shape;

pub use boundary::boundary;
pub use context_encoding::context_encoding;
pub use corpus::{Seed, corpus_folder, seeds};
pub use dotenv::dotenv;
pub use envelope_decode::envelope_decode;
pub use envelope_open::envelope_open;
pub use input_key::input_key;
pub use input_schema::input_schema;
pub use keyring_file::keyring_file;
pub use redact::redact;
pub use secret_input::secret_input;
pub use secret_value::secret_value;
pub use secret_vars::secret_vars;
pub use token_shape::token_shape;

/// A target: any bytes in; panics at a finding; true where the bytes got as far as what it is about.
pub type Target = fn(&[u8]) -> bool;

/// All targets, by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("boundary", boundary),
    ("context_encoding", context_encoding),
    ("dotenv", dotenv),
    ("envelope_decode", envelope_decode),
    ("envelope_open", envelope_open),
    ("input_key", input_key),
    ("input_schema", input_schema),
    ("keyring_file", keyring_file),
    ("secret_input", secret_input),
    ("secret_value", secret_value),
    ("secret_vars", secret_vars),
    ("redact", redact),
    ("token_shape", token_shape),
];
