//! The official client over the backend, against a stand-in for Apify over real TLS.

mod answers;
mod scene;
