//! How this process gets in at the service, and stays in.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde::de::IgnoredAny;
use tokenkeep_core::{ApiToken, Credential, Origin};
use tokenkeep_https::Method;

use crate::OpenBaoFailure;
use crate::app_role::AppRole;
use crate::client::Client;

/// After a renewal that failed, how long the next one waits while the token still holds.
const PAUSE: Duration = Duration::from_secs(5);
/// How long a token that the service just said it knows is taken to be known.
const KNOWN: Duration = Duration::from_secs(1);

pub(crate) enum Way {
    Token(Mutex<Arc<ApiToken>>),
    AppRole(AppRole),
}

/// A token and its lease.
pub(crate) struct Session {
    credential: Credential,
    token: Arc<ApiToken>,
    /// Counted from before it was asked for. `None`: it never ends.
    lease: Option<Lease>,
}

struct Lease {
    since: Instant,
    length: Duration,
    renewable: bool,
}

impl Session {
    /// With a token that is not renewed.
    pub(crate) fn lasting(origin: &Origin, token: Arc<ApiToken>) -> Arc<Self> {
        Self::new(origin, token, None)
    }

    fn new(origin: &Origin, token: Arc<ApiToken>, lease: Option<Lease>) -> Arc<Self> {
        Arc::new(Self { credential: Credential::fixed(origin.clone(), Arc::clone(&token)), token, lease })
    }

    pub(crate) fn credential(&self) -> &Credential {
        &self.credential
    }

    /// Two thirds of the lease are over.
    fn is_due(&self) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.since.elapsed() >= lease.length * 2 / 3)
    }

    fn is_over(&self) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.since.elapsed() >= lease.length)
    }
}

/// Gives the token of the day. A renewal is made by the call that finds it due, one at a time; others go on with the token that still
/// holds. A call that is dropped while it renews leaves the renewal to the next.
pub(crate) struct Login {
    way: Way,
    current: RwLock<Option<Arc<Session>>>,
    turn: tokio::sync::Mutex<Turn>,
}

#[derive(Default)]
struct Turn {
    renew_not_before: Option<Instant>,
    /// A token that the service just said it knows, and when.
    known: Option<(Arc<Session>, Instant)>,
}

#[derive(Deserialize)]
struct LoggedIn<'a> {
    #[serde(borrow)]
    auth: Auth<'a>,
}

#[derive(Deserialize)]
struct Auth<'a> {
    client_token: &'a str,
    /// In seconds; 0 never ends.
    lease_duration: u64,
    renewable: bool,
}

#[derive(Deserialize)]
struct Looked {
    /// In seconds.
    ttl: u64,
    /// `null` for a token that never expires.
    expire_time: Option<IgnoredAny>,
    #[serde(default)]
    renewable: bool,
}

impl Login {
    pub(crate) fn new(way: Way) -> Self {
        Self { way, current: RwLock::default(), turn: tokio::sync::Mutex::default() }
    }

    /// From now on this token; `false` where tokens are not given by hand.
    pub(crate) fn set_token(&self, token: ApiToken) -> bool {
        let Way::Token(given) = &self.way else { return false };
        *given.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(token);
        self.put(None);
        true
    }

    pub(crate) fn app_role(&self) -> Option<&AppRole> {
        match &self.way {
            Way::AppRole(role) => Some(role),
            Way::Token(_) => None,
        }
    }

    pub(crate) fn put_secret_id(&mut self, secret_id: ApiToken) {
        if let Way::AppRole(role) = &mut self.way {
            role.put_secret_id(secret_id);
        }
    }

    pub(crate) async fn session(&self, client: &Client) -> Result<Arc<Session>, OpenBaoFailure> {
        match self.current() {
            Some(session) if !session.is_due() => Ok(session),
            Some(session) if !session.is_over() => {
                let Ok(mut turn) = self.turn.try_lock() else { return Ok(session) };
                self.renewed(client, session, &mut turn).await
            }
            _ => {
                let _turn = self.turn.lock().await;
                match self.current() {
                    Some(session) if !session.is_over() => Ok(session),
                    _ => self.enter(client).await,
                }
            }
        }
    }

    /// The service refused a call with this token: finds out whether it refuses the token or the call.
    ///
    /// # Errors
    /// `Forbidden` when it knows the token; as [`session`](Self::session) when it does not and no other is to be had.
    pub(crate) async fn after_refusal(
        &self,
        client: &Client,
        refused: &Arc<Session>,
    ) -> Result<Arc<Session>, OpenBaoFailure> {
        let mut turn = self.turn.lock().await;
        match self.current() {
            Some(session) if Arc::ptr_eq(&session, refused) => {}
            // Somebody else found out meanwhile.
            Some(session) => return Ok(session),
            None => return self.enter(client).await,
        }
        if turn.known.as_ref().is_some_and(|(of, at)| Arc::ptr_eq(of, refused) && at.elapsed() < KNOWN) {
            return Err(OpenBaoFailure::Forbidden);
        }
        match client.send(&Method::GET, LOOKUP, None, Some(refused)).await {
            Ok(reply) if reply.is_done() => {
                turn.known = Some((Arc::clone(refused), Instant::now()));
                Err(OpenBaoFailure::Forbidden)
            }
            Ok(_) => Err(OpenBaoFailure::Garbage),
            Err(OpenBaoFailure::Forbidden) => {
                self.put(None);
                self.enter(client).await
            }
            Err(failure) => Err(failure),
        }
    }

