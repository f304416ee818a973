//! Secret environment variables from files in which they lie in plain text.

mod dotenv;
mod json;

use alloc::string::String;
use core::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::{SecretVarRejected, SecretVars};

/// Secret environment variables that were read from a file. Its `Display` says what is to be done about that file: show it to whoever ran
/// the import.
///
/// ```
/// use tokenkeep_core::ImportedVars;
///
/// let text = "# A comment\nexport DB_PASSWORD='an example'\nPORT=8080\n".to_owned();
/// let imported = ImportedVars::from_dotenv(text)?;
/// println!("{imported}"); // 2 variables were read. They still lie in the file in plain text: …
/// assert_eq!(imported.vars().expose_secret("DB_PASSWORD"), Some("an example"));
/// let vars = imported.into_vars();
/// # Ok::<(), tokenkeep_core::ImportRejected>(())
/// ```
#[derive(Debug)]
pub struct ImportedVars {
    vars: SecretVars,
}

/// Why a file is not taken, and in which line, counted from 1. Nothing of its content is repeated here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("line {line}: {fault}")]
pub struct ImportRejected {
    /// The line in which what is wrong begins.
    pub line: usize,
    /// What is wrong.
    pub fault: ImportFault,
}

/// What is wrong in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ImportFault {
    /// The text is over [`ImportedVars::MAX_LEN`] bytes.
    #[error("the text is over 64 KiB long; import it in parts")]
    TooLong,
    /// There is no name with `=` behind it.
    #[error("there is no NAME=value")]
    NoVariable,
    /// A quote is never closed.
    #[error("a quote is not closed")]
    OpenQuote,
    /// Something stands behind the closing quote.
    #[error("something stands behind the closing quote")]
    BehindQuote,
    /// A `\` that readers of such files do not agree about: in double quotes any but that of `\n`; in single ones two together, and one at the end of the
    /// value or of a line of it.
    #[error(
        "readers disagree about a \\ here; put the value in single quotes, where one alone within a line is itself, or import this variable from JSON"
    )]
    Escape,
    /// A `$` that some readers replace by another variable: any outside of single quotes, and `${` within them.
    #[error(
        "readers disagree about the $; put the value in single quotes, or import this variable from JSON if it has ${{ in it"
    )]
    Substitution,
    /// A value in quotes has a line that ends with `\r\n`, which some readers take for `\n`.
    #[error("readers disagree about \\r in a value; save the file with \\n at the ends of lines")]
    LineEnd,
    /// A value without quotes has a character in it that readers do not agree about: white space, a quote, `#` or `\`.
    #[error("readers disagree about this value; put it in single quotes")]
    Unquoted,
    /// It is no JSON object with a string for each name.
    #[error("it is no JSON object of names and strings")]
    NoJson,
    /// The variable is not taken.
    #[error(transparent)]
    Variable(#[from] SecretVarRejected),
}

impl ImportedVars {
    /// The most bytes that a text has.
    pub const MAX_LEN: usize = 64 * 1024;

    /// Reads what is in a dotenv file and wipes the text, also when it is refused.
    ///
    /// There is no standard for these files, and readers disagree. What is taken here means the same to nearly all of them, and the rest is refused, with the line to be put right:
    /// `NAME=value`, with or without `export`; values in single quotes, taken as they are, but without `${`, two `\` together and one at the end of a line; or in double ones, with no
    /// escape but `\n`; either over several lines; without quotes, what has no white space, quote, `\`, `#`, `` ` `` or `$`; comments in lines of their own or
    /// behind white space. No variable is put in place of a `$NAME`. A line may end with `\r\n`, but not within quotes. A name that comes twice is refused.
    ///
    /// # Errors
    /// [`ImportRejected`]: the file's fault, or of whoever gave it.
    pub fn from_dotenv(text: String) -> Result<Self, ImportRejected> {
        Self::read(text, dotenv::parse)
    }

    /// Reads a JSON object that has a string for each name, and wipes the text, also when it is refused.
    ///
    /// # Errors
    /// [`ImportRejected`]: the file's fault, or of whoever gave it.
    pub fn from_json(text: String) -> Result<Self, ImportRejected> {
        Self::read(text, json::parse)
    }

    fn read(
        text: String,
        parse: fn(&str) -> Result<SecretVars, ImportRejected>,
    ) -> Result<Self, ImportRejected> {
        let text = Zeroizing::new(text);
        if text.len() > Self::MAX_LEN {
            return Err(ImportRejected { line: 1, fault: ImportFault::TooLong });
        }
        Ok(Self { vars: parse(text.strip_prefix('\u{feff}').unwrap_or(&text))? })
    }

    /// What was read.
    #[must_use]
    pub fn vars(&self) -> &SecretVars {
        &self.vars
    }

    /// What was read, to be kept.
    #[must_use]
    pub fn into_vars(self) -> SecretVars {
        self.vars
    }
}

impl fmt::Display for ImportedVars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (many, were) = if self.vars.len() == 1 { ("", "was") } else { ("s", "were") };
        write!(
            f,
            "{} variable{many} {were} read. They still lie in the file in plain text: delete it once they are kept. \
             If it ever was in a repository, a backup, an image or a shared folder, replace each value where it comes from.",
            self.vars.len()
        )
    }
}

/// A place in a text.
struct Cursor<'t> {
    rest: &'t str,
    line: usize,
}

impl<'t> Cursor<'t> {
    fn new(text: &'t str) -> Self {
        Self { rest: text, line: 1 }
    }

    /// Goes on by so many bytes, and gives them.
    fn take(&mut self, length: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at(length);
        self.line += taken.bytes().filter(|byte| *byte == b'\n').count();
        self.rest = rest;
        taken
    }

    /// Takes what consists of such characters.
    fn take_while(&mut self, is_such: impl Fn(char) -> bool) -> &'t str {
        self.take(self.rest.find(|c| !is_such(c)).unwrap_or(self.rest.len()))
    }

    /// Takes this, if it comes next.
    fn take_if(&mut self, what: &str) -> bool {
        let is_next = self.rest.starts_with(what);
        if is_next {
            self.take(what.len());
        }
        is_next
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest.chars().next()?;
        self.take(next.len_utf8());
        Some(next)
    }
}
