//! A web application that keeps its customers' tokens in its own PostgreSQL: `cargo run --example postgres_app`.
//!
//! It shows what an application does with tokenkeep: a customer and its connection appear in one transaction of the application's
//! own, a handler uses a token without ever holding one, Disconnect answers with a receipt, a probe asks whether the instance can
//! do its work.
//!
//! As it stands it starts a throwaway PostgreSQL and a stand-in for the Apify API, serves on loopback, sends itself a customer's
//! requests, prints them, and stops. `DATABASE_URL` names another database; then `DATA_DIR` must say where keyring and checkpoints
//! stay. With `--serve` it goes on until Ctrl-C.
//!
//! One thing a real application has that this one leaves out: it knows from the session which customer asks. Never take a tenant from
//! a path or a form, as is done here, without looking whether it is the asker's own.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that shows something")]

use std::error::Error as StdError;
use std::process::ExitCode;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};
use tokenkeep::apify::Apify;
use tokenkeep::{
    ApiToken, CheckpointFile, ConnectionId, ConnectionStatus, ErrorKind, Fault, Incarnation, KeptToken,
    LocalKeyring, Origin, PostgresStore, PurgeHook, Timestamp, Vault, async_trait,
};
use tokenkeep_testkit::{Access, ApifyStandIn, ThrowawayPostgres, fake_token};
use tokio::net::TcpListener;

/// One of each per process; all are cheap to clone.
#[derive(Clone)]
struct App {
    pool: PgPool,
    store: PostgresStore,
    vault: Vault,
    apify: Apify,
}

fn routes(app: App) -> Router {
    Router::new()
        .route("/customers", post(sign_up))
        .route("/customers/{customer}/apify", get(show).put(connect_again).delete(disconnect))
        .route("/customers/{customer}/apify/token", put(replace))
        .route("/customers/{customer}/apify/runs", get(runs))
        .route("/customers/{customer}/apify/recheck", post(recheck))
        .route("/ready", get(ready))
        .with_state(app)
}

/// No `Debug`: it would print the token. The buffer of the request's body, which axum owns, holds it too and is not wiped.
#[derive(Deserialize)]
struct SignUp {
    customer: String,
    token: String,
}

#[derive(Deserialize)]
struct NewToken {
    token: String,
}

async fn sign_up(State(app): State<App>, Json(form): Json<SignUp>) -> Result<Response, Failure> {
    let connection = app.vault.connection(&form.customer, "apify")?;
    // Asks Apify and seals, before the transaction begins: it holds no locks while the network is slow.
    let token = ApiToken::from_pasted(form.token).map_err(tokenkeep::Error::from)?;
    let prepared = connection.prepare_connect(app.apify.provider(), token).await?;

    let mut transaction = app.pool.begin().await?;
    sqlx::query("INSERT INTO customer (name) VALUES ($1)")
        .bind(&form.customer)
        .execute(&mut *transaction)
        .await?;
    let change = std::slice::from_ref(prepared.change());
    app.store.commit_in(&mut transaction, change, prepared.chain()).await?;
    transaction.commit().await?;
    let kept = prepared.committed().await?; // who else connected the same token at this moment is seen only now
    Ok((StatusCode::CREATED, Json(shown(&kept))).into_response())
}

async fn show(State(app): State<App>, Path(customer): Path<String>) -> Result<Json<Value>, Failure> {
    Ok(standing(&app.vault.connection(customer, "apify")?.status().await?))
}

/// A button beside "paused": asks Apify at once, unless that was done less than five minutes ago. The chores do so for all.
async fn recheck(State(app): State<App>, Path(customer): Path<String>) -> Result<Json<Value>, Failure> {
    let connection = app.vault.connection(customer, "apify")?;
    Ok(standing(&connection.recheck(app.apify.provider()).await?))
}

fn standing(status: &ConnectionStatus) -> Json<Value> {
    let actions: Vec<String> = status.customer_actions().iter().map(ToString::to_string).collect();
    Json(json!({
        "state": status.state.name(),
        "account": status.account.as_ref().map(|account| account.name()),
        "replace_by": status.replace_by.map(|by| by.to_string()),
        "what_to_do": actions,
    }))
}

