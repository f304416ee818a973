//! The operations of Apify's API that the typed client calls, and no others: a call of it can be made of nothing else.

use tokenkeep_core::{Error, ErrorKind};
use tokenkeep_https::{Call, Method, Transport};

/// One operation: its method, and its path as Apify's API description has it, with the names of its parameters in braces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Endpoint {
    method: &'static str,
    path: &'static str,
}

macro_rules! endpoints {
    ($($name:ident = $method:ident $path:literal;)*) => {
        impl Endpoint {
            $(pub(crate) const $name: Self = Self { method: stringify!($method), path: $path };)*
        }

        /// All of them, by method and path.
        pub(crate) const ALL: &[(&str, &str)] = &[$((stringify!($method), $path)),*];
    };
}

endpoints! {
    ME = GET "/v2/users/me";
    USAGE = GET "/v2/users/me/usage/monthly";
    LIMITS = GET "/v2/users/me/limits";
    ACTORS = GET "/v2/actors";
    ACTOR = GET "/v2/actors/{actorId}";
    ACTOR_RUNS = GET "/v2/actors/{actorId}/runs";
    ACTOR_LAST_RUN = GET "/v2/actors/{actorId}/runs/last";
    ACTOR_START = POST "/v2/actors/{actorId}/runs";
    ACTOR_BUILDS = GET "/v2/actors/{actorId}/builds";
    ACTOR_DEFAULT_BUILD = GET "/v2/actors/{actorId}/builds/default";
    ENV_VARS = GET "/v2/actors/{actorId}/versions/{versionNumber}/env-vars";
    ENV_VAR_CREATE = POST "/v2/actors/{actorId}/versions/{versionNumber}/env-vars";
    ENV_VAR = GET "/v2/actors/{actorId}/versions/{versionNumber}/env-vars/{envVarName}";
    ENV_VAR_UPDATE = PUT "/v2/actors/{actorId}/versions/{versionNumber}/env-vars/{envVarName}";
    ENV_VAR_DELETE = DELETE "/v2/actors/{actorId}/versions/{versionNumber}/env-vars/{envVarName}";
    RUNS = GET "/v2/actor-runs";
    RUN = GET "/v2/actor-runs/{runId}";
    RUN_ABORT = POST "/v2/actor-runs/{runId}/abort";
    RUN_LOG = GET "/v2/actor-runs/{runId}/log";
    BUILDS = GET "/v2/actor-builds";
    BUILD = GET "/v2/actor-builds/{buildId}";
    BUILD_LOG = GET "/v2/actor-builds/{buildId}/log";
    DATASETS = GET "/v2/datasets";
    DATASET = GET "/v2/datasets/{datasetId}";
    KEY_VALUE_STORES = GET "/v2/key-value-stores";
    KEY_VALUE_STORE = GET "/v2/key-value-stores/{storeId}";
    KEYS = GET "/v2/key-value-stores/{storeId}/keys";
}

impl Endpoint {
    /// A call of it with these in the places of its parameters, in their order.
    ///
    /// # Errors
    /// `Internal` when there are more or fewer of them. `Misuse` that says how to write it for a name with a slash; whether one of them can
    /// stand in a path else is told when the call is sent.
    pub(crate) fn call(self, transport: &Transport, ids: &[String]) -> Result<Call, Error> {
        let fixed = self.path.find("/{").unwrap_or(self.path.len());
        let (start, rest) = self.path.split_at(fixed);
        let method = Method::from_bytes(self.method.as_bytes()).map_err(|_| misfit())?;
        let mut call = transport.request(method, start);
        let mut ids = ids.iter();
        for segment in rest.split('/').skip(1) {
            call = match segment.starts_with('{') {
                true => {
                    let id = ids.next().ok_or_else(misfit)?;
                    if id.contains('/') && NAMED.contains(&segment) {
                        return Err(with_a_slash());
                    }
                    call.segment(id)
                }
                false => call.segment(segment),
            };
        }
        if ids.next().is_some() { Err(misfit()) } else { Ok(call) }
    }

    pub(crate) fn path(self) -> &'static str {
        self.path
    }
}

/// The parameters that may be `user~name`, which Apify's pages and addresses write with a slash.
const NAMED: [&str; 3] = ["{actorId}", "{datasetId}", "{storeId}"];

fn with_a_slash() -> Error {
    Error::new(ErrorKind::Misuse).because("a name is written `user~name` here, and not `user/name`")
}

fn misfit() -> Error {
    Error::new(ErrorKind::Internal).because("an operation of Apify's was given other parameters than it has")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use tokenkeep_core::{Origin, ProviderName, ProviderSpec};

    use super::*;
    use crate::Boundary;

    #[test]
    fn each_is_known_to_the_boundary_and_there_once() {
        let known: HashSet<_> = Boundary::all().operations().collect();
        let mut seen = HashSet::new();
        for one in ALL {
            assert!(known.contains(one) && seen.insert(one), "{one:?}");
        }
    }

    #[test]
    fn parameters_go_to_their_places() {
        let name = ProviderName::new("apify").unwrap();
        let spec = ProviderSpec::new(name, Origin::parse("https://api.example.com").unwrap());
        let transport = Transport::builder(spec).build().unwrap();
        let path = |endpoint: Endpoint, ids: &[&str]| {
            let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
            endpoint.call(&transport, &ids).map(|call| format!("{call:?}")).map_err(|error| error.kind())
        };
        for (endpoint, ids, expected) in [
            (Endpoint::ME, &[][..], "/v2/users/me"),
            (Endpoint::ACTOR, &["jane~price-watch"], "/v2/actors/jane~price-watch"),
            (Endpoint::ENV_VAR, &["a1", "0.1", "KEY"], "/v2/actors/a1/versions/0.1/env-vars/KEY"),
        ] {
            let call = path(endpoint, ids).unwrap();
            assert!(call.contains(&format!("\"{expected}\"")), "{call}");
        }
        for (endpoint, ids) in
            [(Endpoint::ME, &["x"][..]), (Endpoint::ACTOR, &[]), (Endpoint::ACTOR_RUNS, &["a", "b"])]
        {
            assert_eq!(path(endpoint, ids).unwrap_err(), ErrorKind::Internal);
        }
    }
}
