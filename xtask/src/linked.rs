//! How many crates an application links with the core alone.

use std::collections::BTreeSet;

use crate::cargo;
use crate::workspace::Workspace;

/// Procedural macros run in the compiler and are linked into nothing; they are counted apart.
const MOST: usize = 25;

pub(crate) fn check(workspace: &Workspace) -> Result<(), String> {
    let linked = crates(workspace, "normal,no-proc-macro")?;
    let all = crates(workspace, "normal")?;
    println!("    {} crates linked, at most {MOST} wanted: {}", linked.len(), names(&linked));
    println!("    for procedural macros: {}", names(&all.difference(&linked).cloned().collect()));
    if linked.len() > MOST {
        Err(format!("the core links {} crates, more than {MOST}", linked.len()))
    } else {
        Ok(())
    }
}

/// Everything below the core with its default features, as `name version`.
fn crates(workspace: &Workspace, edges: &str) -> Result<BTreeSet<String>, String> {
    let mut tree = workspace.cargo();
    tree.args(["tree", "--package", "tokenkeep-core", "--edges", edges, "--prefix", "none"]);
    let text = String::from_utf8(cargo::capture(&mut tree)?).map_err(|error| error.to_string())?;
    let name = |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let all: BTreeSet<String> = text.lines().map(name).filter(|name| !name.is_empty()).collect();
    Ok(all.into_iter().filter(|name| !name.starts_with("tokenkeep-core ")).collect())
}

fn names(crates: &BTreeSet<String>) -> String {
    let mut names: Vec<&str> = crates.iter().filter_map(|line| line.split(' ').next()).collect();
    names.dedup();
    names.join(", ")
}
