//! How this process gets in at the service, and stays in.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokenkeep_core::{ApiToken, Error, ErrorKind};

use crate::OpenBaoFailure;
use crate::app_role::AppRole;
use crate::client::Client;
use crate::flight::Flight;
use crate::pause::Pause;
use crate::session::Session;
use crate::steps::{Outcome, Step};

/// How long a token that the service just said it knows is taken to be known.
const KNOWN: Duration = Duration::from_secs(1);
/// How often what others did meanwhile is looked at before a call gives up.
const TRIES: usize = 8;

pub(crate) enum Way {
    Token,
    AppRole(AppRole),
}

/// Gives the token of the day. Logins and renewals are made one at a time, in tasks of their own that whoever needs them waits for:
/// a call that is dropped leaves them going. A renewal is begun by the call that finds it due; others go on with the token that
/// still holds.
pub(crate) struct Login {
    pub(crate) way: Way,
    state: Mutex<State>,
    flight: Flight<Outcome>,
}

pub(crate) struct State {
    /// The token or the secret id, as it was given last. `None` while it is wrapped.
    pub(crate) given: Option<Arc<ApiToken>>,
    /// The one place that keeps a session, and so its token.
    pub(crate) current: Option<Current>,
    pub(crate) renew_not_before: Option<Instant>,
    pub(crate) refused: Pause,
    pub(crate) blind: Pause,
}

/// The token of the day, and when the service last said that it knows it.
pub(crate) struct Current {
    pub(crate) session: Arc<Session>,
    pub(crate) known: Option<Instant>,
}

impl Current {
    pub(crate) fn is(&self, session: &Arc<Session>) -> bool {
        Arc::ptr_eq(&self.session, session)
    }
}

impl Login {
    pub(crate) fn with_token(token: ApiToken) -> Self {
        Self::new(Way::Token, Some(Arc::new(token)))
    }

    pub(crate) fn with_app_role(role: AppRole) -> Self {
        let secret_id = role.secret_id();
        Self::new(Way::AppRole(role), secret_id)
    }

    fn new(way: Way, given: Option<Arc<ApiToken>>) -> Self {
        let state = State {
            given,
            current: None,
            renew_not_before: None,
            refused: Pause::default(),
            blind: Pause::default(),
        };
        Self { way, state: Mutex::new(state), flight: Flight::default() }
    }

    /// From now on this token; `false` where tokens are not given by hand.
    pub(crate) fn set_token(&self, token: ApiToken) -> bool {
        let taken = matches!(self.way, Way::Token);
        if taken {
            let mut state = self.state();
            state.given = Some(Arc::new(token));
            state.current = None;
            state.renew_not_before = None;
        }
        taken
    }

    /// From the next login on this secret id; `false` where there is none. A token that holds goes on.
    pub(crate) fn set_secret_id(&self, secret_id: ApiToken) -> bool {
        let taken = matches!(self.way, Way::AppRole(_));
        if taken {
            let mut state = self.state();
            state.given = Some(Arc::new(secret_id));
            state.refused.clear();
        }
        taken
    }

    pub(crate) fn app_role(&self) -> Option<&AppRole> {
        match &self.way {
            Way::AppRole(role) => Some(role),
            Way::Token => None,
        }
    }

    pub(crate) async fn session(&self, client: &Client) -> Result<Arc<Session>, OpenBaoFailure> {
        for _ in 0..TRIES {
            let step = match self.current() {
                Some(session) if !self.wants_renewal(&session) && !session.is_over() => return Ok(session),
                Some(session) if !session.is_over() && self.flight.is_under_way() => return Ok(session),
                Some(session) if !session.is_over() => Step::Renew(session),
                _ => Step::Enter,
            };
            match self.done(client, step).await {
                Some(Outcome::Session(session)) => return Ok(session),
                Some(Outcome::Failed(failure)) => return Err(failure),
                _ => {}
            }
        }
        Err(never_settled())
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
        for _ in 0..TRIES {
            let step = match self.current() {
                // Somebody else found out meanwhile.
                Some(session) if !Arc::ptr_eq(&session, refused) => return Ok(session),
                Some(_) if self.is_known(refused) => return Err(OpenBaoFailure::Forbidden),
                Some(session) => Step::Inquire(session),
                None => Step::Enter,
            };
            match self.done(client, step).await {
                Some(Outcome::Session(session)) if !Arc::ptr_eq(&session, refused) => return Ok(session),
                Some(Outcome::Known) => return Err(OpenBaoFailure::Forbidden),
                Some(Outcome::Failed(failure)) => return Err(failure),
                _ => {}
            }
        }
        Err(never_settled())
    }

    /// Waits for this step, or for another that is under way.
    async fn done(&self, client: &Client, step: Step) -> Option<Outcome> {
        let begin = || {
            let client = client.clone();
            async move { client.login().make(&client, step).await }
        };
        self.flight.outcome(begin).await
    }

    /// Two thirds of its lease are over, there is a way to more, and the last try is a while ago.
    fn wants_renewal(&self, session: &Session) -> bool {
        let possible = session.is_renewable() || matches!(self.way, Way::AppRole(_));
        possible
            && session.is_due()
            && self.state().renew_not_before.is_none_or(|time| Instant::now() >= time)
    }

    fn is_known(&self, session: &Arc<Session>) -> bool {
        let state = self.state();
        let known =
            state.current.as_ref().filter(|current| current.is(session)).and_then(|current| current.known);
        known.is_some_and(|at| at.elapsed() < KNOWN)
    }

    pub(crate) fn current(&self) -> Option<Arc<Session>> {
        self.state().current.as_ref().map(|current| Arc::clone(&current.session))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tokens were given one after the other, or runtimes ended, faster than one login takes.
fn never_settled() -> OpenBaoFailure {
    OpenBaoFailure::Other(Arc::new(Error::new(ErrorKind::Internal).because("the login never settled")))
}
