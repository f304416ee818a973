//! A dotenv file, as far as its readers agree.

use alloc::borrow::ToOwned;
use alloc::string::String;

use zeroize::Zeroizing;

use super::{Cursor, ImportFault, ImportRejected};
use crate::SecretVars;

pub(super) fn parse(text: &str) -> Result<SecretVars, ImportRejected> {
    let mut vars = SecretVars::new();
    let mut at = Cursor::new(text);
    loop {
        at.take_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
        if at.rest.is_empty() {
            return Ok(vars);
        }
        if at.rest.starts_with('#') {
            at.take_while(|c| c != '\n');
            continue;
        }
        let line = at.line;
        variable(&mut at, &mut vars).map_err(|fault| ImportRejected { line, fault })?;
    }
}

fn variable(at: &mut Cursor<'_>, vars: &mut SecretVars) -> Result<(), ImportFault> {
    let is_in_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut name = at.take_while(is_in_name);
    if name == "export" && !blanks(at).is_empty() {
        name = at.take_while(is_in_name);
    }
    blanks(at);
    if name.is_empty() || !at.take_if("=") {
        return Err(ImportFault::NoVariable);
    }
    let before = blanks(at);
    let mut value = if at.take_if("'") {
        single_quoted(at)?
    } else if at.take_if("\"") {
        double_quoted(at)?
    } else {
        return unquoted(at, before).and_then(|value| Ok(vars.set(name, value)?));
    };
    let behind = blanks(at);
    let ends = at.rest.is_empty() || at.rest.starts_with('\n') || at.rest.starts_with("\r\n");
    if !ends && (behind.is_empty() || !at.rest.starts_with('#')) {
        return Err(ImportFault::BehindQuote);
    }
    Ok(vars.set(name, core::mem::take(&mut *value))?)
}

fn blanks<'t>(at: &mut Cursor<'t>) -> &'t str {
    at.take_while(|c| matches!(c, ' ' | '\t'))
}

fn unquoted(at: &mut Cursor<'_>, before: &str) -> Result<String, ImportFault> {
    if !before.is_empty() && at.rest.starts_with('#') {
        return Ok(String::new());
    }
    let line = at.take_while(|c| c != '\n');
    let comment = [" #", "\t#"].iter().filter_map(|mark| line.find(mark)).min();
    let value = line[..comment.unwrap_or(line.len())].trim_end_matches([' ', '\t', '\r']);
    if value.contains('$') {
        return Err(ImportFault::Substitution);
    }
    let is_unclear =
        |c: char| c.is_whitespace() || c.is_control() || matches!(c, '\'' | '"' | '`' | '#' | '\\');
    if value.contains(is_unclear) { Err(ImportFault::Unquoted) } else { Ok(value.to_owned()) }
}

fn single_quoted(at: &mut Cursor<'_>) -> Result<Zeroizing<String>, ImportFault> {
    let length = at.rest.find('\'').ok_or(ImportFault::OpenQuote)?;
    let text = at.take(length);
    // Some take the end of the line, or the quote, for escaped, and lose what follows; Python takes two for one.
    if text.ends_with('\\') || text.contains("\\\n") || text.contains("\\\\") {
        return Err(ImportFault::Escape);
    }
    // Python substitutes here, too.
    if text.contains("${") {
        return Err(ImportFault::Substitution);
    }
    at.take(1);
    if text.contains('\r') {
        return Err(ImportFault::LineEnd);
    }
    Ok(Zeroizing::new(text.to_owned()))
}

fn double_quoted(at: &mut Cursor<'_>) -> Result<Zeroizing<String>, ImportFault> {
    // As long as the text up to the quote that ends it, at most: an escape takes two bytes for one.
    let mut is_escaped = false;
    let length = at.rest.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    });
    let mut value = Zeroizing::new(String::with_capacity(length.ok_or(ImportFault::OpenQuote)?));
    loop {
        match at.next().ok_or(ImportFault::OpenQuote)? {
            '"' => return Ok(value),
            '\\' => value.push(match at.next() {
                Some('n') => '\n',
                // Node takes all others as they are, or ends the value there; its package `dotenv` takes most so, and Python none.
                _ => return Err(ImportFault::Escape),
            }),
            '$' => return Err(ImportFault::Substitution),
            '\r' => return Err(ImportFault::LineEnd),
            other => value.push(other),
        }
    }
}
