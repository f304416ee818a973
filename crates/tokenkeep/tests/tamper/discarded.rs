//! The way back: an operator ends what was tampered with, and the customer connects anew.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokenkeep::{
    Action, AuditDraft, Connection, ConnectionId, ConnectionState, ErrorKind, Incarnation, PurgeHook,
    Revision, Vault,
};
use tokenkeep_testkit::fake_token;

use crate::common::{Fixture, Unsteady, give, token};
use crate::files::{Files, KEEP, PUT_BACK, findings, id};

/// Remembers which lives of a connection it was told of.
#[derive(Debug, Default)]
struct Told(Mutex<Vec<Incarnation>>);

#[async_trait]
impl PurgeHook for Told {
    async fn purge(
        &self,
        _connection: &ConnectionId,
        former: Incarnation,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.0.lock().unwrap().push(former);
        Ok(())
    }
}

async fn last_entry(vault: &Vault, tenant: &str) -> AuditDraft {
    vault.audit().of_tenant(tenant, 0, 100).await.unwrap().pop().unwrap().draft
}

/// Nobody's bytes are left but those of the connections that hold a token.
async fn slots_in_use(f: &Files) -> i64 {
    const IN_USE: &str = "SELECT count(*) FROM tokenkeep_sealed WHERE bytes <> zeroblob(length(bytes))";
    sqlx::query_scalar(IN_USE).fetch_one(&mut f.sql().await).await.unwrap()
}

/// Ends it in a process that was just started, and goes through what must be true then.
async fn end(f: &Files, found: &str, revision: u64) {
    let told = Arc::new(Told::default());
    let vault = f.fresh_with(Vault::options().on_disconnect("lists", Arc::clone(&told))).await;
    let connection = vault.connection("t", "apify").unwrap();
    assert_ne!(findings(&vault).await, [], "{found}");
    let life = last_entry(&vault, "t").await.incarnation;
    let receipt = connection.discard_tampered(&f.provider).await.unwrap();
    assert_eq!(receipt.provider.as_str(), "apify");
    assert!(receipt.hooks_complete());
    assert_eq!(*told.0.lock().unwrap(), [life], "{found}");
    let trail = vault.audit().of_tenant("t", 0, 100).await.unwrap();
    let [.., entry, purged] = &trail[..] else { panic!("{trail:?}") };
    assert_eq!(purged.draft.action, Action::Purged);
    assert_eq!((entry.draft.action, entry.draft.subject.as_deref()), (Action::Discarded, Some(found)));
    assert_eq!(entry.draft.revision, Revision::from_u64(revision), "{found}");
    assert_eq!(findings(&vault).await, [], "{found}");
    for other in [&vault, &f.fresh().await] {
        let connection = other.connection("t", "apify").unwrap();
        assert_eq!(connection.status().await.unwrap().state, ConnectionState::Disconnected);
        assert_eq!(give(&connection.credential(), &f.provider).await, Err(ErrorKind::NotConnected));
    }
    assert_eq!(slots_in_use(f).await, 1, "of the token that is left: {found}");
    let text = fake_token();
    connection.connect(&f.provider, token(&text)).await.unwrap();
    assert_eq!(give(&connection.credential(), &f.provider).await, Ok(text));
    assert_eq!(give(&bystander(&vault), &f.provider).await.map(drop), Ok(()));
    assert_eq!(findings(&f.fresh().await).await, []);
}

fn bystander(vault: &Vault) -> tokenkeep::Credential {
    vault.connection("bystander", "apify").unwrap().credential()
}

/// Two connections: the one that is tampered with, and one that must not suffer for it.
async fn two() -> (Files, Connection) {
    let f = Files::new();
    drop(f.connected("bystander").await);
    let (vault, _) = f.connected("t").await;
    let connection = vault.connection("t", "apify").unwrap();
    (f, connection)
}

