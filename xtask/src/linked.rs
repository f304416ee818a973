//! Which crates an application links with the core alone, and what for.

use std::collections::BTreeSet;

use crate::cargo;
use crate::workspace::Workspace;

/// Procedural macros run in the compiler and are linked into nothing; they are listed apart.
const MOST: usize = 25;

/// Every crate below the core with its default features. One that is not here, or is here and no longer there, is an error.
const LINKED: &[(&str, &str)] = &[
    ("aead", "the traits that aes-gcm implements"),
    ("aes", "AES: the block calls of the suite, and under aes-gcm"),
    ("aes-gcm", "AES-256-GCM"),
    ("block-buffer", "sha2: what is not a whole block yet"),
    ("cfg-if", "getrandom, sha2: which platform this is"),
    ("cipher", "the traits that aes and ctr implement"),
    ("cmov", "ctutils: comparisons without a branch, in assembly"),
    ("cpubits", "aes, polyval: how wide a word is"),
    ("cpufeatures", "aes, polyval, sha2: whether the processor has the instructions"),
    ("crypto-common", "what aead, cipher, digest and universal-hash share"),
    ("ctr", "aes-gcm: its counter mode"),
    ("ctutils", "commitments and tags compared in constant time"),
    ("digest", "the traits that sha2 implements"),
    ("getrandom", "the operating system's generator"),
    ("ghash", "aes-gcm: its hash"),
    ("hybrid-array", "arrays with a length from typenum, for the traits"),
    ("inout", "cipher, aead: encryption in place"),
    ("libc", "getrandom: the system call"),
    ("polyval", "ghash: the multiplication"),
    ("secrecy", "ApiToken: a string that is not shown, copied or left behind"),
    ("sha2", "the digest of a context that a remote key service is given"),
    ("thiserror", "Display and Error of the error types"),
    ("typenum", "numbers as types, for hybrid-array"),
    ("universal-hash", "the traits that ghash and polyval implement"),
    ("zeroize", "wipes keys and payloads"),
];

pub(crate) fn check(workspace: &Workspace) -> Result<(), String> {
    let linked = crates(workspace, "normal,no-proc-macro")?;
    let all = crates(workspace, "normal")?;
    println!("    {} crates linked, at most {MOST} wanted:", linked.len());
    for (name, why) in LINKED.iter().filter(|(name, _)| linked.contains(*name)) {
        println!("      {name:<15} {why}");
    }
    let macros: Vec<&str> = all.difference(&linked).map(String::as_str).collect();
    println!("    for procedural macros: {}", macros.join(", "));
    let explained: BTreeSet<String> = LINKED.iter().map(|(name, _)| (*name).to_owned()).collect();
    let differ: Vec<&str> = linked.symmetric_difference(&explained).map(String::as_str).collect();
    if !differ.is_empty() {
        return Err(format!("linked and explained differ: {}", differ.join(", ")));
    }
    if linked.len() > MOST {
        Err(format!("the core links {} crates, more than {MOST}", linked.len()))
    } else {
        Ok(())
    }
}

/// The names of everything below the core with its default features. One that is there in two versions counts as two.
fn crates(workspace: &Workspace, edges: &str) -> Result<BTreeSet<String>, String> {
    let mut tree = workspace.cargo();
    tree.args([
        "tree",
        "--package",
        "tokenkeep-core",
        "--edges",
        edges,
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]);
    let text = String::from_utf8(cargo::capture(&mut tree)?).map_err(|error| error.to_string())?;
    let mut names = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some(name), Some(version)) = (words.next(), words.next()) else { continue };
        if name != "tokenkeep-core" && seen.insert((name, version)) && !names.insert(name.to_owned()) {
            names.insert(format!("{name} {version}"));
        }
    }
    Ok(names)
}
