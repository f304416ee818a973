//! Apify's official client, crate [`apify_client`], run over tokenkeep: it holds no token and stays within a boundary.
mod backend;
mod client;
mod error;
mod headers;

pub use apify_client;
pub use backend::official_backend;
pub use client::{official_builder, official_client};
pub use error::{error_of, into_error};
