//! A record is ended although the trail that it is judged by was altered too.

use tokenkeep::ConnectionState;
use tokenkeep_testkit::fake_token;

use crate::common::{give, token};
use crate::files::{Files, KEEP, PUT_BACK, id};

/// Whoever altered the record may have altered the trail as well.
#[tokio::test]
async fn a_trail_that_was_altered_does_not_keep_it_from_being_ended() {
    let shard = tokenkeep_store::shard_of(id("t").tenant());
    for sql in [
        "UPDATE tokenkeep_audit SET action = 'no action' WHERE sequence = 1 AND shard = ",
        "UPDATE tokenkeep_audit SET at = at + 1 WHERE sequence = 1 AND shard = ",
        "DELETE FROM tokenkeep_audit WHERE sequence = 1 AND shard = ",
    ] {
        let f = Files::new();
        let (vault, _) = f.connected("t").await;
        let connection = vault.connection("t", "apify").unwrap();
        for _ in 0..3 {
            connection.replace(&f.provider, token(&fake_token())).await.unwrap();
        }
        f.edit(&format!("{sql}{shard}")).await;
        f.edit("UPDATE tokenkeep_connection SET mac = zeroblob(32)").await;
        let vault = f.fresh().await;
        let connection = vault.connection("t", "apify").unwrap();
        let _ = connection.discard_tampered(&f.provider).await.unwrap();
        assert_eq!(connection.status().await.unwrap().state, ConnectionState::Disconnected, "{sql}");
        const LAST: &str = "SELECT action, revision FROM tokenkeep_audit ORDER BY sequence DESC LIMIT 1";
        let entry: (String, i64) = sqlx::query_as(LAST).fetch_one(&mut f.sql().await).await.unwrap();
        assert_eq!(entry, ("discarded".to_owned(), 5), "{sql}");
        connection.connect(&f.provider, token(&fake_token())).await.unwrap();
    }
}

/// The entries that tell the record's last revisions were altered. Its genuine last row, put back behind the discard, is not
/// taken for a newer one.
#[tokio::test]
async fn what_comes_back_behind_a_discard_is_refused_wherever_the_trail_was_altered() {
    for sql in [
        "UPDATE tokenkeep_audit SET action = 'no action' WHERE sequence = 4",
        "UPDATE tokenkeep_audit SET at = at + 1 WHERE sequence = 4",
        "UPDATE tokenkeep_audit SET mac = zeroblob(32) WHERE sequence = 4",
        "DELETE FROM tokenkeep_audit WHERE sequence = 4",
        "UPDATE tokenkeep_audit SET revision = -1 WHERE sequence > 1",
        "DELETE FROM tokenkeep_audit WHERE sequence > 1",
        "DELETE FROM tokenkeep_audit",
    ] {
        let f = Files::new();
        let (vault, _) = f.connected("t").await;
        for _ in 0..3 {
            vault.connection("t", "apify").unwrap().replace(&f.provider, token(&fake_token())).await.unwrap();
        }
        drop(vault);
        sqlx::raw_sql(KEEP).execute(&mut f.sql().await).await.unwrap();
        f.edit(sql).await;
        f.edit("UPDATE tokenkeep_connection SET mac = zeroblob(32)").await;
        let vault = f.fresh().await;
        let connection = vault.connection("t", "apify").unwrap();
        let _ = connection.discard_tampered(&f.provider).await.unwrap();
        assert_eq!(connection.status().await.unwrap().state, ConnectionState::Disconnected, "{sql}");
        f.edit(PUT_BACK).await;
        assert!(give(&connection.credential(), &f.provider).await.is_err(), "{sql}");
        // As long as nobody restarts. After that it is named, and ended once more.
        let fresh = f.fresh().await.connection("t", "apify").unwrap();
        let _ = fresh.discard_tampered(&f.provider).await.unwrap();
        assert_eq!(connection.status().await.unwrap().state, ConnectionState::Disconnected, "{sql}");
    }
}
