//! Every operation of the description, allowed and refused.

use std::collections::BTreeSet;

use tokenkeep_apify::{Access, Boundary, Class, Refused};

use crate::description::{Described, operations};

/// What `Boundary::analytics` reaches, by method and path. Written by hand from the promise, not from the table.
const ANALYTICS: &[&str] = &[
    // Actors with settings and metadata
    "GET /v2/actors",
    "GET /v2/actors/{actorId}",
    "GET /v2/actors/{actorId}/versions",
    "GET /v2/actors/{actorId}/versions/{versionNumber}",
    // the history of runs
    "GET /v2/actor-runs",
    "GET /v2/actor-runs/{runId}",
    "GET /v2/actors/{actorId}/runs",
    "GET /v2/actors/{actorId}/runs/{runId}",
    "GET /v2/actors/{actorId}/runs/last",
    "GET /v2/actor-tasks/{actorTaskId}/runs",
    "GET /v2/actor-tasks/{actorTaskId}/runs/last",
    // metadata of datasets
    "GET /v2/datasets",
    "GET /v2/datasets/{datasetId}",
    "GET /v2/datasets/{datasetId}/statistics",
    "GET /v2/actor-runs/{runId}/dataset",
    "GET /v2/actor-runs/{runId}/dataset/statistics",
    "GET /v2/actors/{actorId}/runs/last/dataset",
    "GET /v2/actors/{actorId}/runs/last/dataset/statistics",
    "GET /v2/actor-tasks/{actorTaskId}/runs/last/dataset",
    "GET /v2/actor-tasks/{actorTaskId}/runs/last/dataset/statistics",
    // listings of key-value stores
    "GET /v2/key-value-stores",
    "GET /v2/key-value-stores/{storeId}",
    "GET /v2/key-value-stores/{storeId}/keys",
    "GET /v2/actor-runs/{runId}/key-value-store",
    "GET /v2/actor-runs/{runId}/key-value-store/keys",
    "GET /v2/actors/{actorId}/runs/last/key-value-store",
    "GET /v2/actors/{actorId}/runs/last/key-value-store/keys",
    "GET /v2/actor-tasks/{actorTaskId}/runs/last/key-value-store",
    "GET /v2/actor-tasks/{actorTaskId}/runs/last/key-value-store/keys",
    // builds: versions and logs
    "GET /v2/actor-builds",
    "GET /v2/actor-builds/{buildId}",
    "GET /v2/actor-builds/{buildId}/log",
    "GET /v2/actors/{actorId}/builds",
    "GET /v2/actors/{actorId}/builds/default",
    "GET /v2/actors/{actorId}/builds/{buildId}",
    // usage of the account
    "GET /v2/users/me/usage/monthly",
    "GET /v2/users/me/limits",
    // whose token it is
    "GET /v2/users/me",
];

fn judge(boundary: Boundary, operation: &Described) -> Result<String, Refused> {
    let admitted = boundary.judge(&operation.method, &operation.own_target())?;
    Ok(format!("{} {}", admitted.method(), admitted.path()))
}

#[test]
fn apify_openapi_every_operation_is_known_and_no_other() {
    let described: BTreeSet<String> = operations().iter().map(Described::name).collect();
    let known = Boundary::all().operations().map(|(method, path)| {
        // In the table, the parameter says that `default` may stand for it.
        format!("{method} {}", path.replace("OrDefault", ""))
    });
    let known: Vec<String> = known.collect();
    assert_eq!(known.len(), 231);
    assert_eq!(known.into_iter().collect::<BTreeSet<_>>(), described);
}

