//! Kills (SIGKILL) a process that works on a vault at random points, hundreds of times, and looks each time whether what was
//! acknowledged is there, whether anything is half done, and whether the vault goes on. `cargo xtask crash` starts it.
//!
//! A kill loses what a process has in its memory, not what it gave to the operating system: that a commit waits for the
//! disk can't be seen here. Where the PostgreSQL server itself is killed, what it had in its memory is lost too.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command for people prints")]

mod application;
mod examine;
mod ledger;
mod line;
mod options;
mod parts;
mod place;
mod random;
mod run;
mod worker;

use std::env;
use std::process::ExitCode;

use options::Request;

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let outcome = match options::parse(&arguments) {
        Ok(Request::Help) => {
            println!("{}", options::HELP);
            return ExitCode::SUCCESS;
        }
        Ok(Request::Work(place)) => worker::work(place).await,
        Ok(Request::Run(options)) => run::run(&options).await,
        Err(error) => {
            eprintln!("error: {error}\n\n{}", options::HELP);
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
