//! `cargo xtask cluster`: three OpenBao nodes, the active one killed under load.

use std::process::ExitCode;

use crate::cargo;
use crate::openbao::OpenBao;
use crate::workspace::Workspace;

/// Kills when it runs as a part of `cargo xtask test`.
const SHORT: &str = "1";
const USAGE: &str = "\
Kills the active one of three OpenBao nodes under load, and looks that no DEK is wrong, that nothing fails but with \"try again\", that opens
under epochs which an instance holds never fail and ask nobody, and that all work again.

Usage: cargo xtask cluster [--kills N]

N is 3 unless given.";

pub(crate) fn main(arguments: &[String]) -> ExitCode {
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let run = |workspace: Workspace| {
        let openbao = OpenBao::find(&workspace, false)?;
        run(&workspace, &openbao, &["--package", "tokenkeep-keys-openbao"], arguments)
    };
    match Workspace::read().and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The short form, unless OpenBao is left out.
pub(crate) fn check(workspace: &Workspace, openbao: &OpenBao) -> Result<(), String> {
    match openbao.left_out() {
        Some(why) => {
            println!("    {why}");
            Ok(())
        }
        // The features are the tests': nothing is compiled anew for this.
        None => run(workspace, openbao, &["--all-features"], &["--kills".to_owned(), SHORT.to_owned()]),
    }
}

fn run(workspace: &Workspace, openbao: &OpenBao, what: &[&str], arguments: &[String]) -> Result<(), String> {
    let mut command = workspace.cargo();
    command.args(["run", "--quiet"]).args(what).args(["--example", "cluster", "--"]);
    openbao.apply(&mut command);
    cargo::run(command.args(arguments))
}
