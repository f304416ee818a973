//! `cargo xtask test`: its parts, in the order in which they run.

use std::process::ExitCode;
use std::time::Instant;

use crate::api_description::ApiDescription;
use crate::cargo;
use crate::openbao::OpenBao;
use crate::options::{self, Options, Request};
use crate::postgres::Postgres;
use crate::secret_input::Extent;
use crate::summary::{Line, Outcome, seconds, summary};
use crate::workspace::Workspace;
use crate::{bench, cluster, crash, examples, features, fuzz, interop, linked, no_std, prism, tools};

/// One part: its name, what it does in a few words, and the function that does it.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    run: fn(&Context) -> Result<(), Failure>,
}

/// In the order in which they run: the quick ones and those that others rest on first.
pub(crate) const PARTS: &[Part] = &[
    Part { name: "fmt", what: "formatting, also of benches and fuzz", run: fmt },
    Part { name: "clippy", what: "lints over every target with all features, warnings denied", run: clippy },
    Part {
        name: "features",
        what: "each published crate by itself: default features, none, each alone; warnings denied",
        run: |context| Ok(features::check(&context.workspace)?),
    },
    Part { name: "test", what: "unit and integration tests with all features", run: tests },
    Part {
        name: "crash",
        what: "kills a process that works on a vault, and looks what is left: 20 times on each database",
        run: |context| Ok(crash::check(&context.workspace, context.postgres.left_out().is_some())?),
    },
    Part {
        name: "cluster",
        what: "kills the active one of three OpenBao nodes under load, once",
        run: |context| Ok(cluster::check(&context.workspace, &context.openbao)?),
    },
    Part { name: "core", what: "the core's tests again as it ships: optimized, on each backend", run: core },
    Part { name: "doctest", what: "the code in the documentation", run: doctests },
    Part { name: "doc", what: "the documentation, warnings denied", run: doc },
    Part {
        name: "examples",
        what: "builds and runs every example",
        run: |context| Ok(examples::run(&context.workspace, &context.postgres, &context.openbao)?),
    },
    Part {
        name: "interop",
        what: "the published vectors, the second implementation in Python, and Apify's own packages for secret input",
        run: |context| Ok(interop::run(&context.workspace, Extent::Cases)?),
    },
    Part {
        name: "prism",
        what: "every typed call of Apify, and every method of the official client, against a server that serves Apify's own API description",
        run: |context| Ok(prism::check(&context.workspace, &context.api_description)?),
    },
    Part {
        name: "bench",
        what: "lints the benchmarks and runs each once, unmeasured",
        run: |context| Ok(bench::check(&context.workspace, &context.postgres)?),
    },
    Part {
        name: "fuzz",
        what: "the fuzz targets compile, warnings denied, and their corpus is replayed",
        run: |context| Ok(fuzz::check(&context.workspace)?),
    },
    Part {
        name: "linked",
        what: "the core links few crates",
        run: |context| Ok(linked::check(&context.workspace)?),
    },
    Part {
        name: "no-std",
        what: "the core does without the standard library",
        run: |context| Ok(no_std::check(&context.workspace)?),
    },
    Part { name: "deny", what: "dependencies: bans, licences, sources", run: deny },
];

/// Why a part failed, and whether the parts after it are worth running.
enum Failure {
    GoOn(String),
    Stop(String),
}

impl From<String> for Failure {
    fn from(why: String) -> Self {
        Self::GoOn(why)
    }
}

struct Context {
    workspace: Workspace,
    api_description: ApiDescription,
    postgres: Postgres,
    openbao: OpenBao,
}

impl Context {
    /// What was left out, in words for a person.
    fn left_out(&self) -> impl Iterator<Item = &str> {
        let notes = [self.api_description.left_out(), self.postgres.left_out(), self.openbao.left_out()];
        notes.into_iter().flatten()
    }
}

