//! Whether a backend keeps the contract of [`TokenStore`](crate::TokenStore).
