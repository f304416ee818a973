//! The provider against a real OpenBao server over TLS.

mod failures;
mod login;
mod own_keys;
mod states;
mod support;
mod versions;
