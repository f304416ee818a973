//! Hostile spellings of each path: whatever a lenient server could read as another one.

use tokenkeep_apify::{Boundary, Refused};

use crate::description::{operations, sample};

fn refused(method: &str, target: &str) {
    // Under `all` nothing but the spelling can be what is refused.
    match Boundary::all().judge(method, target) {
        Err(Refused::NotAllowed(..)) => panic!("{target:?} was understood"),
        Err(_) => {}
        Ok(admitted) => panic!("{method} {target:?} was taken for {}", admitted.path()),
    }
}

#[test]
fn apify_openapi_hostile_paths_are_refused() {
    for operation in operations() {
        let target = operation.target();
        let method = operation.method.as_str();
        assert!(Boundary::all().judge(method, &target).is_ok());
        for before in [
            "/",
            "/.",
            "/..",
            "/x/..",
            "/%2e%2e",
            "//api.apify.com",
            "https://api.apify.com",
            "https:",
            "/v1",
            "x",
            "\\",
            " ",
            "\t",
        ] {
            refused(method, &format!("{before}{target}"));
        }
        for after in [
            "/",
            "//",
            "/.",
            "/..",
            "/./",
            "%2F",
            "%2f",
            "%5C",
            "\\",
            "%00",
            "\0",
            "%0A",
            "\n",
            "\r\n",
            "%20",
            " ",
            "%09",
            ";",
            ";a=b",
            "%3Ba=b",
            "#",
            "#x",
            "%23",
            "%3F",
            "%3Fa=b",
            ":",
            "@",
            "%",
            "%2",
            "%252F",
            "%25",
            "/%2e",
            "/%2E%2E/x",
            "\u{fe56}",
            "\u{ff0f}",
            "%E2%80%8B",
            "\u{200b}",
            "ä",
            "*",
            "+",
            ",",
            "&a=b",
            "=",
            "\"",
            "'",
            "(",
            "!",
            "|",
            "<",
            "`",
            "^",
            "{",
            "[",
            "$",
            "%C0%AF",
            "%u002f",
        ] {
            refused(method, &format!("{target}{after}"));
            refused(method, &format!("{target}{after}?limit=1"));
        }
        for (place, _) in target.match_indices('/') {
            let (head, tail) = target.split_at(place);
            for instead in [
                "//",
                "/./",
                "/../",
                "/x/../",
                "%2F",
                "%2f",
                "%252F",
                "%252f",
                "\\",
                "%5C",
                "/\\",
                ";/",
                ";a=b/",
                "%00/",
                "\0/",
                "/%2e/",
                "/%2E%2E/",
                "/.%2e/",
                "/%2e./",
                " /",
                "/ ",
                "/\t",
                "?/",
                "#/",
                "\u{2215}",
                "\u{ff0f}",
                "%C0%AF",
                "%E2%88%95",
                "/\u{200b}",
                ":/",
                "/~/",
                "/*/",
            ] {
                refused(method, &format!("{head}{instead}{}", &tail[1..]));
            }
        }
    }
}

