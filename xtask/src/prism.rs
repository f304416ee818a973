//! Prism: the server that Apify's own API description is served with, and the tests that ask it.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::api_description::ApiDescription;
use crate::workspace::Workspace;
use crate::{cargo, tools};

/// From the root of the workspace. The lock file beside it pins every package by its hash.
const MANIFEST: &str = "interop/prism/package.json";
/// Tells the tests where Prism listens.
const VARIABLE: &str = "PRISM_PORT";
/// Names the run that the official client takes itself to be.
const OWN_RUN: &str = "ACTOR_RUN_ID";
/// The test targets that have such tests: of our client, and of Apify's own over our transport.
const TARGETS: [&str; 2] = ["typed", "prism"];
/// How the names of those tests begin. They are ignored unless somebody asks for them.
const TESTS: &str = "prism::";
/// How long Prism may take to start.
const STARTING: Duration = Duration::from_secs(120);

/// Runs the tests against Prism, or says that they are left out.
///
/// # Errors
/// Node.js or npm is not there, Prism can't be had or does not start, or a test fails.
pub(crate) fn check(workspace: &Workspace, description: &ApiDescription) -> Result<(), String> {
    let file = match description {
        ApiDescription::File(file) => file,
        ApiDescription::LeftOut(why) => {
            println!("    {why}; and Prism, which serves it");
            return Ok(());
        }
        ApiDescription::NotNeeded => return Err("nobody looked for the API description".into()),
    };
    let program = program(workspace)?;
    let port = free_port()?;
    let log = workspace.target.join("xtask").join("prism.log");
    let folder = log.parent().unwrap_or(&workspace.target);
    fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    let cannot_write = |error| format!("cannot write {}: {error}", log.display());
    let output = File::create(&log).map_err(cannot_write)?;
    let errors = output.try_clone().map_err(cannot_write)?;

    let mut command = Command::new("node");
    command.arg(program).args(["mock", "--errors", "--host", "127.0.0.1", "--port", &port.to_string()]);
    command.args(["--verboseLevel", "warn"]).arg(file);
    command.stdin(Stdio::null()).stdout(output).stderr(errors);
    let server = command.spawn().map_err(|error| format!("cannot start node: {error}"))?;
    let mut server = Server(server);
    server.wait_for(port).map_err(|error| format!("{error}; see {}", log.display()))?;

    for target in TARGETS {
        let tests = || {
            let mut tests = workspace.cargo();
            description.apply(&mut tests);
            tests.env(VARIABLE, port.to_string()).env(OWN_RUN, "FakeRun0000000001");
            // As in the part `test`, so that nothing is compiled anew.
            tests.args(["test", "--workspace", "--all-features", "--test", target, "--", "--ignored", TESTS]);
            tests
        };
        some_are_listed(&cargo::capture(tests().arg("--list"))?)?;
        cargo::run(&mut tests())?;
    }
    Ok(())
}

/// A filter that no test's name fits is a success for the test harness, and would be one here for ever.
fn some_are_listed(list: &[u8]) -> Result<(), String> {
    let list = String::from_utf8_lossy(list);
    let is_one = |line: &str| line.starts_with(TESTS) && line.ends_with(": test");
    if list.lines().any(is_one) { Ok(()) } else { Err(format!("no test's name begins with {TESTS}")) }
}

/// Prism's program, under the target folder, installed if need be: 90 MB.
fn program(workspace: &Workspace) -> Result<PathBuf, String> {
    let folder = tools::npm_packages(workspace, MANIFEST, "prism").map_err(|error| {
        format!("{error}; Prism comes from npm and runs on Node.js 18 or later, or say `--without prism`")
    })?;
    let program = folder.join("node_modules/@stoplight/prism-cli/dist/index.js");
    if program.is_file() { Ok(program) } else { Err(format!("npm installed no {}", program.display())) }
}

/// One that nobody listens on now.
fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(|error| format!("no port can be had: {error}"))
}

/// Ends with its owner.
struct Server(Child);

impl Server {
    fn wait_for(&mut self, port: u16) -> Result<(), String> {
        let begin = Instant::now();
        while begin.elapsed() < STARTING {
            if let Ok(Some(status)) = self.0.try_wait() {
                return Err(format!("Prism ended at its start: {status}"));
            }
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(());
            }
            sleep(Duration::from_millis(100));
        }
        Err(format!("Prism did not start within {} s", STARTING.as_secs()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_ends_at_its_start_is_an_error_and_one_that_listens_is_not() {
        let start =
            |program: &str, argument: &str| Server(Command::new(program).arg(argument).spawn().unwrap());
        let port = free_port().unwrap();
        assert!(start("true", "").wait_for(port).unwrap_err().contains("ended"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut sleeping = start("sleep", "60");
        assert_eq!(sleeping.wait_for(listener.local_addr().unwrap().port()), Ok(()));
    }

    #[test]
    fn a_run_of_no_test_is_an_error() {
        assert_eq!(some_are_listed(b"prism::takes_every_call: test\n\n1 test, 0 benchmarks\n"), Ok(()));
        for none in ["", "0 tests, 0 benchmarks\n", "other::prism::x: test\n1 test, 0 benchmarks\n"] {
            assert!(some_are_listed(none.as_bytes()).is_err(), "{none:?}");
        }
    }
}
