//! Which request gets which answer.

use crate::access::Scope;
use crate::accounts::{Account, RunFilter};
use crate::answers::{self, Body, Page};
use crate::env_vars;
use crate::query::{canonical_time, decode, pairs};
use crate::recorded::RecordedRequest;
use crate::resources;
use crate::state::State;
use hyper::{Response, StatusCode};

/// The greatest page, and the one given when none is asked for.
const GREATEST_LIMIT: usize = 1000;

/// An answer, or the refusal.
type Answered = Result<Response<Body>, Box<Response<Body>>>;

/// What the stand-in knows at a path, and the methods that it takes there.
enum Resource<'a> {
    UsersMe,
    Usage,
    Limits,
    Actors,
    Actor(&'a str),
    RunsOf(&'a str),
    LastRunOf(&'a str),
    BuildsOf(&'a str),
    DefaultBuildOf(&'a str),
    EnvVars(&'a str, &'a str),
    EnvVar(&'a str, &'a str, &'a str),
    Runs,
    Run(&'a str),
    Abort(&'a str),
    RunLog(&'a str),
    Builds,
    Build(&'a str),
    BuildLog(&'a str),
    Datasets,
    Dataset(&'a str),
    Stores,
    Store(&'a str),
    Keys(&'a str),
}

/// The answer to a request, by what it asks and by its token.
pub(crate) fn answer(state: &mut State, request: &RecordedRequest) -> Response<Body> {
    let query = pairs(request.target.split_once('?').map_or("", |(_, query)| query));
    let segments: Vec<String> = request.path().split('/').map(decode).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let Some(resource) = Resource::of(&segments) else {
        return answers::error(
            StatusCode::NOT_FOUND,
            "page-not-found",
            "There is no API endpoint at this URL (this is a stand-in, which knows only a few).",
        );
    };
    // Apify lets `?method=` override the method on every endpoint.
    let method = value(&query, "method").unwrap_or(&request.method);
    let methods = resource.methods();
    if !methods.contains(&method) {
        let message = format!(
            "This API end-point can only be accessed using the following HTTP methods: {}",
            methods.join(",")
        );
        return answers::error(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", &message);
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
    if scope == Scope::UnderScoped && !matches!(resource, Resource::UsersMe) {
        return answers::error(
            StatusCode::FORBIDDEN,
            "insufficient-permissions",
            "Insufficient permissions for the requested resource.",
        );
    }
    let asked = Asked { method, query: &query, body: &request.body };
    resource.perform(account, &asked).unwrap_or_else(|refusal| *refusal)
}

/// What of a request counts beside its path.
struct Asked<'a> {
    method: &'a str,
    query: &'a [(String, String)],
    body: &'a [u8],
}

impl<'a> Resource<'a> {
    fn of(segments: &[&'a str]) -> Option<Self> {
        let Some(["", "v2", rest @ ..]) = Some(segments) else { return None };
        Some(match *rest {
            ["users", "me"] => Self::UsersMe,
            ["users", "me", "usage", "monthly"] => Self::Usage,
            ["users", "me", "limits"] => Self::Limits,
            ["acts" | "actors"] => Self::Actors,
            ["acts" | "actors", actor] => Self::Actor(actor),
            ["acts" | "actors", actor, "runs"] => Self::RunsOf(actor),
            ["acts" | "actors", actor, "runs", "last"] => Self::LastRunOf(actor),
            ["acts" | "actors", actor, "builds"] => Self::BuildsOf(actor),
            ["acts" | "actors", actor, "builds", "default"] => Self::DefaultBuildOf(actor),
            ["acts" | "actors", actor, "versions", version, "env-vars"] => Self::EnvVars(actor, version),
            ["acts" | "actors", actor, "versions", version, "env-vars", name] => {
                Self::EnvVar(actor, version, name)
            }
            ["actor-runs"] => Self::Runs,
            ["actor-runs", run] => Self::Run(run),
            ["actor-runs", run, "abort"] => Self::Abort(run),
            ["actor-runs", run, "log"] => Self::RunLog(run),
            ["actor-builds"] => Self::Builds,
            ["actor-builds", build] => Self::Build(build),
            ["actor-builds", build, "log"] => Self::BuildLog(build),
            ["datasets"] => Self::Datasets,
            ["datasets", dataset] => Self::Dataset(dataset),
            ["key-value-stores"] => Self::Stores,
            ["key-value-stores", store] => Self::Store(store),
            ["key-value-stores", store, "keys"] => Self::Keys(store),
            _ => return None,
        })
    }

    fn methods(&self) -> &'static [&'static str] {
        match self {
            Self::RunsOf(_) | Self::EnvVars(..) => &["GET", "POST"],
            Self::EnvVar(..) => &["GET", "PUT", "DELETE"],
            Self::Abort(_) => &["POST"],
            _ => &["GET"],
        }
    }

    fn perform(&self, account: &mut Account, asked: &Asked<'_>) -> Answered {
        let query = asked.query;
        match *self {
            Self::UsersMe => Ok(answers::ok(&answers::private_user_data(account))),
            Self::Usage => Ok(answers::ok(&resources::usage())),
            Self::Limits => Ok(answers::ok(&resources::limits())),
            Self::Actors => actors(account, query),
            Self::Actor(actor) => Ok(answers::ok(&resources::actor(account, of_account(account, actor)?))),
            Self::RunsOf(actor) if asked.method == "POST" => start(account, actor, asked),
            Self::RunsOf(actor) => {
                let id = of_account(account, actor)?.id.clone();
                runs(account, Some(id), query)
            }
            Self::Runs => runs(account, None, query),
            Self::LastRunOf(actor) => {
                let filter = RunFilter {
                    actor_id: Some(of_account(account, actor)?.id.clone()),
                    statuses: statuses(query),
                    started_after: None,
                    started_before: None,
                };
                let run = account.runs(&filter).last().copied().ok_or_else(missing)?;
                Ok(answers::ok(&resources::run(account, run)))
            }
            Self::Run(id) => {
                let waits = value(query, "waitForFinish").is_some_and(|secs| secs != "0");
                account.run_mut(id).ok_or_else(missing)?.asked_about(waits);
                run(account, id)
            }
            Self::Abort(id) => {
                account.run_mut(id).ok_or_else(missing)?.abort(flag(query, "gracefully"));
                run(account, id)
            }
            Self::RunLog(id) => {
                account.run_mut(id).ok_or_else(missing)?;
                Ok(answers::text(&resources::log(id)))
            }
            Self::Builds => listed(resources::builds(account, None), query),
            Self::BuildsOf(actor) => {
                let id = &of_account(account, actor)?.id;
                listed(resources::builds(account, Some(id)), query)
            }
            Self::DefaultBuildOf(actor) => {
                let id = &of_account(account, actor)?.id;
                one(resources::builds(account, Some(id)).last())
            }
            Self::Build(id) => one(resources::builds(account, None).iter().find(|build| build["id"] == id)),
            Self::BuildLog(id) => {
                resources::builds(account, None)
                    .iter()
                    .find(|build| build["id"] == id)
                    .ok_or_else(missing)?;
                Ok(answers::text(&resources::log(id)))
            }
            Self::Datasets => listed(named(resources::dataset_list(account), query), query),
            Self::Dataset(id) => one(resources::datasets(account).iter().find(|dataset| dataset["id"] == id)),
            Self::Stores => listed(named(resources::stores(account), query), query),
            Self::Store(id) => one(resources::stores(account).iter().find(|store| store["id"] == id)),
            Self::Keys(id) => {
                resources::stores(account).iter().find(|store| store["id"] == id).ok_or_else(missing)?;
                let limit = number(query, "limit")?.unwrap_or(GREATEST_LIMIT).min(GREATEST_LIMIT);
                let (after, prefix) = (value(query, "exclusiveStartKey"), value(query, "prefix"));
                Ok(answers::ok(&resources::keys(limit, after, prefix)))
            }
            Self::EnvVars(actor, version) => {
                let id = of_account(account, actor)?.id.clone();
                env_vars::all(account.env_vars(&id, version), asked.method, asked.body)
            }
            Self::EnvVar(actor, version, name) => {
                let id = of_account(account, actor)?.id.clone();
                env_vars::one(account.env_vars(&id, version), asked.method, name, asked.body)
            }
        }
    }
}

fn of_account<'a>(
    account: &'a Account,
    actor: &str,
) -> Result<&'a crate::accounts::Actor, Box<Response<Body>>> {
    account.actor(actor).ok_or_else(missing)
}

/// 404 in Apify's form.
pub(crate) fn missing() -> Box<Response<Body>> {
    Box::new(answers::error(
        StatusCode::NOT_FOUND,
        "record-not-found",
        "The requested resource was not found.",
    ))
}

fn one(found: Option<&serde_json::Value>) -> Answered {
    Ok(answers::ok(&serde_json::json!({ "data": found.ok_or_else(missing)? })))
}

fn listed(items: Vec<serde_json::Value>, query: &[(String, String)]) -> Answered {
    Ok(answers::ok(&answers::list(items, &page(query)?)))
}

/// Those that have a name, or all.
fn named(items: Vec<serde_json::Value>, query: &[(String, String)]) -> Vec<serde_json::Value> {
    let all = flag(query, "unnamed");
    items.into_iter().filter(|item| all || item["name"].is_string()).collect()
}

fn start(account: &mut Account, actor: &str, asked: &Asked<'_>) -> Answered {
    let actor = of_account(account, actor)?.id.clone();
    if serde_json::from_slice::<serde_json::Value>(asked.body).is_err() {
        return Err(Box::new(answers::error(StatusCode::BAD_REQUEST, "invalid-input", "It is no JSON.")));
    }
    let id = account.start_run(&actor).ok_or_else(missing)?;
    let waits = value(asked.query, "waitForFinish").is_some_and(|secs| secs != "0");
    account.run_mut(&id).ok_or_else(missing)?.asked_about(waits);
    let mut answer = run(account, &id)?;
    *answer.status_mut() = StatusCode::CREATED;
    Ok(answer)
}

fn run(account: &Account, id: &str) -> Answered {
    let run = account.runs.iter().find(|run| run.id == id).ok_or_else(missing)?;
    Ok(answers::ok(&resources::run(account, run)))
}

fn runs(account: &Account, actor_id: Option<String>, query: &[(String, String)]) -> Answered {
    let page = page(query)?;
    let filter = RunFilter {
        actor_id,
        statuses: statuses(query),
        started_after: time(query, "startedAfter")?,
        started_before: time(query, "startedBefore")?,
    };
    let runs = account.runs(&filter).into_iter().map(|stored| answers::run(account, stored)).collect();
    Ok(answers::ok(&answers::list(runs, &page)))
}

fn statuses(query: &[(String, String)]) -> Vec<String> {
    value(query, "status").map(|list| list.split(',').map(str::to_owned).collect()).unwrap_or_default()
}

fn actors(account: &Account, query: &[(String, String)]) -> Answered {
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
    let limit = number(query, "limit")?.filter(|limit| *limit > 0).unwrap_or(GREATEST_LIMIT);
    Ok(Page {
        offset: number(query, "offset")?.unwrap_or(0),
        limit: limit.min(GREATEST_LIMIT),
        desc: flag(query, "desc"),
    })
}

fn number(query: &[(String, String)], name: &'static str) -> Result<Option<usize>, Box<Response<Body>>> {
    match value(query, name) {
        None => Ok(None),
        Some(text) => text.parse::<usize>().map(Some).map_err(|_| invalid(name)),
    }
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
