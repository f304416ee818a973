//! Paths, queries and times as the stand-in reads them.

/// The parameters of a query, decoded, in order.
pub(crate) fn pairs(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(&name.replace('+', " ")), decode(&value.replace('+', " ")))
        })
        .collect()
}

/// Undoes percent-encoding; what isn't proper encoding stays as it is.
pub(crate) fn decode(text: &str) -> String {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        match (bytes[i], digit(bytes.get(i + 1)), digit(bytes.get(i + 2))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                i += 3;
            }
            (byte, ..) => {
                decoded.push(byte);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// `YYYY-MM-DDTHH:MM:SS` with an optional fraction of up to three digits and `Z`, brought to exactly three digits,
/// so that text order is time order. None for anything else.
pub(crate) fn canonical_time(text: &str) -> Option<String> {
    let (seconds, fraction) = text.strip_suffix('Z')?.split_at_checked(19)?;
    let shape = b"dddd-dd-ddTdd:dd:dd";
    let fits = seconds.bytes().zip(shape).all(|(byte, want)| match want {
        b'd' => byte.is_ascii_digit(),
        other => byte == *other,
    });
    let digits = match fraction {
        "" => "",
        fraction => fraction.strip_prefix('.').filter(|digits| (1..=3).contains(&digits.len()))?,
    };
    (fits && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| format!("{seconds}.{digits:0<3}Z"))
}

#[cfg(test)]
mod tests {
    use super::{canonical_time, decode, pairs};

    #[test]
    fn queries_are_split_and_decoded() {
        let expected = vec![("a".to_owned(), "1 2".to_owned()), ("b".to_owned(), String::new())];
        assert_eq!(pairs("a=1+2&&b"), expected);
        assert_eq!(decode("jane%7Ename%2"), "jane~name%2");
    }

    #[test]
    fn times_are_brought_to_milliseconds_and_anything_else_is_refused() {
        assert_eq!(canonical_time("2026-01-02T03:04:05Z").as_deref(), Some("2026-01-02T03:04:05.000Z"));
        assert_eq!(canonical_time("2026-01-02T03:04:05.6Z").as_deref(), Some("2026-01-02T03:04:05.600Z"));
        for bad in [
            "",
            "Z",
            "2026-01-02",
            "2026-01-02T03:04:05.Z",
            "2026-01-02T03:04:05+01:00",
            "x026-01-02T03:04:05Z",
        ] {
            assert_eq!(canonical_time(bad), None, "{bad}");
        }
    }
}
