//! A call made of a target, for what the typed client has no method for.

use tokenkeep_core::Error;
use tokenkeep_https::{Call, Method, Transport};

use crate::boundary::{Boundary, Request};
use crate::json;

/// The operations that start a run and answer with it: as the boundary has them, which knows each of Apify's.
const STARTS: [&str; 2] = ["/v2/actors/{actorId}/runs", "/v2/actor-tasks/{actorTaskId}/runs"];

/// A call of this target, without a credential.
///
/// It is taken apart as the boundary reads it, and put together by the transport as every other is: what is sent is what was given, as there
/// is one way alone to write it.
pub(crate) fn call(transport: &Transport, method: Method, target: &str) -> Result<Call, Error> {
    let request = Request::read(target)?;
    let starts = method == Method::POST
        && Boundary::all()
            .judge(method.as_str(), target)
            .is_ok_and(|admitted| STARTS.contains(&admitted.path()));
    let mut call = transport.request(method, "/");
    for segment in &request.segments {
        call = call.segment(&decoded(segment));
    }
    for (name, value) in &request.queries {
        call = call.query(name, decoded(value));
    }
    Ok(if starts { call.makes(json::id) } else { call })
}

/// What was read has no encoded byte but those of ASCII.
fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        out.extend(u8::from_str_radix(digits, 16).map(char::from));
        out.push_str(rest);
    }
    out
}

#[cfg(test)]
mod tests {
    use tokenkeep_core::{ErrorKind, Origin, ProviderName, ProviderSpec};

    use super::*;

    fn transport() -> Transport {
        let name = ProviderName::new("apify").unwrap();
        Transport::new(ProviderSpec::new(name, Origin::parse("https://api.example.com").unwrap())).unwrap()
    }

    #[test]
    fn what_stands_for_one_byte_is_decoded() {
        for (text, expected) in [
            ("", ""),
            ("a~b", "a~b"),
            ("%21x%27%28%29", "!x'()"),
            ("2026-08-01T00%3A00%3A00Z", "2026-08-01T00:00:00Z"),
        ] {
            assert_eq!(decoded(text), expected);
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_no_call() {
        let transport = transport();
        for target in [
            "",
            "v2/actors",
            "//evil.example/v2",
            "/v2/actors/",
            "/v2/../x",
            "/v2/a%2Fb",
            "/v2/a?b",
            "/v2/a?x=1&x=2",
        ] {
            let error = call(&transport, Method::GET, target).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Misuse, "{target}");
        }
        assert!(
            format!("{:?}", call(&transport, Method::GET, "/v2/a~b/c?x=1").unwrap())
                .contains("\"/v2/a~b/c\"")
        );
    }
}
