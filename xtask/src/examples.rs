//! Builds and runs the examples.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cargo;
use crate::openbao::OpenBao;
use crate::postgres::Postgres;
use crate::summary::seconds;
use crate::workspace::{Package, Target, Workspace};

/// How long one may run.
const LIMIT: Duration = Duration::from_secs(60);

/// The packages of examples; the third needs a PostgreSQL server, the fourth an OpenBao server.
const PACKAGES: [&str; 4] = ["examples", "examples-official", "examples-postgres", "examples-openbao"];

pub(crate) fn run(workspace: &Workspace, postgres: &Postgres, openbao: &OpenBao) -> Result<(), String> {
    let mut examples = Vec::new();
    for name in PACKAGES {
        let needs_it = (name.ends_with("postgres") && postgres.left_out().is_some())
            || (name.ends_with("openbao") && openbao.left_out().is_some());
        if needs_it {
            println!("    left out: the package {name}");
            continue;
        }
        let package = workspace.package(name)?;
        let found = package.targets.iter().filter(|target| target.is("example"));
        let before = examples.len();
        examples.extend(found.map(|target| (package, target)));
        if examples.len() == before {
            return Err(format!("the package `{name}` has no example"));
        }
    }
    let output = workspace.target.join("xtask");
    fs::create_dir_all(&output).map_err(|error| format!("cannot make {}: {error}", output.display()))?;

    let mut failed = Vec::new();
    for (package, example) in examples {
        let name = &example.name;
        let result = build(workspace, package, example).and_then(|program| {
            let output = output.join(format!("example-{name}.txt"));
            let mut command = workspace.command(program);
            openbao.apply(&mut command);
            run_one(command, &output, LIMIT)
        });
        match result {
            Ok(took) => println!("    {name}: ok, {}", seconds(took)),
            Err(error) => {
                println!("    {name}: FAILED: {error}");
                failed.push(name.as_str());
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join(", ")) }
}

/// Builds the example with the features it asks for and no more, and gives the program.
fn build(workspace: &Workspace, package: &Package, example: &Target) -> Result<PathBuf, String> {
    let mut command = workspace.cargo();
    command.args(["build", "--quiet", "--package", &package.name]);
    if !example.required_features.is_empty() {
        command.args(["--features", &example.required_features.join(",")]);
    }
    built(&mut command, &example.name)
}

/// Runs `build`, a `cargo build`, for this example, and gives the program.
pub(crate) fn built(build: &mut Command, example: &str) -> Result<PathBuf, String> {
    build.args(["--example", example, "--message-format", "json-render-diagnostics"]);
    let messages = cargo::capture(build)?;
    program(&String::from_utf8_lossy(&messages), example)
        .ok_or_else(|| "Cargo built it but named no program".into())
}

/// The program of the example `name`, in Cargo's messages: one JSON value a line.
fn program(messages: &str, name: &str) -> Option<PathBuf> {
    let mut messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    messages.find_map(|message| {
        let target = &message["target"];
        let example = target["kind"].as_array()?.iter().any(|kind| kind == "example");
        let program = message["executable"].as_str()?;
        (example && target["name"] == name).then(|| program.into())
    })
}

/// Runs the program with no input; shows what it wrote, which goes to the file `output`, only if it fails.
fn run_one(mut program: Command, output: &Path, limit: Duration) -> Result<Duration, String> {
    // A file, not a pipe: it never fills up, and both outputs stay in order.
    let file = File::create(output).map_err(|error| format!("cannot write {}: {error}", output.display()))?;
    let same_file = file.try_clone().map_err(|error| error.to_string())?;
    let begin = Instant::now();
    let mut child = program
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(same_file)
        .spawn()
        .map_err(|error| format!("it does not start: {error}"))?;
    let verdict = loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(begin.elapsed()),
            Ok(Some(status)) => break status.to_string(),
            Ok(None) if begin.elapsed() < limit => thread::sleep(Duration::from_millis(10)),
            waiting => {
                // It may have ended by itself by now, so a failure here says nothing new.
                let _ = child.kill().and_then(|()| child.wait());
                break match waiting {
                    Err(error) => error.to_string(),
                    Ok(_) => format!("still running after {}, killed", seconds(limit)),
                };
            }
        }
    };
    let written = fs::read(output).unwrap_or_default();
    println!("{}", String::from_utf8_lossy(&written).trim_end());
    Err(verdict)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_found_among_cargos_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"quick"},"executable":null}
            no JSON
            {"reason":"compiler-artifact","target":{"kind":["bin"],"name":"quick"},"executable":"/t/bin/quick"}
            {"reason":"compiler-artifact","target":{"kind":["example"],"name":"slow"},"executable":"/t/examples/slow"}
            {"reason":"compiler-artifact","target":{"kind":["example"],"name":"quick"},"executable":"/t/examples/quick"}
            {"reason":"build-finished","success":true}"#;
        assert_eq!(program(messages, "quick"), Some("/t/examples/quick".into()));
        assert_eq!(program(messages, "gone"), None);
    }

    #[cfg(unix)]
    mod running {
        use std::env;
        use std::process;

        use super::*;

        fn shell(script: &str, test: &str, limit: Duration) -> Result<Duration, String> {
            let output = env::temp_dir().join(format!("tokenkeep-xtask-{}-{test}", process::id()));
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            let result = run_one(command, &output, limit);
            fs::remove_file(&output).unwrap();
            result
        }

        #[test]
        fn an_exit_code_is_passed_on() {
            assert!(shell("echo fine", "zero", LIMIT).is_ok());
            assert!(shell("echo broken; exit 3", "three", LIMIT).unwrap_err().contains('3'));
        }

        #[test]
        fn one_that_does_not_end_is_killed() {
            let begin = Instant::now();
            let error = shell("exec sleep 30", "sleep", Duration::from_millis(100)).unwrap_err();
            assert!(error.contains("killed"), "{error}");
            assert!(begin.elapsed() < Duration::from_secs(10));
        }
    }
}
