//! A JSON object of strings. Not by `serde_json`, which leaves copies of strings with escapes in its buffer.

use alloc::string::String;

use zeroize::Zeroizing;

use super::{Cursor, ImportFault, ImportRejected};
use crate::SecretVars;

pub(super) fn parse(text: &str) -> Result<SecretVars, ImportRejected> {
    let (mut vars, mut at) = (SecretVars::new(), Cursor::new(text));
    let mut line = 1;
    let mut rest = || -> Result<(), ImportFault> {
        expect(&mut at, "{")?;
        let mut is_more = !closes(&mut at);
        while is_more {
            blanks(&mut at);
            line = at.line;
            let name = string(&mut at)?;
            expect(&mut at, ":")?;
            let mut value = string(&mut at)?;
            vars.set(&*name, core::mem::take(&mut *value))?;
            is_more = !closes(&mut at);
            if is_more {
                expect(&mut at, ",")?;
            }
        }
        blanks(&mut at);
        if at.rest.is_empty() { Ok(()) } else { Err(ImportFault::NoJson) }
    };
    rest().map_err(|fault| ImportRejected { line, fault })?;
    Ok(vars)
}

fn blanks(at: &mut Cursor<'_>) {
    at.take_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
}

fn closes(at: &mut Cursor<'_>) -> bool {
    blanks(at);
    at.take_if("}")
}

fn expect(at: &mut Cursor<'_>, what: &str) -> Result<(), ImportFault> {
    blanks(at);
    if at.take_if(what) { Ok(()) } else { Err(ImportFault::NoJson) }
}

fn string(at: &mut Cursor<'_>) -> Result<Zeroizing<String>, ImportFault> {
    expect(at, "\"")?;
    let mut is_escaped = false;
    let length = at.rest.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    });
    // No escape is shorter than what it stands for.
    let mut text = Zeroizing::new(String::with_capacity(length.ok_or(ImportFault::NoJson)?));
    loop {
        text.push(match at.next().ok_or(ImportFault::NoJson)? {
            '"' => return Ok(text),
            '\\' => escape(at)?,
            '\0'..='\u{1f}' => return Err(ImportFault::NoJson),
            other => other,
        });
    }
}

fn escape(at: &mut Cursor<'_>) -> Result<char, ImportFault> {
    Ok(match at.next().ok_or(ImportFault::NoJson)? {
        same @ ('"' | '\\' | '/') => same,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => {
            let first = unit(at)?;
            let second =
                if matches!(first, 0xd800..0xdc00) && at.take_if("\\u") { Some(unit(at)?) } else { None };
            let mut pair = char::decode_utf16([first].into_iter().chain(second));
            let decoded = pair.next().and_then(Result::ok).ok_or(ImportFault::NoJson)?;
            if pair.next().is_some() {
                return Err(ImportFault::NoJson);
            }
            decoded
        }
        _ => return Err(ImportFault::NoJson),
    })
}

fn unit(at: &mut Cursor<'_>) -> Result<u16, ImportFault> {
    let mut unit = 0;
    for _ in 0..4 {
        let digit = at.next().and_then(|c| c.to_digit(16)).ok_or(ImportFault::NoJson)?;
        unit = unit << 4 | digit as u16;
    }
    Ok(unit)
}
