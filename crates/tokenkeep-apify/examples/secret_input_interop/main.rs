//! Apify's secret input, held against the packages that Apify itself runs: `@apify/input_secrets` for JavaScript and `apify` for Python.
//!
//!     secret_input_interop NODE_FOLDER [--speed]
//!
//! From the root of the workspace; the folder holds `node_modules`, and Python finds its packages by `PYTHONPATH`.
//! `cargo xtask interop` installs both and starts this. All secrets are made up, all keys are made as they are needed.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command for people prints")]

mod base64;
mod decrypting;
mod dice;
mod edges;
mod encrypting;
mod exchange;
mod hashes;
mod inputs;
mod json;
mod keys;
mod ours;
mod party;
mod peer;
mod schemas;
mod speed;
mod words;

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use serde_json::json;

use crate::keys::Forms;
use crate::ours::Ours;
use crate::party::Parties;
use crate::peer::Peer;

/// Of the generated inputs and schemas: the same ones on every machine.
const SEED: u64 = 20_260_805;
const INPUTS: usize = 250;
const SCHEMAS: usize = 400;

const PEERS: &str = "interop/secret_input";
/// Of the table.
const HEADINGS: [&str; 3] = ["npm", "Python", "ours"];

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let result = match &arguments[..] {
        [folder] => run(folder, false),
        [folder, speed] if speed == "--speed" => run(folder, true),
        _ => Err("usage: secret_input_interop NODE_FOLDER [--speed]".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("    WRONG  {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(node_folder: &OsString, with_speed: bool) -> Result<(), String> {
    let script = |name: &str| OsString::from(format!("{PEERS}/{name}"));
    let mut parties = Parties {
        npm: Peer::start("npm", "node", &[script("peer.mjs"), node_folder.clone()])?,
        python: Peer::start("Python", "python3", &[script("peer.py")])?,
        ours: Ours::default(),
    };
    for peer in [&mut parties.npm, &mut parties.python] {
        let versions = peer.must(&json!({ "ask": "versions" }))?;
        let word = |name: &str| versions[name].as_str().unwrap_or("?").to_owned();
        println!("    {}: {} on {}", peer.name(), word("package"), word("runtime"));
    }
    let (forms, notes) = Forms::make(&mut parties, 2048)?;
    for note in notes {
        println!("    {note}");
    }

    parties.open(&forms.keys())?;
    let cases = inputs::generate(SEED, INPUTS);
    let huge = cases.iter().filter(|case| case.input.len() > inputs::HUGE).count();
    let (count, kinds) = (cases.len(), inputs::KINDS);
    println!(
        "    {count} inputs of {kinds} kinds from seed {SEED}, {huge} of them with more than 1 MiB in a field:"
    );
    exchange::run(&mut parties, &cases)?;
    for direction in exchange::DIRECTIONS {
        println!("    {count:5}  {direction}");
    }

    let schemas = schemas::generate(SEED, SCHEMAS);
    let hashes = hashes::run(&mut parties, &schemas)?;
    println!("    {hashes:5}  schemas: npm and ours make the same hash");

    println!("    at the edges:");
    println!("           {}", edges::row("", "", HEADINGS));
    for line in edges::run(&mut parties)? {
        println!("           {line}");
    }
    // Last: it gives the parties other keys.
    for line in keys::run(&mut parties, &forms)? {
        println!("           {line}");
    }

    if with_speed {
        parties.open(&forms.keys())?;
        println!(
            "    microseconds an input, medians of alternated rounds; npm from text to text as ours, and its own part alone:"
        );
        println!(
            "           {:28}  {:>9}  {:>9}  {:>6}  {:>9}  {:>6}",
            "", "ours", "npm", "ratio", "its part", "ratio"
        );
        for line in speed::run(&mut parties.npm, &mut parties.ours)? {
            println!("           {line}");
        }
    }
    Ok(())
}