#[tokio::test]
async fn an_altered_row_is_ended_and_the_customer_connects_anew() {
    for sql in [
        "UPDATE tokenkeep_connection SET mac = zeroblob(32) WHERE tenant = 't'",
        "UPDATE tokenkeep_connection SET revision = 9223372036854775807 WHERE tenant = 't'",
        "UPDATE tokenkeep_connection SET status = 'disconnected' WHERE tenant = 't'",
        // Not even readable.
        "UPDATE tokenkeep_connection SET status = 'no status' WHERE tenant = 't'",
        "UPDATE tokenkeep_connection SET provider = 'NO NAME', incarnation = x'00' WHERE tenant = 't'",
        "UPDATE tokenkeep_connection SET slot = NULL WHERE tenant = 't'",
        "UPDATE tokenkeep_sealed SET bytes = x'01' WHERE slot = (SELECT slot FROM tokenkeep_connection WHERE tenant = 't')",
        // Nor its revision.
        "UPDATE tokenkeep_connection SET revision = -1 WHERE tenant = 't'",
        "UPDATE tokenkeep_connection SET revision = 7, status = 'no status' WHERE tenant = 't'",
        // Another record's sealed bytes: they are not to be wiped.
        "UPDATE tokenkeep_connection SET slot = (SELECT slot FROM tokenkeep_connection WHERE tenant = 'bystander')
         WHERE tenant = 't'",
    ] {
        let (f, _) = two().await;
        f.edit(sql).await;
        end(&f, "altered", 2).await;
    }
}

#[tokio::test]
async fn a_row_that_was_put_back_is_ended() {
    for ended_before in [false, true] {
        let (f, connection) = two().await;
        sqlx::raw_sql(KEEP).execute(&mut f.sql().await).await.unwrap();
        if ended_before {
            let _ = connection.disconnect().await.unwrap();
        } else {
            connection.replace(&f.provider, token(&fake_token())).await.unwrap();
        }
        f.edit(PUT_BACK).await;
        // Also by a process that knows what was there, and refuses everything else.
        assert_eq!(connection.disconnect().await.unwrap_err().kind(), ErrorKind::Tampered);
        end(&f, "put-back", 3).await;
        assert_eq!(connection.status().await.unwrap().state, ConnectionState::Connected);
    }
    let (f, connection) = two().await;
    sqlx::raw_sql(KEEP).execute(&mut f.sql().await).await.unwrap();
    connection.replace(&f.provider, token(&fake_token())).await.unwrap();
    f.edit(PUT_BACK).await;
    let _ = connection.discard_tampered(&f.provider).await.unwrap();
    assert_eq!(connection.status().await.unwrap().state, ConnectionState::Disconnected);
}

#[tokio::test]
async fn a_row_that_vanished_is_ended_and_its_bytes_are_wiped() {
    let (f, _) = two().await;
    f.edit("DELETE FROM tokenkeep_connection WHERE tenant = 't'").await;
    assert_eq!(slots_in_use(&f).await, 2);
    end(&f, "missing", 2).await;
}

#[tokio::test]
async fn a_row_that_the_trail_does_not_know_is_ended() {
    // Entries that were cut off, with the head: the record is genuine, and further than the trail.
    let (f, connection) = two().await;
    connection.replace(&f.provider, token(&fake_token())).await.unwrap();
    connection.replace(&f.provider, token(&fake_token())).await.unwrap();
    let shard = tokenkeep_store::shard_of(id("t").tenant());
    f.edit(&format!(
        "DELETE FROM tokenkeep_audit WHERE shard = {shard} AND revision > 1 AND tenant = 't';
         UPDATE tokenkeep_audit_head SET (sequence, mac) =
             (SELECT sequence, mac FROM tokenkeep_audit WHERE shard = {shard} ORDER BY sequence DESC LIMIT 1)
         WHERE shard = {shard}"
    ))
    .await;
    end(&f, "unaccounted", 4).await;

    // A copy under another tenant's name: its sealed bytes are the other one's.
    let (f, _) = two().await;
    f.edit(
        "CREATE TABLE copy AS SELECT * FROM tokenkeep_connection WHERE tenant = 'bystander';
         UPDATE copy SET tenant = 'mallory'; INSERT INTO tokenkeep_connection SELECT * FROM copy",
    )
    .await;
    let vault = f.fresh().await;
    let copy = vault.connection("mallory", "apify").unwrap();
    let _ = copy.discard_tampered(&f.provider).await.unwrap();
    assert_eq!(copy.status().await.unwrap().state, ConnectionState::Disconnected);
    assert!(give(&bystander(&vault), &f.provider).await.is_ok());
    assert_eq!(findings(&vault).await, []);
}

