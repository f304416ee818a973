//! The provider against a real OpenBao server over TLS.

mod support;

/// Their paths say what they need: `cargo xtask test --without openbao` leaves them out by it.
mod openbao {
    mod failures;
    mod login;
    mod own_keys;
    mod states;
    mod versions;
}