#[test]
fn apify_openapi_everything_is_allowed_under_all_and_only_who_it_is_under_none() {
    for operation in operations() {
        let judged = judge(Boundary::all(), &operation).map(|name| name.replace("OrDefault", ""));
        assert_eq!(judged, Ok(operation.name()));
        let none = judge(Boundary::none(), &operation);
        if operation.name() == "GET /v2/users/me" {
            assert!(none.is_ok());
        } else {
            assert!(matches!(none, Err(Refused::NotAllowed(..))), "{}: {none:?}", operation.name());
        }
    }
    assert_eq!(Boundary::none().operations().collect::<Vec<_>>(), [("GET", "/v2/users/me")]);
}

#[test]
fn apify_openapi_analytics_reaches_what_it_promises() {
    let mut allowed = BTreeSet::new();
    for operation in operations() {
        match judge(Boundary::analytics(), &operation) {
            Ok(name) => assert!(allowed.insert(name)),
            Err(refused) => {
                assert!(matches!(refused, Refused::NotAllowed(..)), "{}: {refused:?}", operation.name());
            }
        }
    }
    assert_eq!(allowed, ANALYTICS.iter().map(ToString::to_string).collect());
    assert!(
        Class::ALL.iter().all(|&class| Boundary::analytics().access(class) != Some(Access::ReadAndWrite))
    );
}

/// A list of storages holds what others share, unless it is told not to.
#[test]
fn what_others_share_is_in_no_list() {
    let others = Boundary::analytics().allow(Class::OtherUsers, Access::Read);
    for list in ["/v2/datasets", "/v2/key-value-stores", "/v2/request-queues"] {
        let boundary = |own: Boundary| own.allow(Class::RequestQueues, Access::Read);
        for query in [
            "",
            "?limit=1",
            "?ownership=sharedWithMe",
            "?ownership=",
            "?ownership=ownedbyme",
            "?ownership=ownedByMe%2C",
        ] {
            let target = format!("{list}{query}");
            let refused = Err(Refused::NotAllowed(Class::OtherUsers, Access::Read));
            assert_eq!(boundary(Boundary::analytics()).judge("GET", &target).map(drop), refused, "{target}");
            assert!(boundary(others).judge("GET", &target).is_ok(), "{target}");
        }
        let own = format!("{list}?limit=1&ownership=ownedByMe");
        assert!(boundary(Boundary::analytics()).judge("GET", &own).is_ok(), "{own}");
    }
}

/// Each class by itself must be worth something, and each of the needs of an operation must count.
#[test]
fn every_need_counts() {
    let all = |except: Option<(Class, Option<Access>)>| {
        Class::ALL.iter().fold(Boundary::none(), |boundary, &class| match except {
            Some((left_out, None)) if left_out == class => boundary,
            Some((left_out, Some(access))) if left_out == class => boundary.allow(class, access),
            _ => boundary.allow(class, Access::ReadAndWrite),
        })
    };
    assert_eq!(all(None).operations().count(), 231);
    // No operation is all about these; parts of answers are.
    let parts = [Class::Proxy, Class::User];
    for &class in Class::ALL {
        let without: BTreeSet<_> = all(Some((class, None))).operations().collect();
        assert_eq!(without.len() == 231, parts.contains(&class), "{class:?}");
        let reading: BTreeSet<_> = all(Some((class, Some(Access::Read)))).operations().collect();
        assert!(without.is_subset(&reading), "{class:?}");
    }
    let needs = |boundary: Boundary, method: &str, target: &str| boundary.judge(method, target).err();
    for (method, target, classes) in [
        (
            "POST",
            "/v2/actors",
            &[
                Class::Actors,
                Class::SourceCode,
                Class::EnvVars,
                Class::Inputs,
                Class::Billing,
                Class::Sharing,
            ][..],
        ),
        ("PUT", "/v2/actors/a1/versions/0.1", &[Class::Actors, Class::SourceCode, Class::EnvVars]),
        ("POST", "/v2/actors/a1/runs", &[Class::Runs, Class::Inputs]),
        ("GET", "/v2/actors/a1/run-sync", &[Class::Runs, Class::Records]),
        (
            "POST",
            "/v2/actor-tasks/t1/run-sync-get-dataset-items",
            &[Class::Runs, Class::Inputs, Class::DatasetItems],
        ),
        ("GET", "/v2/actor-tasks/t1/input", &[Class::Tasks, Class::Inputs]),
        ("GET", "/v2/logs/r1", &[Class::RunLogs, Class::BuildLogs]),
        ("GET", "/v2/actor-runs/r1/dataset", &[Class::Runs, Class::Datasets]),
        ("PUT", "/v2/datasets/d1", &[Class::Datasets, Class::Sharing]),
        ("DELETE", "/v2/key-value-stores/s1", &[Class::KeyValueStores, Class::Records]),
        ("GET", "/v2/datasets/d1/items?signature=x", &[Class::DatasetItems, Class::Sharing]),
        ("POST", "/v2/actors/a1/runs?webhooks=x", &[Class::Runs, Class::Inputs, Class::Webhooks]),
        ("POST", "/v2/actors/a1/runs?forcePermissionLevel=x", &[Class::Runs, Class::Inputs, Class::Actors]),
    ] {
        for &class in classes {
            let refused = needs(all(Some((class, None))), method, target);
            assert!(
                matches!(refused, Some(Refused::NotAllowed(missing, _)) if missing == class),
                "{method} {target} {class:?}"
            );
        }
        let just = classes
            .iter()
            .fold(Boundary::none(), |boundary, &class| boundary.allow(class, Access::ReadAndWrite));
        assert_eq!(needs(just, method, target), None, "{method} {target}");
    }
}

