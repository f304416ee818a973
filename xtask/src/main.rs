//! The project's own chores, started as `cargo xtask COMMAND`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command for people prints")]

mod api_description;
mod bench;
mod cargo;
mod cluster;
mod crash;
mod examples;
mod features;
mod fuzz;
mod interop;
mod linked;
mod mutants;
mod no_std;
mod openbao;
mod options;
mod postgres;
mod prism;
mod secret_input;
mod summary;
mod test;
mod tools;
mod vectors;
mod workspace;

use std::env;
use std::process::ExitCode;

const HELP: &str = "\
The project's own chores.

Usage: cargo xtask COMMAND

Commands:
  test     Everything that must hold before a change is taken (`cargo xtask test --help`)
  fuzz     Runs the fuzz targets on each backend (`cargo xtask fuzz --help`)
  mutants  Changes the core and looks whether a test notices (`cargo xtask mutants --help`)
  bench    The benchmarks, as tables (`cargo xtask bench --help`)
  crash    Kills a process that works on a vault, 500 times on each database (`cargo xtask crash --help`)
  cluster  Kills the active one of three OpenBao nodes under load (`cargo xtask cluster --help`)
  interop  Other implementations: of the envelope in Python, of secret input Apify's own (`cargo xtask interop --help`)
  openbao  Prints where OpenBao's program is, and installs it if need be
  vectors  Makes the core's published vectors (`--check`: compares them)
  help     This text";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", &[][..]),
    };
    match command {
        "test" => test::main(rest),
        "fuzz" => fuzz::main(rest),
        "mutants" => mutants::main(rest),
        "bench" => bench::main(rest),
        "crash" => crash::main(rest),
        "cluster" => cluster::main(rest),
        "interop" => interop::main(rest),
        "openbao" => openbao::main(rest),
        "vectors" => vectors::main(rest),
        "help" | "--help" | "-h" => {
            println!("{HELP}");
            ExitCode::SUCCESS
        }
        unknown => {
            eprintln!("error: no command is named {unknown:?}\n\n{HELP}");
            ExitCode::from(2)
        }
    }
}
