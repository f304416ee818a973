//! Every call under the smallest boundary that allows it, under smaller ones, and under those that have a name.

use std::collections::BTreeSet;

use tokenkeep_apify::{Access, ApifyClient, Boundary, Class, Refused};
use tokenkeep_core::ErrorKind;

use crate::calls::{CASES, Case};
use crate::scene::Scene;

/// The operations that were asked for, as the description has them.
pub(crate) fn operations<'a>(
    requests: impl Iterator<Item = (&'a str, &'a str)>,
) -> BTreeSet<(&'a str, &'a str)> {
    let judged = requests.map(|(method, target)| Boundary::all().judge(method, target).unwrap());
    judged.map(|admitted| (admitted.method(), admitted.path())).collect()
}

pub(crate) fn allowing(needs: &[(Class, Access)]) -> Boundary {
    needs.iter().fold(Boundary::none(), |boundary, &(class, access)| boundary.allow(class, access))
}

pub(crate) fn allows(boundary: Boundary, case: &Case) -> bool {
    case.needs.iter().all(|&(class, access)| boundary.access(class).is_some_and(|allowed| allowed >= access))
}

#[tokio::test]
async fn each_call_works_under_the_smallest_boundary_and_under_all() {
    for case in CASES {
        for boundary in [allowing(case.needs), Boundary::all()] {
            let scene = Scene::furnished().await;
            if let Err(error) = case.call(scene.client(boundary)).await {
                panic!("{}: {error:?} under {boundary:?}", case.name);
            }
            assert!(!scene.stand_in.requests().is_empty(), "{}", case.name);
        }
    }
}

#[tokio::test]
async fn each_call_is_refused_under_less_and_nothing_is_sent() {
    let scene = Scene::furnished().await;
    for case in CASES {
        for left_out in case.needs {
            let rest = case.needs.iter().copied().filter(|need| need != left_out);
            let less = allowing(&rest.collect::<Vec<_>>());
            let (class, access) = *left_out;
            let mut smaller = vec![less];
            if access == Access::ReadAndWrite {
                smaller.push(less.allow(class, Access::Read));
            }
            for boundary in smaller {
                let error = case.call(scene.client(boundary)).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Misuse, "{} under {boundary:?}", case.name);
                let mut causes =
                    std::iter::successors(std::error::Error::source(&error), |error| error.source());
                let refused = causes.find_map(|cause| cause.downcast_ref::<Refused>());
                assert_eq!(refused, Some(&Refused::NotAllowed(class, access)), "{}", case.name);
            }
        }
    }
    assert!(scene.stand_in.requests().is_empty());
}

#[tokio::test]
async fn under_analytics_each_call_is_answered_or_refused() {
    let mut answered = 0;
    for case in CASES {
        let scene = Scene::furnished().await;
        let result = case.call(scene.client(Boundary::analytics())).await;
        match allows(Boundary::analytics(), case) {
            true => result.unwrap_or_else(|error| panic!("{}: {error:?}", case.name)),
            false => assert_eq!(result.unwrap_err().kind(), ErrorKind::Misuse, "{}", case.name),
        }
        answered += usize::from(allows(Boundary::analytics(), case));
        assert_eq!(
            scene.stand_in.requests().is_empty(),
            !allows(Boundary::analytics(), case),
            "{}",
            case.name
        );
    }
    assert!((1..CASES.len()).contains(&answered));
}

#[tokio::test]
async fn the_table_of_calls_has_every_operation_of_the_client() {
    let scene = Scene::furnished().await;
    for case in CASES {
        // The variable that one call deletes is wanted by no later one; what an earlier one changed does not matter.
        case.call(scene.client(Boundary::all())).await.unwrap();
    }
    let requests = scene.stand_in.requests();
    let asked = operations(requests.iter().map(|sent| (sent.method.as_str(), sent.target.as_str())));
    let known: BTreeSet<_> = ApifyClient::OPERATIONS.iter().copied().collect();
    assert_eq!(asked, known);
}

/// The table on the crate's page names each call, with what it needs.
#[test]
fn the_page_of_the_crate_tells_what_each_call_needs() {
    let page = include_str!("../../src/lib.rs");
    let rows: Vec<&str> = page
        .lines()
        .skip_while(|line| !line.contains("| call of a client |"))
        .skip(2)
        .take_while(|line| line.starts_with("//! |"))
        .collect();
    for case in CASES {
        let classes: Vec<String> =
            case.needs.iter().map(|(class, _)| format!("[`{class:?}`](Class::{class:?})")).collect();
        let needs = match case.needs.first() {
            None => "nothing".to_owned(),
            Some((_, Access::Read)) => format!("reading {}", classes.join(" and ")),
            Some((_, Access::ReadAndWrite)) => format!("writing {}", classes.join(" and ")),
        };
        let row = format!("//! | `{}` | {needs} |", case.name);
        assert!(rows.contains(&row.as_str()), "the table lacks {row}");
    }
    assert_eq!(rows.len(), CASES.len());
}

/// What the stand-in's answers hold of secrets reaches nobody, even where everything else does.
#[tokio::test]
async fn what_has_no_field_here_is_never_kept() {
    let scene = Scene::furnished().await;
    let client = scene.client(Boundary::all());
    let actor = client.actor("jane-doe~price-watch").get().await.unwrap();
    let dataset = client.dataset("FakeItems00000000").get().await.unwrap();
    let store = client.key_value_store("FakeStore00000000").get().await.unwrap();
    let keys = client.key_value_store("FakeStore00000000").keys().await.unwrap();
    let shown = format!("{actor:?} {dataset:?} {store:?} {keys:?} {:?}", client.me().await.unwrap());
    assert!(shown.contains("FakeItems00000000") && !shown.contains("FAKE"), "{shown}");
    assert!(actor.tagged_builds.unwrap()["latest"].is_some());
    let fewer = Boundary::none().allow(Class::Actors, Access::Read);
    let actor = scene.client(fewer).actor("jane-doe~price-watch").get().await.unwrap();
    assert_eq!(actor.tagged_builds, None);
}
