//! The official client over the backend, against a stand-in for Apify over real TLS.

mod answers;
mod bodies;
mod errors;
mod hosts;
mod not_there;
mod printed;
mod repeats;
mod requests;
mod scene;
mod streams;
mod tokens;
