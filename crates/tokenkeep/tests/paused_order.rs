//! Whatever stands at the head of what is paused, and however much of it is dead, keeps nobody for good: the job gets to all,
//! from one instance or several, and never asks a provider that is out of order more than a bound.

mod common;

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use common::{Fixture, account, token};
use tokenkeep::{
    Account, ConnectionId, ConnectionState, Credential, Error, ErrorKind, Meaning, Origin, Outcome, Provider,
    ProviderSpec, RecheckProgress, Use, Vault,
};
use tokenkeep_testkit::fake_token;

const MINUTE: i64 = 60_000;

/// How often a run asks in a row without a success.
const IN_A_ROW: usize = 15;

/// A provider that accepts a token unless it is told otherwise of it, or of all.
#[derive(Debug)]
struct Api {
    spec: ProviderSpec,
    of_all: Mutex<Option<ErrorKind>>,
    of_one: Mutex<HashMap<String, ErrorKind>>,
    /// How often it was asked about each.
    asked: Mutex<HashMap<String, usize>>,
}

impl Api {
    fn new() -> Self {
        let origin = Origin::parse("https://api.apify.com").unwrap();
        let spec = ProviderSpec::new("apify".parse().unwrap(), origin);
        Self { spec, of_all: Mutex::default(), of_one: Mutex::default(), asked: Mutex::default() }
    }

    /// How often it was asked since, of all tokens and of one at most.
    fn asked(&self) -> (usize, usize) {
        let asked = std::mem::take(&mut *self.asked.lock().unwrap());
        (asked.values().sum(), asked.values().copied().max().unwrap_or(0))
    }
}

#[async_trait]
impl Provider for Api {
    fn spec(&self) -> &ProviderSpec {
        &self.spec
    }

    async fn check(&self, credential: &Credential) -> Result<Account, Error> {
        let issued = credential.issue(Use::at(&self.spec)).await?;
        let token = issued.token.expose_secret();
        *self.asked.lock().unwrap().entry(token.to_owned()).or_default() += 1;
        tokio::task::yield_now().await;
        let of_all = *self.of_all.lock().unwrap();
        match of_all.or_else(|| self.of_one.lock().unwrap().get(token).copied()) {
            Some(kind) => Err(kind.into()),
            None => Ok(account("user-1")),
        }
    }
}

struct World {
    f: Fixture,
    instances: Vec<Vault>,
    api: Api,
    all: Vec<(ConnectionId, String)>,
}

impl World {
    /// So many connections, each of a tenant of its own and paused one after the other.
    async fn paused(connections: usize, instances: usize) -> Self {
        let f = Fixture::new().await;
        let mut opened = Vec::new();
        for _ in 0..instances {
            opened.push(f.second_instance().await);
        }
        let (api, mut all) = (Api::new(), Vec::new());
        for n in 0..connections {
            let connection = f.vault.connection(format!("customer-{n:03}"), "apify").unwrap();
            let text = fake_token();
            connection.connect(&api, token(&text)).await.unwrap();
            all.push((connection.id().clone(), text));
        }
        for (id, _) in &all {
            let credential = f.vault.connection_of(id).credential();
            let issued = credential.issue(Use::at(&api.spec)).await.unwrap();
            let refused = Outcome::Refused(Meaning::TokenRefused);
            credential.report(issued.incarnation, issued.secret_version, refused).await.unwrap();
            f.clock.advance(10);
        }
        api.asked();
        Self { f, instances: opened, api, all }
    }

    /// What the provider says of these.
    fn answers(&self, kind: ErrorKind, which: impl Fn(usize) -> bool) {
        let meant = self.all.iter().enumerate().filter(|(n, _)| which(*n));
        self.api.of_one.lock().unwrap().extend(meant.map(|(_, (_, text))| (text.clone(), kind)));
    }

    /// A minute passes, and all instances run the job at the same time.
    async fn minute(&self) -> RecheckProgress {
        self.f.clock.advance(MINUTE);
        let run = |vault: &Vault| {
            let (vault, api) = (vault.clone(), &self.api);
            async move { vault.recheck_paused(api).pace(Duration::ZERO).finish().await.unwrap() }
        };
        let done = match &self.instances[..] {
            [one] => vec![run(one).await],
            [one, two, three] => {
                let done = tokio::join!(Box::pin(run(one)), Box::pin(run(two)), Box::pin(run(three)));
                vec![done.0, done.1, done.2]
            }
            _ => unreachable!("one or three"),
        };
        let mut sum = RecheckProgress::default();
        for run in done {
            sum.resumed += run.resumed;
            sum.revoked += run.revoked;
            sum.unanswered += run.unanswered;
            sum.still_paused += run.still_paused;
        }
        sum
    }

