//! Named cases: what each implementation does at an edge, beside what it is known to do.

use serde_json::{Value, json};

use crate::json::Json;
use crate::party::{Parties, Party};
use crate::peer::{Answer, Peer};
use crate::{decrypting, encrypting};

/// The field that a case is about.
pub(crate) const FIELD: &str = "field";

/// What an implementation does with the field.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Does {
    /// It stands as it stood.
    Keeps,
    Encrypts,
    EncryptsAsJson,
    /// It gives what the case says was encrypted.
    Opens,
    /// It gives this JSON instead.
    OpensAs(&'static str),
    /// It takes something for JSON that is none.
    OpensNoJson,
    Refuses,
    /// It is not asked: the package has no such part.
    Nothing,
    /// None of these: never expected.
    Otherwise,
}

impl Does {
    fn shown(self) -> &'static str {
        match self {
            Self::Keeps => "keeps",
            Self::Encrypts => "encrypts",
            Self::EncryptsAsJson => "encrypts JSON",
            Self::Opens => "opens",
            Self::OpensAs(_) => "opens altered",
            Self::OpensNoJson => "opens no JSON",
            Self::Refuses => "refuses",
            Self::Nothing => "-",
            Self::Otherwise => "something else",
        }
    }
}

pub(crate) struct Edge {
    pub(crate) name: &'static str,
    pub(crate) task: Task,
    /// Of npm, Python, ours.
    pub(crate) expected: [Does; 3],
}

pub(crate) enum Task {
    Encrypt {
        schema: String,
        input: String,
    },
    /// `holds` is JSON text: what the field opens to.
    Decrypt {
        input: String,
        holds: String,
    },
}

/// One line for each edge.
///
/// # Errors
/// The edges at which somebody does not do what is expected, by name.
pub(crate) fn run(parties: &mut Parties) -> Result<Vec<String>, String> {
    let mut edges = encrypting::edges(&mut Forge(&mut parties.npm))?;
    edges.extend(decrypting::edges(&mut Forge(&mut parties.npm))?);
    let (mut lines, mut wrong) = (Vec::new(), Vec::new());
    for edge in &edges {
        for (party, expected) in parties.each().into_iter().zip(edge.expected) {
            if expected == Does::Nothing {
                continue;
            }
            let found = found(party, edge)?;
            if found != expected {
                let (name, found, expected) = (party.name(), found.shown(), expected.shown());
                wrong.push(format!("{}: {name}: {found}, where {expected} is expected", edge.name));
            }
        }
        let way = if matches!(edge.task, Task::Encrypt { .. }) { "encrypt" } else { "open" };
        lines.push(row(way, edge.name, edge.expected.map(Does::shown)));
    }
    if wrong.is_empty() { Ok(lines) } else { Err(wrong.join("\n           ")) }
}

/// A line of the table: what npm, Python and ours do.
pub(crate) fn row(way: &str, name: &str, [npm, python, ours]: [&str; 3]) -> String {
    let note = match ours {
        "refuses" if npm != ours => "  ours is stricter",
        "encrypts" | "opens" if npm == "keeps" => "  not as npm",
        _ => "",
    };
    format!("{way:7}  {name:48}  {npm:13}  {python:13}  {ours:13}{note}").trim_end().to_owned()
}

fn found(party: &mut dyn Party, edge: &Edge) -> Result<Does, String> {
    let (input, answer, holds) = match &edge.task {
        Task::Encrypt { schema, input } => (input, party.encrypt(schema, input)?, None),
        Task::Decrypt { input, holds } => (input, party.decrypt(input)?, Some(holds)),
    };
    let Answer::Gives(output) = answer else { return Ok(Does::Refuses) };
    let read = |text: &str| Json::read(text).map_err(|error| format!("{}: no JSON: {error}", edge.name));
    let before = read(input)?;
    let Ok(after) = Json::read(&output) else { return Ok(Does::OpensNoJson) };
    let name = if before.field("__proto__").is_some() { "__proto__" } else { FIELD };
    let Some(now) = after.field(name) else {
        return Ok(if before.field(name).is_none() { Does::Keeps } else { Does::Otherwise });
    };
    if before.field(name).is_some_and(|value| value.same(now)) {
        return Ok(Does::Keeps);
    }
    if let Some(holds) = holds {
        if now.same(&read(holds)?) {
            return Ok(Does::Opens);
        }
        let other = edge.expected.into_iter().filter_map(|does| match does {
            Does::OpensAs(other) => Some(other),
            _ => None,
        });
        for other in other {
            if now.same(&read(other)?) {
                return Ok(Does::OpensAs(other));
            }
        }
        return Ok(Does::Otherwise);
    }
    let text = now.as_text().unwrap_or_default();
    Ok(if text.starts_with("ENCRYPTED_VALUE:") {
        Does::Encrypts
    } else if text.starts_with("ENCRYPTED_JSON:") {
        Does::EncryptsAsJson
    } else {
        Does::Otherwise
    })
}

/// Makes encrypted values that no library makes.
pub(crate) struct Forge<'p>(&'p mut Peer);

/// What is out of the ordinary about a forged value.
pub(crate) struct Forged<'a> {
    pub(crate) prefix: &'a str,
    pub(crate) hash: Option<&'a str>,
    pub(crate) bytes: &'a [u8],
    pub(crate) password: &'a [u8],
    /// How many bytes of the tag are left.
    pub(crate) tag: usize,
    /// Of OAEP.
    pub(crate) digest: &'a str,
}

/// As the libraries make it, but for what a case changes.
pub(crate) const AS_USUAL: Forged<'static> = Forged {
    prefix: "ENCRYPTED_VALUE",
    hash: None,
    bytes: b"a fake secret",
    password: b"0123456789abcdefghijklmnopqrstuvABCDEFGHIJKLMNOP",
    tag: 16,
    digest: "sha1",
};

impl Forge<'_> {
    pub(crate) fn make(&mut self, forged: &Forged<'_>) -> Result<String, String> {
        let base64 = |bytes: &[u8]| Value::from(crate::base64::encode(bytes));
        let made = self.0.must(&json!({
            "ask": "craft",
            "prefix": forged.prefix,
            "hash": forged.hash,
            "bytes": base64(forged.bytes),
            "password": base64(forged.password),
            "tag": forged.tag,
            "digest": forged.digest,
        }))?;
        made.as_str().map(Into::into).ok_or_else(|| "npm forged no text".into())
    }
}