/// For a customer who disconnected.
async fn connect_again(
    State(app): State<App>,
    Path(customer): Path<String>,
    Json(form): Json<NewToken>,
) -> Result<Json<Value>, Failure> {
    let connection = app.vault.connection(customer, "apify")?;
    let token = ApiToken::from_pasted(form.token).map_err(tokenkeep::Error::from)?;
    Ok(Json(shown(&connection.connect(app.apify.provider(), token).await?)))
}

async fn replace(
    State(app): State<App>,
    Path(customer): Path<String>,
    Json(form): Json<NewToken>,
) -> Result<Json<Value>, Failure> {
    let connection = app.vault.connection(customer, "apify")?;
    let token = ApiToken::from_pasted(form.token).map_err(tokenkeep::Error::from)?;
    Ok(Json(shown(&connection.replace(app.apify.provider(), token).await?)))
}

async fn runs(State(app): State<App>, Path(customer): Path<String>) -> Result<Json<Value>, Failure> {
    let connection = app.vault.connection(customer, "apify")?;
    // The client asks the vault for the token when it sends, and the vault puts that on record.
    let page = app.apify.with(connection.credential()).runs().list().newest_first().limit(3).await?;
    let runs = page.items.iter().map(|run| json!({ "id": run.id, "status": run.status.as_str() }));
    Ok(Json(json!({ "total": page.total, "newest": runs.collect::<Vec<_>>() })))
}

async fn disconnect(State(app): State<App>, Path(customer): Path<String>) -> Result<String, Failure> {
    let connection = app.vault.connection(customer, "apify")?;
    // In a task of its own: a customer who closes the window drops this handler, and the hooks would have to wait.
    let receipt = tokio::spawn(async move { connection.disconnect().await }).await;
    Ok(receipt.map_err(|_| Failure::Panicked)??.to_string())
}

/// Anybody may ask, so the reason goes to the log alone.
async fn ready(State(app): State<App>) -> StatusCode {
    let readiness = app.vault.check().await;
    if readiness.is_ready() {
        return StatusCode::OK;
    }
    eprintln!("   (log) not ready: {readiness}");
    StatusCode::SERVICE_UNAVAILABLE
}

fn shown(kept: &KeptToken) -> Value {
    let actions: Vec<String> = kept.customer_actions().iter().map(ToString::to_string).collect();
    json!({ "account": kept.account.name(), "what_to_do": actions })
}

/// Why a request failed.
enum Failure {
    Vault(tokenkeep::Error),
    Database(sqlx::Error),
    Panicked,
}

