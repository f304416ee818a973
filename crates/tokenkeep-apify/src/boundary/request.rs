//! The target of a request, read in the one way in which every server reads it, or not at all.

use super::Refused;

/// The longest path and query, in bytes: what servers commonly take.
const MAX_LEN: usize = 8192;
/// More than any operation has.
const MAX_SEGMENTS: usize = 16;
const MAX_QUERIES: usize = 48;

/// A path and a query in which nothing can be read in a second way.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    /// The path's segments as they stand. No one is empty, none is a dot segment. What an encoded one may be is decided where it is
    /// compared with a table.
    pub(crate) segments: Vec<&'a str>,
    /// The query, each name once, the values as they stand.
    pub(crate) queries: Vec<(&'a str, &'a str)>,
}

impl<'a> Request<'a> {
    /// Reads a target as it stands in a request line: `/v2/actors?limit=1`.
    pub(crate) fn read(target: &'a str) -> Result<Self, Refused> {
        if target.len() > MAX_LEN {
            return Err(Refused::TooLong);
        }
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let segments: Vec<&str> =
            path.strip_prefix('/').ok_or(Refused::Target)?.split('/').take(MAX_SEGMENTS + 1).collect();
        if segments.len() > MAX_SEGMENTS || !segments.iter().all(|segment| is_segment(segment)) {
            return Err(Refused::Target);
        }
        let mut queries = Vec::new();
        for pair in query.into_iter().flat_map(|query| query.split('&')) {
            let (name, value) = pair.split_once('=').ok_or(Refused::Query)?;
            if queries.len() == MAX_QUERIES || !is_name(name) || !is_value(value) {
                return Err(Refused::Query);
            }
            // Which of two counts is the server's taste.
            if queries.iter().any(|(known, _)| *known == name) {
                return Err(Refused::Query);
            }
            queries.push((name, value));
        }
        Ok(Self { segments, queries })
    }
}

/// Plain characters, and the four that Apify allows in the key of a record and that have to be encoded, in the one way in which
/// [`Call::segment`](tokenkeep_https::Call::segment) writes them. A plain character that is encoded is refused and not decoded: the
/// transport never writes one, so who sent it wanted the path to be read in two ways, and what is refused needs no rule for
/// the order of decoding and looking.
fn is_segment(segment: &str) -> bool {
    // Nothing at all, or nothing but dots.
    if segment.bytes().all(|byte| byte == b'.') {
        return false;
    }
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        let fine = match byte {
            b'%' => matches!(
                (rest.next(), rest.next()),
                (Some(b'2'), Some(b'1' | b'7' | b'8' | b'9')) // ! ' ( )
            ),
            _ => is_plain(byte),
        };
        if !fine {
            return false;
        }
    }
    true
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A value as [`Call::query`](tokenkeep_https::Call::query) writes it, of printable ASCII. Refused even when encoded: what would be
/// another parameter, a fragment or a second encoding for a server that decodes before it splits, or twice; and what
/// is not ASCII, which some servers fold to ASCII.
fn is_value(value: &str) -> bool {
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        let fine =
            match byte {
                b'%' => rest.next().zip(rest.next()).and_then(|(high, low)| decode(high, low)).is_some_and(
                    |byte| matches!(byte, b' '..=b'~') && !is_plain(byte) && !b"&;#%\\".contains(&byte),
                ),
                _ => is_plain(byte),
            };
        if !fine {
            return false;
        }
    }
    true
}

/// Two hexadecimal digits, in upper case alone.
fn decode(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    };
    Some(digit(high)? << 4 | digit(low)?)
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_transport_writes_is_read() {
        let request =
            Request::read("/v2/a~b/%21x%27%28%29?limit=1&startedAfter=2026-08-01T00%3A00%3A00Z&x=").unwrap();
        assert_eq!(request.segments, ["v2", "a~b", "%21x%27%28%29"]);
        assert_eq!(
            request.queries,
            [("limit", "1"), ("startedAfter", "2026-08-01T00%3A00%3A00Z"), ("x", "")]
        );
        assert_eq!(Request::read("/v2").unwrap().queries, [("", ""); 0]);
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_not_read() {
        for path in [
            "",
            "v2",
            "//v2",
            "/",
            "/v2/",
            "/v2//x",
            "/.",
            "/..",
            "/...",
            "/v2/../x",
            "/v2/./x",
            "/%2e%2e/x",
            "/%2E/x",
            "/a%2Fb",
            "/a%2fb",
            "/a%5Cb",
            "/a\\b",
            "/a%00",
            "/a\0",
            "/a%0A",
            "/a\n",
            "/a%7F",
            "/%61b",
            "/a%7Eb",
            "/a%2Db",
            "/a%252Fb",
            "/a%",
            "/a%2",
            "/a%2g",
            "/a!b",
            "/a'b",
            "/a(b)",
            "/a;b=c",
            "/a%3Bb",
            "/a:b",
            "/a@b",
            "/a+b",
            "/a,b",
            "/a=b",
            "/a&b",
            "/a$b",
            "/a*b",
            "/a#b",
            "/a%23b",
            "/a%3Fb",
            "/a b",
            "/a%20b",
            "/ä",
            "/%C3%A4",
            "/a\u{ff0f}b",
            "/a\u{2024}",
            "/a|b",
            "/a\"b",
            "/{a}",
            "https://api.apify.com/v2",
            "*",
            "/a\u{7f}",
        ] {
            assert_eq!(Request::read(path), Err(Refused::Target), "{path:?}");
        }
        for query in [
            "?",
            "?a",
            "?=1",
            "?a=1&",
            "?&a=1",
            "?a=1&&b=2",
            "?a=1&a=2",
            "?a=1&a=1",
            "?a=1;b=2",
            "?a=1?b",
            "?a=1#b",
            "?%61=1",
            "?a[]=1",
            "?a.b=1",
            "?a-b=1",
            "?a%00=1",
            "?a=%",
            "?a=%2",
            "?a=%2x",
            "?a=%2f",
            "?a=%00",
            "?a=%0A",
            "?a=%7F",
            "?a=%26b",
            "?a=%3Bb",
            "?a=%23b",
            "?a=%25",
            "?a=%5C",
            "?a=%41",
            "?a=%7E",
            "?a=%C3%A4",
            "?a=ä",
            "?a=a b",
            "?a=a+b",
            "?a=b=c",
            "?a=a,b",
            "?a=a/b",
            "?a=\n",
            "?A =1",
            "?ä=1",
        ] {
            assert_eq!(Request::read(&format!("/v2/x{query}")), Err(Refused::Query), "{query:?}");
        }
        assert_eq!(Request::read(&format!("/{}", "a".repeat(MAX_LEN))), Err(Refused::TooLong));
        assert!(Request::read(&format!("/{}", "a".repeat(MAX_LEN - 1))).is_ok());
        assert_eq!(Request::read(&"/a".repeat(MAX_SEGMENTS + 1)), Err(Refused::Target));
        assert!(Request::read(&"/a".repeat(MAX_SEGMENTS)).is_ok());
    }
}
