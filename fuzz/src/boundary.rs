//! What an application may reach of Apify's API: whatever is asked is understood in one way or refused, and whatever is answered comes
//! through without what the boundary keeps back.

use std::sync::LazyLock;

use arbitrary::Unstructured;
use serde_json::Value;
use tokenkeep_apify::{Access, Admitted, Boundary, Class, Refused};
use tokenkeep_core::Error;
use tokenkeep_https::{CallBoundary, Method, Passage};

use crate::answer::{FORBIDDEN, check_names, is_part, made, salted};

/// Each allows what the one before it does, and more: nothing, the default, every class by name, and `all`, which also passes
/// answers on as they are.
static BOUNDARIES: LazyLock<[Boundary; 4]> = LazyLock::new(|| {
    let by_name =
        Class::ALL.iter().fold(Boundary::none(), |all, &class| all.allow(class, Access::ReadAndWrite));
    [Boundary::none(), Boundary::analytics(), by_name, Boundary::all()]
});

pub(crate) static OPERATIONS: LazyLock<Vec<(&str, &str)>> =
    LazyLock::new(|| Boundary::all().operations().collect());

/// How many bytes there are before the first line.
pub(crate) const HEADER: usize = 6;

/// A header, a line and a body. The header's bytes choose: how the line is a call's method and target (as they stand, or put into an
/// operation's path, or behind it) and whether the body stands for itself or is made of what it chooses; the operation, in two bytes;
/// the place in the path; the answer's status; its content type.
///
/// # Panics
/// When a promise is broken.
pub fn boundary(bytes: &[u8]) -> bool {
    let Some((&[how, high, low, place, status, kind], rest)) = bytes.split_first_chunk::<HEADER>() else {
        return false;
    };
    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let (line, body) = (&rest[..end], rest.get(end + 1..).unwrap_or_default());
    let Ok(line) = std::str::from_utf8(line) else { return false };
    let (method, path) = OPERATIONS[usize::from(u16::from_be_bytes([high, low])) % OPERATIONS.len()];
    let (method, target) = match how % 3 {
        0 => line
            .split_once(' ')
            .map(|(method, target)| (method, target.to_owned()))
            .unwrap_or((method, line.to_owned())),
        1 => {
            let mut target = sample(path);
            // All of it is ASCII.
            target.insert_str(usize::from(place) % (target.len() + 1), line);
            (method, target)
        }
        _ => (method, sample(path) + line),
    };
    let admitted = judge(method, &target);
    let body = if how & 0x80 == 0 { body.to_vec() } else { made(&mut Unstructured::new(body)) };
    let status = [200, 201, 202, 204, 302, 400, 401, 403, 404, 429, 500, 100][usize::from(status) % 12];
    let kinds = [Some("application/json"), Some("application/json; charset=utf-8"), None, Some("text/plain")];
    let kind = kinds[usize::from(kind) % kinds.len()];
    for (admitted, boundary) in admitted.iter().zip(&*BOUNDARIES) {
        if let Some(admitted) = admitted {
            project(admitted, boundary, status, kind, &body);
            if let Some(salted) = salted(&body, place) {
                project(admitted, boundary, status, kind, &salted);
            }
        }
    }
    admitted[3].is_some()
}

/// The path of an operation, with something in the place of each parameter.
pub(crate) fn sample(path: &str) -> String {
    let of = |part| match part {
        "{actorId}" => "jane-doe~price-watch",
        "{versionNumber}" => "0.12",
        "{envVarName}" => "MY_KEY",
        "{recordKey}" => "a.key-1_%21",
        "{userId}" => "jane.doe",
        part if part.starts_with('{') => "WkzbQMuFYuamGv3YF",
        part => part,
    };
    path.split('/').map(of).collect::<Vec<_>>().join("/")
}

/// What each boundary says of a call.
fn judge(method: &str, target: &str) -> [Option<Admitted>; 4] {
    let judged = BOUNDARIES.each_ref().map(|boundary| boundary.judge(method, target));
    let [_, analytics, _, all] = &judged;
    for pair in judged.windows(2) {
        if let (Ok(narrow), wide) = (&pair[0], &pair[1]) {
            let wide = wide.as_ref().expect("what is allowed here is allowed where more is");
            assert_eq!((narrow.method(), narrow.path()), (wide.method(), wide.path()));
        }
    }
    match all {
        Ok(admitted) => {
            assert_eq!(admitted.method(), method);
            read_in_one_way(admitted.path(), target);
            assert!(!names_method_or_token(target), "a query that overrides the method or names a token");
        }
        // Only the spelling can be what is refused where everything is allowed.
        Err(refused) => assert!(!matches!(refused, Refused::NotAllowed(..))),
    }
    if let Ok(admitted) = analytics {
        assert!(matches!(admitted.method(), "GET" | "HEAD"), "it writes nothing");
    }
    for (boundary, judged) in BOUNDARIES.iter().zip(&judged) {
        through_the_seam(boundary, method, target, judged.as_ref().err().copied());
    }
    judged.map(Result::ok)
}