impl From<tokenkeep::Error> for Failure {
    fn from(error: tokenkeep::Error) -> Self {
        Self::Vault(error)
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl IntoResponse for Failure {
    /// The customer is told what the customer can mend. The rest is the operator's, and goes to the log.
    fn into_response(self) -> Response {
        let error = match self {
            Self::Vault(error) => error,
            Self::Database(error) if error.as_database_error().is_some_and(|e| e.is_unique_violation()) => {
                return (StatusCode::CONFLICT, "There is such a customer.").into_response();
            }
            Self::Database(_) => {
                eprintln!("   (log) the application's own database failed");
                return StatusCode::INTERNAL_SERVER_ERROR.into_response();
            }
            Self::Panicked => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        };
        let status = match (error.fault(), error.kind()) {
            (Fault::Customer, _) => StatusCode::UNPROCESSABLE_ENTITY,
            (Fault::Caller, ErrorKind::InvalidName) => StatusCode::BAD_REQUEST,
            (Fault::Caller, _) => StatusCode::CONFLICT,
            (Fault::Provider, _) => StatusCode::BAD_GATEWAY,
            _ if error.is_retryable() => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        match error.customer_action() {
            Some(action) => (status, action.to_string()).into_response(),
            None => {
                eprintln!("   (log) {}", error.report());
                status.into_response()
            }
        }
    }
}

type Result<T, E = Box<dyn StdError>> = std::result::Result<T, E>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\npostgres_app: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let serve = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--serve") => true,
        Some(_) => return Err("usage: postgres_app [--serve]".into()),
    };
    let temporary = tempfile::tempdir()?;
    let data = std::env::var_os("DATA_DIR").map_or_else(|| temporary.path().to_owned(), Into::into);
    let (options, _throwaway) = database()?;
    let pool = PgPoolOptions::new().max_connections(10).connect_with(options).await?;
    let tls = sqlx::query_scalar("SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl");
    let tls: Option<String> = tls.fetch_optional(&pool).await?;
    println!("Database: over {}", tls.as_deref().unwrap_or("a connection without TLS"));
    sqlx::query("CREATE TABLE IF NOT EXISTS customer (name text PRIMARY KEY)").execute(&pool).await?;
    let store = PostgresStore::open(pool.clone()).await?;

    // Keys and checkpoints lie apart from the database: another host would be better still.
    let keys = LocalKeyring::open_or_create(data.join("keys/keyring"))?;
    let sink = CheckpointFile::open_or_create(data.join("sink/checkpoints")).await?;
    let vault = Vault::options()
        .checkpoints(sink)
        .on_disconnect("cached runs", Cache)
        .open(store.clone(), keys)
        .await?;
    let checkpoints = tokio::spawn(vault.checkpoint_every(Duration::from_secs(5)));

    let stand_in = ApifyStandIn::start().await?;
    let origin = Origin::parse(&stand_in.origin())?;
    let apify = Apify::builder().origin(origin).extra_root_der(&stand_in.ca_der()).build()?;
    let chores = tokio::spawn(chores(vault.clone(), apify.clone()));

    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let here = format!("http://{}", listener.local_addr()?);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let app = App { pool: pool.clone(), store, vault: vault.clone(), apify };
    let server = axum::serve(listener, routes(app)).with_graceful_shutdown(async {
        let _ = stopped.await;
    });
    let server = tokio::spawn(async move { server.await });

    if serve {
        let token = fake_token();
        stand_in.grant(&token, Access::full("FakeUser17", "jane-doe"));
        println!("Serving at {here} until Ctrl-C. Try:\n");
        println!("  curl {here}/customers --json '{{\"customer\":\"jane\",\"token\":\"{token}\"}}'");
        println!("  curl {here}/customers/jane/apify/runs");
        println!("  curl -X DELETE {here}/customers/jane/apify");
        tokio::signal::ctrl_c().await?;
    } else {
        a_customers_day(&here, &stand_in, &vault).await?;
    }

    // In this order: no request is cut off, every use is on record, and the last checkpoint has all of it.
    let _ = stop.send(());
    server.await??;
    checkpoints.abort();
    chores.abort();
    vault.flush().await?;
    let last = vault.checkpoint().await?;
    println!("\nShut down. Checkpoint {}: {}", last.number(), vault.verify().await?);
    pool.close().await;
    Ok(())
}

/// At start and each minute: what a crash or a failing hook left of disconnects, what Apify refuses, and the counts of uses.
async fn chores(vault: Vault, apify: Apify) {
    let mut minutes = tokio::time::interval(Duration::from_secs(60));
    loop {
        minutes.tick().await;
        let done = async {
            for finished in vault.finish_disconnects().await? {
                if let Err(error) = finished.receipt {
                    eprintln!("   (log) a disconnect can't be finished: {}", error.report());
                }
            }
            let rechecked = vault.recheck_paused(apify.provider()).finish().await?;
            if let Some(why) = rechecked.stopped {
                eprintln!("   (log) not all paused connections were asked about: {why}");
            }
            vault.flush().await
        };
        if let Err(error) = done.await {
            eprintln!("   (log) {}", error.report());
        }
    }
}

/// The database that `DATABASE_URL` names, or a throwaway one, which is reached as one on another host should be: over
/// TLS, with its certificate and its name verified.
fn database() -> Result<(PgConnectOptions, Option<ThrowawayPostgres>)> {
    if let Ok(url) = std::env::var("DATABASE_URL") {
        if std::env::var_os("DATA_DIR").is_none() {
            return Err("DATABASE_URL wants DATA_DIR too: the keyring must outlive this program, as the database does".into());
        }
        return Ok((url.parse()?, None)); // ends with ?sslmode=verify-full&sslrootcert=…
    }
    let server = ThrowawayPostgres::builder().tls(true).start()?;
    let options = server.url("postgres").parse::<PgConnectOptions>()?.host("localhost");
    let ca = server.ca_pem().ok_or("the server has no certificate")?.as_bytes().to_vec();
    Ok((options.ssl_mode(PgSslMode::VerifyFull).ssl_root_cert_from_pem(ca), Some(server)))
}

/// What the application keeps of a customer's data, and clears when the customer disconnects.
struct Cache;

#[async_trait]
impl PurgeHook for Cache {
    async fn purge(
        &self,
        connection: &ConnectionId,
        _former: Incarnation,
    ) -> Result<(), Box<dyn StdError + Send + Sync>> {
        println!("   (cache) cleared for {connection}");
        Ok(())
    }
}

async fn a_customers_day(here: &str, stand_in: &ApifyStandIn, vault: &Vault) -> Result<()> {
    let [first, second] = [fake_token(), fake_token()];
    stand_in.grant(&first, Access::full("FakeUser17", "jane-doe"));
    stand_in.grant(&second, Access::full("FakeUser17", "jane-doe"));
    let jane = format!("jane-{}", Timestamp::now().as_millis());
    let apify = format!("/customers/{jane}/apify");
    let client = Client { here, http: HttpClient::builder(TokioExecutor::new()).build_http() };

    client.ask("GET", "/ready", None, 200).await?;
    println!("\nA token that Apify refuses: neither the customer nor the connection is there afterwards");
    let wrong = json!({ "customer": jane, "token": fake_token() });
    client.ask("POST", "/customers", Some(wrong), 422).await?;
    println!("\nThe right one: both are there, or neither");
    let right = json!({ "customer": jane, "token": first });
    client.ask("POST", "/customers", Some(right.clone()), 201).await?;
    client.ask("POST", "/customers", Some(right), 409).await?;
    client.ask("GET", &apify, None, 200).await?;
    println!("\nIt is used, and replaced");
    client.ask("GET", &format!("{apify}/runs"), None, 200).await?;
    client.ask("PUT", &format!("{apify}/token"), Some(json!({ "token": second })), 200).await?;
    println!(
        "\nThe customer deletes the token at Apify: it is refused once, and then not sent any more but to ask about it"
    );
    stand_in.revoke(&second);
    client.ask("GET", &format!("{apify}/runs"), None, 422).await?;
    client.ask("GET", &format!("{apify}/runs"), None, 422).await?;
    client.ask("POST", &format!("{apify}/recheck"), None, 200).await?;
    println!("\nDisconnect");
    client.ask("DELETE", &apify, None, 200).await?;
    client.ask("GET", &format!("{apify}/runs"), None, 409).await?;
    client.ask("PUT", &apify, Some(json!({ "token": first })), 200).await?;

    println!("\nAll of it is on record:");
    vault.flush().await?;
    for entry in vault.audit().of_tenant(&jane, 0, 20).await? {
        println!("   {}  {}", entry.draft.at, entry.draft.action.name());
    }
    Ok(())
}

/// The customer's browser.
struct Client<'a> {
    here: &'a str,
    http: HttpClient<HttpConnector, Full<Bytes>>,
}

impl Client<'_> {
    /// Prints what was asked and answered, and fails where another status was expected. Never prints what was sent.
    async fn ask(&self, method: &str, path: &str, body: Option<Value>, expected: u16) -> Result<()> {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.here));
        let body = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
        let request = request.header(CONTENT_TYPE, "application/json").body(Full::from(body))?;
        let answer = self.http.request(request).await?;
        let status = answer.status().as_u16();
        println!("   {method} {path}: {status}");
        let text = answer.into_body().collect().await?.to_bytes();
        for line in String::from_utf8_lossy(&text).lines() {
            println!("      {line}");
        }
        if status == expected { Ok(()) } else { Err(format!("{expected} was expected").into()) }
    }
}
