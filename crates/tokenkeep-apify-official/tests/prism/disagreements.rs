//! Where the official client and Apify's description say different things, so that Prism or the boundary refuses what the client sends,
//! or the client can't read what Prism makes of the description's example. Each is known by its reason and by how it fails, and turns a
//! test red once it does not fail so any more.

use tokenkeep_apify::Refused;

use crate::table::{Row, table};

#[derive(Debug)]
pub(crate) enum Failure {
    /// The description has no such operation or parameter, or it can be read in two ways: no boundary lets it through, and nothing is sent.
    Refused(Refused),
    /// Prism answers with this status, and says this among other things.
    Prism(u16, &'static str),
    /// Prism accepts it, and the official client gives this error.
    Client(&'static str),
}

#[derive(Debug)]
pub(crate) struct Disagreement {
    methods: &'static [&'static str],
    /// By which routes.
    routes: &'static [&'static str],
    pub(crate) why: &'static str,
    pub(crate) failure: Failure,
}

const LAST: &[&str] = &["an Actor's last", "a task's last"];
const OF_RUNS: &[&str] = &["of a run", "of an Actor's last run", "of a task's last run"];

static KNOWN: &[Disagreement] = &[
    Disagreement {
        methods: &["RunClient::update", "RunClient::delete"],
        routes: LAST,
        why: "a last run can't be changed or deleted under this name, by the description",
        failure: Failure::Refused(Refused::UnknownMethod),
    },
    Disagreement {
        methods: &["RunClient::resurrect", "RunClient::charge"],
        routes: LAST,
        why: "the description has this of runs by their ids alone",
        failure: Failure::Refused(Refused::UnknownPath),
    },
    Disagreement {
        methods: &["RunClient::metamorph", "RunClient::metamorph_raw"],
        routes: &["by id", "an Actor's last", "a task's last"],
        why: "the description knows of no input to a metamorph",
        failure: Failure::Prism(400, "No supported content types, but request included a non-empty body"),
    },
    Disagreement {
        methods: &["DatasetClient::download_items"],
        routes: &["by semicolons"],
        why: "a semicolon in a query can be read in more than one way",
        failure: Failure::Refused(Refused::Query),
    },
    Disagreement {
        methods: &["KeyValueStoreClient::record_exists"],
        routes: OF_RUNS,
        why: "the description has HEAD of a record in a store by its id alone",
        failure: Failure::Refused(Refused::UnknownMethod),
    },
    Disagreement {
        methods: &[
            "LogClient::get_with_options",
            "LogClient::get_bytes_with_options",
            "LogClient::stream_with_options",
        ],
        routes: &["raw, of a build"],
        why: "the description has no `raw` of a build's log",
        failure: Failure::Refused(Refused::UnknownQuery),
    },
    Disagreement {
        methods: &["WebhookCollectionClient::create"],
        routes: &["of an Actor", "of a task"],
        why: "the description makes a webhook in the account alone, with its Actor or task in the body",
        failure: Failure::Refused(Refused::UnknownMethod),
    },
    Disagreement {
        methods: &["UserClient::get"],
        routes: &["another"],
        why: "the description's public user has no `id`, which the client wants",
        failure: Failure::Client("missing field `id`"),
    },
    Disagreement {
        methods: &[
            "UserClient::monthly_usage",
            "UserClient::monthly_usage_for_date",
            "UserClient::limits",
            "UserClient::update_limits",
        ],
        routes: &["another"],
        why: "the description has this of `me` alone",
        failure: Failure::Refused(Refused::UnknownPath),
    },
];

pub(crate) fn of(row: &Row) -> Option<&'static Disagreement> {
    KNOWN.iter().find(|known| known.methods.contains(&row.method) && known.routes.contains(&row.route))
}

#[test]
fn each_known_one_is_of_rows_that_are_there() {
    let table = table();
    for known in KNOWN {
        for method in known.methods {
            for route in known.routes {
                let is_it = |row: &&Row| row.method == *method && row.route == *route;
                assert_eq!(table.iter().filter(is_it).count(), 1, "{method} ({route})");
            }
        }
    }
}
