//! The hash of a field's schema, by npm and by ours.

use serde_json::json;

use crate::ours;
use crate::party::Parties;
use crate::peer::Answer;
use crate::schemas::Schema;

/// # Errors
/// The first schema of which the two make different hashes, by name.
pub(crate) fn run(parties: &mut Parties, schemas: &[Schema]) -> Result<usize, String> {
    for schema in schemas {
        let theirs = parties.npm.ask_for_text(&json!({ "ask": "hash", "schema": schema.field }))?;
        let ours = ours::hash(&schema.field);
        match (theirs, ours) {
            (Answer::Gives(theirs), Answer::Gives(ours)) if theirs == ours => {}
            (Answer::Gives(_), Answer::Gives(_)) => {
                return Err(format!("{}: the hashes differ", schema.name));
            }
            (Answer::Refuses(kind), _) => return Err(format!("{}: npm makes no hash: {kind}", schema.name)),
            (_, Answer::Refuses(kind)) => return Err(format!("{}: ours makes no hash: {kind}", schema.name)),
        }
    }
    Ok(schemas.len())
}
