//! The URL of a call, built so that nothing in it can step out of its place.

use std::fmt::Write as _;

use reqwest::Url;
use tokenkeep_core::{Error, ErrorKind, Origin};

/// The longest path and query together, in bytes: what servers commonly take.
const MAX_LEN: usize = 8192;

/// Path and query. What is wrong with them is kept until [`url`](Self::url), so that building a call can't fail.
pub(crate) struct Target {
    path: String,
    query: String,
    refused: Option<&'static str>,
}

impl Target {
    pub(crate) fn new(path: &str) -> Self {
        // "/" alone is the root; a segment added to it must not stand behind two slashes.
        let kept = if path == "/" { "" } else { path };
        Self { path: kept.to_owned(), query: String::new(), refused: check_path(path).err() }
    }

    pub(crate) fn push_segment(&mut self, segment: &str) {
        if let Err(why) = check_segment(segment) {
            self.refused.get_or_insert(why);
            return;
        }
        self.path.push('/');
        encode(&mut self.path, segment);
    }

    pub(crate) fn push_query(&mut self, name: &str, value: &str) {
        if !self.query.is_empty() {
            self.query.push('&');
        }
        encode(&mut self.query, name);
        self.query.push('=');
        encode(&mut self.query, value);
    }

    pub(crate) fn path(&self) -> &str {
        if self.path.is_empty() { "/" } else { &self.path }
    }

    pub(crate) fn url(&self, origin: &Origin) -> Result<Url, Error> {
        let misuse = |why| Error::new(ErrorKind::Misuse).because(why);
        if let Some(why) = self.refused {
            return Err(misuse(why));
        }
        if self.path.len() + self.query.len() > MAX_LEN {
            return Err(misuse("path and query are over 8 KiB"));
        }
        let mut text = format!("{origin}{}", self.path());
        if !self.query.is_empty() {
            text.push('?');
            text.push_str(&self.query);
        }
        // What was checked is what is sent, whatever a URL parser would make of it.
        match Url::parse(&text) {
            Ok(url) if url.as_str() == text => Ok(url),
            _ => {
                Err(Error::new(ErrorKind::Internal)
                    .because("a URL parser reads the call's URL in another way"))
            }
        }
    }
}

fn check_path(path: &str) -> Result<(), &'static str> {
    let Some(rest) = path.strip_prefix('/') else { return Err("a path starts with a slash") };
    if rest.is_empty() {
        return Ok(());
    }
    for segment in rest.split('/') {
        if segment.is_empty() {
            return Err("a path has no empty segment and no slash at its end");
        }
        if matches!(segment, "." | "..") {
            return Err("a path has no dot segment");
        }
        if !segment.bytes().all(|byte| is_unreserved(byte) || b"!$&'()*+,;=:@".contains(&byte)) {
            return Err("a path has a character that must be encoded; give such a part as a segment");
        }
    }
    Ok(())
}

/// Refuses, even encoded, what some server or proxy on the way may decode before it looks at the path.
fn check_segment(segment: &str) -> Result<(), &'static str> {
    if segment.is_empty() {
        return Err("a path segment is empty");
    }
    if matches!(segment, "." | "..") {
        return Err("a path segment is a dot segment");
    }
    if segment.chars().any(|c| matches!(c, '/' | '\\' | '%') || c.is_control()) {
        return Err("a path segment has a slash, a backslash, a percent sign or a control character");
    }
    Ok(())
}

/// What no percent-encoding, and no string of JSON, writes in another way.
pub(crate) fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn encode(into: &mut String, text: &str) {
    for byte in text.bytes() {
        if is_unreserved(byte) {
            into.push(char::from(byte));
        } else {
            // Writing to a `String` can't fail.
            let _ = write!(into, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(target: &Target) -> Result<String, ErrorKind> {
        let origin = Origin::parse("https://api.example.com").unwrap();
        target.url(&origin).map(String::from).map_err(|error| error.kind())
    }

    #[test]
    fn plain_paths_are_taken_as_they_are() {
        for path in ["/", "/v2", "/v2/users/me", "/v2/acts/jane~price-watch", "/a:b@c;d=e,f!$&'()*+", "/..."]
        {
            assert_eq!(url(&Target::new(path)).unwrap(), format!("https://api.example.com{path}"));
        }
    }

    #[test]
    fn hostile_paths_are_refused() {
        for path in [
            "",
            "v2",
            "//evil.example",
            "/v2//me",
            "/v2/",
            "/.",
            "/v2/..",
            "/v2/../x",
            "/%2e%2e/x",
            "/a%2Fb",
            "/a\\b",
            "\\evil.example",
            "/a?b",
            "/a#b",
            "/a b",
            "/a\nb",
            "/a\tb",
            "/ä",
            "/a\u{202e}b",
            "@evil.example",
            ".evil.example",
            ":8443/",
            "/a\"b",
            "/a|b",
            "/a^b",
            "/{id}",
            "/a\0",
        ] {
            assert_eq!(url(&Target::new(path)), Err(ErrorKind::Misuse), "{path:?}");
        }
    }

    #[test]
    fn segments_are_encoded_or_refused() {
        for (segment, encoded) in [
            ("plain-1_2.3~4", "plain-1_2.3~4"),
            ("a b?c#d&e=f", "a%20b%3Fc%23d%26e%3Df"),
            ("žluť", "%C5%BElu%C5%A5"),
            ("...", "..."),
            ("a;b:c@d", "a%3Bb%3Ac%40d"),
        ] {
            for (base, before) in [("/", "/"), ("/v2", "/v2/")] {
                let mut target = Target::new(base);
                target.push_segment(segment);
                assert_eq!(url(&target).unwrap(), format!("https://api.example.com{before}{encoded}"));
            }
        }
        for segment in ["", ".", "..", "a/b", "../me", "a\\b", "%2e%2e", "a%2fb", "a\nb", "a\0", "\u{85}"] {
            let mut target = Target::new("/v2");
            target.push_segment(segment);
            target.push_segment("fine");
            assert_eq!(url(&target), Err(ErrorKind::Misuse), "{segment:?}");
        }
    }

    #[test]
    fn query_values_stay_values() {
        let mut target = Target::new("/v2/acts");
        target.push_query("limit", "10");
        target.push_query("na me", "a&method=DELETE#x?y'ž +/");
        assert_eq!(
            url(&target).unwrap(),
            "https://api.example.com/v2/acts?limit=10&na%20me=a%26method%3DDELETE%23x%3Fy%27%C5%BE%20%2B%2F"
        );
        target.push_query("long", &"x".repeat(MAX_LEN));
        assert_eq!(url(&target), Err(ErrorKind::Misuse));
    }
}
