//! Whatever is sent and whatever comes back.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;
use tokenkeep_apify::{Access, Boundary, Class};
use tokenkeep_https::Passage;

/// Pieces of which targets are made that are nearly right.
const PIECES: &[&str] = &[
    "/",
    "/v2",
    "/actors",
    "/actor-runs",
    "/datasets",
    "/key-value-stores",
    "/users",
    "/me",
    "/runs",
    "/last",
    "/items",
    "/keys",
    "/log",
    "/builds",
    "/default",
    "/versions",
    "/env-vars",
    "/records",
    "/usage",
    "/monthly",
    "/a1",
    "/jane~x",
    "/0.1",
    "?",
    "&",
    "=",
    "limit=1",
    "desc=true",
    "method",
    "token",
    "signature=x",
    "%",
    "%2F",
    "%2e",
    "%21",
    "%41",
    ".",
    "..",
    "/..",
    ";",
    "#",
    "~",
    "\\",
    " ",
    "\0",
    "ä",
    "A",
    "1",
    "-",
    "_",
    "+",
];

fn targets() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "/v2/[a-z/%?&=.~;0-9A-F-]{0,60}",
        prop::collection::vec(select(PIECES), 0..14).prop_map(|pieces| format!("/v2{}", pieces.concat())),
        // An operation that there is, with a piece put somewhere.
        (any::<prop::sample::Index>(), any::<prop::sample::Index>(), select(PIECES), any::<bool>()).prop_map(
            |(which, place, piece, put)| {
                let all: Vec<_> = Boundary::all().operations().collect();
                let mut target = all[which.index(all.len())]
                    .1
                    .split('/')
                    .map(|part| match part {
                        "{versionNumber}" => "0.1",
                        part if part.starts_with('{') => "a1",
                        part => part,
                    })
                    .collect::<Vec<_>>()
                    .join("/");
                if put {
                    target.insert_str(place.index(target.len() + 1), piece);
                }
                target
            }
        ),
    ]
}

fn methods() -> impl Strategy<Value = String> {
    prop_oneof![9 => select(&["GET", "POST", "PUT", "DELETE", "HEAD"][..]).prop_map(str::to_owned), 1 => any::<String>()]
}

/// A boundary with some classes allowed.
fn boundaries() -> impl Strategy<Value = Boundary> {
    let class = (select(Class::ALL), prop_oneof![Just(Access::Read), Just(Access::ReadAndWrite)]);
    prop_oneof![
        Just(Boundary::all()),
        Just(Boundary::analytics()),
        prop::collection::vec(class, 0..8).prop_map(|classes| {
            classes
                .into_iter()
                .fold(Boundary::none(), |boundary, (class, access)| boundary.allow(class, access))
        }),
    ]
}

/// The table read without any of the library's reading: segment by segment, as it stands.
fn plainly(method: &str, target: &str) -> Option<&'static str> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    let mut names = BTreeSet::new();
    for pair in query.split('&').filter(|_| target.contains('?')) {
        let (name, value) = pair.split_once('=')?;
        let fine = !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric())
            && value.chars().all(|c| plain(c) || c == '%');
        if !fine || !names.insert(name) || ["method", "token"].contains(&name) {
            return None;
        }
    }
    let sent: Vec<&str> = path.split('/').collect();
    let fits = |template: &str| {
        let template: Vec<&str> = template.split('/').collect();
        template.len() == sent.len()
            && template.iter().zip(&sent).all(|(part, segment)| match part.strip_prefix('{') {
                Some("recordKey}") => {
                    let key = ["%21", "%27", "%28", "%29"]
                        .iter()
                        .fold((*segment).to_owned(), |key, code| key.replace(code, "x"));
                    !key.is_empty() && key.chars().all(plain) && !key.chars().all(|c| c == '.')
                }
                Some(_) => {
                    let words = ["last", "me", "default", "batch"];
                    let word = words.contains(&segment.to_lowercase().as_str())
                        && *part != "{buildIdOrDefault}"
                        && *part != "{envVarName}";
                    !segment.is_empty() && segment.chars().all(plain) && !segment.contains("..") && !word
                }
                None => part == segment,
            })
    };
    Boundary::all().operations().find(|(known, path)| *known == method && fits(path)).map(|(_, path)| path)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn nothing_is_allowed_that_a_plain_reading_does_not(method in methods(), target in targets(), boundary in boundaries()) {
        if let Ok(admitted) = boundary.judge(&method, &target) {
            prop_assert_eq!(Some(admitted.path()), plainly(&method, &target), "{} {:?}", method, target);
            prop_assert_eq!(admitted.method(), method.as_str());
            prop_assert!(boundary.operations().any(|it| it == (admitted.method(), admitted.path())));
            // What is allowed here is allowed where more is.
            prop_assert!(Boundary::all().judge(&method, &target).is_ok());
        }
    }

    #[test]
    fn projecting_takes_whatever_comes(
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "[\\[\\]{}:,\"a-e0-9 .\\\\u-]{0,80}".prop_map(String::into_bytes),
            json().prop_map(|value| value.to_string().into_bytes()),
        ],
        which in any::<prop::sample::Index>(),
        status in prop_oneof![Just(200_u16), 100_u16..600],
        kind in prop_oneof![Just(Some("application/json")), Just(None), Just(Some("text/plain"))],
        boundary in boundaries(),
    ) {
        let all: Vec<_> = boundary.operations().collect();
        let (method, path) = all[which.index(all.len())];
        let target = path.replace("{versionNumber}", "0.1").replace("{userId}", "u");
        let target = target.split('/').map(|part| if part.starts_with('{') { "a1" } else { part }).collect::<Vec<_>>().join("/");
        let own = format!("{target}?ownership=ownedByMe");
        let admitted = boundary.judge(method, &target).or_else(|_| boundary.judge(method, &own)).unwrap();
        if admitted.passage(status, kind) == Passage::Projected
            && let Ok(out) = admitted.project(status, &body)
            && !out.is_empty()
        {
            let out: Value = serde_json::from_slice(&out).unwrap();
            let sent: Value = serde_json::from_slice(&body).unwrap();
            prop_assert!(is_part(&out, &sent), "{} of {}", out, sent);
            // Once more changes nothing.
            let again = admitted.project(status, out.to_string().as_bytes()).unwrap();
            prop_assert_eq!(serde_json::from_slice::<Value>(&again).unwrap(), out);
        }
    }
}

/// Answers with names that Apify uses, at places where it may not.
fn json() -> impl Strategy<Value = Value> {
    const NAMES: &[&str] = &[
        "data", "items", "id", "name", "stats", "versions", "meta", "email", "error", "type", "x", "fields",
        "usage",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(|number: f64| Value::from(number)),
        "[a-z\\\\\"é-]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((select(NAMES), inner), 0..6).prop_map(|members| members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

/// Whether one is the other with members and elements left out.
fn is_part(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(name, value)| whole.get(name).is_some_and(|other| is_part(value, other)))
        }
        (Value::Array(part), Value::Array(whole)) => {
            let mut rest = whole.iter();
            part.iter().all(|value| rest.any(|other| is_part(value, other)))
        }
        _ => part == whole,
    }
}