pub(crate) fn main(arguments: &[String]) -> ExitCode {
    let options = match options::parse(arguments, PARTS) {
        Ok(Request::Run(options)) => options,
        Ok(Request::Help) => {
            println!("{}", options::help(PARTS));
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the parts that were asked for; true if all of them passed.
fn run(options: &Options) -> Result<bool, String> {
    let workspace = Workspace::read()?;
    // Found out first: nobody should wait for the parts before `test` to learn that a file is missing.
    let needs = |part| options.leaves_out(part).is_none();
    let api_description = if needs("test") || needs("prism") {
        ApiDescription::find(&workspace, options.without_api_description)?
    } else {
        ApiDescription::NotNeeded
    };
    let postgres = if needs("test") || needs("crash") || needs("examples") || needs("bench") {
        Postgres::find(options.without_postgres)?
    } else {
        Postgres::NotNeeded
    };
    let openbao = if needs("test") || needs("cluster") || needs("examples") {
        OpenBao::find(&workspace, options.without_openbao)?
    } else {
        OpenBao::NotNeeded
    };
    let context = Context { workspace, api_description, postgres, openbao };

    let begin = Instant::now();
    let mut stopped_at = None;
    let mut lines = Vec::new();
    for part in PARTS {
        let outcome = match (options.leaves_out(part.name), stopped_at) {
            (Some(why), _) => Outcome::LeftOut(why),
            (None, Some(at)) => Outcome::NotRun(at),
            (None, None) => {
                println!("\n=== {}: {}", part.name, part.what);
                let begin = Instant::now();
                let result = (part.run)(&context);
                let took = begin.elapsed();
                match result {
                    Ok(()) => {
                        println!("=== {}: ok, {}", part.name, seconds(took));
                        Outcome::Passed(took)
                    }
                    Err(failure) => {
                        let (Failure::GoOn(why) | Failure::Stop(why)) = &failure;
                        println!("=== {}: FAILED, {}: {why}", part.name, seconds(took));
                        if matches!(failure, Failure::Stop(_)) {
                            stopped_at = Some(part.name);
                        }
                        Outcome::Failed(took, why.clone())
                    }
                }
            }
        };
        lines.push(Line { part: part.name, outcome });
    }
    let notes: Vec<&str> = context.left_out().collect();
    println!("\n{}", summary(&lines, &notes, begin.elapsed()));
    Ok(lines.iter().all(|line| !line.outcome.is_failure()))
}

fn fmt(context: &Context) -> Result<(), Failure> {
    let workspace = &context.workspace;
    let main = cargo::run(workspace.cargo().args(["fmt", "--all", "--check"]));
    // Without `--all`, which would go through the path dependencies into the main workspace again.
    let others = [bench::MANIFEST, fuzz::MANIFEST]
        .map(|manifest| cargo::run(workspace.cargo().args(["fmt", "--manifest-path", manifest, "--check"])));
    others.into_iter().fold(main, Result::and)?;
    Ok(())
}

fn clippy(context: &Context) -> Result<(), Failure> {
    let lint =
        ["clippy", "--locked", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
    Ok(cargo::run(context.workspace.cargo().args(lint))?)
}

fn tests(context: &Context) -> Result<(), Failure> {
    let test = ["test", "--workspace", "--all-features", "--tests", "--no-fail-fast"];
    for why in context.left_out() {
        println!("    {why}");
    }
    // A test starts an example as a person does. `cargo test --examples` would build it as a test.
    let examples = ["build", "--workspace", "--all-features", "--examples"];
    cargo::run(context.workspace.cargo().args(examples)).map_err(Failure::Stop)?;
    // Built first, so that code that doesn't compile is told apart from a test that fails: what comes after
    // needs the same code.
    cargo::run(context.workspace.cargo().args(test).arg("--no-run")).map_err(Failure::Stop)?;

    let mut command = context.workspace.cargo();
    command.args(test);
    context.api_description.apply(&mut command);
    context.openbao.apply(&mut command);
    let skipped = [context.api_description.skipped(), context.postgres.skipped(), context.openbao.skipped()];
    let skipped: Vec<_> = skipped.into_iter().flatten().collect();
    if !skipped.is_empty() {
        command.arg("--").args(skipped.iter().flat_map(|tests| ["--skip", tests]));
    }
    Ok(cargo::run(&mut command)?)
}

/// With all features, as everywhere else, the core's backend is AWS-LC; and what it leaves on the stack is worth a look in an
/// optimized build alone.
fn core(context: &Context) -> Result<(), Failure> {
    let test = ["test", "--release", "--package", "tokenkeep-core", "--lib", "--tests"];
    for features in ["dangerous-test-vectors", "dangerous-test-vectors,aws-lc"] {
        cargo::run(context.workspace.cargo().args(test).args(["--features", features]))?;
    }
    Ok(())
}

fn doctests(context: &Context) -> Result<(), Failure> {
    let test = ["test", "--workspace", "--all-features", "--doc", "--no-fail-fast"];
    Ok(cargo::run(context.workspace.cargo().args(test))?)
}

fn doc(context: &Context) -> Result<(), Failure> {
    let mut command = context.workspace.cargo();
    command.env("RUSTDOCFLAGS", "-D warnings").args(["doc", "--workspace", "--no-deps", "--all-features"]);
    Ok(cargo::run(&mut command)?)
}

fn deny(context: &Context) -> Result<(), Failure> {
    let mut command = context.workspace.command(tools::cargo_deny(&context.workspace)?);
    command.args(["--all-features", "check", "bans", "licenses", "sources"]);
    Ok(cargo::run(&mut command)?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::PARTS;
    use crate::options::{API_DESCRIPTION, OPENBAO, POSTGRES};

    #[test]
    fn part_names_are_unique_and_can_be_typed() {
        let mut seen = BTreeSet::from([API_DESCRIPTION, POSTGRES, OPENBAO]);
        for part in PARTS {
            assert!(seen.insert(part.name), "{} is there twice", part.name);
            assert!(part.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{}", part.name);
            assert!(!part.name.starts_with('-') && !part.what.is_empty());
        }
    }
}
