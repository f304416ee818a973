//! The process that is killed: several tasks that connect, replace, disconnect and use tokens, and say so.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use tokenkeep::{ApiToken, Error, ErrorKind, FinishedDisconnect, Provider as _, Use, Vault};
use tokenkeep_testkit::fake_token;

use crate::application::{Application, is_its};
use crate::line::{Act, Line};
use crate::parts::AcceptsAll;
use crate::place::{Opened, Place, SLOTS, names};
use crate::random::Random;

/// Tasks that change connections, each its own.
const OWNERS: usize = 4;

/// Nobody needs it for longer: it is killed within seconds.
const LONGEST: Duration = Duration::from_secs(120);

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(20);

pub(crate) async fn work(place: Place) -> Result<(), String> {
    // Whoever started it holds the other end: without them it ends.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(1);
    });
    let Opened { vault, application, .. } = loop {
        match place.open(false).await {
            Ok(opened) => break opened,
            Err(error) if error.is_retryable() => told("opening", &error),
            Err(error) => return Err(format!("opening: {}", error.report())),
        }
        tokio::time::sleep(PAUSE).await;
    };
    Line::Ready.say();
    let worker = Arc::new(Worker { vault, application, provider: AcceptsAll::new()? });
    for owner in 0..OWNERS {
        let random = Random::new(place.seed ^ (owner as u64 + 1));
        tokio::spawn(Arc::clone(&worker).own(owner, random));
    }
    tokio::spawn(Arc::clone(&worker).use_any(Random::new(place.seed ^ 99)));
    tokio::spawn(Arc::clone(&worker).keep_house());
    tokio::time::sleep(LONGEST).await;
    Err("nobody killed it".into())
}

fn told(what: &str, error: &Error) {
    Line::Failed(format!("{what} {:?}", error.kind())).say();
}

fn broken(what: &str, error: &Error) {
    Line::Broken(format!("{what}: {}", error.report())).say();
}

struct Worker {
    vault: Vault,
    application: Option<Application>,
    provider: AcceptsAll,
}

impl Worker {
    /// Changes its own connections, one at a time.
    async fn own(self: Arc<Self>, owner: usize, mut random: Random) {
        loop {
            let slot = owner + OWNERS * random.below((SLOTS / OWNERS) as u64) as usize;
            let connected = match self.give(slot).await {
                Ok(_) => true,
                Err(error) if error.kind() == ErrorKind::NotConnected => false,
                Err(error) if error.is_retryable() => {
                    told("reading", &error);
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                Err(error) => return broken("reading", &error),
            };
            let act = match (connected, random.below(5)) {
                (false, _) => Act::Connect,
                (true, 0..3) => Act::Replace,
                (true, _) => Act::Disconnect,
            };
            if self.carry_out(slot, act).await.is_none() {
                return;
            }
        }
    }

    /// Tries until it is done, as an application does. `None` when something is wrong.
    async fn carry_out(&self, slot: usize, act: Act) -> Option<()> {
        let token = if act == Act::Disconnect { String::new() } else { fake_token() };
        Line::Begin(slot, act, token.clone()).say();
        let mut again = false;
        loop {
            match self.attempt(slot, act, &token, again).await {
                Ok(()) => {
                    Line::Done(slot).say();
                    break;
                }
                // The hook failed, and nothing was done.
                Err(error) if error.kind() == ErrorKind::PurgePending => {
                    Line::NotDone(slot).say();
                    return Some(());
                }
                Err(error) if error.is_retryable() => told("changing", &error),
                Err(error) => {
                    broken("changing", &error);
                    return None;
                }
            }
            again = true;
            tokio::time::sleep(PAUSE).await;
        }
        if act == Act::Disconnect {
            match self.give(slot).await {
                Err(error) if error.kind() == ErrorKind::NotConnected || error.is_retryable() => {}
                other => {
                    Line::Broken(format!("used after its disconnect: {:?}", other.err())).say();
                    return None;
                }
            }
        }
        Some(())
    }

    async fn attempt(&self, slot: usize, act: Act, token: &str, again: bool) -> Result<(), Error> {
        let (tenant, name) = names(slot);
        let connection = self.vault.connection(tenant, name)?;
        let new = || ApiToken::new(token.to_owned());
        let application = self.application.as_ref().filter(|_| is_its(slot));
        let done = match (act, application) {
            (Act::Connect, Some(application)) => {
                match connection.prepare_connect(&self.provider, new()?).await {
                    Ok(prepared) => application.commit(&prepared).await,
                    Err(error) => Err(error),
                }
            }
            (Act::Replace, Some(application)) => {
                match connection.prepare_replace(&self.provider, new()?).await {
                    Ok(prepared) => application.commit(&prepared).await,
                    Err(error) => Err(error),
                }
            }
            (Act::Connect, None) => connection.connect(&self.provider, new()?).await.map(drop),
            (Act::Replace, None) => connection.replace(&self.provider, new()?).await.map(drop),
            (Act::Disconnect, _) => connection.disconnect().await.map(drop),
        };
        match done {
            // The try before was made after all, and its answer was lost.
            Err(error)
                if again && matches!(error.kind(), ErrorKind::AlreadyConnected | ErrorKind::SameToken) =>
            {
                if self.give(slot).await? == token {
                    Ok(())
                } else {
                    Err(error)
                }
            }
            done => done,
        }
    }

    async fn give(&self, slot: usize) -> Result<String, Error> {
        let (tenant, name) = names(slot);
        let credential = self.vault.connection(tenant, name)?.credential();
        let issued = credential.issue(Use::at(self.provider.spec())).await?;
        Ok(issued.token.expose_secret().to_owned())
    }

    /// Uses anybody's connections, beside their changes.
    async fn use_any(self: Arc<Self>, mut random: Random) {
        loop {
            let slot = random.below(SLOTS as u64) as usize;
            match self.give(slot).await {
                Ok(_) => Line::Used(slot).say(),
                Err(error) if error.kind() == ErrorKind::NotConnected => {}
                Err(error) if error.is_retryable() => told("using", &error),
                Err(error) => return broken("using", &error),
            }
            tokio::time::sleep(Duration::from_millis(random.below(20))).await;
        }
    }

    /// What an application does now and then.
    async fn keep_house(self: Arc<Self>) {
        loop {
            tokio::time::sleep(Duration::from_millis(40)).await;
            let each =
                |all: Vec<FinishedDisconnect>| all.into_iter().try_for_each(|one| one.receipt.map(drop));
            let finished = self.vault.finish_disconnects().await.and_then(each);
            let checkpointed = self.vault.checkpoint().await.map(drop);
            for (what, done) in [("finishing", finished), ("checkpoint", checkpointed)] {
                match done {
                    Ok(()) => {}
                    Err(error) if error.is_retryable() => told(what, &error),
                    Err(error) => return broken(what, &error),
                }
            }
        }
    }
}
