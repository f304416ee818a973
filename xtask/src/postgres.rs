//! The tests and benchmarks that start a PostgreSQL server of their own, from the programs that are installed.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::options::POSTGRES;

/// What the paths of those tests hold, by their name or their module's.
const TESTS: &str = "postgres";

#[derive(Debug, PartialEq)]
pub(crate) enum Postgres {
    Found,
    /// With the words for a person.
    LeftOut(String),
    /// As neither is run.
    NotNeeded,
}

impl Postgres {
    /// Looks for the programs, or says that what needs them is left out.
    ///
    /// # Errors
    /// They are not there. What a store promises about its database is not left out silently, here or in CI.
    pub(crate) fn find(without: bool) -> Result<Self, String> {
        let path = env::var_os("PATH").unwrap_or_default();
        let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let folders = env::split_paths(&path).chain(installed.map(|version| version.path().join("bin")));
        Self::choose(&folders.collect::<Vec<_>>(), without)
    }

    fn choose(folders: &[PathBuf], without: bool) -> Result<Self, String> {
        if without {
            return Ok(Self::LeftOut(format!(
                "left out, by --without {POSTGRES}: every test named *{TESTS}*, kills on it, and its benchmarks"
            )));
        }
        if folders.iter().any(|folder| is_there(folder)) {
            return Ok(Self::Found);
        }
        Err(format!(
            "tests and benchmarks need PostgreSQL's server: install it (Debian and Ubuntu: `apt install postgresql`), or say \
             `--without {POSTGRES}`"
        ))
    }

    /// For the heading and the summary: that something was left out.
    pub(crate) fn left_out(&self) -> Option<&str> {
        match self {
            Self::LeftOut(why) => Some(why),
            Self::Found | Self::NotNeeded => None,
        }
    }

    /// What the paths of the tests hold that must be left out.
    pub(crate) fn skipped(&self) -> Option<&'static str> {
        (*self != Self::Found).then_some(TESTS)
    }
}

fn is_there(folder: &Path) -> bool {
    folder.join("initdb").is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_programs_it_is_an_error_that_says_what_to_do() {
        let error = Postgres::choose(&["no/such/folder".into()], false).unwrap_err();
        assert!(error.contains("install") && error.contains("--without postgres"), "{error}");
    }

    #[test]
    fn leaving_out_by_name_is_said_aloud() {
        let choice = Postgres::choose(&[], true).unwrap();
        assert!(choice.left_out().unwrap().contains("postgres"));
        assert_eq!(choice.skipped(), Some("postgres"));
        assert_eq!(Postgres::Found.skipped(), None);
        assert_eq!(Postgres::Found.left_out(), None);
    }
}
