//! Rows of an earlier time, put back.

use tokenkeep::{ErrorKind, Finding, Revision};
use tokenkeep_testkit::fake_token;

use crate::common::{give, token};
use crate::files::{Files, KEEP, PUT_BACK, findings, id};

#[tokio::test]
async fn an_old_row_put_back_is_refused_by_who_saw_the_new_one_and_named_by_verify() {
    let f = Files::new();
    let (vault, _) = f.connected("t").await;
    sqlx::raw_sql(KEEP).execute(&mut f.sql().await).await.unwrap();
    let connection = vault.connection("t", "apify").unwrap();
    connection.replace(&f.provider, token(&fake_token())).await.unwrap();
    f.edit(PUT_BACK).await;
    assert_eq!(give(&connection.credential(), &f.provider).await, Err(ErrorKind::Tampered));
    let put_back =
        Finding::RecordPutBack { id: id("t"), found: Revision::from_u64(1), expected: Revision::from_u64(2) };
    assert_eq!(findings(&vault).await, std::slice::from_ref(&put_back));
    assert_eq!(findings(&f.fresh().await).await, [put_back]);
}

#[tokio::test]
async fn a_disconnected_token_put_back_is_named() {
    let f = Files::new();
    let (vault, _) = f.connected("t").await;
    sqlx::raw_sql(KEEP).execute(&mut f.sql().await).await.unwrap();
    let connection = vault.connection("t", "apify").unwrap();
    let _ = connection.disconnect().await.unwrap();
    f.edit(PUT_BACK).await;
    assert_eq!(give(&connection.credential(), &f.provider).await, Err(ErrorKind::Tampered));
    let fresh = f.fresh().await;
    assert!(matches!(findings(&fresh).await[..], [Finding::RecordPutBack { .. }]));
}

#[tokio::test]
async fn what_was_put_back_stays_named_after_the_next_change() {
    let f = Files::new();
    let (vault, _) = f.connected("t").await;
    sqlx::raw_sql(KEEP).execute(&mut f.sql().await).await.unwrap();
    let _ = vault.connection("t", "apify").unwrap().disconnect().await.unwrap();
    f.edit(PUT_BACK).await;
    let vault = f.fresh().await;
    let connection = vault.connection("t", "apify").unwrap();
    assert!(
        give(&connection.credential(), &f.provider).await.is_ok(),
        "a fresh process can't know; the trail does"
    );
    let _ = connection.disconnect().await.unwrap();
    let found = findings(&vault).await;
    assert!(matches!(&found[..], [Finding::HistoryBroken { sequence: 4, .. }]), "{found:?}");
}

#[tokio::test]
async fn a_record_of_the_same_revision_from_another_run_of_events_is_named() {
    let f = Files::new();
    drop(f.connected("t").await);
    let replace = async || {
        let vault = f.fresh().await;
        let connection = vault.connection("t", "apify").unwrap();
        connection.replace(&f.provider, token(&fake_token())).await.unwrap();
    };
    f.edit(
        "CREATE TABLE first_c AS SELECT * FROM tokenkeep_connection;
         CREATE TABLE first_s AS SELECT * FROM tokenkeep_sealed;
         CREATE TABLE first_a AS SELECT * FROM tokenkeep_audit;
         CREATE TABLE first_h AS SELECT * FROM tokenkeep_audit_head; UPDATE first_h SET sequence = sequence",
    )
    .await;
    replace().await;
    sqlx::raw_sql(KEEP).execute(&mut f.sql().await).await.unwrap();
    f.edit(
        "DELETE FROM tokenkeep_connection; INSERT INTO tokenkeep_connection SELECT * FROM first_c;
         DELETE FROM tokenkeep_sealed; INSERT INTO tokenkeep_sealed SELECT * FROM first_s;
         DELETE FROM tokenkeep_audit; INSERT INTO tokenkeep_audit SELECT * FROM first_a;
         DELETE FROM tokenkeep_audit_head; INSERT INTO tokenkeep_audit_head SELECT * FROM first_h",
    )
    .await;
    replace().await;
    assert_eq!(findings(&f.fresh().await).await, []);
    f.edit(PUT_BACK).await;
    assert_eq!(findings(&f.fresh().await).await, [Finding::RecordUnaccounted { id: id("t") }]);
}

#[tokio::test]
async fn an_envelope_from_before_a_reconnect_does_not_open_after_it() {
    let f = Files::new();
    let (vault, _) = f.connected("t").await;
    let mut sql = f.sql().await;
    sqlx::raw_sql("CREATE TABLE kept_s AS SELECT * FROM tokenkeep_sealed").execute(&mut sql).await.unwrap();
    let connection = vault.connection("t", "apify").unwrap();
    let _ = connection.disconnect().await.unwrap();
    connection.connect(&f.provider, token(&fake_token())).await.unwrap();
    f.edit(
        "UPDATE tokenkeep_sealed SET bytes = (SELECT bytes FROM kept_s)
         WHERE slot = (SELECT slot FROM tokenkeep_connection)",
    )
    .await;
    assert_eq!(
        give(&f.fresh().await.connection("t", "apify").unwrap().credential(), &f.provider).await,
        Err(ErrorKind::Tampered)
    );
}
