//! Key providers for tokenkeep: they wrap and unwrap data-encryption keys
