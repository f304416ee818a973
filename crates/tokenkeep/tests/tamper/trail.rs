//! The audit trail altered, or cut.

use tokenkeep::{ErrorKind, Finding};
use tokenkeep_testkit::fake_token;

use crate::common::token;
use crate::files::{Files, findings, id};

#[tokio::test]
async fn a_cut_in_the_trail_stays_named_after_the_next_change() {
    let f = Files::new();
    let (vault, _) = f.connected("t").await;
    let connection = vault.connection("t", "apify").unwrap();
    connection.replace(&f.provider, token(&fake_token())).await.unwrap();
    f.edit(
        "DELETE FROM tokenkeep_audit WHERE sequence = 2;
         UPDATE tokenkeep_audit_head SET sequence = 1,
             mac = (SELECT mac FROM tokenkeep_audit WHERE sequence = 1) WHERE sequence = 2",
    )
    .await;
    let refused = connection.replace(&f.provider, token(&fake_token())).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Tampered, "by who saw the trail's end before");
    let fresh = f.fresh().await;
    let connection = fresh.connection("t", "apify").unwrap();
    connection.replace(&f.provider, token(&fake_token())).await.unwrap();
    let found = findings(&fresh).await;
    assert!(matches!(&found[..], [Finding::HistoryBroken { sequence: 2, .. }]), "{found:?}");
    let found = findings(&vault).await;
    assert!(matches!(&found[1..], [Finding::HeadPutBack { sequence: 2, .. }]), "{found:?}");
}

/// A trail of four entries of one tenant: connected, replaced, replaced, disconnected.
async fn with_a_trail() -> Files {
    let f = Files::new();
    let (vault, _) = f.connected("t").await;
    let connection = vault.connection("t", "apify").unwrap();
    connection.replace(&f.provider, token(&fake_token())).await.unwrap();
    connection.replace(&f.provider, token(&fake_token())).await.unwrap();
    let _ = connection.disconnect().await.unwrap();
    assert_eq!(findings(&vault).await, []);
    assert_eq!(vault.verify().await.unwrap().entries, 4);
    f
}

#[tokio::test]
async fn every_kind_of_tampering_with_the_trail_is_located() {
    for (sql, place) in [
        ("UPDATE tokenkeep_audit SET action = 'used' WHERE sequence = 2", 2),
        ("UPDATE tokenkeep_audit SET action = 'no action' WHERE sequence = 1", 1),
        ("UPDATE tokenkeep_audit SET at = at + 1 WHERE sequence = 3", 3),
        ("UPDATE tokenkeep_audit SET tenant = 'u' WHERE sequence = 2", 2),
        ("UPDATE tokenkeep_audit SET name = 'u' WHERE sequence = 2", 2),
        ("UPDATE tokenkeep_audit SET incarnation = randomblob(16) WHERE sequence = 2", 2),
        ("UPDATE tokenkeep_audit SET secret_version = 7 WHERE sequence = 2", 2),
        ("UPDATE tokenkeep_audit SET revision = 7 WHERE sequence = 2", 2),
        ("UPDATE tokenkeep_audit SET times = 7 WHERE sequence = 2", 2),
        ("UPDATE tokenkeep_audit SET subject = 'x' WHERE sequence = 2", 2),
        ("UPDATE tokenkeep_audit SET mac = zeroblob(32) WHERE sequence = 4", 4),
        ("DELETE FROM tokenkeep_audit WHERE sequence = 1", 1),
        ("DELETE FROM tokenkeep_audit WHERE sequence = 2", 2),
        (
            "UPDATE tokenkeep_audit SET sequence = 9 WHERE sequence = 2;
             UPDATE tokenkeep_audit SET sequence = 2 WHERE sequence = 3;
             UPDATE tokenkeep_audit SET sequence = 3 WHERE sequence = 9",
            2,
        ),
        (
            "CREATE TABLE c AS SELECT * FROM tokenkeep_audit WHERE sequence = 4; UPDATE c SET sequence = 5;
             INSERT INTO tokenkeep_audit SELECT * FROM c",
            5,
        ),
    ] {
        let f = with_a_trail().await;
        f.edit(sql).await;
        let found = findings(&f.fresh().await).await;
        let first = found.first();
        assert!(
            matches!(first, Some(Finding::EntryAltered { sequence, .. }) if *sequence == place),
            "{sql}: {found:?}"
        );
        assert_eq!(found.len(), 1, "one finding for one deed: {sql}: {found:?}");
    }
}

#[tokio::test]
async fn a_cut_trail_is_named() {
    let f = with_a_trail().await;
    f.edit("DELETE FROM tokenkeep_audit WHERE sequence = 4").await;
    let found = findings(&f.fresh().await).await;
    assert!(matches!(found[..], [Finding::HeadAltered { .. }]), "{found:?}");

    // With the head set back too, the record that goes further than the trail tells.
    let f = with_a_trail().await;
    f.edit(
        "DELETE FROM tokenkeep_audit WHERE sequence = 4;
         UPDATE tokenkeep_audit_head SET sequence = 3,
             mac = (SELECT mac FROM tokenkeep_audit WHERE sequence = 3) WHERE sequence = 4",
    )
    .await;
    assert_eq!(findings(&f.fresh().await).await, [Finding::RecordUnaccounted { id: id("t") }]);
}
