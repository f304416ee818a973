//! A call made of a target, for what the typed client has no method for.

use tokenkeep_core::Error;
use tokenkeep_https::{Call, Method, Transport};

use crate::boundary::{Boundary, Request};
use crate::json;

/// The operations that start a run and answer with it: as the boundary has them, which knows each of Apify's. Those that start one and answer
/// with what it wrote name it nowhere ([`SYNCHRONOUS`]).
const STARTS: [&str; 2] = ["/v2/actors/{actorId}/runs", "/v2/actor-tasks/{actorTaskId}/runs"];

/// What the paths of those that start a run and answer with what it wrote have in them. They start one by `GET`, too.
const SYNCHRONOUS: &str = "/run-sync";

/// A call of this target, without a credential.
///
/// It is taken apart as the boundary reads it, and put together by the transport as every other is: what is sent is what was given, as there
/// is one way alone to write it.
pub(crate) fn call(transport: &Transport, method: Method, target: &str) -> Result<Call, Error> {
    let request = Request::read(target)?;
    let admitted = Boundary::all().judge(method.as_str(), target);
    let is = |which: fn(&str) -> bool| admitted.as_ref().is_ok_and(|admitted| which(admitted.path()));
    let starts = method == Method::POST && is(|path| STARTS.contains(&path));
    let mut call = transport.request(method, "/");
    for segment in &request.segments {
        call = call.segment(&decoded(segment));
    }
    for (name, value) in &request.queries {
        call = call.query(name, decoded(value));
    }
    if is(|path| path.contains(SYNCHRONOUS)) {
        call = call.not_idempotent();
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
    use std::sync::{Arc, Mutex};

    use tokenkeep_core::{ErrorKind, Origin, ProviderName, ProviderSpec};
    use tokenkeep_https::{CallBoundary, Projection};

    use super::*;
    use crate::{Access, Class};

    fn transport(boundary: impl CallBoundary + 'static) -> Transport {
        let name = ProviderName::new("apify").unwrap();
        let spec = ProviderSpec::new(name, Origin::parse("https://api.example.com").unwrap());
        Transport::builder(spec).boundary(boundary).build().unwrap()
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

    /// Refuses everything, and remembers what it was asked.
    #[derive(Debug, Clone, Default)]
    struct Judge(Arc<Mutex<Vec<String>>>);

    impl CallBoundary for Judge {
        fn judge(&self, _: &Method, target: &str) -> Result<Box<dyn Projection>, Error> {
            self.0.lock().unwrap().push(target.to_owned());
            Err(ErrorKind::Misuse.into())
        }
    }

    #[tokio::test]
    async fn what_is_judged_is_what_was_given_or_it_is_no_call() {
        let judge = Judge::default();
        let transport = transport(judge.clone());
        let mut given = Vec::new();
        for byte in 0..=u8::MAX {
            for text in [
                char::from(byte).to_string(),
                format!("%{byte:02X}"),
                format!("%{byte:02x}"),
                format!("%25{byte:02X}"),
            ] {
                for target in [
                    format!("/v2/a{text}b/c"),
                    format!("/{text}"),
                    format!("/v2/a?x={text}"),
                    format!("/v2/a?x{text}=1&y="),
                ] {
                    match call(&transport, Method::GET, &target) {
                        Ok(call) => {
                            assert!(call.send().await.is_err());
                            given.push(target);
                        }
                        Err(error) => assert_eq!(error.kind(), ErrorKind::Misuse, "{target}"),
                    }
                }
            }
        }
        let judged = judge.0.lock().unwrap();
        assert_eq!(*judged, given);
        // Letters and digits and `-._~`, the four that stand encoded in a path, and what may stand encoded in a query's value.
        assert!(judged.len() > 300 && judged.iter().any(|it| it == "/v2/a%21b/c"), "{}", judged.len());
    }

    /// What else writes runs: it starts one that its answer does not name, or acts on one that is there.
    const TELLS_OF_NONE: [&str; 24] = [
        "GET /v2/actors/{actorId}/run-sync",
        "GET /v2/actors/{actorId}/run-sync-get-dataset-items",
        "POST /v2/actors/{actorId}/run-sync",
        "POST /v2/actors/{actorId}/run-sync-get-dataset-items",
        "POST /v2/actors/{actorId}/runs/last/abort",
        "POST /v2/actors/{actorId}/runs/last/metamorph",
        "POST /v2/actors/{actorId}/runs/last/reboot",
        "GET /v2/actor-tasks/{actorTaskId}/run-sync",
        "GET /v2/actor-tasks/{actorTaskId}/run-sync-get-dataset-items",
        "POST /v2/actor-tasks/{actorTaskId}/run-sync",
        "POST /v2/actor-tasks/{actorTaskId}/run-sync-get-dataset-items",
        "POST /v2/actor-tasks/{actorTaskId}/runs/last/abort",
        "POST /v2/actor-tasks/{actorTaskId}/runs/last/metamorph",
        "POST /v2/actor-tasks/{actorTaskId}/runs/last/reboot",
        "POST /v2/actors/{actorId}/runs/{runId}/abort",
        "POST /v2/actors/{actorId}/runs/{runId}/metamorph",
        "POST /v2/actors/{actorId}/runs/{runId}/resurrect",
        "PUT /v2/actor-runs/{runId}",
        "DELETE /v2/actor-runs/{runId}",
        "POST /v2/actor-runs/{runId}/abort",
        "POST /v2/actor-runs/{runId}/metamorph",
        "POST /v2/actor-runs/{runId}/reboot",
        "POST /v2/actor-runs/{runId}/resurrect",
        "POST /v2/actor-runs/{runId}/charge",
    ];

    #[test]
    fn each_operation_that_writes_runs_is_told_or_known_not_to_be() {
        let but_runs = Class::ALL.iter().filter(|class| **class != Class::Runs);
        let but_runs = but_runs.fold(Boundary::none(), |all, class| all.allow(*class, Access::ReadAndWrite));
        let but_runs: Vec<_> = but_runs.allow(Class::Runs, Access::Read).operations().collect();
        let mut writing: Vec<String> = Boundary::all()
            .operations()
            .filter(|operation| !but_runs.contains(operation))
            .map(|(method, path)| format!("{method} {path}"))
            .collect();
        let mut known: Vec<String> = STARTS.iter().map(|path| format!("POST {path}")).collect();
        known.extend(TELLS_OF_NONE.map(str::to_owned));
        writing.sort();
        known.sort();
        assert_eq!(
            writing, known,
            "is a new one told to the credential? Say so here, and on the page of `ApifyClient::request`"
        );
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_no_call() {
        let transport = transport(Boundary::all());
        for target in [
            "",
            "v2/actors",
            "//evil.example/v2",
            "/v2/actors/",
            "/v2/../x",
            "/v2/a%2Fb",
            "/v2/a?b",
            "/v2/a?x=1&x=2",
            "https://api.apify.com/v2/actors",
        ] {
            let error = call(&transport, Method::GET, target).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Misuse, "{target}");
        }
    }
}
