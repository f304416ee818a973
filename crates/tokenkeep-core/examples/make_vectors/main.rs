//! Makes `vectors/envelope_v1.json`, the same bytes each time, and writes it to its output.
//!
//!     cargo xtask vectors            writes the file
//!     cargo xtask vectors --check    says whether the file is what this program makes
//!
//! Every key, nonce and id is SHA-256 of a label. The good envelopes are sealed by the core and compared with those
//! that `format.rs` makes from FORMAT.md; the bad ones are edits of a good one or made with one rule broken. The core has
//! refused each of them, with the error that the file names, before it is written.
#![allow(clippy::print_stdout, reason = "its output is the file")]

mod bad;
mod careless;
mod format;
mod ghash;
mod good;
mod json;
mod two_keys;

use sha2::{Digest, Sha256};

use crate::format::TestKek;

const ABOUT: &str = "Envelopes of tokenkeep, version 1, suite 1. FORMAT.md is the format and tells how to read this \
                     file. Made by `cargo xtask vectors`. Every key here is published: use none of them.";

/// `N` bytes that are visibly made up: SHA-256 of the label and of a counter, as often as it takes.
fn made_up<const N: usize>(label: &str) -> [u8; N] {
    let mut bytes = [0; N];
    for (counter, chunk) in bytes.chunks_mut(32).enumerate() {
        let block = Sha256::digest(format!("tokenkeep test vector: {label}, {counter}"));
        chunk.copy_from_slice(&block[..chunk.len()]);
    }
    bytes
}

fn kek(label: &str, id_length: usize) -> TestKek {
    let id: [u8; 29] = made_up(&format!("KEK id {label}"));
    TestKek { id: id[..id_length].to_vec(), key: made_up(&format!("KEK {label}")) }
}

fn main() {
    let good: Vec<String> = good::all().iter().map(good::Good::json).collect();
    let bad: Vec<String> = bad::all().iter().map(bad::Bad::json).collect();
    let file = json::object(
        &[("about", json::text(ABOUT)), ("good", json::array(&good, 1)), ("bad", json::array(&bad, 1))],
        0,
    );
    println!("{file}");
}
