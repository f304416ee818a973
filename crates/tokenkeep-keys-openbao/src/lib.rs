//! A key provider over the transit engine of OpenBao and HashiCorp Vault.
mod builder;
mod client;
mod failure;
mod ids;
mod keys;
mod login;
mod own;
mod transit_key;
mod wire;

pub use builder::OpenBaoBuilder;
pub use failure::OpenBaoFailure;
pub use keys::OpenBaoKeys;
pub use login::AppRole;
