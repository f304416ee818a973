//! Base64 with padding, as the packages write it.

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let byte = |at: usize| usize::from(three.get(at).copied().unwrap_or(0));
        let digits = [byte(0) >> 2, byte(0) << 4 | byte(1) >> 4, byte(1) << 2 | byte(2) >> 6, byte(2)];
        for (at, digit) in digits.into_iter().enumerate() {
            text.push(if at <= three.len() { char::from(DIGITS[digit & 63]) } else { '=' });
        }
    }
    text
}

/// The same bytes, written with bits set that stand for nothing; the text ends in one or two `=`.
pub(crate) fn with_stray_bits(text: &str) -> String {
    let digits = text.trim_end_matches('=');
    let (rest, last) = digits.split_at(digits.len() - 1);
    let value = DIGITS.iter().position(|digit| last.as_bytes() == [*digit]).unwrap_or(0);
    format!("{rest}{}{}", char::from(DIGITS[value ^ 1]), &text[digits.len()..])
}
