//! An HTTPS-only transport: one origin, a credential asked per attempt
