//! What the process that is killed tells, through a pipe that outlives it: a line before and a line after each change.

use std::io::Write as _;

/// What is done to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Connect,
    Replace,
    Disconnect,
}

const ACTS: [(Act, &str); 3] =
    [(Act::Connect, "connect"), (Act::Replace, "replace"), (Act::Disconnect, "disconnect")];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// The vault is open.
    Ready,
    /// This is about to be done to the connection of this number; with the token, empty for a disconnect.
    Begin(usize, Act, String),
    /// It was acknowledged.
    Done(usize),
    /// It was surely not done.
    NotDone(usize),
    /// A token was given, on record.
    Used(usize),
    /// Something failed in a way that may pass, and will be tried again.
    Failed(String),
    /// Something happened that must not.
    Broken(String),
}

impl Line {
    /// Writes it whole, in one piece. Ends the process when nobody reads it any more.
    pub(crate) fn say(&self) {
        let text = match self {
            Self::Ready => "ready".to_owned(),
            Self::Begin(slot, act, token) => {
                let word = ACTS.iter().find(|(known, _)| known == act).map_or("", |(_, word)| word);
                format!("begin {slot} {word} {token}")
            }
            Self::Done(slot) => format!("done {slot}"),
            Self::NotDone(slot) => format!("not-done {slot}"),
            Self::Used(slot) => format!("used {slot}"),
            Self::Failed(what) => format!("failed {what}"),
            Self::Broken(what) => format!("broken {}", what.replace('\n', " ")),
        };
        let mut output = std::io::stdout().lock();
        if output.write_all(format!("{text}\n").as_bytes()).and_then(|()| output.flush()).is_err() {
            std::process::exit(1);
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let slot = || rest.parse().ok();
        Some(match word {
            "ready" => Self::Ready,
            "begin" => {
                let mut words = rest.split(' ');
                let (slot, word, token) = (words.next()?, words.next()?, words.next()?);
                let (act, _) = ACTS.iter().find(|(_, known)| *known == word)?;
                Self::Begin(slot.parse().ok()?, *act, token.to_owned())
            }
            "done" => Self::Done(slot()?),
            "not-done" => Self::NotDone(slot()?),
            "used" => Self::Used(slot()?),
            "failed" => Self::Failed(rest.to_owned()),
            "broken" => Self::Broken(rest.to_owned()),
            _ => return None,
        })
    }
}
