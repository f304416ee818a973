//! Opens every good envelope of a file of vectors and is refused every bad one: `check_vectors FILE`.
//!
//! For files that another implementation wrote. FORMAT.md tells how such a file is laid out.
#![allow(clippy::print_stdout, reason = "a command for people prints")]

#[path = "../tests/support/vectors.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod support;

use std::{env, error, fs};

fn main() -> Result<(), Box<dyn error::Error>> {
    let path = env::args_os().nth(1).ok_or("usage: check_vectors FILE")?;
    let counts = support::check(&fs::read_to_string(path)?)?;
    println!("    {:5}  opened\n    {:5}  refused", counts.good, counts.bad);
    Ok(())
}
