//! What the Apify CLI keeps in plain text.

use tokenkeep_core::{ImportRejected, ImportedVars};

/// Reads the text of the file in which the Apify CLI keeps what `apify secrets add` was given, and wipes it, also when it is refused: `.apify/secrets.json`
/// in the user's home, a JSON object of names and values (as of CLI 1.10).
///
/// The file holds them in plain text, and the command line that made them is in the shell's history: what comes back says in its
/// `Display` what to do about the file. Names that no environment variable can have are refused.
///
/// # Errors
/// [`ImportRejected`]: what is wrong, and in which line.
pub fn cli_secrets(text: String) -> Result<ImportedVars, ImportRejected> {
    ImportedVars::from_json(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clis_file_is_read() {
        // Made by `JSON.stringify(secrets, null, "\t")`, as it does.
        let text = "{\n\t\"mySecret\": \"an \\\"example\\\"\"\n}".to_owned();
        let imported = cli_secrets(text).unwrap();
        assert_eq!(imported.vars().expose_secret("mySecret"), Some("an \"example\""));
        assert!(imported.to_string().contains("delete it"));
    }
}
