//! Ten minutes in which Apify answers 401 to a thousand connections: over TLS, through its own client and its own transport.

mod common;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use common::{Fixture, token};
use tokenkeep::apify::Apify;
use tokenkeep::{ConnectionId, ConnectionState, ErrorKind, Origin, Vault};
use tokenkeep_testkit::{Access, ApifyStandIn, Fault, fake_token};

const MINUTE: i64 = 60_000;
const CUSTOMERS: usize = 1000;

struct World {
    f: Fixture,
    stand_in: ApifyStandIn,
    apify: Apify,
}

impl World {
    async fn new() -> Self {
        let stand_in = ApifyStandIn::start().await.unwrap();
        let origin = Origin::parse(&stand_in.origin()).unwrap();
        let apify = Apify::builder().origin(origin).extra_root_der(&stand_in.ca_der()).build().unwrap();
        Self { f: Fixture::new().await, stand_in, apify }
    }

    fn vault(&self) -> &Vault {
        &self.f.vault
    }

    async fn connect(&self) -> Vec<(ConnectionId, String)> {
        let mut all = Vec::new();
        for n in 0..CUSTOMERS {
            let text = fake_token();
            self.stand_in.grant(&text, Access::full(&format!("FakeUser{n:09}"), &format!("jane-{n}")));
            let connection = self.vault().connection(format!("customer-{n}"), "apify").unwrap();
            connection.connect(self.apify.provider(), token(&text)).await.unwrap();
            all.push((connection.id().clone(), text));
        }
        all
    }

    /// What came of a call of each customer.
    async fn calls(&self, all: &[(ConnectionId, String)]) -> HashMap<Option<ErrorKind>, usize> {
        let mut outcomes = HashMap::new();
        for (id, _) in all {
            let client = self.apify.with(self.vault().connection_of(id).credential());
            let outcome = client.runs().list().limit(1).await.err().map(|error| error.kind());
            *outcomes.entry(outcome).or_default() += 1;
        }
        outcomes
    }

    /// Gives how many were marked as revoked.
    async fn minute(&self) -> u64 {
        self.f.clock.advance(MINUTE);
        let job = self.vault().recheck_paused(self.apify.provider()).pace(Duration::ZERO);
        job.finish().await.unwrap().revoked
    }

    async fn states(&self, all: &[(ConnectionId, String)]) -> HashMap<ConnectionState, usize> {
        let mut states = HashMap::new();
        for (id, _) in all {
            let status = self.vault().connection_of(id).status().await.unwrap();
            *states.entry(status.state).or_default() += 1;
        }
        states
    }

    /// How often each token came over the wire since, with calls and with questions whose it is.
    fn sent(&self) -> (HashMap<String, usize>, HashMap<String, usize>) {
        let (mut calls, mut questions) = (HashMap::new(), HashMap::new());
        for request in self.stand_in.requests() {
            let of = if request.target == "/v2/users/me" { &mut questions } else { &mut calls };
            *of.entry(request.bearer().expect("a token").to_owned()).or_default() += 1;
        }
        self.stand_in.clear_requests();
        (calls, questions)
    }
}

#[tokio::test]
async fn a_thousand_connections_come_through_ten_minutes_of_401() {
    let world = World::new().await;
    let all = world.connect().await;
    let tokens: HashSet<&str> = all.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(world.calls(&all).await, HashMap::from([(None, CUSTOMERS)]));
    world.sent();

    world.stand_in.answer_always(Some(Fault::status(401, "user-or-token-not-found")));
    let refused = HashMap::from([(Some(ErrorKind::TokenRefused), CUSTOMERS)]);
    assert_eq!(world.calls(&all).await, refused);
    let mut revoked = 0;
    for _ in 0..10 {
        revoked += world.minute().await;
        assert_eq!(world.calls(&all).await, HashMap::from([(Some(ErrorKind::Paused), CUSTOMERS)]));
    }
    let (calls, questions) = world.sent();
    assert_eq!(calls.keys().map(String::as_str).collect::<HashSet<_>>(), tokens);
    assert!(calls.values().all(|&times| times == 1), "each refused token was sent with one call");
    assert!(questions.values().all(|&times| times <= 2), "and at most twice to ask about it: {questions:?}");
    let asked: usize = questions.values().sum();
    assert!((1..=200).contains(&asked), "{asked} questions in ten minutes");
    assert_eq!(
        (revoked, world.states(&all).await),
        (0, HashMap::from([(ConnectionState::Paused, CUSTOMERS)]))
    );

    // Well again. Three customers did delete their tokens meanwhile.
    world.stand_in.answer_always(None);
    for n in [0, 500, 999] {
        world.stand_in.revoke(&all[n].1);
    }
    for _ in 0..30 {
        world.minute().await;
    }
    let expected =
        HashMap::from([(ConnectionState::Connected, CUSTOMERS - 3), (ConnectionState::Revoked, 3)]);
    assert_eq!(world.states(&all).await, expected);
    let expected = HashMap::from([(None, CUSTOMERS - 3), (Some(ErrorKind::Revoked), 3)]);
    assert_eq!(world.calls(&all).await, expected);
}