/// Reading is not enough for what changes something, whatever its method is.
#[test]
fn apify_openapi_reading_changes_nothing() {
    let readers = Class::ALL.iter().fold(Boundary::none(), |all, &class| all.allow(class, Access::Read));
    let harmless_posts = ["POST /v2/actors/{actorId}/validate-input", "POST /v2/tools/decode-and-verify"];
    for operation in operations() {
        let name = operation.name();
        let reads =
            matches!(operation.method.as_str(), "GET" | "HEAD") && !operation.path.contains("/run-sync");
        let reads = reads || harmless_posts.contains(&name.as_str()) || operation.path == "/v2/browser-info";
        assert_eq!(judge(readers, &operation).is_ok(), reads, "{name}");
    }
}

#[test]
fn apify_openapi_the_query_names_of_each_operation_are_known_and_no_others() {
    let operations = operations();
    let every: BTreeSet<&str> =
        operations.iter().flat_map(|operation| operation.queries.iter().copied()).collect();
    assert!(every.len() > 60, "{}", every.len());
    let hostile = ["method", "token", "Token", "METHOD", "apiToken", "access_token", "next", "x"];
    for operation in &operations {
        let target = operation.target();
        for name in every.iter().chain(&hostile) {
            let judged = Boundary::all().judge(&operation.method, &format!("{target}?{name}=1"));
            assert_eq!(judged.is_ok(), operation.queries.contains(name), "{} {name}", operation.name());
        }
        let together: Vec<String> = operation.queries.iter().map(|name| format!("{name}=a%2Cb")).collect();
        if !together.is_empty() {
            let target = format!("{target}?{}", together.join("&"));
            assert!(Boundary::all().judge(&operation.method, &target).is_ok(), "{target}");
        }
    }
}

#[test]
fn apify_openapi_one_path_is_one_operation() {
    for operation in operations() {
        for method in [
            "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get", "Get", "",
            " GET", "GET ",
        ] {
            let same = |other: &Described| other.method == method && other.path == operation.path;
            let expected = operations_once().iter().any(same);
            assert_eq!(
                Boundary::all().judge(method, &operation.target()).is_ok(),
                expected,
                "{method} {}",
                operation.path
            );
        }
    }
}

fn operations_once() -> &'static [Described] {
    static ALL: std::sync::LazyLock<Vec<Described>> = std::sync::LazyLock::new(operations);
    &ALL
}
