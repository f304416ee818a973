//! A provider that refuses everybody's token disconnects nobody.

mod common;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use common::{Fixture, account, token};
use tokenkeep::{
    Account, ConnectionId, ConnectionState, Credential, CustomerAction, Error, ErrorKind, Incident,
    IncidentKind, Meaning, Observer, Origin, Outcome, PauseReason, Provider, ProviderSpec, RecheckOutcome,
    RecheckProgress, RecheckStopped, Use, Vault,
};
use tokenkeep_testkit::fake_token;

const MINUTE: i64 = 60_000;

/// A provider that knows which tokens are good, unless it is out of order.
#[derive(Debug)]
struct Api {
    spec: ProviderSpec,
    down: AtomicBool,
    revoked: Mutex<HashSet<String>>,
    /// How often it was asked about each token that it then refused.
    refused: Mutex<HashMap<String, usize>>,
}

impl Api {
    fn new(name: &str) -> Self {
        let origin = Origin::parse(&format!("https://api.{name}.example")).unwrap();
        let spec = ProviderSpec::new(name.parse().unwrap(), origin);
        Self { spec, down: AtomicBool::new(false), revoked: Mutex::default(), refused: Mutex::default() }
    }

    fn accepts(&self, token: &str) -> bool {
        !self.down.load(Ordering::SeqCst) && !self.revoked.lock().unwrap().contains(token)
    }

    /// How often it was asked since, of all tokens and of one at most.
    fn refusals(&self) -> (usize, usize) {
        let refused = std::mem::take(&mut *self.refused.lock().unwrap());
        (refused.values().sum(), refused.values().copied().max().unwrap_or(0))
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
        tokio::task::yield_now().await;
        if self.accepts(token) {
            return Ok(account("user-1"));
        }
        *self.refused.lock().unwrap().entry(token.to_owned()).or_default() += 1;
        Err(ErrorKind::TokenRefused.into())
    }
}

#[derive(Default)]
struct Told(AtomicUsize);

