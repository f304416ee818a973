//! What a benchmark measured, as it left it in files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Nanoseconds by operation (`seal 46`), subject and round.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) times: BTreeMap<String, BTreeMap<String, BTreeMap<u32, f64>>>,
    /// PostgreSQL's version, where it was measured.
    pub(crate) server: Option<String>,
    /// Connections, and bytes for each: its row, its place in the indexes, its entry in the trail.
    pub(crate) bytes: Vec<[String; 4]>,
    /// What was done, and how many calls to the key service it took with epochs and without.
    pub(crate) calls: Vec<[String; 3]>,
}

impl Measured {
    /// From Criterion's folders.
    pub(crate) fn of_criterion(folder: &Path) -> Result<Self, String> {
        let mut all = Self::default();
        for operation in folders(folder)? {
            for subject in folders(&operation)? {
                all.add_folder(&operation, &subject)?;
            }
        }
        all.unless_empty()
    }

    /// Those operations alone whose name begins so.
    pub(crate) fn of(&self, operations: &str) -> Self {
        let these = self.times.iter().filter(|(name, _)| name.starts_with(operations));
        Self { times: these.map(|(name, times)| (name.clone(), times.clone())).collect(), ..Self::default() }
    }

    /// From the lines of the vault's benchmark.
    pub(crate) fn of_lines(file: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        Self::of_text(&text)?.unless_empty()
    }

    fn of_text(text: &str) -> Result<Self, String> {
        let mut all = Self::default();
        for line in text.lines() {
            match line.split('\t').collect::<Vec<_>>()[..] {
                ["server", version] => all.server = Some(version.to_owned()),
                ["bytes", connections, table, indexes, trail] => {
                    all.bytes.push([connections, table, indexes, trail].map(str::to_owned));
                }
                ["calls", what, with, without] => {
                    all.calls.push([what, with, without].map(str::to_owned));
                }
                [operation, subject, round, time] => {
                    let (Ok(round), Ok(time)) = (round.parse(), time.parse()) else {
                        return Err(format!("not understood: {line}"));
                    };
                    all.add(operation, subject, round, time);
                }
                _ => return Err(format!("not understood: {line}")),
            }
        }
        Ok(all)
    }

    fn unless_empty(self) -> Result<Self, String> {
        if self.times.is_empty() { Err("nothing was measured".into()) } else { Ok(self) }
    }

    fn add(&mut self, operation: &str, subject: &str, round: u32, time: f64) {
        let subjects = self.times.entry(operation.to_owned()).or_default();
        subjects.entry(subject.to_owned()).or_default().insert(round, time);
    }

    /// Criterion names the folder of `floor/3` `floor_3`.
    fn add_folder(&mut self, operation: &Path, folder: &Path) -> Result<(), String> {
        let folder_name = name(folder);
        let Some((subject, round)) = folder_name.rsplit_once(' ') else { return Ok(()) };
        let Ok(number) = round.parse() else { return Ok(()) };
        let text =
            fs::read_to_string(folder.join("new/estimates.json")).map_err(|error| error.to_string())?;
        let estimates: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let median = estimates["median"]["point_estimate"].as_f64().ok_or("criterion gave no median")?;
        self.add(&name(operation), subject, number, median);
        Ok(())
    }
}

fn folders(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect())
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let text = "server\t15.14\nuse\tfloor\t1\t10.5\nuse\ttokenkeep\t1\t12\nbytes\t10\t1\t2\t3\ncalls\ta day\t9\t–\n\
            used\tfloor\t1\t7";
        let all = Measured::of_text(text).unwrap();
        assert_eq!(all.server.as_deref(), Some("15.14"));
        assert_eq!(all.times["use"]["floor"][&1], 10.5);
        assert_eq!(all.bytes, [["10", "1", "2", "3"].map(str::to_owned)]);
        assert_eq!(all.calls, [["a day", "9", "–"].map(str::to_owned)]);
        assert_eq!(all.of("used").times.keys().collect::<Vec<_>>(), ["used"]);
        assert!(Measured::of_text("use\tfloor\tone\t10.5").is_err());
        assert!(Measured::of_text("server\t15\n").unwrap().unless_empty().is_err());
    }
}
