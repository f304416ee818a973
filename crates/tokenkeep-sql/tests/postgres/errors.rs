//! Nothing of a row, of a parameter or of a password gets into an error.

use std::time::Duration;

use sqlx::Connection;
use sqlx::postgres::PgPoolOptions;
use tokenkeep_core::ErrorKind;
use tokenkeep_sql::PostgresStore;
use tokenkeep_store::TokenStore;
use tokenkeep_store::conformance::{sample_chain, sample_change, sample_id, sample_record};

use super::{Database, run};

/// PostgreSQL quotes rows and parameters in its messages and details.
#[tokio::test]
async fn no_error_holds_what_a_row_or_a_parameter_held() {
    let database = Database::fresh();
    let store = database.store().await;
    let mut stranger = database.stranger().await;
    let mut secret = sample_record(&sample_id("tenant-Planted!", "name-Planted!"), 1);
    secret.sealed.as_mut().unwrap().envelope = b"envelope-Planted!".to_vec();
    // Each makes the next commit fail in another way, all of them with the row in what PostgreSQL says.
    let breaks = [
        (
            "ALTER TABLE tokenkeep.connection ADD CONSTRAINT theirs CHECK (length(tenant) < 3)",
            ErrorKind::StoreUnusable,
        ),
        (
            "ALTER TABLE tokenkeep.connection DROP CONSTRAINT theirs; \
          CREATE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql AS \
          $$ BEGIN RAISE EXCEPTION 'no %', NEW USING DETAIL = NEW::text, HINT = NEW.tenant; END $$; \
          CREATE TRIGGER theirs BEFORE INSERT ON tokenkeep.connection FOR EACH ROW EXECUTE FUNCTION theirs()",
            ErrorKind::StoreUnusable,
        ),
        (
            "CREATE OR REPLACE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql AS \
          $$ BEGIN PERFORM NEW.tenant::int; RETURN NEW; END $$",
            ErrorKind::Internal,
        ),
        (
            "DROP TRIGGER theirs ON tokenkeep.connection; \
          ALTER TABLE tokenkeep.audit ADD COLUMN theirs text GENERATED ALWAYS AS (tenant) STORED UNIQUE; \
          INSERT INTO tokenkeep.audit (shard, sequence, at, action, tenant, name, incarnation, secret_version, revision, \
          times, mac) VALUES (99, 1, 1, '', 'tenant-Planted!', '', '', 1, 1, 1, '')",
            ErrorKind::StoreUnusable,
        ),
    ];
    for (sql, kind) in breaks {
        run(&mut stranger, sql).await;
        let mut application = database.stranger().await;
        let mut transaction = application.begin().await.unwrap();
        let changes = [sample_change(&secret, None)];
        for error in [
            store.commit(&changes, &sample_chain()).await.expect_err(sql),
            store.commit_in(&mut transaction, &changes, &sample_chain()).await.expect_err(sql),
        ] {
            let shown = format!("{error} {error:?} {error:#?} {}", error.report());
            assert!(!shown.contains("Planted"), "{sql}: {shown}");
            assert!(shown.contains("PostgreSQL's error "), "{sql}: {shown}");
            assert_eq!(error.kind(), kind, "{sql}: {shown}");
        }
    }
}

#[tokio::test]
async fn no_error_holds_a_password() {
    let database = Database::fresh();
    let wrong = database.options().password("Planted!");
    let pool = PgPoolOptions::new().acquire_timeout(Duration::from_secs(3)).connect_lazy_with(wrong);
    let error = PostgresStore::open(pool.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnusable, "{error:?}");
    assert!(!format!("{error:?} {}", error.report()).contains("Planted"));
    let store = database.store().await;
    assert!(!format!("{store:?}").contains(&database.url));
}
