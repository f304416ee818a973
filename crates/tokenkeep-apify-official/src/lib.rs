//! Apify's official client, crate [`apify_client`], over tokenkeep: it holds no token, stays within a boundary, and speaks to Apify alone.
//!
//! ```no_run
//! use tokenkeep_apify::Apify;
//! use tokenkeep_apify_official::{apify_client::ApifyClientError, into_error, official_client};
//!
//! # async fn example(credential: tokenkeep_core::Credential) -> Result<(), tokenkeep_core::Error> {
//! let apify = Apify::new()?; // once per process
//! let client = official_client(&apify, credential); // a vault's: connection.credential()
//!
//! // From here on it is the official client as it is.
//! let mut runs = client.runs().iterate(Default::default(), Default::default());
//! while let Some(run) = runs.next().await.map_err(into_error)? {
//!     println!("{} {}", run.id, run.status.unwrap_or_default());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Left alone, the official client keeps the token in a plain string and shows it in its `{:?}`, takes `http://`, obeys `HTTP_PROXY`,
//! follows redirects, and takes a 404 that may mean a bad token for "there is nothing". Here its requests become calls of
//! [`ApifyClient`](tokenkeep_apify::ApifyClient): each attempt asks the credential for the token, so that a disconnect counts at once, and
//! tells it what came of it.
//!
//! # What of a request is sent
//!
//! - Its method and its URL, where that is of the origin of the [`Apify`](tokenkeep_apify::Apify) and the
//!   [`Boundary`](tokenkeep_apify::Boundary) allows it. Else it fails with `Misuse` before the credential is asked and anything is sent:
//!   another host, scheme or port, `?token=`, `?method=`, a path that can be read in two ways. A name is written `user~name` or `user/name`;
//!   one without its user is no identifier for the boundary.
//! - Of its headers Accept, Content-Type, Content-Encoding (br, deflate, gzip), Idempotency-Key and User-Agent. The rest is dropped:
//!   Authorization, Cookie, Host and Proxy-Authorization, whoever set them.
//! - Its body as it is: a boundary does not judge bodies. The official client compresses none; `request_compression` of
//!   [`official_builder`] lets it. Its copies of bodies, here and of answers, are plain vectors, which nobody wipes.
//!
//! The user agent is the official client's, with tokenkeep's name behind it; a run shows it in `meta.userAgent`. No proxy comes
//! from the environment, only from [`ApifyBuilder::proxy`](tokenkeep_apify::ApifyBuilder::proxy).
//!
//! # What of an answer comes back
//!
//! What the boundary lets through, and of the headers Content-Type and the four numbers by which the official client counts the items of a
//! dataset, where it lets the body through as it is. An answer that it projects may lack what the official client's type wants: then the
//! call fails, with `Serde`. An answer may have 8 MiB, unless [`ApifyBuilder::max_body`](tokenkeep_apify::ApifyBuilder::max_body) says
//! otherwise; logs and items that the official client streams come piece by piece, as many as there are. A stream is refused where the
//! boundary must read the answer whole.
//!
//! Apify serves large records from elsewhere, with a 302: redirects are never followed, so getting such a record fails with
//! `ProviderMisbehaved`.
//!
//! A run that `start` or `call` starts, of an Actor or a task, is told to the credential, and so on record in a vault.
//!
//! Bodies that come back are plain vectors from here on, as the official client's types are: nobody wipes them. Where that is too
//! much, tokenkeep-apify's own calls keep them in memory that wipes itself.
//!
//! # Errors
//!
//! | what happened | the official client's error |
//! | --- | --- |
//! | a 404 `record-or-token-not-found` | carries ours, of the kind `NotFoundOrTokenRefused`; never `None`, and never `false` |
//! | any other 404 that names its type | as it always was: `None` where the official client says so, else `Api` |
//! | a 404 that names none: empty, a gateway's, or not in Apify's form | carries ours, `NotFound`; never `None` |
//! | a 404 that broke off | carries ours, `ProviderUnavailable`; asked again as the `Retries` say |
//! | a 5xx answer to a `POST` | carries ours, as it may have been done ([`CallFailure::may_have_been_done`](tokenkeep_apify::CallFailure::may_have_been_done)) |
//! | any other error answer of Apify's | `Api`, with status and type; Apify's message is kept back, as it repeats what was sent |
//! | a redirect, of a large record above all | carries ours, `ProviderMisbehaved` |
//! | anything else: refused, not connected, no answer, one that can't be passed on | carries ours |
//! | what came of a failed call could not be recorded | carries ours |
//!
//! Its type has no variant for another's error, so one of ours is carried by `Serde`, whose text begins with "(De)serialization error: tokenkeep".
//! [`error_of`] finds it, and it is among the causes; [`into_error`] makes one of ours of each. A `HEAD` has no body to tell a 401,
//! 403 or 404 by: where it has one, the same is asked once more with `GET`, and the body of a success is not read.
//!
//! # Time and repeats
//!
//! Calls that fail are repeated by [`Retries`](tokenkeep_apify::Retries), with a token asked for each time: the official client's own repeats are off.
//! Who turns them on (`.max_retries(n)`) multiplies the two, but for a `POST` that may have been done.
//! A `POST` is not repeated where it may have been done; its idempotency keys change nothing about that. What the official client asks again
//! after an answer stays its own: runs that it waits for, requests that a queue did not take
//! (`batch_add_requests`, unless its options say `max_unprocessed_requests_retries: Some(0)`), a start for which there was no room. An attempt may take as long as the
//! official client says, see [`official_builder`]; where it sets no limit (`Timeout::NoTimeout`, while it waits for a run), six minutes, and
//! a stream may be silent for as long as it likes. All attempts of a call stand under
//! [`ApifyBuilder::deadline`](tokenkeep_apify::ApifyBuilder::deadline). While it waits for a run the official client lets Apify hold each answer
//! back for up to 60 s: a deadline below 70 s cuts that short, and the wait fails.
//!
//! For a stream the official client's limit is for all attempts until its status is there, and for each silence after it. Ours is a tenth
//! less, at most a second, so that the error is one of ours; what hung for so long is not asked again. This limit, and not
//! [`ApifyBuilder::idle_timeout`](tokenkeep_apify::ApifyBuilder::idle_timeout), is what a stream may be silent: `with_timeout` sets it.
//!
//! # Which of its methods work
//!
//! All that Apify's API description has, as far as the boundary goes. Each public method of the official client is called in a test against
//! a server that goes by that description, and is a row of a table that says what becomes of it under
//! [`Boundary::analytics`](tokenkeep_apify::Boundary::analytics): `tests/prism`. What the table tells that is not plain:
//!
//! - Not in the description, and so refused under every boundary: to change, delete, resurrect or charge an Actor's or a task's `last_run`; a
//!   build's log with `raw`; `record_exists` in a run's store; to create a webhook through its Actor or task; another user's usage and limits.
//! - The value of a query may have printable ASCII but `&`, `;`, `#`, `%` and `\`. Any other is refused, encoded as it may be: of `download_items`
//!   `;` and a tab as delimiters, of a search, a prefix or a list of fields letters beyond ASCII.
//! - The key of a record may have letters, digits and `-._~!'()`, which are those that Apify takes.
//! - Path and query may have 8,192 bytes in all, as they are written: many `webhooks` of a start are too long.
//! - A record that Apify answers with a redirect does not come: see above.
//! - `call` prints the run's log to this process's standard output, unless its options say `log: LogRedirect::Disabled`. A log may hold secrets.
//! - `datasets().list` and `key_value_stores().list` show what others share with the account, too, unless their options say
//!   `ownership: Some("ownedByMe".into())`. Under `analytics` they must.
//! - `batch_add_requests` never fails: what the boundary or the credential refused is among its unprocessed requests. It asks again by itself
//!   for those, see above.
//! - The links that `create_items_public_url` and the like make are signed with a key of the storage's. Under `analytics` it does not come through,
//!   and they are not: they open nothing of what the account keeps to itself.

mod backend;
mod client;
mod error;
mod headers;

pub use apify_client;
pub use backend::official_backend;
pub use client::{official_builder, official_client};
pub use error::{error_of, into_error};
