//! The table at the end.

use std::fmt::Write as _;
use std::time::Duration;

pub(crate) struct Line {
    pub(crate) part: &'static str,
    pub(crate) outcome: Outcome,
}

pub(crate) enum Outcome {
    Passed(Duration),
    /// With the reason.
    Failed(Duration, String),
    /// With the option that left it out.
    LeftOut(&'static str),
    /// With the part that failed before it.
    NotRun(&'static str),
}

impl Outcome {
    pub(crate) fn is_failure(&self) -> bool {
        matches!(self, Self::Failed(..) | Self::NotRun(_))
    }
}

/// The notes are said aloud below the table.
pub(crate) fn summary(lines: &[Line], notes: &[&str], took: Duration) -> String {
    let mut text = String::from("=== Summary\n");
    for line in lines {
        let (time, word) = match &line.outcome {
            Outcome::Passed(took) => (seconds(*took), "ok".into()),
            Outcome::Failed(took, why) => (seconds(*took), format!("FAILED: {why}")),
            Outcome::LeftOut(why) => (String::new(), format!("left out ({why})")),
            Outcome::NotRun(at) => (String::new(), format!("NOT RUN, as {at} failed")),
        };
        let _ = writeln!(text, "  {:<10} {time:>9}  {word}", line.part);
    }
    for note in notes {
        let _ = writeln!(text, "  Note: {note}");
    }
    let passed = lines.iter().filter(|line| matches!(line.outcome, Outcome::Passed(_))).count();
    let verdict = if lines.iter().any(|line| line.outcome.is_failure()) { "FAILED" } else { "ok" };
    let _ = write!(text, "{verdict}: {passed} of {} parts are ok, {}", lines.len(), seconds(took));
    text
}

pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_did_not_pass_is_said() {
        let second = Duration::from_secs(1);
        let mut lines = vec![
            Line { part: "a", outcome: Outcome::Passed(second) },
            Line { part: "b", outcome: Outcome::LeftOut("--without") },
        ];
        let text = summary(&lines, &["something was skipped"], second);
        assert!(text.contains("left out (--without)") && text.contains("something was skipped"), "{text}");
        assert!(text.ends_with("\nok: 1 of 2 parts are ok, 1.0 s"), "{text}");

        lines.push(Line { part: "c", outcome: Outcome::Failed(second, "cargo fmt: exit status: 1".into()) });
        lines.push(Line { part: "d", outcome: Outcome::NotRun("c") });
        let text = summary(&lines, &[], second);
        assert!(
            text.contains("FAILED: cargo fmt: exit status: 1") && text.contains("NOT RUN, as c"),
            "{text}"
        );
        assert!(text.ends_with("\nFAILED: 1 of 4 parts are ok, 1.0 s"), "{text}");
    }

    #[test]
    fn a_part_that_was_not_reached_fails_the_run() {
        assert!(Outcome::NotRun("x").is_failure());
        assert!(!Outcome::LeftOut("--without").is_failure());
    }
}
