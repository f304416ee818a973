//! What the figures were measured on.

use std::fs;
use std::process::Command;
use std::thread;

pub(crate) fn describe() -> String {
    let cores = thread::available_parallelism().map_or("?".into(), |cores| cores.to_string());
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cpu = cpu.map_or("an unknown processor", |(_, name)| name);
    format!("commit {}; {cores} cores of {cpu}; load average at the start: {}", commit(), load())
}

fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output =
            Command::new("git").args(arguments).output().ok().filter(|output| output.status.success());
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let changed =
        git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|changes| !changes.is_empty());
    let commit = git(&["rev-parse", "--short", "HEAD"]).unwrap_or("unknown".into());
    if changed { format!("{commit} with changes") } else { commit }
}

/// Over the last one, five and fifteen minutes, where the system tells.
pub(crate) fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let three: Vec<&str> = load.split_whitespace().take(3).collect();
    if three.is_empty() { "unknown".into() } else { three.join(" ") }
}