#[tokio::test]
async fn what_was_not_tampered_with_is_not_discarded() {
    let (f, connection) = two().await;
    assert_eq!(connection.discard_tampered(&f.provider).await.unwrap_err().kind(), ErrorKind::Misuse);
    let vault = f.fresh().await;
    let nobody = vault.connection("nobody", "apify").unwrap();
    assert_eq!(nobody.discard_tampered(&f.provider).await.unwrap_err().kind(), ErrorKind::NotConnected);
    let _ = connection.disconnect().await.unwrap();
    assert_eq!(connection.discard_tampered(&f.provider).await.unwrap_err().kind(), ErrorKind::Misuse);
    connection.connect(&f.provider, token(&fake_token())).await.unwrap();
    assert_eq!(connection.discard_tampered(&f.provider).await.unwrap_err().kind(), ErrorKind::Misuse);
}

/// By another process: what the trail said a moment ago is then not what the record is.
#[tokio::test]
async fn what_changes_while_it_is_looked_at_is_not_discarded() {
    let f = Fixture::new().await;
    let changing = f.vault.connection("t", "apify").unwrap();
    changing.connect(&f.provider, token(&fake_token())).await.unwrap();
    let store = Unsteady::new(&f.store);
    let vault = Vault::open(Arc::clone(&store), f.keys.clone()).await.unwrap();
    let looking = vault.connection("t", "apify").unwrap();
    for unreadable in [false, true] {
        store.hesitates.store(true, Ordering::SeqCst);
        store.unreadable.store(unreadable, Ordering::SeqCst);
        let change = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            assert!(!store.hesitates.load(Ordering::SeqCst), "the trail was read");
            changing.replace(&f.provider, token(&fake_token())).await.unwrap();
        };
        let (refused, ()) = tokio::join!(looking.discard_tampered(&f.provider), change);
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Misuse, "{unreadable}");
        assert_eq!(changing.status().await.unwrap().state, ConnectionState::Connected);
    }
    assert_eq!(findings(&vault).await, []);
}

/// The row and its entry, put back together: they fit each other, and only a process that read the later ones knows.
#[tokio::test]
async fn what_only_this_process_knows_to_be_put_back_is_ended() {
    let f = Files::new();
    let (vault, _) = f.connected("t").await;
    let read_only = f.fresh().await.connection("t", "apify").unwrap();
    let mut sql = f.sql().await;
    sqlx::raw_sql(KEEP).execute(&mut sql).await.unwrap();
    let connection = vault.connection("t", "apify").unwrap();
    connection.replace(&f.provider, token(&fake_token())).await.unwrap();
    assert_eq!(read_only.status().await.unwrap().state, ConnectionState::Connected);
    f.edit(PUT_BACK).await;
    f.edit(
        "DELETE FROM tokenkeep_audit WHERE sequence = 2;
         UPDATE tokenkeep_audit_head SET sequence = 1,
             mac = (SELECT mac FROM tokenkeep_audit WHERE sequence = 1) WHERE sequence = 2",
    )
    .await;
    assert_eq!(read_only.status().await.unwrap_err().kind(), ErrorKind::Tampered);
    let _ = read_only.discard_tampered(&f.provider).await.unwrap();
    assert_eq!(read_only.status().await.unwrap().state, ConnectionState::Disconnected);
    let fresh = f.fresh().await;
    let entry = last_entry(&fresh, "t").await;
    assert_eq!((entry.subject.as_deref(), entry.revision), (Some("put-back"), Revision::from_u64(3)));
    assert_eq!(findings(&fresh).await, []);
}
