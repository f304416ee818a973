//! What a login does at the service: gets in, renews, and finds out what a refusal was about.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokenkeep_core::ApiToken;
use tokenkeep_https::Method;

use crate::OpenBaoFailure;
use crate::app_role::STILL_WRAPPED;
use crate::client::Client;
use crate::login::{Current, Login, Way};
use crate::pause::Growth;
use crate::session::{Auth, Lease, Looked, Session};

/// Between logins that are refused. Five failures lock an AppRole's role id for a quarter of an hour at a service with the usual
/// settings, for every instance; the fifth of ours comes after the count has ended.
const REFUSED: Growth =
    Growth { first: Duration::from_secs(15), longest: Duration::from_secs(16 * 60), factor: 4 };
/// Between logins for tokens that may not look at themselves, where a refused call does not tell whether the token is the reason.
const BLIND: Growth = Growth { first: Duration::from_secs(5), longest: Duration::from_secs(300), factor: 4 };

const LOOKUP: &[&str] = &["auth", "token", "lookup-self"];
const RENEW: &[&str] = &["auth", "token", "renew-self"];

/// What is to be done at the service.
pub(crate) enum Step {
    Enter,
    Renew(Arc<Session>),
    /// It refused a call with this token: whether it refuses the token or the call.
    Inquire(Arc<Session>),
}

#[derive(Clone)]
pub(crate) enum Outcome {
    Session(Arc<Session>),
    /// The service knows the token.
    Known,
    /// Another token or secret id was given meanwhile.
    Overtaken,
    Failed(OpenBaoFailure),
}

impl Login {
    /// Others may have made it between the look and the flight.
    pub(crate) async fn make(&self, client: &Client, step: Step) -> Outcome {
        let given = self.state().given.clone();
        let result = match (step, self.current()) {
            (Step::Renew(held), Some(now)) if Arc::ptr_eq(&held, &now) => {
                self.renewed(client, held, given.as_ref()).await
            }
            (Step::Inquire(refused), Some(now)) if Arc::ptr_eq(&refused, &now) => {
                self.inquire(client, &refused, given.as_ref()).await
            }
            (_, Some(now)) if !now.is_over() => Ok(Outcome::Session(now)),
            _ => self.enter(client, given.as_ref()).await.map(Outcome::Session),
        };
        let overtaken = !same(self.state().given.as_ref(), given.as_ref());
        match result {
            // A token of before `set_token` is not put back, and what came of it is not this one's.
            Ok(Outcome::Session(_)) if overtaken && matches!(self.way, Way::Token) => Outcome::Overtaken,
            Ok(outcome) => outcome,
            Err(_) if overtaken => Outcome::Overtaken,
            Err(failure) => Outcome::Failed(failure),
        }
    }

    async fn inquire(
        &self,
        client: &Client,
        refused: &Arc<Session>,
        given: Option<&Arc<ApiToken>>,
    ) -> Result<Outcome, OpenBaoFailure> {
        if self.state().blind.is_on(Instant::now()) {
            return Ok(Outcome::Known);
        }
        match client.send(&Method::GET, LOOKUP, None, Some(refused)).await {
            Ok(reply) if reply.is_done() => {
                let mut state = self.state();
                if let Some(current) = state.current.as_mut().filter(|current| current.is(refused)) {
                    current.known = Some(Instant::now());
                }
                state.blind.clear();
                return Ok(Outcome::Known);
            }
            Ok(_) => return Err(OpenBaoFailure::Garbage),
            Err(OpenBaoFailure::Forbidden) => {}
            Err(failure) => return Err(failure),
        }
        self.forget(refused);
        if matches!(self.way, Way::Token) {
            return Err(OpenBaoFailure::TokenExpired);
        }
        let session = self.enter(client, given).await?;
        // Where not even a new token may look at itself, a refusal says nothing of the token.
        if let Err(OpenBaoFailure::Forbidden) = client.send(&Method::GET, LOOKUP, None, Some(&session)).await
        {
            self.state().blind.begin(Instant::now(), BLIND);
        }
        Ok(Outcome::Session(session))
    }

    async fn renewed(
        &self,
        client: &Client,
        held: Arc<Session>,
        given: Option<&Arc<ApiToken>>,
    ) -> Result<Outcome, OpenBaoFailure> {
        let renewed = match held.is_renewable() {
            true => self.renew(client, &held, given).await,
            false => self.enter(client, given).await,
        };
        Ok(Outcome::Session(renewed.unwrap_or_else(|failure| {
            // It still holds, so that the cause may pass meanwhile.
            let left = held.left();
            let pause = (left / 8).clamp(Duration::from_millis(250), Duration::from_secs(60));
            self.state().renew_not_before = Some(Instant::now() + pause);
            tracing::warn!(
                failure = tracing::field::display(&failure),
                left_s = left.as_secs(),
                "the key service's token could not be renewed; once it ends, calls fail"
            );
            held
        })))
    }

