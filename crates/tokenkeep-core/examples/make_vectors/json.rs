//! Writes the file: fields in the order in which a person reads them, one a line.

use std::fmt::Write as _;

use serde_json::Value;

use crate::format::{Context, TestKek};

/// A field's name and its value, already JSON.
pub(crate) type Field = (&'static str, String);

pub(crate) fn text(text: &str) -> String {
    Value::from(text).to_string()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut hex = String::from('"');
    bytes.iter().for_each(|byte| write!(hex, "{byte:02x}").expect("a string takes everything"));
    hex + "\""
}

pub(crate) fn object(fields: &[Field], depth: usize) -> String {
    let indent = "  ".repeat(depth);
    let lines: Vec<String> =
        fields.iter().map(|(name, value)| format!("{indent}  {}: {value}", text(name))).collect();
    format!("{{\n{}\n{indent}}}", lines.join(",\n"))
}

pub(crate) fn array(values: &[String], depth: usize) -> String {
    let indent = "  ".repeat(depth);
    format!("[\n{indent}  {}\n{indent}]", values.join(&format!(",\n{indent}  ")))
}

/// What is at hand: a KEK, or its id and the DEK that a key service gave back.
pub(crate) fn keys(kek: &TestKek, dek: Option<[u8; 32]>) -> Vec<Field> {
    let id = ("id", hex(&kek.id));
    match dek {
        None => vec![("kek", object(&[id, ("key", hex(&kek.key))], 3))],
        Some(dek) => vec![("kek", object(&[id], 3)), ("dek", hex(&dek))],
    }
}

pub(crate) fn context(context: &Context) -> Field {
    let fields = match context {
        Context::Token(facts) => vec![
            ("of", text("token")),
            ("vault", hex(&facts.vault)),
            ("tenant", text(&facts.tenant)),
            ("connection", text(&facts.connection)),
            ("incarnation", hex(&facts.incarnation)),
            ("provider", text(&facts.provider)),
            ("origin", text(&facts.origin)),
            ("kind", facts.kind.to_string()),
            // In quotes: many readers of JSON round numbers above 2^53.
            ("secret_version", text(&facts.secret_version.to_string())),
        ],
        Context::VaultKey { vault, purpose } => {
            vec![("of", text("vault key")), ("vault", hex(vault)), ("purpose", text(purpose.name()))]
        }
    };
    ("context", object(&fields, 3))
}
