//! What the Apify CLI keeps in plain text.

use tokenkeep_core::{ImportRejected, ImportedVars};

/// Reads the text of the file in which the Apify CLI keeps what `apify secrets add` was given, and wipes it, also when it is refused: `.apify/secrets.json`
/// in the user's home, a JSON object of names and values (as of CLI 1.10).
///
/// The file holds them in plain text, and the command line that made them is in the shell's history: what comes back says in its
/// `Display` what to do about the file.
/// The CLI takes any string for a secret's name: it is an alias, to which an Actor's `actor.json` refers as `@alias` beside the name of the variable. **An alias that no environment variable
/// can be called by** (`my-secret`) refuses the file, by its line. Rename it there, or give each variable to [`SecretVars::set`](tokenkeep_core::SecretVars::set) yourself. What is taken is called by its alias,
/// too: where `actor.json` has another name for the variable, set it under that one before it is sent anywhere.
///
/// # Errors
/// [`ImportRejected`]: what is wrong, and in which line.
pub fn cli_secrets(text: String) -> Result<ImportedVars, ImportRejected> {
    ImportedVars::from_json(text)
}

#[cfg(test)]
mod tests {
    use tokenkeep_core::{ImportFault, SecretVarRejected};

    use super::*;

    #[test]
    fn the_clis_file_is_read() {
        // Made by `JSON.stringify(secrets, null, "\t")`, as it does.
        let text = "{\n\t\"mySecret\": \"an \\\"example\\\"\"\n}".to_owned();
        let imported = cli_secrets(text).unwrap();
        assert_eq!(imported.vars().expose_secret("mySecret"), Some("an \"example\""));
        assert!(imported.to_string().contains("delete it"));
        let refused = cli_secrets("{\n\t\"fine\": \"x\",\n\t\"my-secret\": \"y\"\n}".to_owned()).unwrap_err();
        assert_eq!((refused.line, refused.fault), (3, ImportFault::Variable(SecretVarRejected::Name)));
        assert!(!refused.to_string().contains("my-secret"));
    }
}
