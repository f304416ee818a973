//! Both ways over all inputs: what one encrypts, the other opens.

use serde_json::json;

use crate::inputs::Case;
use crate::json::Json;
use crate::party::{Parties, Party};
use crate::peer::Answer;

/// Every input goes through each of these.
pub(crate) const DIRECTIONS: [&str; 5] = [
    "ours encrypts, npm opens",
    "ours encrypts, Python opens",
    "ours encrypts, ours opens, and every number is written as it was",
    "npm encrypts, ours opens",
    "Python encrypts, ours opens",
];

/// # Errors
/// The first case that does not come through, by name.
pub(crate) fn run(parties: &mut Parties, cases: &[Case]) -> Result<(), String> {
    cases.iter().try_for_each(|case| one(parties, case).map_err(|what| format!("{}: {what}", case.name)))
}

fn one(Parties { npm, python, ours }: &mut Parties, case: &Case) -> Result<(), String> {
    let input = Json::read(&case.input).map_err(|error| format!("the generator made no JSON: {error}"))?;

    let [to_npm, to_python, to_ours, from_npm, from_python] =
        DIRECTIONS.map(|direction| move |what: String| format!("{direction}: {what}"));

    let made = encrypted(ours, case, &input)?;
    let misfits = npm.must(&json!({ "ask": "misfits", "schema": case.schema, "input": made }))?;
    if misfits.as_array().is_none_or(|names| !names.is_empty()) {
        return Err("npm says that a hash of ours is of another schema".into());
    }
    opened(npm, &made, &input).map_err(to_npm)?;
    opened(python, &made, &input).map_err(to_python)?;
    let plain = opened(ours, &made, &input).map_err(&to_ours)?;
    if plain != input {
        return Err(to_ours("a number is written otherwise".into()));
    }

    let made = encrypted(npm, case, &input)?;
    opened(ours, &made, &input).map_err(from_npm)?;

    // JSON can write halves of surrogate pairs; where a text is one, Python has no UTF-8 for it: a named case.
    let made = encrypted(python, case, &input)?;
    opened(ours, &made, &input).map_err(from_python)?;
    Ok(())
}

/// What the party makes of the input: every secret field encrypted that is not falsy, everything else as it was.
fn encrypted(party: &mut dyn Party, case: &Case, input: &Json) -> Result<String, String> {
    let name = party.name();
    let made = match party.encrypt(&case.schema, &case.input)? {
        Answer::Gives(made) => made,
        Answer::Refuses(kind) => return Err(format!("{name} does not encrypt it: {kind}")),
    };
    let output = Json::read(&made).map_err(|error| format!("{name} wrote no JSON: {error}"))?;
    let schema = Json::read(&case.schema).map_err(|error| format!("the schema is no JSON: {error}"))?;
    let (before, after) = (input.fields(), output.fields());
    if !before.keys().eq(after.keys()) {
        return Err(format!("{name} lost or added a field"));
    }
    let properties = schema.field("properties").unwrap_or(&Json::Null).fields();
    for (field, value) in before {
        let secret = properties.get(field).and_then(|property| property.field("isSecret"));
        let secret = secret == Some(&Json::Bool(true)) && !value.is_falsy();
        let prefix = if matches!(value, Json::Text(_)) { "ENCRYPTED_VALUE:" } else { "ENCRYPTED_JSON:" };
        let now = &after[field];
        let fits =
            if secret { now.as_text().is_some_and(|text| text.starts_with(prefix)) } else { now.same(value) };
        if !fits {
            let what = if secret { "left a secret field in plain text" } else { "changed another field" };
            return Err(format!("{name} {what}"));
        }
    }
    Ok(made)
}

/// What the party opens, which is the input.
fn opened(party: &mut dyn Party, made: &str, input: &Json) -> Result<Json, String> {
    let name = party.name();
    let opened = match party.decrypt(made)? {
        Answer::Gives(opened) => opened,
        Answer::Refuses(kind) => return Err(format!("{name} does not open it: {kind}")),
    };
    let opened = Json::read(&opened).map_err(|error| format!("{name} wrote no JSON: {error}"))?;
    if opened.same(input) { Ok(opened) } else { Err(format!("{name} opened something else")) }
}
