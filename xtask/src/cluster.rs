//! `cargo xtask cluster`: three OpenBao nodes, the active one killed under load.

use std::process::ExitCode;

use crate::cargo;
use crate::openbao::OpenBao;
use crate::workspace::Workspace;

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
    match Workspace::read().and_then(|workspace| run(&workspace, arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(workspace: &Workspace, arguments: &[String]) -> Result<(), String> {
    let mut command = workspace.cargo();
    command.args(["run", "--quiet", "--package", "tokenkeep-keys-openbao", "--example", "cluster", "--"]);
    OpenBao::find(workspace, false)?.apply(&mut command);
    cargo::run(command.args(arguments))
}
