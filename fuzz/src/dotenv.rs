//! Dotenv files: what is read, written again and read again is the same.

use tokenkeep_core::{ImportedVars, SecretVars};

/// The bytes are a file. True where it is taken and has a variable.
///
/// # Panics
/// When a promise is broken.
pub fn dotenv(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Ok(imported) = ImportedVars::from_dotenv(text.to_owned()) else { return false };
    let vars = imported.into_vars();
    let mut written = String::new();
    for (name, value) in pairs(&vars) {
        // What holds a single quote stood in double ones, where nothing is that would need an escape.
        let quote = if value.contains('\'') { '"' } else { '\'' };
        written.push_str(&format!("export {name}={quote}{value}{quote} # '\n"));
        // What a reader takes is in the text that it was given, but for escapes.
        let is_there = |line: &str| text.contains(line) || text.contains('\\');
        assert!(value.split('\n').all(is_there), "a value that came from nowhere");
    }
    // It may have grown beyond the limit.
    if written.len() <= ImportedVars::MAX_LEN {
        let again = ImportedVars::from_dotenv(written).expect("what was written is read");
        assert_eq!(pairs(again.vars()), pairs(&vars));
    }
    !vars.is_empty()
}

fn pairs(vars: &SecretVars) -> Vec<(String, String)> {
    vars.names()
        .map(|name| (name.to_owned(), vars.expose_secret(name).unwrap_or_default().to_owned()))
        .collect()
}