#[test]
fn apify_openapi_another_spelling_of_a_segment_is_refused() {
    for operation in operations() {
        let method = operation.method.as_str();
        let segments: Vec<&str> = operation.path.split('/').collect();
        let spelled = |place: usize, instead: &str| {
            let with =
                |(at, segment)| if at == place { instead.to_owned() } else { sample(segment).to_owned() };
            segments.iter().copied().enumerate().map(with).collect::<Vec<_>>().join("/")
        };
        for (place, segment) in segments.iter().enumerate().skip(1) {
            if let Some(parameter) = segment.strip_prefix('{') {
                for hostile in [
                    "",
                    ".",
                    "..",
                    "...",
                    "a/b",
                    "jane/price-watch",
                    "a%2Fb",
                    "a%2fb",
                    "a%5Cb",
                    "a\\b",
                    "%61",
                    "a%7Eb",
                    "a~..",
                    "a~.",
                    "~a",
                    "a~",
                    "a~b~c",
                    "..~a",
                    "a;b=c",
                    "a:b",
                    "a@b",
                    "a b",
                    "a%20b",
                    "a%00",
                    "ä",
                    "%C3%A4",
                    "a%25b",
                    "{x}",
                    "*",
                    "a,b",
                    "a&b",
                    "a?b=c",
                    "a#b",
                    "a$b",
                    "a%0Ab",
                    "a\nb",
                    "a+b",
                    "\u{ff41}",
                    "%2e",
                    "%2E%2E",
                    "a!b",
                    "a'b",
                ] {
                    refused(method, &spelled(place, hostile));
                }
                if !matches!(parameter, "recordKey}" | "envVarName}") {
                    // Words that stand in such a place and mean something else.
                    for word in [
                        "last", "Last", "LAST", "me", "ME", "batch", "Batch", "unlock", "head", "DEFAULT",
                        "lock",
                    ] {
                        let target = spelled(place, word);
                        match Boundary::all().judge(method, &target) {
                            Ok(admitted) => assert!(
                                admitted.path().split('/').nth(place) == Some(word),
                                "{target} is {}",
                                admitted.path()
                            ),
                            Err(Refused::UnknownPath | Refused::UnknownMethod) => {}
                            Err(other) => panic!("{target}: {other:?}"),
                        }
                    }
                }
                continue;
            }
            for hostile in [
                segment.to_uppercase(),
                format!("{}{}", segment[..1].to_uppercase(), &segment[1..]),
                format!("%{:02x}{}", segment.as_bytes()[0], &segment[1..]),
                format!("%{:02X}{}", segment.as_bytes()[0], &segment[1..]),
                format!("%25{:02X}{}", segment.as_bytes()[0], &segment[1..]),
                format!("{segment}."),
                format!(".{segment}"),
                format!("{segment}.json"),
                format!("{segment};a=b"),
                format!("{segment}%20"),
                format!("{segment}~"),
                segment.replace('a', "\u{430}"),
                segment.replace('s', "\u{17f}"),
                segment.replace('k', "\u{212a}"),
            ] {
                if hostile != *segment {
                    refused(method, &spelled(place, &hostile));
                }
            }
        }
    }
}

#[test]
fn apify_openapi_hostile_queries_are_refused() {
    for operation in operations() {
        let (method, target) = (operation.method.as_str(), operation.target());
        for query in [
            "method=DELETE",
            "method=delete",
            "METHOD=DELETE",
            "Method=GET",
            "_method=DELETE",
            "token=apify_api_x",
            "Token=x",
            "TOKEN=x",
            "%74oken=x",
            "metho%64=DELETE",
            "token",
            "method",
            "",
            "&",
            "=",
            "=x",
            "a",
            "token[]=x",
            "method.x=1",
            "x-http-method-override=DELETE",
            "token%00=x",
            "token%20=x",
            "+token=x",
            " token=x",
            "token\t=x",
            "?method=DELETE",
            "#method=DELETE",
            ";method=DELETE",
            "toke\u{212a}n=x",
            "tok\u{435}n=x",
        ] {
            refused(method, &format!("{target}?{query}"));
        }
        for name in &operation.queries {
            assert!(Boundary::all().judge(method, &format!("{target}?{name}=1")).is_ok());
            for query in [
                format!("{name}=1&{name}=1"),
                format!("{name}=1&{name}=2"),
                format!("{name}=1&method=DELETE"),
                format!("method=DELETE&{name}=1"),
                format!("{name}=1;method=DELETE"),
                format!("{name}=1%26method%3DDELETE"),
                format!("{name}=1%3Bmethod%3DDELETE"),
                format!("{name}=1%2526method=DELETE"),
                format!("{name}=1&"),
                format!("&{name}=1"),
                format!("{name}=1&&"),
                format!("{name}=1?method=DELETE"),
                format!("{name}=1#"),
                format!("{name}=1%23"),
                format!("{name}=1%00"),
                format!("{name}=1%0d%0aX: y"),
                format!("{name}=1\r\nX: y"),
                format!("{name}=1=2"),
                (*name).to_string(),
                format!("{name}[]=1"),
                format!("{}=1", name.to_uppercase()),
                format!("%{:02X}{}=1", name.as_bytes()[0], &name[1..]),
                format!("{name}=\u{ff06}method=DELETE"),
                format!("{name}=%EF%BC%86"),
                format!("{name}=%31"),
            ] {
                refused(method, &format!("{target}?{query}"));
            }
        }
    }
}
