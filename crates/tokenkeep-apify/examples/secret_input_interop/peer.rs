//! Another implementation in a process of its own, asked by JSON lines.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// How long one answer may take: the slowest makes RSA keys on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// The longest answer, in bytes.
const LONGEST: u64 = 64 << 20;

/// What a peer, or the code at hand, makes of a question.
#[derive(Clone, PartialEq)]
pub(crate) enum Answer<T> {
    Gives(T),
    /// The kind of error, for a person. It holds nothing of what was asked.
    Refuses(String),
}

/// Ends with its owner, or at once when it is silent for too long.
pub(crate) struct Peer {
    name: &'static str,
    child: Child,
    questions: Option<Sender<Vec<u8>>>,
    answers: Receiver<Vec<u8>>,
}

impl Peer {
    pub(crate) fn start(name: &'static str, program: &str, arguments: &[OsString]) -> Result<Self, String> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{name}: cannot start {program}: {error}"))?;
        let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(format!("{name}: no pipes"));
        };
        // Each ends when its other side is gone: a peer that reads or writes no more holds up nobody.
        let (questions, to_ask) = channel::<Vec<u8>>();
        thread::spawn(move || to_ask.into_iter().try_for_each(|line| input.write_all(&line)));
        let (answered, answers) = channel();
        thread::spawn(move || {
            let mut output = BufReader::new(output);
            loop {
                let mut line = Vec::new();
                let read = output.by_ref().take(LONGEST).read_until(b'\n', &mut line);
                if !read.is_ok_and(|length| length > 0) || answered.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { name, child, questions: Some(questions), answers })
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// What the peer answers.
    ///
    /// # Errors
    /// The peer is gone, silent for too long, or answers no JSON.
    pub(crate) fn ask(&mut self, question: &Value) -> Result<Answer<Value>, String> {
        let name = self.name;
        let mut line = question.to_string().into_bytes();
        line.push(b'\n');
        let sent = self.questions.as_ref().is_some_and(|questions| questions.send(line).is_ok());
        let answer = sent.then(|| self.answers.recv_timeout(PATIENCE).ok()).flatten();
        let answer =
            answer.ok_or_else(|| format!("{name} is gone, or silent for {} s", PATIENCE.as_secs()))?;
        let mut answer: Value = serde_json::from_slice(&answer)
            .map_err(|_| format!("{name} answered something else than JSON"))?;
        match (answer.get_mut("ok").map(Value::take), answer["refused"].as_str()) {
            (Some(given), None) => Ok(Answer::Gives(given)),
            (None, Some(kind)) => Ok(Answer::Refuses(kind.into())),
            _ => Err(format!("{name} neither gave nor refused")),
        }
    }

    /// As [`Self::ask`], where the answer is text.
    pub(crate) fn ask_for_text(&mut self, question: &Value) -> Result<Answer<String>, String> {
        match self.ask(question)? {
            Answer::Gives(Value::String(text)) => Ok(Answer::Gives(text)),
            Answer::Gives(_) => Err(format!("{} gave no text", self.name)),
            Answer::Refuses(kind) => Ok(Answer::Refuses(kind)),
        }
    }

    /// As [`Self::ask`], where a refusal is a failure of the harness itself.
    pub(crate) fn must(&mut self, question: &Value) -> Result<Value, String> {
        match self.ask(question)? {
            Answer::Gives(given) => Ok(given),
            Answer::Refuses(kind) => Err(format!("{} refused {}: {kind}", self.name, question["ask"])),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.questions = None;
        // It ends with its input; if it hangs, it does not.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
