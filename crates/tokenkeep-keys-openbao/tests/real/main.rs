//! The provider against a real OpenBao server over TLS, and against one that does what no real one would on demand.

mod support;

/// Their paths say what they need: `cargo xtask test --without openbao` leaves them out by it.
mod openbao {
    mod enabled_meanwhile;
    mod epochs;
    mod epochs_states;
    mod failures;
    mod frozen;
    mod identity;
    mod imported;
    mod login;
    mod login_limits;
    mod orphans;
    mod own_keys;
    mod retiring;
    mod soft_deleted;
    mod states;
    mod versions;
    mod wrapped_login;
}

mod stand_in {
    mod logins;
    mod service;
    mod waits;
}
