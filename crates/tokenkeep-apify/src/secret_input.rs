//! Secret input: fields of an Actor's input that nobody but the Actor's run can read.

mod cipher;
mod decrypt;
mod der;
mod encrypt;
mod error;
mod js;
mod keys;
mod pem;
mod pem_decrypt;
mod plain;
mod scan;
mod schema;
mod string;
mod value;

pub use error::{FieldName, SecretInputError};
pub use keys::{InputPrivateKey, InputPublicKey};
pub use plain::{PlainField, PlainInput};
pub use schema::InputSchema;

/// The most bytes of an input: over three times what Apify takes, as encryption makes it longer.
const MAX_INPUT: usize = 32 * 1024 * 1024;

/// The most fields of an input that are encrypted: each costs an operation with the RSA key.
const MAX_ENCRYPTED: usize = 1000;
const TOO_MANY: &str = "over 1000 of its fields are encrypted; put what belongs together into one object";
const TOO_LONG_ENCRYPTED: &str = "it is over 32 MiB once it is encrypted";
