//! What a customer is shown.

use tokenkeep_apify::{Access, Boundary, Class, Refused, TokenPermission};
use tokenkeep_core::{Error, ErrorKind};

#[test]
fn analytics_in_words() {
    assert_eq!(
        Boundary::analytics().to_string(),
        "This application may read\n\
         - Actors: settings and metadata\n\
         - runs: status, times, resources, and from where they were started\n\
         - builds: status, times, versions\n\
         - logs of builds\n\
         - datasets: metadata\n\
         - key-value stores: metadata and listings of keys\n\
         - usage of the account, and its limits\n\
         It is kept from\n\
         - source code of Actors\n\
         - environment variables of Actors\n\
         - inputs of runs, tasks and schedules\n\
         - logs of runs\n\
         - items in datasets\n\
         - records in key-value stores\n\
         - request queues\n\
         - public and signed links, and who else has access\n\
         - tasks\n\
         - schedules\n\
         - webhooks\n\
         - plan, prices and charges\n\
         - proxy password and configuration\n\
         - e-mail address and profile\n\
         - other users: profiles, and storages that they share\n\
         - Apify Store\n\
         - tools for requests and signatures\n\
         It always learns the id and the name of the account."
    );
}

#[test]
fn the_token_for_analytics_in_words() {
    use TokenPermission::{ActorsListRuns, ActorsRead, DefaultRunStorages, StoragesRead};
    let scope = Boundary::analytics().token_scope();
    assert_eq!(
        scope.permissions.iter().copied().collect::<Vec<_>>(),
        [ActorsRead, ActorsListRuns, StoragesRead, DefaultRunStorages]
    );
    assert_eq!((scope.only_unlimited.as_slice(), scope.not_known.as_slice()), (&[][..], &[Class::Usage][..]));
    assert_eq!(
        scope.to_string(),
        "In Apify Console, under Settings, API & Integrations: make a token of its own for this application, switch on \
         \"Limit token permissions\", and allow\n\
         - Actors: Read\n\
         - Actors: List runs\n\
         - Storages: Read\n\
         - Default run storage access: on\n\
         and nothing else. Apify does not say whether a token with limited permissions reaches\n\
         - the id and the name of the account\n\
         - usage of the account, and its limits\n\
         What it does not reach is refused. Without id and name it can't be connected.\n\
         The permissions are wider than what this application uses. They, and not the application, limit whoever gets hold \
         of the token."
    );
}

#[test]
fn what_only_an_unlimited_token_does_is_said() {
    let boundary = Boundary::none()
        .allow(Class::EnvVars, Access::ReadAndWrite)
        .allow(Class::Runs, Access::ReadAndWrite)
        .allow(Class::Datasets, Access::ReadAndWrite);
    let scope = boundary.token_scope();
    assert_eq!(scope.only_unlimited, [Class::EnvVars]);
    assert!(scope.permissions.contains(&TokenPermission::ActorsRun));
    assert!(scope.permissions.contains(&TokenPermission::StoragesWrite));
    assert!(scope.to_string().contains("needs a token without limited permissions"));
    assert!(
        boundary
            .to_string()
            .starts_with("This application may read and change\n- environment variables of Actors\n")
    );
    assert!(Boundary::none().token_scope().permissions.is_empty());
    let all = Boundary::all().to_string();
    assert!(all.contains("read and change") && !all.contains("kept from"), "{all}");
}

#[test]
fn a_refusal_says_why_and_repeats_nothing() {
    for (method, target, text) in [
        ("GET", "/v2/s3cret/../x", "its path can be read in more than one way"),
        ("GET", "/v2/s3cret", "its path is not known"),
        ("GET", "/v2/actors?s3cret", "its query can be read in more than one way"),
        ("GET", "/v2/actors?s3cret=1", "its query has a name that is not known for it"),
        ("s3cret", "/v2/actors", "its method is not known for its path"),
        ("GET", "/v2/datasets/s3cret/items", "it reads items in datasets"),
        ("DELETE", "/v2/datasets/s3cret", "it writes datasets: metadata"),
    ] {
        let refused = Boundary::analytics().judge(method, target).unwrap_err();
        let error = Error::from(refused);
        assert_eq!(error.kind(), ErrorKind::Misuse);
        let report = error.report();
        assert!(report.ends_with(text), "{report}");
        assert!(!format!("{report} {error:?}").contains("s3cret"), "{report}");
    }
    assert!(matches!(
        Boundary::none().judge("GET", "/v2/datasets/d1"),
        Err(Refused::NotAllowed(Class::Datasets, Access::Read))
    ));
    assert_eq!(format!("{:?}", Boundary::all()), "Boundary::all()");
    let some = Boundary::none().allow(Class::Runs, Access::Read);
    assert_eq!(format!("{some:?}"), "Boundary {Runs: Read}");
}
