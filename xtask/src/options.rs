//! What `cargo xtask test` was asked to do.

use crate::test::Part;

/// What `--without` takes beside the parts: the tests that need the provider's API description.
pub(crate) const API_DESCRIPTION: &str = "apify-openapi";
/// The same for the tests and benchmarks that start a PostgreSQL server.
pub(crate) const POSTGRES: &str = "postgres";
/// The same for the tests and the example that start an OpenBao server.
pub(crate) const OPENBAO: &str = "openbao";

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Options {
    /// Empty: all parts.
    only: Vec<String>,
    without: Vec<String>,
    pub(crate) without_api_description: bool,
    pub(crate) without_postgres: bool,
    pub(crate) without_openbao: bool,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Request {
    Run(Options),
    Help,
}

impl Options {
    /// Why the part is left out, if it is.
    pub(crate) fn leaves_out(&self, part: &str) -> Option<&'static str> {
        if self.without.iter().any(|name| name == part) {
            Some("--without")
        } else if !self.only.is_empty() && !self.only.iter().any(|name| name == part) {
            Some("--only names others")
        } else {
            None
        }
    }
}

/// Reads the arguments after `test`.
///
/// # Errors
/// An unknown option or name, a missing name, or options that leave nothing to run.
pub(crate) fn parse(arguments: &[String], parts: &[Part]) -> Result<Request, String> {
    let mut options = Options::default();
    let mut arguments = arguments.iter().map(String::as_str);
    while let Some(argument) = arguments.next() {
        let (option, value) = match argument.split_once('=') {
            Some((option, value)) => (option, Some(value)),
            None => (argument, None),
        };
        match option {
            "--help" | "-h" => return Ok(Request::Help),
            "--only" | "--without" => {
                let name = value.or_else(|| arguments.next()).ok_or(format!("{option} needs a name"))?;
                let is_part = parts.iter().any(|part| part.name == name);
                match option {
                    "--only" if is_part => options.only.push(name.into()),
                    "--without" if is_part => options.without.push(name.into()),
                    "--without" if name == API_DESCRIPTION => options.without_api_description = true,
                    "--without" if name == POSTGRES => options.without_postgres = true,
                    "--without" if name == OPENBAO => options.without_openbao = true,
                    _ => {
                        return Err(format!(
                            "{option} doesn't know {name:?}; it takes: {}",
                            names(option, parts)
                        ));
                    }
                }
            }
            _ => return Err(format!("unknown argument {argument:?}; see `cargo xtask test --help`")),
        }
    }
    if parts.iter().all(|part| options.leaves_out(part.name).is_some()) {
        return Err("these options leave nothing to run".into());
    }
    Ok(Request::Run(options))
}

fn names(option: &str, parts: &[Part]) -> String {
    let pseudo: &[&str] = if option == "--without" { &[API_DESCRIPTION, POSTGRES, OPENBAO] } else { &[] };
    let pseudo = pseudo.iter().copied();
    parts.iter().map(|part| part.name).chain(pseudo).collect::<Vec<_>>().join(", ")
}

pub(crate) fn help(parts: &[Part]) -> String {
    let mut text = String::from(
        "Runs everything that must hold before a change is taken, and sums it up.\n\n\
         Usage: cargo xtask test [--without NAME]... [--only NAME]...\n\n\
         Options:\n  \
         --without NAME    Leaves a part out, and says so in the summary\n  \
         --only NAME       Runs this part alone (several may be named)\n\n\
         Parts:\n",
    );
    for part in parts {
        text.push_str(&format!("  {:<14}  {}\n", part.name, part.what));
    }
    text.push_str(&format!(
        "\nAlso for --without:\n  {API_DESCRIPTION:<14}  the tests that compare with the provider's API description\n  \
         {POSTGRES:<14}  the tests and benchmarks that start a PostgreSQL server\n  \
         {OPENBAO:<14}  the tests and the example that start an OpenBao server\n"
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::PARTS;

    fn parsed(line: &str) -> Result<Request, String> {
        let arguments: Vec<String> = line.split_whitespace().map(String::from).collect();
        parse(&arguments, PARTS)
    }

    fn options(line: &str) -> Options {
        match parsed(line) {
            Ok(Request::Run(options)) => options,
            other => panic!("{line:?} gave {other:?}"),
        }
    }

    fn runs(line: &str) -> Vec<&'static str> {
        let options = options(line);
        PARTS.iter().map(|part| part.name).filter(|name| options.leaves_out(name).is_none()).collect()
    }

    #[test]
    fn no_argument_runs_every_part() {
        assert_eq!(runs("").len(), PARTS.len());
        assert!(!options("").without_api_description);
    }

    #[test]
    fn without_leaves_out_only_what_it_names() {
        let left = runs("--without fuzz --without=deny");
        assert_eq!(left.len(), PARTS.len() - 2);
        assert!(!left.contains(&"fuzz") && !left.contains(&"deny"));
    }

    #[test]
    fn only_keeps_what_it_names_less_what_without_names() {
        assert_eq!(runs("--only doc --only=fmt"), ["fmt", "doc"]);
        assert_eq!(runs("--only doc --only fmt --without doc"), ["fmt"]);
    }

    #[test]
    fn the_api_description_can_be_left_out_but_is_no_part() {
        let options = options("--without apify-openapi");
        assert!(options.without_api_description);
        assert_eq!(options.leaves_out("test"), None);
        assert!(parsed("--only apify-openapi").is_err());
    }

    #[test]
    fn postgres_can_be_left_out_but_is_no_part() {
        let options = options("--without postgres");
        assert!(options.without_postgres && !options.without_api_description);
        assert_eq!(options.leaves_out("test"), None);
        assert!(parsed("--only postgres").is_err());
    }

    #[test]
    fn openbao_can_be_left_out_but_is_no_part() {
        let options = options("--without openbao");
        assert!(options.without_openbao && !options.without_postgres);
        assert_eq!(options.leaves_out("test"), None);
        assert!(parsed("--only openbao").is_err());
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_list() {
        for line in ["--only tset", "--without tset", "--without=tset", "--without="] {
            let error = parsed(line).unwrap_err();
            assert!(PARTS.iter().all(|part| error.contains(part.name)), "{error}");
        }
        let error = parsed("--without tset").unwrap_err();
        assert!(error.contains(API_DESCRIPTION) && error.contains(POSTGRES), "{error}");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in ["--only", "--without", "--wihtout fmt", "fmt", "--only fmt --without fmt"] {
            assert!(parsed(line).is_err(), "{line}");
        }
        let all: String = PARTS.iter().map(|part| format!("--without {} ", part.name)).collect();
        assert!(parsed(&all).is_err());
    }

    #[test]
    fn help_names_every_part() {
        assert_eq!(parsed("--only fmt --help"), Ok(Request::Help));
        let text = help(PARTS);
        assert!(PARTS.iter().all(|part| text.contains(part.what)));
    }
}
