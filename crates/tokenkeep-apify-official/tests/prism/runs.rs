//! Runs.

use apify_client::clients::run::RunClient;
use apify_client::clients::run_collection::RunCollectionClient;
use apify_client::{
    LastRunOptions, LogRedirect, RunChargeOptions, RunListOptions, RunMetamorphOptions, RunResurrectOptions,
    StreamedLogOptions,
};
use serde_json::{Value, json};

use crate::table::{Route, Row, rows};

pub(crate) fn add(rows: &mut Vec<Row>) {
    let runs: [Route<RunCollectionClient>; 3] = [
        ("of the account", |client| client.runs(), None),
        ("of an Actor", |client| client.actor("a1").runs(), None),
        ("of a task", |client| client.task("t1").runs(), None),
    ];
    rows!(rows, "runs", RunCollectionClient via runs;
        list(Default::default(), RunListOptions { status: vec!["SUCCEEDED".into()], ..RunListOptions::default() })
            as json => Projected,
    );
    let run: [Route<RunClient>; 3] = [
        ("by id", |client| client.run("r1"), None),
        ("an Actor's last", |client| client.actor("a1").last_run(Some("SUCCEEDED")), None),
        ("a task's last", |client| client.task("t1").last_run_with_options(last()), None),
    ];
    rows!(rows, "runs", RunClient via run;
        get() as json => Projected,
        update(&json!({ "statusMessage": "half way" })) as json => Refused,
        delete() as json => Refused,
        abort(Some(true)) as json => Refused,
        metamorph("jane-doe/other", Some(&json!({ "a": 1 })), metamorph()) as json => Refused,
        metamorph_raw("a2", b"a,b", RunMetamorphOptions { content_type: Some("text/csv".into()), ..metamorph() })
            as json => Refused,
        reboot() as json => Refused,
        resurrect(resurrect()) as json => Refused,
        charge(RunChargeOptions { event_name: "page".into(), ..RunChargeOptions::default() }) as json => Refused,
        wait_for_finish(Some(0)) as json => Projected,
        get_streamed_log(StreamedLogOptions { to_log: LogRedirect::Default, from_start: true })
            as redirection => Projected,
    );
    let bare: [Route<RunClient>; 1] = [("without input", |client| client.run("r1"), None)];
    rows!(rows, "runs", RunClient via bare;
        metamorph("a2", None::<&Value>, metamorph()) as json => Refused,
        metamorph_raw("a2", b"", metamorph()) as json => Refused,
    );
}

/// With both options that its clients hand on to what is asked of them.
pub(crate) fn last() -> LastRunOptions {
    LastRunOptions { status: Some("SUCCEEDED".into()), origin: Some("API".into()) }
}

fn metamorph() -> RunMetamorphOptions {
    RunMetamorphOptions { build: Some("0.1.2".into()), content_type: None }
}

fn resurrect() -> RunResurrectOptions {
    RunResurrectOptions {
        build: Some("0.1.2".into()),
        memory_mbytes: Some(256),
        run_timeout_secs: Some(60),
        max_items: Some(10),
        max_total_charge_usd: Some(1.5),
        restart_on_error: Some(false),
    }
}
