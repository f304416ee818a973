//! Which request gets which answer.

use crate::access::Scope;
use crate::accounts::{Account, RunFilter};
use crate::answers::{self, Body, Page};
use crate::query::{canonical_time, decode, pairs};
use crate::recorded::RecordedRequest;
use crate::state::State;
use hyper::{Response, StatusCode};

/// The greatest page, and the one given when none is asked for.
const GREATEST_LIMIT: usize = 1000;

/// An operation that the stand-in knows.
enum Operation {
    UsersMe,
    Actors,
    Runs,
    RunsOf(String),
}

/// The answer to a request, by what it asks and by its token.
pub(crate) fn answer(state: &State, request: &RecordedRequest) -> Response<Body> {
    let query = pairs(request.target.split_once('?').map_or("", |(_, query)| query));
    let Some(operation) = Operation::of(request.path()) else {
        return answers::error(
            StatusCode::NOT_FOUND,
            "page-not-found",
            "There is no API endpoint at this URL (this is a stand-in, which knows only a few).",
        );
    };
    // Apify lets `?method=` override the method on every endpoint.
    let method = value(&query, "method").unwrap_or(&request.method);
    if method != "GET" {
        return answers::error(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "This API end-point can only be accessed using the following HTTP methods: GET",
        );
    }
    let Some(token) = request.bearer() else {
        return answers::error(
            StatusCode::UNAUTHORIZED,
            "token-not-provided",
            "Authentication token was not provided.",
        );
    };
    let Some((account, scope)) = state.holder(token) else {
        return answers::error(
            StatusCode::UNAUTHORIZED,
            "user-or-token-not-found",
            "User was not found or authentication token is not valid.",
        );
    };
    if scope == Scope::UnderScoped && !matches!(operation, Operation::UsersMe) {
        return answers::error(
            StatusCode::FORBIDDEN,
            "insufficient-permissions",
            "Insufficient permissions for the requested resource.",
        );
    }
    operation.perform(account, &query).unwrap_or_else(|refusal| *refusal)
}

impl Operation {
    fn of(path: &str) -> Option<Self> {
        let segments: Vec<String> = path.split('/').map(decode).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match segments[..] {
            ["", "v2", "users", "me"] => Some(Self::UsersMe),
            ["", "v2", "acts" | "actors"] => Some(Self::Actors),
            ["", "v2", "actor-runs"] => Some(Self::Runs),
            ["", "v2", "acts" | "actors", actor, "runs"] => Some(Self::RunsOf(actor.to_owned())),
            _ => None,
        }
    }

    fn perform(
        &self,
        account: &Account,
        query: &[(String, String)],
    ) -> Result<Response<Body>, Box<Response<Body>>> {
        let actor_id = match self {
            Self::UsersMe => return Ok(answers::ok(&answers::private_user_data(account))),
            Self::Actors => return actors(account, query),
            Self::Runs => None,
            Self::RunsOf(actor) => match account.actor(actor) {
                Some(actor) => Some(actor.id.clone()),
                None => {
                    let message = "Actor was not found";
                    return Err(Box::new(answers::error(StatusCode::NOT_FOUND, "record-not-found", message)));
                }
            },
        };
        let page = page(query)?;
        let statuses = value(query, "status").map(|list| list.split(',').map(str::to_owned).collect());
        let filter = RunFilter {
            actor_id,
            statuses: statuses.unwrap_or_default(),
            started_after: time(query, "startedAfter")?,
            started_before: time(query, "startedBefore")?,
        };
        let runs = account.runs(&filter).into_iter().map(|stored| answers::run(account, stored)).collect();
        Ok(answers::ok(&answers::list(runs, &page)))
    }
}

fn actors(account: &Account, query: &[(String, String)]) -> Result<Response<Body>, Box<Response<Body>>> {
    let page = page(query)?;
    let mine = flag(query, "my");
    let mut actors: Vec<_> =
        account.actors.iter().filter(|actor| !mine || actor.foreign_owner.is_none()).collect();
    match value(query, "sortBy") {
        None | Some("createdAt") => actors.sort_by_key(|actor| actor.created_at),
        Some("stats.lastRunStartedAt") => actors.sort_by_key(|actor| account.last_run_of(actor)),
        Some(_) => return Err(invalid("sortBy")),
    }
    let actors = actors.into_iter().map(|actor| answers::actor(account, actor)).collect();
    Ok(answers::ok(&answers::list(actors, &page)))
}

fn page(query: &[(String, String)]) -> Result<Page, Box<Response<Body>>> {
    let number = |name: &'static str| match value(query, name) {
        None => Ok(None),
        Some(text) => text.parse::<usize>().map(Some).map_err(|_| invalid(name)),
    };
    let limit = number("limit")?.filter(|limit| *limit > 0).unwrap_or(GREATEST_LIMIT);
    Ok(Page {
        offset: number("offset")?.unwrap_or(0),
        limit: limit.min(GREATEST_LIMIT),
        desc: flag(query, "desc"),
    })
}

fn time(query: &[(String, String)], name: &'static str) -> Result<Option<String>, Box<Response<Body>>> {
    match value(query, name) {
        None => Ok(None),
        Some(text) => canonical_time(text).map(Some).ok_or_else(|| invalid(name)),
    }
}

fn invalid(name: &str) -> Box<Response<Body>> {
    let message = format!("The value of the query parameter {name} is not valid.");
    Box::new(answers::error(StatusCode::BAD_REQUEST, "invalid-value", &message))
}

fn value<'q>(query: &'q [(String, String)], name: &str) -> Option<&'q str> {
    query.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
}

fn flag(query: &[(String, String)], name: &str) -> bool {
    matches!(value(query, name), Some("1" | "true"))
}
