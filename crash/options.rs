//! What was asked for.

use std::hash::{BuildHasher, RandomState};

use crate::place::{Kind, Place};

pub(crate) const HELP: &str = "\
Kills a process that connects, replaces and disconnects tokens at random points, and looks what is left each time.

Usage: cargo xtask crash [--kills N] [--seed S] [--store sqlite|postgres]

Options:
  --kills N     How many kills on each store (500)
  --seed S      Where a run before began: the same points, as far as the machine lets them be
  --store NAME  On this store alone

Ctrl-C ends it after the kill it is at. PostgreSQL's programs must be installed.";

#[derive(Debug)]
pub(crate) enum Request {
    Help,
    Run(Options),
    /// What the process that is killed is started with.
    Work(Place),
}

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) kills: u32,
    pub(crate) seed: u64,
    pub(crate) stores: Vec<Kind>,
}

pub(crate) fn parse(arguments: &[String]) -> Result<Request, String> {
    if let [command, place @ ..] = arguments
        && command == "work"
    {
        return Place::parse(place).map(Request::Work).ok_or_else(|| "not a place to work at".into());
    }
    let mut options = Options {
        kills: 500,
        seed: RandomState::new().hash_one("seed") % 1_000_000_000,
        stores: vec![Kind::Sqlite, Kind::Postgres],
    };
    let mut arguments = arguments.iter().map(String::as_str);
    while let Some(argument) = arguments.next() {
        let (option, value) = match argument.split_once('=') {
            Some((option, value)) => (option, Some(value)),
            None => (argument, None),
        };
        if matches!(option, "--help" | "-h") {
            return Ok(Request::Help);
        }
        if !matches!(option, "--kills" | "--seed" | "--store") {
            return Err(format!("unknown argument {argument:?}"));
        }
        let value = value.or_else(|| arguments.next()).ok_or(format!("{option} needs a value"))?;
        let number = || value.parse::<u32>().map_err(|_| format!("{option} takes a number, not {value:?}"));
        match option {
            "--kills" => options.kills = number()?.max(1),
            "--seed" => options.seed = number()?.into(),
            _ => {
                options.stores = vec![Kind::parse(value).ok_or(format!("no store is named {value:?}"))?];
            }
        }
    }
    Ok(Request::Run(options))
}
