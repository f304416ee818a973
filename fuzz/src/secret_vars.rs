//! The payload of a set of secret variables: what is read is what would be written, and an independent reader agrees.

use std::collections::BTreeMap;

use tokenkeep_core::{MAX_PAYLOAD, SecretVars};

/// Reads the bytes, with zeros behind them up to a payload's length; true where they are one.
///
/// # Panics
/// When a promise is broken.
pub fn secret_vars(bytes: &[u8]) -> bool {
    if bytes.len() != MAX_PAYLOAD {
        assert!(SecretVars::from_payload(bytes).is_none(), "a payload has one length");
    }
    let mut payload = bytes.to_vec();
    payload.resize(bytes.len().max(MAX_PAYLOAD), 0);
    let read = SecretVars::from_payload(&payload);
    let expected = by_the_page(&payload);
    let Some(vars) = read else {
        assert_eq!(expected, None, "a set is refused");
        return false;
    };
    assert_eq!(&**vars.to_payload(), &payload[..], "a set has one form");
    let value = |name: &str| (name.to_owned(), vars.expose_secret(name).unwrap().to_owned());
    assert_eq!(Some(vars.names().map(value).collect()), expected);
    let shown = format!("{vars:?}");
    assert!(vars.names().all(|name| shown.contains(name)));
    assert!(!shown.contains('='));
    true
}

/// As the format's page has it, with regard for nothing but what it says.
fn by_the_page(payload: &[u8]) -> Option<BTreeMap<String, String>> {
    if payload.len() != MAX_PAYLOAD || payload[0] != 1 {
        return None;
    }
    let mut rest = payload[1..].iter().copied();
    let mut number = |bytes: usize| -> Option<usize> {
        (0..bytes).try_fold(0, |number, _| Some(number << 8 | usize::from(rest.next()?)))
    };
    let count = number(2)?;
    let mut text = |lengths: usize| -> Option<String> {
        let length = number(lengths)?;
        let bytes = (0..length).map(|_| number(1).map(|byte| byte as u8)).collect::<Option<Vec<u8>>>()?;
        String::from_utf8(bytes).ok()
    };
    let mut vars = BTreeMap::new();
    for _ in 0..count {
        let (name, value) = (text(1)?, text(2)?);
        let first = name.chars().next()?;
        let word = |c: char| c == '_' || c.is_ascii_alphanumeric();
        if !name.chars().all(word) || first.is_ascii_digit() || value.contains('\0') {
            return None;
        }
        if vars.keys().next_back().is_some_and(|last: &String| *last >= name) {
            return None;
        }
        vars.insert(name, value);
    }
    if vars.len() > 100 || vars.keys().map(String::len).sum::<usize>() > 8192 {
        return None;
    }
    rest.all(|byte| byte == 0).then_some(vars)
}
