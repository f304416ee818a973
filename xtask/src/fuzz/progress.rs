//! What libFuzzer tells while it runs.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// Runs libFuzzer and says from time to time how far it is. Gives what it told in figures and in words (from a panic on,
/// or at its end) and how it ended.
pub(super) fn follow(
    command: &mut Command,
    begin: Instant,
) -> Result<(Progress, String, Result<(), String>), String> {
    const KEPT: usize = 30;
    const SAID_EVERY: Duration = Duration::from_secs(10);

    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| format!("cannot start cargo fuzz: {error}"))?;
    let errors = child.stderr.take().ok_or("cargo fuzz has no error output")?;
    let (sender, lines) = mpsc::channel();
    let reader = thread::spawn(move || {
        // A finding may be printed with bytes that are no UTF-8.
        for line in BufReader::new(errors).split(b'\n').map_while(Result::ok) {
            let _ = sender.send(String::from_utf8_lossy(&line).into_owned());
        }
    });

    let (mut progress, mut told, mut panicked, mut said) = (Progress::default(), Vec::new(), false, begin);
    loop {
        match lines.recv_timeout(SAID_EVERY) {
            Ok(line) => {
                progress.read(&line);
                if !panicked && (told.len() == KEPT || line.contains("panicked at")) {
                    panicked = line.contains("panicked at");
                    told.drain(..if panicked { told.len() } else { 1 });
                }
                if told.len() < KEPT {
                    told.push(line);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if said.elapsed() >= SAID_EVERY {
            said = Instant::now();
            let Progress { executions, coverage, .. } = progress;
            println!(
                "      {:>4} s  {executions} executions, coverage {coverage}",
                begin.elapsed().as_secs()
            );
        }
    }
    let status = child.wait().map_err(|error| format!("cargo fuzz: {error}"))?;
    // Its output has ended, so it has too.
    let _ = reader.join();
    let status = if status.success() { Ok(()) } else { Err(format!("cargo fuzz: {status}")) };
    Ok((progress, told.join("\n"), status))
}

/// What libFuzzer told last.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Progress {
    pub(super) executions: u64,
    /// Of libFuzzer's own time, without what a build took; 0 until it ends.
    pub(super) per_second: u64,
    /// Edges of the code.
    pub(super) coverage: u64,
    /// The file that a finding was written to.
    pub(super) artifact: Option<String>,
}

impl Progress {
    /// Takes what a line of libFuzzer's tells: `#1024 pulse cov: 75 ft: 80 …`, its final figures, a file's name.
    fn read(&mut self, line: &str) {
        let number = |text: &str| text.trim().parse().ok();
        if let Some(rest) = line.strip_prefix('#') {
            let mut words = rest.split_whitespace();
            self.executions = words.next().and_then(number).unwrap_or(self.executions);
            let mut after_cov = words.skip_while(|word| *word != "cov:").skip(1);
            self.coverage = after_cov.next().and_then(number).unwrap_or(self.coverage);
        } else if let Some(count) = line.strip_prefix("stat::number_of_executed_units:") {
            self.executions = number(count).unwrap_or(self.executions);
        } else if let Some(rate) = line.strip_prefix("stat::average_exec_per_sec:") {
            self.per_second = number(rate).unwrap_or(self.per_second);
        } else if let Some((_, path)) = line.split_once("Test unit written to ") {
            self.artifact = Some(path.trim().into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libfuzzer_tells_is_read() {
        let mut progress = Progress::default();
        progress.read("#2\tINITED cov: 12 ft: 13 corp: 1/1b exec/s: 0 rss: 27Mb");
        progress.read("#1024\tpulse  cov: 75 ft: 80 corp: 15/16Kb lim: 16464 exec/s: 142650 rss: 27Mb");
        assert_eq!((progress.executions, progress.coverage), (1024, 75));
        progress.read("stat::number_of_executed_units: 1569153");
        progress.read("stat::average_exec_per_sec:     142650");
        progress.read("thread '<unnamed>' panicked at src/x.rs:1:1: #");
        assert_eq!(
            progress,
            Progress { executions: 1_569_153, per_second: 142_650, coverage: 75, artifact: None }
        );
        progress.read("artifact_prefix='a/'; Test unit written to a/crash-1");
        assert_eq!(progress.artifact.as_deref(), Some("a/crash-1"));
    }
}
