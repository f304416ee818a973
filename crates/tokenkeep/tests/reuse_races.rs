//! One token under several names, when things happen at the same time or are many.

mod common;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use common::{Fixture, Unsteady, give, token};
use tokenkeep::{Change, ConnectionState, ErrorKind, Incident, IncidentKind, Observer, TokenStore, Vault};
use tokenkeep_store::{Expected, RecordChange};
use tokenkeep_testkit::fake_token;

/// The incidents, each with those it names.
#[derive(Default)]
struct Incidents(Mutex<Vec<(IncidentKind, Vec<String>)>>);

impl Incidents {
    /// Whom the incidents of one token at several tenants named; forgets them.
    fn told(&self) -> Vec<Vec<String>> {
        let seen = std::mem::take(&mut *self.0.lock().unwrap());
        seen.into_iter()
            .filter(|(kind, _)| *kind == IncidentKind::ReusedAcrossTenants)
            .map(|(_, ids)| ids)
            .collect()
    }
}

impl Observer for Incidents {
    fn incident(&self, incident: &Incident<'_>) {
        let ids = incident.connections.iter().map(ToString::to_string).collect();
        self.0.lock().unwrap().push((incident.kind, ids));
    }

    fn wants_names(&self) -> bool {
        true
    }
}

async fn observed(f: &Fixture) -> (Vault, Arc<Incidents>) {
    let incidents = Arc::new(Incidents::default());
    let options = Vault::options().clock(Arc::clone(&f.clock)).observer(Arc::clone(&incidents));
    (options.open(Arc::clone(&f.store), f.keys.clone()).await.unwrap(), incidents)
}

async fn state(vault: &Vault, tenant: &str, name: &str) -> ConnectionState {
    vault.connection(tenant, name).unwrap().status().await.unwrap().state
}

#[tokio::test]
async fn a_token_that_is_suspected_while_it_is_connected_is_used_under_neither_name() {
    for own_transaction in [false, true] {
        let f = Fixture::new().await;
        let text = fake_token();
        let (one, two) = (f.vault.connection("t", "one").unwrap(), f.vault.connection("t", "two").unwrap());
        one.connect(&f.provider, token(&text)).await.unwrap();
        let prepared = two.prepare_connect(&f.provider, token(&text)).await.unwrap();
        // It sees one connection with this token, as the other is not there yet.
        assert_eq!(one.suspect_leak().finish().await.unwrap().len(), 1);
        let done = if own_transaction {
            f.store.commit(std::slice::from_ref(prepared.change()), prepared.chain()).await.unwrap();
            prepared.committed().await
        } else {
            prepared.commit().await
        };
        assert_eq!(done.unwrap_err().kind(), ErrorKind::Suspected);
        assert_eq!(state(&f.vault, "t", "two").await, ConnectionState::Suspected);
        assert_eq!(give(&two.credential(), &f.provider).await, Err(ErrorKind::Suspected));
        // The way back is the usual one.
        two.replace(&f.provider, token(&fake_token())).await.unwrap();
        assert!(give(&two.credential(), &f.provider).await.is_ok());
        assert!(f.vault.verify().await.unwrap().is_whole());
    }
}

#[tokio::test]
async fn a_token_of_very_many_connections_is_suspected_in_all() {
    let f = Fixture::new().await;
    let text = fake_token();
    for n in 0..150 {
        let connection = f.vault.connection("t", format!("name-{n:03}")).unwrap();
        connection.connect(&f.provider, token(&text)).await.unwrap();
    }
    let connection = f.vault.connection("t", "name-077").unwrap();
    let suspected = connection.suspect_leak().finish().await.unwrap();
    let mut names: Vec<&str> = suspected.iter().map(|token| token.id.name().as_str()).collect();
    assert_eq!(names[0], "name-077", "the one that was asked about comes first");
    names.sort_unstable();
    names.dedup();
    assert_eq!((names.len(), suspected.len()), (150, 150), "each once");
    for n in 0..150 {
        assert_eq!(state(&f.vault, "t", &format!("name-{n:03}")).await, ConnectionState::Suspected, "{n}");
    }
}

#[tokio::test]
async fn two_tenants_at_the_same_time_are_told_to_the_operator() {
    for own_transaction in [false, true] {
        let f = Fixture::new().await;
        let (vault, incidents) = observed(&f).await;
        let text = fake_token();
        let mut prepared = Vec::new();
        for tenant in ["anna", "bert"] {
            let connection = vault.connection(tenant, "apify").unwrap();
            prepared.push(connection.prepare_connect(&f.provider, token(&text)).await.unwrap());
        }
        assert!(incidents.told().is_empty(), "nothing is there yet");
        for change in &prepared {
            if own_transaction {
                assert_eq!(
                    change.committed().await.unwrap_err().kind(),
                    ErrorKind::Conflict,
                    "not there yet"
                );
                f.store.commit(std::slice::from_ref(change.change()), change.chain()).await.unwrap();
                assert_eq!(change.committed().await.unwrap(), change.kept());
            } else {
                change.commit().await.unwrap();
            }
        }
        assert_eq!(incidents.told(), [["bert/apify", "anna/apify"]]);
        // And again when one of them is suspected.
        vault.connection("anna", "apify").unwrap().suspect_leak().finish().await.unwrap();
        assert_eq!(incidents.told(), [["anna/apify", "bert/apify"]]);
    }
}

#[tokio::test]
async fn an_altered_record_is_named_to_nobody() {
    let f = Fixture::new().await;
    let (vault, incidents) = observed(&f).await;
    let text = fake_token();
    for (tenant, name) in [("t", "one"), ("other", "apify")] {
        let connection = vault.connection(tenant, name).unwrap();
        connection.connect(&f.provider, token(&text)).await.unwrap();
        let mut record = f.store.record(connection.id()).await.unwrap().unwrap();
        let expected = Expected::Revision(record.revision);
        record.mac[0] ^= 1;
        let entry = vault.audit().of_tenant(tenant, 0, 1).await.unwrap().remove(0).draft;
        let change = Change { record: Some(RecordChange { record, expected }), entry };
        // As someone who can write to the database does it: past the vault.
        let chain = tokenkeep::AuditChain::new(vault.id(), zeroize::Zeroizing::new([7; 32]));
        f.store.commit(&[change], &chain).await.unwrap();
    }
    incidents.told();
    let kept = vault.connection("t", "two").unwrap().connect(&f.provider, token(&text)).await.unwrap();
    assert_eq!((kept.reused.len(), incidents.told().len()), (0, 0));
}

#[tokio::test]
async fn a_lost_answer_is_found_out() {
    let f = Fixture::new().await;
    let store = Unsteady::new(&f.store);
    let options = Vault::options().clock(Arc::clone(&f.clock));
    let vault = options.open(Arc::clone(&store), f.keys.clone()).await.unwrap();
    let connection = vault.connection("t", "apify").unwrap();
    store.loses_answer.store(true, Ordering::SeqCst);
    let text = fake_token();
    connection.connect(&f.provider, token(&text)).await.unwrap();
    assert!(!store.loses_answer.load(Ordering::SeqCst), "it was lost");
    let text = fake_token();
    store.loses_answer.store(true, Ordering::SeqCst);
    connection.replace(&f.provider, token(&text)).await.unwrap();
    assert_eq!(give(&connection.credential(), &f.provider).await, Ok(text));
    assert!(vault.verify().await.unwrap().is_whole());
}