    async fn renewed(
        &self,
        client: &Client,
        held: Arc<Session>,
        turn: &mut Turn,
    ) -> Result<Arc<Session>, OpenBaoFailure> {
        if let Some(session) = self.current().filter(|session| !session.is_due()) {
            return Ok(session);
        }
        if turn.renew_not_before.is_some_and(|time| Instant::now() < time) {
            return Ok(held);
        }
        let renewed = match &held.lease {
            Some(lease) if lease.renewable => self.renew(client, &held, lease.length).await,
            _ if matches!(self.way, Way::AppRole(_)) => self.enter(client).await,
            _ => return Ok(held),
        };
        match renewed {
            Ok(session) => Ok(session),
            // It still holds, so that the cause may pass meanwhile.
            Err(_) => {
                turn.renew_not_before = Some(Instant::now() + PAUSE);
                Ok(held)
            }
        }
    }

    async fn renew(
        &self,
        client: &Client,
        held: &Arc<Session>,
        before: Duration,
    ) -> Result<Arc<Session>, OpenBaoFailure> {
        let since = Instant::now();
        let sent = client.send(&Method::POST, RENEW, None, Some(held)).await;
        match sent {
            Ok(reply) if reply.is_done() => {
                let answer: LoggedIn<'_> =
                    serde_json::from_slice(reply.body()).map_err(|_| OpenBaoFailure::Garbage)?;
                let length = Duration::from_secs(answer.auth.lease_duration);
                // Near its greatest age the service gives shorter and shorter leases: the next one is to be a new token.
                let renewable = answer.auth.renewable && length * 2 > before;
                let lease = (!length.is_zero()).then_some(Lease { since, length, renewable });
                Ok(self.put_new(client, Arc::clone(&held.token), lease))
            }
            // It can't be renewed; there may be another way in.
            Ok(_) | Err(OpenBaoFailure::Forbidden) => self.enter(client).await,
            Err(failure) => Err(failure),
        }
    }

    /// Gets in from outside.
    async fn enter(&self, client: &Client) -> Result<Arc<Session>, OpenBaoFailure> {
        let since = Instant::now();
        match &self.way {
            Way::Token(given) => {
                let token = Arc::clone(&given.lock().unwrap_or_else(PoisonError::into_inner));
                let session = Session::new(&client.transport().spec().origin, Arc::clone(&token), None);
                let looked: Looked = match client.send(&Method::GET, LOOKUP, None, Some(&session)).await {
                    Ok(reply) if reply.is_done() => reply.data()?,
                    Ok(_) => return Err(OpenBaoFailure::Garbage),
                    Err(OpenBaoFailure::Forbidden) => return Err(OpenBaoFailure::TokenExpired),
                    Err(failure) => return Err(failure),
                };
                let length = Duration::from_secs(looked.ttl);
                let lease = Lease { since, length, renewable: looked.renewable };
                let lease = looked.expire_time.map(|_| lease);
                Ok(self.put_new(client, token, lease))
            }
            Way::AppRole(role) => {
                let reply = role.log_in(client).await?;
                let answer: LoggedIn<'_> =
                    serde_json::from_slice(reply.body()).map_err(|_| OpenBaoFailure::Garbage)?;
                let token = ApiToken::new(answer.auth.client_token.to_owned())
                    .map_err(|_| OpenBaoFailure::Garbage)?;
                let length = Duration::from_secs(answer.auth.lease_duration);
                let renewable = answer.auth.renewable;
                let lease = (!length.is_zero()).then_some(Lease { since, length, renewable });
                Ok(self.put_new(client, Arc::new(token), lease))
            }
        }
    }

    fn put_new(&self, client: &Client, token: Arc<ApiToken>, lease: Option<Lease>) -> Arc<Session> {
        let session = Session::new(&client.transport().spec().origin, token, lease);
        self.put(Some(Arc::clone(&session)));
        session
    }

    fn current(&self) -> Option<Arc<Session>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put(&self, session: Option<Arc<Session>>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = session;
    }
}

const LOOKUP: &[&str] = &["auth", "token", "lookup-self"];
const RENEW: &[&str] = &["auth", "token", "renew-self"];
