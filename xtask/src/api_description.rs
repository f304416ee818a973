//! The provider's API description: some tests compare the stand-in with it, and it isn't in this repository.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use crate::options::API_DESCRIPTION;
use crate::workspace::Workspace;

/// Where the tests look for it.
const VARIABLE: &str = "APIFY_OPENAPI";
/// Without the variable: here, from the root of the workspace.
const FALLBACK: &str = "../shared/apify/openapi.json";
/// How the names of the tests that need it begin.
const TESTS: &str = "apify_openapi_";

#[derive(Debug, PartialEq)]
pub(crate) enum ApiDescription {
    File(PathBuf),
    /// With the words for a person.
    LeftOut(String),
    /// As the tests aren't run.
    NotNeeded,
}

impl ApiDescription {
    /// Finds the file, or says that it is left out.
    ///
    /// # Errors
    /// The variable names no file, or there is none in CI, where nothing is left out silently.
    pub(crate) fn find(workspace: &Workspace, without: bool) -> Result<Self, String> {
        let named = env::var_os(VARIABLE).map(|path| workspace.root.join(path));
        let ci = env::var_os("CI").is_some_and(|value| value == "true");
        Self::choose(named, workspace.root.join(FALLBACK), ci, without)
    }

    fn choose(named: Option<PathBuf>, fallback: PathBuf, ci: bool, without: bool) -> Result<Self, String> {
        if without {
            let why = format!("left out, by --without {API_DESCRIPTION}: every test named {TESTS}*");
            return Ok(Self::LeftOut(why));
        }
        if let Some(file) = named {
            return if file.is_file() {
                Ok(Self::File(file))
            } else {
                Err(format!("{VARIABLE} names no file: {}", file.display()))
            };
        }
        if fallback.is_file() {
            return Ok(Self::File(fallback));
        }
        let how = format!("set {VARIABLE} to the path of Apify's API description (openapi.json)");
        if ci {
            return Err(format!("the tests need a file: {how}, or say `--without {API_DESCRIPTION}`"));
        }
        Ok(Self::LeftOut(format!("left out: every test named {TESTS}*; to run them, {how}")))
    }

    /// For the heading and the summary: that something was left out, and how to change that.
    pub(crate) fn left_out(&self) -> Option<&str> {
        match self {
            Self::LeftOut(why) => Some(why),
            Self::File(_) | Self::NotNeeded => None,
        }
    }

    /// Tells `cargo test` where the file is.
    pub(crate) fn apply(&self, test: &mut Command) {
        if let Self::File(file) = self {
            // Made absolute by `find`: a test runs in its own package's folder.
            test.env(VARIABLE, file);
        }
    }

    /// How the names of the tests begin that must be left out.
    pub(crate) fn skipped(&self) -> Option<&'static str> {
        (!matches!(self, Self::File(_))).then_some(TESTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Any file: a test runs in its package's folder.
    fn there() -> PathBuf {
        PathBuf::from("Cargo.toml")
    }

    fn missing() -> PathBuf {
        PathBuf::from("no/such/openapi.json")
    }

    #[test]
    fn the_named_file_goes_before_the_fallback() {
        let choice = ApiDescription::choose(Some(there()), missing(), true, false).unwrap();
        assert_eq!(choice, ApiDescription::File(there()));
        assert_eq!(choice.skipped(), None);
        assert_eq!(choice.left_out(), None);
        let choice = ApiDescription::choose(None, there(), true, false).unwrap();
        assert_eq!(choice, ApiDescription::File(there()));
    }

    #[test]
    fn a_name_without_a_file_is_an_error_everywhere() {
        for ci in [false, true] {
            assert!(ApiDescription::choose(Some(missing()), there(), ci, false).is_err());
        }
    }

    #[test]
    fn no_file_is_an_error_in_ci_and_said_aloud_elsewhere() {
        let error = ApiDescription::choose(None, missing(), true, false).unwrap_err();
        assert!(error.contains(VARIABLE) && error.contains(API_DESCRIPTION), "{error}");

        let choice = ApiDescription::choose(None, missing(), false, false).unwrap();
        assert!(choice.left_out().unwrap().contains(VARIABLE));
        assert_eq!(choice.skipped(), Some(TESTS));
    }

    #[test]
    fn leaving_out_by_name_works_everywhere_and_is_said_aloud() {
        let choice = ApiDescription::choose(Some(there()), there(), true, true).unwrap();
        assert!(choice.left_out().unwrap().contains(API_DESCRIPTION));
        assert_eq!(choice.skipped(), Some(TESTS));
    }
}
