//! The stand-in's answers, in the form of Apify's API description.

use crate::accounts::{Account, Actor, StoredRun};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

pub(crate) type Body = BoxBody<Bytes, Infallible>;

/// An error in Apify's form.
pub(crate) fn error(status: StatusCode, error_type: &str, message: &str) -> Response<Body> {
    let mut answer = ok(&json!({ "error": { "type": error_type, "message": message } }));
    *answer.status_mut() = status;
    answer
}

/// 200 with JSON.
pub(crate) fn ok(json: &Value) -> Response<Body> {
    whole("application/json; charset=utf-8", json.to_string())
}

/// Any status and body, as JSON; a status that is none becomes 500.
pub(crate) fn json((status, body): (u16, String)) -> Response<Body> {
    let mut answer = whole("application/json; charset=utf-8", body);
    let status = StatusCode::from_u16(status).ok().filter(|status| status.as_u16() < 600);
    *answer.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer
}

/// 200 with HTML.
pub(crate) fn html(page: &str) -> Response<Body> {
    whole("text/html; charset=utf-8", page.to_owned())
}

/// 200 with plain text.
pub(crate) fn text(text: &str) -> Response<Body> {
    whole("text/plain; charset=utf-8", text.to_owned())
}

/// 204, without a body.
pub(crate) fn no_content() -> Response<Body> {
    let mut answer = Response::new(Full::new(Bytes::new()).boxed());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer
}

fn whole(content_type: &'static str, text: String) -> Response<Body> {
    let mut answer = Response::new(Full::new(Bytes::from(text)).boxed());
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// 200 with JSON that begins well and does not close: this many bytes, or without end and without a length.
pub(crate) fn filler(length: Option<u64>) -> Response<Body> {
    let mut answer = Response::new(Filler { left: length, begun: false }.boxed());
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    answer
}

struct Filler {
    left: Option<u64>,
    begun: bool,
}

impl HttpBody for Filler {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        static FILLING: [u8; 16 * 1024] = [b'a'; 16 * 1024];
        let filler = self.get_mut();
        let mut chunk = Bytes::from_static(if filler.begun { &FILLING } else { br#"{"data":{"items":[""# });
        filler.begun = true;
        if let Some(left) = &mut filler.left {
            if *left == 0 {
                return Poll::Ready(None);
            }
            chunk.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= chunk.len() as u64;
        }
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// 200 with a line of plain text, and another one after this time.
pub(crate) fn pausing(time: Duration) -> Response<Body> {
    let mut answer = Response::new(Pausing { time, clock: None, lines: LINES.iter() }.boxed());
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}

const LINES: [&str; 2] = ["The first line.\n", "The second line.\n"];

struct Pausing {
    time: Duration,
    /// Of the pause, once it has begun.
    clock: Option<Pin<Box<Sleep>>>,
    lines: std::slice::Iter<'static, &'static str>,
}

impl HttpBody for Pausing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let pausing = self.get_mut();
        if let Some(clock) = &mut pausing.clock {
            ready!(clock.as_mut().poll(context));
        }
        pausing.clock.get_or_insert_with(|| Box::pin(sleep(pausing.time)));
        Poll::Ready(pausing.lines.next().map(|line| Ok(Frame::data(Bytes::from_static(line.as_bytes())))))
    }
}

/// The account's private data, with the fields that nobody but its owner should see: e-mail, plan, proxy password.
pub(crate) fn private_user_data(account: &Account) -> Value {
    let feature = json!({
        "isEnabled": true, "disabledReason": null, "disabledReasonType": null,
        "isTrial": false, "trialExpirationAt": null,
    });
    let features: serde_json::Map<String, Value> =
        FEATURES.map(|name| (name.to_owned(), feature.clone())).into_iter().collect();
    json!({ "data": {
        "id": account.id,
        "username": account.username,
        "profile": {
            "bio": "A made-up account of a stand-in.", "name": "Fake Person", "pictureUrl": null,
            "githubUsername": null, "websiteUrl": "https://fake-person.example/", "twitterUsername": null,
        },
        "email": "fake-person@example.com",
        "proxy": {
            "password": "FAKE-proxy-password-of-a-stand-in",
            "groups": [{ "name": "FAKE-GROUP", "description": "Made up", "availableCount": 10 }],
        },
        "plan": {
            "id": "FAKE_PLAN", "description": "A made-up plan", "isEnabled": true, "monthlyBasePriceUsd": 49,
            "monthlyUsageCreditsUsd": 49, "enabledPlatformFeatures": FEATURES, "maxMonthlyUsageUsd": 120,
            "availableProxyGroups": { "FAKE-GROUP": 10 }, "supportLevel": "FAKE_SUPPORT", "tier": "FAKE_TIER",
        },
        "effectivePlatformFeatures": features,
        "createdAt": "2025-01-02T03:04:05.000Z",
        "isPaying": true,
    }})
}

const FEATURES: [&str; 10] = [
    "ACTORS",
    "STORAGE",
    "SCHEDULER",
    "PROXY",
    "PROXY_EXTERNAL_ACCESS",
    "PROXY_RESIDENTIAL",
    "PROXY_SERPS",
    "WEBHOOKS",
    "ACTORS_PUBLIC_ALL",
    "ACTORS_PUBLIC_DEVELOPER",
];

/// An Actor as lists show it.
pub(crate) fn actor(account: &Account, actor: &Actor) -> Value {
    let runs = account.runs.iter().filter(|stored| stored.actor_id == actor.id).count();
    let mut stats = json!({ "totalBuilds": 1, "totalRuns": runs, "totalUsers": 1 });
    if let Some(time) = account.last_run_of(actor) {
        stats["lastRunStartedAt"] = json!(time);
    }
    json!({
        "id": actor.id,
        "createdAt": actor.created_at,
        "modifiedAt": actor.modified_at,
        "name": actor.name,
        "username": account.owner_of(actor),
        "title": actor.title,
        "stats": stats,
    })
}

/// A run as lists show it.
pub(crate) fn run(account: &Account, stored: &StoredRun) -> Value {
    let number = &stored.id[stored.id.len() - 8..];
    let run = &stored.run;
    let mut meta = json!({ "origin": run.origin });
    for (name, value) in [("userAgent", &run.user_agent), ("clientIp", &run.client_ip)] {
        if let Some(value) = value {
            meta[name] = json!(value);
        }
    }
    json!({
        "id": stored.id,
        "actId": stored.actor_id,
        "userId": account.id,
        "actorTaskId": null,
        "status": run.status,
        "startedAt": run.started_at,
        "finishedAt": run.finished_at,
        "buildId": format!("FakeBuild{number}"),
        "buildNumber": "0.1.2",
        "meta": meta,
        "usageTotalUsd": run.usage_total_usd,
        "defaultKeyValueStoreId": format!("FakeStore{number}"),
        "defaultDatasetId": format!("FakeItems{number}"),
        "defaultRequestQueueId": format!("FakeQueue{number}"),
    })
}

/// Which part of a list is asked for.
pub(crate) struct Page {
    pub(crate) offset: usize,
    pub(crate) limit: usize,
    pub(crate) desc: bool,
}

/// One page of a list that is given oldest first.
pub(crate) fn list(mut items: Vec<Value>, page: &Page) -> Value {
    let total = items.len();
    if page.desc {
        items.reverse();
    }
    let items: Vec<Value> = items.into_iter().skip(page.offset).take(page.limit).collect();
    json!({ "data": {
        "total": total, "offset": page.offset, "limit": page.limit, "desc": page.desc,
        "count": items.len(), "items": items,
    }})
}
