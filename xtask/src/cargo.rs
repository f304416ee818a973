//! Runs programs, and says which.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::{env, str};

/// A command that runs in `folder`, without what `cargo run` told this program about itself.
///
/// Build scripts that watch such a variable would otherwise run again each time somebody changes between
/// `cargo xtask` and plain Cargo.
pub(crate) fn command(program: impl AsRef<OsStr>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder);
    for (name, _) in env::vars_os() {
        let ours = ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_"];
        if name.to_str().is_some_and(|name| ours.iter().any(|prefix| name.starts_with(prefix))) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs the command with this program's own output and error output.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let status = status(command)?;
    if status.success() { Ok(()) } else { Err(format!("{}: {status}", short(command))) }
}

/// Runs the command with this program's own output and error output, and gives how it ended.
pub(crate) fn status(command: &mut Command) -> Result<ExitStatus, String> {
    println!("    {}", shown(command));
    command.status().map_err(|error| cannot_start(command, &error))
}

/// Runs the command and gives what it wrote to its output; its error output is this program's.
pub(crate) fn capture(command: &mut Command) -> Result<Vec<u8>, String> {
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| cannot_start(command, &error))?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(format!("{}: {}", short(command), output.status))
    }
}

/// Whether `PROGRAM ARGUMENT` is there and succeeds; prints nothing.
pub(crate) fn answers(program: impl AsRef<OsStr>, argument: &str) -> bool {
    let quiet = Command::new(program).arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).status();
    quiet.is_ok_and(|status| status.success())
}

fn cannot_start(command: &Command, error: &std::io::Error) -> String {
    format!("cannot start {}: {error}", command.get_program().display())
}

/// As a person would type it.
fn shown(command: &Command) -> String {
    let mut words = Vec::new();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            words.push(format!("{}={}", name.display(), quoted(value)));
        }
    }
    words.push(program_name(command));
    words.extend(command.get_args().map(quoted));
    words.join(" ")
}

/// The program and its subcommand: enough to know which of a part's commands failed.
fn short(command: &Command) -> String {
    let mut words = vec![program_name(command)];
    words.extend(command.get_args().next().map(quoted));
    words.join(" ")
}

fn program_name(command: &Command) -> String {
    let program = Path::new(command.get_program());
    program.file_stem().unwrap_or(program.as_os_str()).display().to_string()
}

fn quoted(word: &OsStr) -> String {
    let word = word.display().to_string();
    if word.is_empty() || word.contains(char::is_whitespace) { format!("'{word}'") } else { word }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        let mut command = Command::new("/some/where/cargo");
        command.args(["doc", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings").env_remove("CARGO_PKG_NAME");
        assert_eq!(shown(&command), "RUSTDOCFLAGS='-D warnings' cargo doc --no-deps");
        assert_eq!(short(&command), "cargo doc");
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error_that_names_it() {
        let error = run(&mut Command::new("no-such-program-here")).unwrap_err();
        assert!(error.contains("no-such-program-here"), "{error}");
        assert!(!answers("no-such-program-here", "--version"));
    }

    #[cfg(unix)]
    #[test]
    fn an_exit_code_other_than_zero_is_an_error() {
        let shell = |script| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            command
        };
        assert!(run(&mut shell("exit 3")).unwrap_err().contains('3'));
        assert!(capture(&mut shell("echo output; exit 3")).unwrap_err().contains('3'));
        assert_eq!(capture(&mut shell("echo output")).unwrap(), b"output\n");
    }
}
