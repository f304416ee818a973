//! The provider against a real OpenBao server over TLS.

mod own_keys;
mod support;
mod versions;