impl Observer for Told {
    fn incident(&self, incident: &Incident<'_>) {
        if incident.kind == IncidentKind::ProviderSuspect {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

struct World {
    f: Fixture,
    /// Three on one database.
    instances: Vec<Vault>,
    told: Arc<Told>,
}

impl World {
    async fn new() -> Self {
        let f = Fixture::new().await;
        let told = Arc::new(Told::default());
        let mut instances = Vec::new();
        for _ in 0..3 {
            let options = Vault::options().clock(Arc::clone(&f.clock)).observer(Arc::clone(&told));
            instances.push(options.open(Arc::clone(&f.store), f.keys.clone()).await.unwrap());
        }
        Self { f, instances, told }
    }

    async fn connect(&self, api: &Api, count: usize) -> Vec<(ConnectionId, String)> {
        let mut all = Vec::new();
        for n in 0..count {
            let connection =
                self.instances[0].connection(format!("customer-{n}"), api.spec.name.as_str()).unwrap();
            let text = fake_token();
            connection.connect(api, token(&text)).await.unwrap();
            all.push((connection.id().clone(), text));
        }
        all
    }

    /// A call of this customer through one of the instances: `None` where no token was given, else whether it was accepted.
    async fn call(&self, api: &Api, id: &ConnectionId, through: usize) -> Option<bool> {
        let credential = self.instances[through % 3].connection_of(id).credential();
        let issued = credential.issue(Use::at(&api.spec)).await.ok()?;
        let accepted = api.accepts(issued.token.expose_secret());
        let outcome = if accepted { Outcome::Accepted } else { Outcome::Refused(Meaning::TokenRefused) };
        credential.report(issued.incarnation, issued.secret_version, outcome).await.unwrap();
        Some(accepted)
    }

    /// The job of all instances, at the same time.
    async fn jobs(&self, api: &Api) -> [RecheckProgress; 3] {
        let run = |n: usize| Box::pin(self.instances[n].recheck_paused(api).pace(Duration::ZERO).finish());
        let (a, b, c) = tokio::join!(run(0), run(1), run(2));
        [a.unwrap(), b.unwrap(), c.unwrap()]
    }

    async fn minute(&self, api: &Api) -> [RecheckProgress; 3] {
        self.f.clock.advance(MINUTE);
        self.jobs(api).await
    }

    async fn states(&self, all: &[(ConnectionId, String)]) -> HashMap<ConnectionState, usize> {
        let mut states = HashMap::new();
        for (id, _) in all {
            let status = self.instances[1].connection_of(id).status().await.unwrap();
            *states.entry(status.state).or_default() += 1;
        }
        states
    }
}

#[tokio::test]
async fn ten_minutes_of_401_to_a_thousand_connections_disconnect_nobody() {
    let world = World::new().await;
    let api = Api::new("apify");
    let all = world.connect(&api, 1000).await;
    api.down.store(true, Ordering::SeqCst);
    // Three customers do delete their tokens meanwhile.
    api.revoked.lock().unwrap().extend([0, 500, 999].map(|n: usize| all[n].1.clone()));

    let (mut sent, mut revoked) = (0, 0);
    for minute in 0..10 {
        // It begins with a few, too few to be noticed.
        let active = [4, 200, 1000][minute.min(2)];
        for (n, (id, _)) in all[..active].iter().enumerate() {
            sent += usize::from(world.call(&api, id, n + minute).await.is_some());
        }
        revoked += world.minute(&api).await.iter().map(|done| done.revoked).sum::<u64>();
    }
    assert_eq!(sent, 1000, "each refused token was sent once by the application");
    let (probes, of_one) = api.refusals();
    assert!(probes <= 10 * 3 * 15, "{probes} questions in ten minutes of three instances");
    assert!(of_one <= 2, "{of_one} questions about one token in ten minutes");
    assert_eq!((revoked, world.states(&all).await), (0, HashMap::from([(ConnectionState::Paused, 1000)])));
    assert!(world.told.0.load(Ordering::SeqCst) >= 1, "the operator was told");
    let status = world.instances[2].connection_of(&all[0].0).status().await.unwrap();
    assert_eq!(status.pause, Some(PauseReason::ProviderSuspect));
    assert_eq!(status.customer_actions(), [CustomerAction::TryAgainLater]);

    // Well again: the job alone brings them back, though some were asked about a moment ago.
    api.down.store(false, Ordering::SeqCst);
    let told = world.told.0.load(Ordering::SeqCst);
    let first = world.minute(&api).await;
    let resumed: u64 = first.iter().map(|done| done.resumed).sum();
    // All but those that were put off in the last five minutes, 15 by each instance in each.
    assert!(resumed >= 997 - 5 * 3 * 15, "{resumed} in the first minute: {first:?}");
    for _ in 0..12 {
        world.minute(&api).await;
    }
    let states = world.states(&all).await;
    assert_eq!(states, HashMap::from([(ConnectionState::Connected, 997), (ConnectionState::Revoked, 3)]));
    assert_eq!(world.told.0.load(Ordering::SeqCst), told, "nothing is suspect any more");
    let (probes, _) = api.refusals();
    assert!(probes <= 9, "{probes} questions about the three tokens that were revoked");
    for (n, (id, text)) in all.iter().enumerate() {
        assert_eq!(world.call(&api, id, n).await.is_some(), api.accepts(text));
    }
    assert!(world.f.vault.verify().await.unwrap().is_whole());
}

#[tokio::test]
async fn three_tokens_of_a_thousand_that_are_revoked_are_marked() {
    let world = World::new().await;
    let api = Api::new("apify");
    let all = world.connect(&api, 1000).await;
    let gone = [3, 333, 666];
    api.revoked.lock().unwrap().extend(gone.map(|n: usize| all[n].1.clone()));
    for (n, (id, text)) in all.iter().enumerate() {
        assert_eq!(world.call(&api, id, n).await, Some(api.accepts(text)));
    }
    for _ in 0..7 {
        world.minute(&api).await;
    }
    let states = world.states(&all).await;
    assert_eq!(states, HashMap::from([(ConnectionState::Connected, 997), (ConnectionState::Revoked, 3)]));
    for n in gone {
        let status = world.instances[0].connection_of(&all[n].0).status().await.unwrap();
        assert_eq!(status.customer_actions(), [CustomerAction::ReplaceToken]);
    }
    assert_eq!(api.refusals(), (6, 2), "asked about at once, and five minutes later");
    assert_eq!(world.told.0.load(Ordering::SeqCst), 0);
}

/// How many connections of so many may pause together.
#[tokio::test]
async fn more_than_five_and_more_than_a_hundredth_are_too_many() {
    for (held, together, suspect) in [(40, 5, false), (40, 6, true), (700, 7, false), (700, 8, true)] {
        let world = World::new().await;
        let api = Api::new("apify");
        let all = world.connect(&api, held).await;
        api.revoked.lock().unwrap().extend(all[..together].iter().map(|(_, text)| text.clone()));
        for (id, _) in &all[..together] {
            world.call(&api, id, 0).await;
        }
        let mut revoked = 0;
        for _ in 0..20 {
            revoked += world.minute(&api).await.iter().map(|done| done.revoked).sum::<u64>();
        }
        let expected = if suspect { 0 } else { together as u64 };
        assert_eq!(revoked, expected, "{together} of {held}");
        assert_eq!(world.told.0.load(Ordering::SeqCst) > 0, suspect, "{together} of {held}");
        // An operator who knows better.
        let run = world.instances[0].recheck_paused(&api).pace(Duration::ZERO).trusting_refusals();
        world.f.clock.advance(6 * MINUTE);
        let done = run.finish().await.unwrap();
        assert_eq!(done.revoked, together as u64 - expected, "{done:?}");
    }
}

#[tokio::test]
async fn one_providers_outage_is_not_anothers() {
    let world = World::new().await;
    let (down, well) = (Api::new("apify"), Api::new("other"));
    let (many, few) = (world.connect(&down, 50).await, world.connect(&well, 50).await);
    down.down.store(true, Ordering::SeqCst);
    well.revoked.lock().unwrap().insert(few[7].1.clone());
    for n in 0..50 {
        world.call(&down, &many[n].0, n).await;
        world.call(&well, &few[n].0, n).await;
    }
    for _ in 0..7 {
        world.minute(&down).await;
        world.jobs(&well).await;
    }
    assert_eq!(world.states(&many).await, HashMap::from([(ConnectionState::Paused, 50)]));
    let states = world.states(&few).await;
    assert_eq!(states, HashMap::from([(ConnectionState::Connected, 49), (ConnectionState::Revoked, 1)]));
}

/// A provider that refuses now and then: what it accepts a moment later says that a refusal means little.
#[tokio::test]
async fn what_was_resumed_counts_as_having_been_paused() {
    let world = World::new().await;
    let api = Api::new("apify");
    let all = world.connect(&api, 30).await;
    let (one, others) = all.split_first().unwrap();
    api.down.store(true, Ordering::SeqCst);
    world.call(&api, &one.0, 0).await;
    world.f.clock.advance(6 * MINUTE);
    for (id, _) in others {
        world.call(&api, id, 0).await;
    }
    api.down.store(false, Ordering::SeqCst);
    api.revoked.lock().unwrap().insert(one.1.clone());
    world.jobs(&api).await;
    let states = HashMap::from([(ConnectionState::Connected, 29), (ConnectionState::Paused, 1)]);
    assert_eq!(world.states(&all).await, states);
    world.f.clock.advance(6 * MINUTE);
    world.jobs(&api).await;
    let states = HashMap::from([(ConnectionState::Connected, 29), (ConnectionState::Revoked, 1)]);
    assert_eq!(world.states(&all).await, states, "once that is over");
}

/// Many that are refused for long keep nobody waiting who is paused later, alone: nobody asked about that one yet.
#[tokio::test]
async fn what_is_paused_beside_a_crowd_is_asked_about() {
    let world = World::new().await;
    let api = Api::new("apify");
    let all = world.connect(&api, 101).await;
    let (alone, crowd) = all.split_last().unwrap();
    api.revoked.lock().unwrap().extend(crowd.iter().map(|(_, text)| text.clone()));
    for (id, _) in crowd {
        world.call(&api, id, 0).await;
    }
    for _ in 0..11 {
        world.minute(&api).await;
    }
    api.down.store(true, Ordering::SeqCst);
    world.call(&api, &alone.0, 0).await;
    api.down.store(false, Ordering::SeqCst);
    world.f.clock.advance(6 * MINUTE);
    api.refusals();
    let mut run = world.instances[0].recheck_paused(&api).pace(Duration::ZERO);
    let first = run.next().await.unwrap().unwrap();
    assert_eq!((&first.id, first.outcome), (&alone.0, RecheckOutcome::Resumed));
    while run.next().await.unwrap().is_some() {}
    let done = run.progress();
    assert_eq!(
        (done.resumed, done.still_paused, done.stopped),
        (1, 15, Some(RecheckStopped::ProviderSuspect))
    );
    assert_eq!(api.refusals(), (15, 1));
}