/// The transport asks by a trait. What it refuses says why, in words that are the same for every call.
fn through_the_seam(boundary: &Boundary, method: &str, target: &str, refused: Option<Refused>) {
    let Ok(method) = Method::from_bytes(method.as_bytes()) else { return };
    let judged = CallBoundary::judge(boundary, &method, target);
    let Err(error) = judged else { return assert!(refused.is_none()) };
    let told = |error: &Error| format!("{error} {error:?} {error:#?} {}", error.report());
    let refused = refused.expect("both ways to ask agree");
    assert_eq!(told(&error), told(&fixed(refused).into()));
    let short = target.len() < 4 || !target.contains('/');
    assert!(short || !told(&error).contains(target), "an error repeats the target");
}

/// A reason has no room for what was asked.
fn fixed<T: Copy + 'static>(reason: T) -> T {
    const { assert!(size_of::<T>() <= 4) };
    reason
}

/// The path of the operation without any of the library's reading: the same segments, and in the place of a parameter nothing that a
/// server could take for something else; in the query plain names, each once.
fn read_in_one_way(path: &str, target: &str) {
    let (sent, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    assert_eq!(path.split('/').count(), sent.split('/').count());
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    for (part, segment) in path.split('/').zip(sent.split('/')) {
        let encoded = ["%21", "%27", "%28", "%29"];
        let key = encoded.iter().fold(segment.to_owned(), |key, code| key.replace(code, "x"));
        match part {
            "{recordKey}" => assert!(plain(&key) && !key.bytes().all(|byte| byte == b'.')),
            part if part.starts_with('{') => {
                assert!(plain(segment) && !segment.is_empty() && !segment.contains(".."))
            }
            part => assert_eq!(part, segment),
        }
    }
    let mut names = Vec::new();
    for pair in query.into_iter().flat_map(|query| query.split('&')) {
        let (name, value) = pair.split_once('=').expect("each has a value");
        assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert!(plain(&value.replace('%', "")) && !names.contains(&name));
        names.push(name);
    }
}

/// Whether a lenient server could find the one or the other in the query: in whatever case, behind whatever stands between two
/// parameters, encoded once or twice.
fn names_method_or_token(target: &str) -> bool {
    let Some((_, query)) = target.split_once('?') else { return false };
    let decoded = decode(query);
    let twice = decode(&decoded);
    let pairs = [query, &decoded, &twice].into_iter().flat_map(|query| query.split(['&', ';', '#']));
    let mut names = pairs.map(|pair| pair.split(['=', '[']).next().unwrap_or_default());
    names.any(|name| {
        let name = name.trim_matches(|c: char| c.is_whitespace() || c.is_control() || c == '+');
        name.eq_ignore_ascii_case("method") || name.eq_ignore_ascii_case("token")
    })
}

/// Percents decoded; what is no text any more is left as it was.
fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.filter(|_| *first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// What comes through of an answer.
fn project(admitted: &Admitted, boundary: &Boundary, status: u16, kind: Option<&str>, body: &[u8]) {
    let passage = admitted.passage(status, kind);
    let is_analytics = *boundary == Boundary::analytics();
    if passage == Passage::AsItIs && is_analytics {
        // A log of a build is a text.
        assert!(
            admitted.path().ends_with("/log") && admitted.path().contains("build"),
            "{}",
            admitted.path()
        );
    }
    // Whatever the passage: whoever projects all the same gets no more.
    let Ok(out) = admitted.project(status, body) else { return };
    if out.is_empty() {
        return;
    }
    let part: Value = serde_json::from_slice(&out).expect("what comes through is JSON");
    if status >= 400 {
        let members =
            |value: &Value| value.as_object().map(|object| object.keys().cloned().collect::<Vec<_>>());
        assert_eq!(members(&part).as_deref(), Some(&["error".to_owned()][..]));
        assert_eq!(members(&part["error"]).as_deref(), Some(&["type".to_owned()][..]));
    }
    if is_analytics {
        check_names(&part, FORBIDDEN);
    }
    if *boundary == Boundary::none() && status < 400 {
        let text = part.to_string();
        let strange = ["email", "profile", "proxy", "plan", "isPaying"]
            .iter()
            .any(|name| part["data"].get(name).is_some());
        assert!(!strange, "{text}");
    }
    // What can't be read whole may still have parts that can.
    if let Ok(sent) = serde_json::from_slice::<Value>(body) {
        assert!(is_part(&part, &sent), "something is made up");
    }
    let again = admitted.project(status, &out).expect("what came through comes through");
    let again: Value = serde_json::from_slice(&again).expect("JSON");
    assert!(is_part(&again, &part) && is_part(&part, &again), "it is not the same the second time");
}