    /// How many of those of which the provider says nothing bad are used again, and how many of the others are not.
    async fn back(&self) -> (usize, usize) {
        let mut back = (0, 0);
        for (id, text) in &self.all {
            let bad = self.api.of_one.lock().unwrap().contains_key(text);
            match self.f.vault.connection_of(id).status().await.unwrap().state {
                ConnectionState::Connected if !bad => back.0 += 1,
                ConnectionState::Paused if bad => back.1 += 1,
                ConnectionState::Revoked => panic!("revoked with a crowd"),
                _ => {}
            }
        }
        back
    }
}

/// Limits are per account, and so is a user that was disabled: what the provider does not say of some is no reason to leave out the others.
#[tokio::test]
async fn one_account_without_an_answer_keeps_no_other_waiting() {
    for (kind, bad) in [
        (ErrorKind::RateLimited, 1),
        (ErrorKind::ProviderMisbehaved, 3),
        (ErrorKind::ProviderUnavailable, 3),
        (ErrorKind::RateLimited, 15),
    ] {
        let world = World::paused(20, 3).await;
        world.answers(kind, |n| n < bad);
        for _ in 0..5 {
            world.minute().await;
        }
        assert_eq!(world.back().await, (20 - bad, bad), "{bad} of {kind:?}");
    }
}

#[tokio::test]
async fn however_many_are_dead_and_wherever_they_stand_the_good_ones_are_back_in_half_an_hour() {
    type IsDead = fn(usize) -> bool;
    let heads: [(&str, usize, IsDead); 6] = [
        ("six at the head", 6, |n| n < 6),
        ("ninety at the head", 90, |n| n < 90),
        ("nine in ten at the head", 270, |n| n < 270),
        ("nine in ten, spread", 270, |n| n % 10 != 9),
        ("nine in ten at the end", 270, |n| n >= 30),
        ("a half, spread", 150, |n| n % 2 == 0),
    ];
    for (name, dead, which) in heads {
        for instances in [1, 3] {
            let world = World::paused(300, instances).await;
            // An outage first, of which some are asked about several times.
            *world.api.of_all.lock().unwrap() = Some(ErrorKind::TokenRefused);
            for minute in 0..25 {
                assert_eq!(world.minute().await.revoked, 0, "{name}, {instances}, minute {minute}");
                let (all, of_one) = world.api.asked();
                assert!(all <= IN_A_ROW * instances, "{name}, {instances}: {all} questions in a minute");
                assert!(of_one <= 1, "{name}, {instances}: {of_one} questions about one token in a minute");
            }
            *world.api.of_all.lock().unwrap() = None;
            world.answers(ErrorKind::TokenRefused, which);
            let mut resumed = 0;
            for _ in 0..30 {
                resumed += world.minute().await.resumed;
                if resumed == 300 - dead as u64 {
                    break;
                }
            }
            assert_eq!(world.back().await, (300 - dead, dead), "{name}, {instances}, after half an hour");
        }
    }
}

/// The provider is well, then, and the run goes on.
#[tokio::test]
async fn a_success_begins_the_row_anew() {
    let world = World::paused(80, 1).await;
    world.answers(ErrorKind::TokenRefused, |n| n % 8 != 7);
    let done = world.minute().await;
    assert_eq!((done.resumed, done.still_paused), (10, 70), "{done:?}");
}

/// Nothing of what a provider can say of some tokens is worse than another.
#[tokio::test]
async fn a_head_of_every_kind_keeps_nobody_waiting() {
    for instances in [1, 3] {
        let world = World::paused(300, instances).await;
        for (place, kind) in [
            ErrorKind::RateLimited,
            ErrorKind::ProviderMisbehaved,
            ErrorKind::ProviderUnavailable,
            ErrorKind::TokenRefused,
            ErrorKind::KeysUnavailable,
        ]
        .into_iter()
        .enumerate()
        {
            world.answers(kind, |n| n / 50 == place);
        }
        for _ in 0..30 {
            world.minute().await;
        }
        assert_eq!(world.back().await, (50, 250), "{instances}");
    }
}
