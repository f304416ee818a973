//! Epochs over a key service that is real in its cryptography, counts its calls, and fails as it is told.
#![allow(clippy::print_stdout, reason = "figures are what some of these tests are for")]

mod batch;
mod cache;
mod conformance;
mod flight;
mod forged;
mod grace;
mod life;
mod load;
mod over_keyring;
mod sealing;
mod service;
mod stores;
mod unkept;
mod waiting;
