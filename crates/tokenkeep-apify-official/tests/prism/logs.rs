//! Logs, whole and piece by piece, and their redirection.

use std::sync::Arc;
use std::time::Duration;

use apify_client::clients::log::LogClient;
use apify_client::{ApifyClient, LogOptions, LogRedirect, StreamedLog, StreamedLogOptions};
use tokio::sync::Notify;

use crate::table::{Analytics, Calling, Came, Route, Row, rows};

pub(crate) fn add(rows: &mut Vec<Row>) {
    let logs: [Route<LogClient>; 5] = [
        ("by id", |client| client.log("l1"), None),
        ("of a build", |client| client.build("b1").log(), Some(Analytics::Streams)),
        ("of a run", |client| client.run("r1").log(), None),
        ("of an Actor's last run", |client| client.actor("a1").last_run(None).log(), None),
        ("of a task's last run", |client| client.task("t1").last_run(None).log(), None),
    ];
    rows!(rows, "logs", LogClient via logs;
        get() as text => Refused,
        get_with_options(download()) as text => Refused,
        get_bytes() as log => Refused,
        get_bytes_with_options(download()) as log => Refused,
        stream() as maybe_stream => Refused,
        stream_with_options(download()) as maybe_stream => Refused,
    );
    let raw: [Route<LogClient>; 5] = [
        ("raw, by id", |client| client.log("l1"), None),
        ("raw, of a build", |client| client.build("b1").log(), None),
        ("raw, of a run", |client| client.run("r1").log(), None),
        ("raw, of an Actor's last run", |client| client.actor("a1").last_run(None).log(), None),
        ("raw, of a task's last run", |client| client.task("t1").last_run(None).log(), None),
    ];
    rows!(rows, "logs", LogClient via raw;
        get_with_options(raw_log()) as text => Refused,
        get_bytes_with_options(raw_log()) as log => Refused,
        stream_with_options(raw_log()) as maybe_stream => Refused,
    );
    let redirections: [(_, Begin); 2] = [("StreamedLog::start", started), ("StreamedLog::stop", stopped)];
    rows.extend(redirections.map(|(method, call)| Row {
        group: "logs",
        method,
        route: "",
        call: Box::new(call),
        analytics: Analytics::Refused,
    }));
}

fn download() -> LogOptions {
    LogOptions { raw: None, download: Some(true) }
}

fn raw_log() -> LogOptions {
    LogOptions { raw: Some(true), download: None }
}

type Begin = fn(&ApifyClient) -> Calling;

/// As long as a line is waited for that never comes, since the log was refused.
const NO_LINE: Duration = Duration::from_secs(1);

/// Not async, and yet it makes a call, in a task of its own. What came of it is told by `stop`.
fn started(client: &ApifyClient) -> Calling {
    let run = client.run("r1");
    Box::pin(async move {
        let line = Arc::new(Notify::new());
        let seen = Arc::clone(&line);
        let mut log = redirect(&run, move |_: &str| seen.notify_one()).await?;
        log.start()?;
        let _ = tokio::time::timeout(NO_LINE, line.notified()).await;
        log.stop().await?;
        Ok(Came::Handle)
    })
}

/// Stopped at once, so that the log is asked for in one piece.
fn stopped(client: &ApifyClient) -> Calling {
    let run = client.run("r1");
    Box::pin(async move {
        let mut log = redirect(&run, |_: &str| {}).await?;
        log.start()?;
        log.stop().await?;
        Ok(Came::Handle)
    })
}

async fn redirect(
    run: &apify_client::clients::run::RunClient,
    sink: impl Fn(&str) + Send + Sync + 'static,
) -> apify_client::ApifyClientResult<StreamedLog> {
    let options = StreamedLogOptions { to_log: LogRedirect::to_sink(sink), from_start: true };
    Ok(run.get_streamed_log(options).await?.expect("a redirection"))
}