    async fn renew(
        &self,
        client: &Client,
        held: &Arc<Session>,
        given: Option<&Arc<ApiToken>>,
    ) -> Result<Arc<Session>, OpenBaoFailure> {
        let since = Instant::now();
        let failure = match client.send(&Method::POST, RENEW, None, Some(held)).await {
            Ok(reply) if reply.is_done() => {
                let auth = Auth::read(&reply)?;
                let lease = Lease::new(since, auth.lease_duration, auth.renewable);
                let before = held.lease.map_or(Duration::ZERO, |lease| lease.length);
                // Near its greatest age the service gives shorter and shorter leases. Where there is another way to a token, the next
                // one is to be a new one; where there is none, each is taken, and comes after two thirds of what is left.
                let shrinks = lease.length * 2 <= before && matches!(self.way, Way::AppRole(_));
                let lease = if shrinks { lease.last() } else { lease };
                if !lease.length.is_zero() {
                    return Ok(self.put_new(client, Arc::clone(&held.token), Some(lease), given));
                }
                OpenBaoFailure::Refused
            }
            Ok(_) => OpenBaoFailure::Refused,
            Err(failure) => failure,
        };
        match (failure, &self.way) {
            // It can't be renewed, and there is another way in.
            (OpenBaoFailure::Refused | OpenBaoFailure::Forbidden, Way::AppRole(_)) => {
                self.enter(client, given).await
            }
            (failure, _) => Err(failure),
        }
    }

    /// Gets in from outside.
    async fn enter(
        &self,
        client: &Client,
        given: Option<&Arc<ApiToken>>,
    ) -> Result<Arc<Session>, OpenBaoFailure> {
        let since = Instant::now();
        let given = given.ok_or(STILL_WRAPPED)?;
        let role = match &self.way {
            Way::AppRole(role) => role,
            Way::Token => {
                let session = Session::lasting(&client.transport().spec().origin, Arc::clone(given));
                let looked: Looked = match client.send(&Method::GET, LOOKUP, None, Some(&session)).await {
                    Ok(reply) if reply.is_done() => reply.data()?,
                    Ok(_) => return Err(OpenBaoFailure::Garbage),
                    Err(OpenBaoFailure::Forbidden) => return Err(OpenBaoFailure::TokenExpired),
                    Err(failure) => return Err(failure),
                };
                return Ok(self.put_new(client, Arc::clone(given), looked.lease(since), Some(given)));
            }
        };
        if self.state().refused.is_on(since) {
            return Err(OpenBaoFailure::LoginRefused);
        }
        let reply = match role.log_in(client, given).await {
            Err(OpenBaoFailure::LoginRefused) => {
                let mut state = self.state();
                // Another secret id that was given meanwhile was not refused.
                if same(state.given.as_ref(), Some(given)) {
                    state.refused.begin(Instant::now(), REFUSED);
                }
                return Err(OpenBaoFailure::LoginRefused);
            }
            reply => reply?,
        };
        let auth = Auth::read(&reply)?;
        let token = ApiToken::new(auth.client_token.to_owned()).map_err(|_| OpenBaoFailure::Garbage)?;
        let lease = Lease::new(since, auth.lease_duration, auth.renewable);
        let lease = (!lease.length.is_zero()).then_some(lease);
        self.state().refused.clear();
        Ok(self.put_new(client, Arc::new(token), lease, Some(given)))
    }

    /// Puts it in the place of the former one, unless a token was given by hand meanwhile.
    fn put_new(
        &self,
        client: &Client,
        token: Arc<ApiToken>,
        lease: Option<Lease>,
        given: Option<&Arc<ApiToken>>,
    ) -> Arc<Session> {
        let session = Session::new(&client.transport().spec().origin, token, lease);
        let mut state = self.state();
        if matches!(self.way, Way::AppRole(_)) || same(state.given.as_ref(), given) {
            state.current = Some(Current { session: Arc::clone(&session), known: None });
            state.renew_not_before = None;
        }
        session
    }

    fn forget(&self, session: &Arc<Session>) {
        let mut state = self.state();
        state.current.take_if(|current| current.is(session));
    }
}

fn same(one: Option<&Arc<ApiToken>>, other: Option<&Arc<ApiToken>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}
