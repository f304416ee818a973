//! A vault on PostgreSQL: its connections in the application's own transactions, two instances on one database, and
//! everything that the vault does elsewhere.

mod common;

use common::{Scripted, give, token};
use sqlx::postgres::{PgPool, PgPoolOptions};
use tempfile::TempDir;
use tokenkeep::{Action, ErrorKind, LocalKeyring, PostgresStore, Scrub, Vault};
use tokenkeep_testkit::{LeakScanner, ThrowawayPostgres, fake_token};

struct OnPostgres {
    _keys_folder: TempDir,
    keys: LocalKeyring,
    server: ThrowawayPostgres,
    pool: PgPool,
    store: PostgresStore,
    provider: Scripted,
}

impl OnPostgres {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = LocalKeyring::create(folder.path().join("keys/keyring")).unwrap();
        let server = ThrowawayPostgres::start().unwrap();
        let pool = PgPoolOptions::new().max_connections(8).connect(&server.url("postgres")).await.unwrap();
        let store = PostgresStore::open(pool.clone()).await.unwrap();
        sqlx::query("CREATE TABLE customer (name text)").execute(&pool).await.unwrap();
        Self { _keys_folder: folder, keys, server, pool, store, provider: Scripted::new() }
    }

    async fn vault(&self) -> Vault {
        Vault::options().open(self.store.clone(), self.keys.clone()).await.unwrap()
    }
}

#[tokio::test]
async fn postgres_a_customer_appears_with_its_connection_or_not_at_all() {
    let on = OnPostgres::new().await;
    let vault = on.vault().await;
    for keep in [false, true] {
        let connection = vault.connection("customer-17", "apify").unwrap();
        let text = fake_token();
        let prepared = connection.prepare_connect(&on.provider, token(&text)).await.unwrap();
        let mut transaction = on.pool.begin().await.unwrap();
        sqlx::query("INSERT INTO customer VALUES ('customer-17')").execute(&mut *transaction).await.unwrap();
        let change = std::slice::from_ref(prepared.change());
        on.store.commit_in(&mut transaction, change, prepared.chain()).await.unwrap();
        if keep {
            transaction.commit().await.unwrap();
        } else {
            transaction.rollback().await.unwrap();
        }
        let customers: i64 =
            sqlx::query_scalar("SELECT count(*) FROM customer").fetch_one(&on.pool).await.unwrap();
        assert_eq!(customers, i64::from(keep));
        let given = give(&connection.credential(), &on.provider).await;
        assert_eq!(given, if keep { Ok(text) } else { Err(ErrorKind::NotConnected) });
    }
    assert!(vault.verify().await.unwrap().findings.is_empty());
}

#[tokio::test]
async fn postgres_a_disconnect_is_refused_by_another_instance_and_told_honestly() {
    let on = OnPostgres::new().await;
    let (vault, other) = (on.vault().await, on.vault().await);
    let connection = vault.connection("customer-17", "apify").unwrap();
    let text = fake_token();
    connection.connect(&on.provider, token(&text)).await.unwrap();
    let elsewhere = other.connection("customer-17", "apify").unwrap().credential();
    assert_eq!(give(&elsewhere, &on.provider).await, Ok(text.clone()));
    let dump = on.server.sql("postgres", "SELECT t::text FROM tokenkeep.connection t").unwrap();
    assert!(dump.contains("customer-17"), "{dump}");
    assert!(LeakScanner::new().token("the token", &text).scan_bytes("rows", dump.as_bytes()).is_empty());

    let receipt = connection.disconnect().await.unwrap();
    assert_eq!(receipt.scrub, Scrub::Impossible);
    assert_eq!(give(&elsewhere, &on.provider).await, Err(ErrorKind::NotConnected));
    let left: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM tokenkeep.connection \
         WHERE num_nonnulls(kek, fingerprint, envelope, account_id, account_name) > 0",
    )
    .fetch_one(&on.pool)
    .await
    .unwrap();
    assert_eq!(left, 0);
    assert!(other.verify().await.unwrap().findings.is_empty());
}

#[tokio::test]
async fn postgres_a_record_that_was_tampered_with_is_ended_and_connected_anew() {
    for sql in [
        "UPDATE tokenkeep.connection SET status = 'no status', incarnation = '\\x00'",
        "UPDATE tokenkeep.connection SET envelope = NULL",
        "UPDATE tokenkeep.connection SET revision = 9223372036854775807",
        "DELETE FROM tokenkeep.connection",
    ] {
        let on = OnPostgres::new().await;
        let connection = on.vault().await.connection("t", "apify").unwrap();
        connection.connect(&on.provider, token(&fake_token())).await.unwrap();
        sqlx::query(sql).execute(&on.pool).await.unwrap();
        let vault = on.vault().await;
        let connection = vault.connection("t", "apify").unwrap();
        assert!(!vault.verify().await.unwrap().is_whole(), "{sql}");
        let _ = connection.discard_tampered(&on.provider).await.unwrap();
        assert_eq!(
            vault.audit().of_tenant("t", 0, 9).await.unwrap().last().unwrap().draft.action,
            Action::Discarded
        );
        let text = fake_token();
        connection.connect(&on.provider, token(&text)).await.unwrap();
        assert_eq!(give(&connection.credential(), &on.provider).await, Ok(text));
        assert!(vault.verify().await.unwrap().is_whole(), "{sql}");
    }
}
