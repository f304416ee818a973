//! Sets on PostgreSQL: a whole life, tampering, races and pushes, as on SQLite.

use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgPool, PgPoolOptions};
use tempfile::TempDir;
use tokenkeep::{ErrorKind, LocalKeyring, PostgresStore, Scrub, Vault};
use tokenkeep_testkit::ThrowawayPostgres;

use crate::common::Scripted;
use crate::files::findings;
use crate::life::lives;
use crate::push::steps;
use crate::races::all_count;
use crate::sets::{change, opened, vars};
use crate::target::{Fate, Target};

struct OnPostgres {
    _folder: TempDir,
    _server: ThrowawayPostgres,
    keys: LocalKeyring,
    pool: PgPool,
    provider: Scripted,
}

impl OnPostgres {
    async fn new() -> Self {
        let server = ThrowawayPostgres::start().unwrap();
        let pool = PgPoolOptions::new().max_connections(8).connect(&server.url("postgres")).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let keys = LocalKeyring::create(folder.path().join("keys/keyring")).unwrap();
        Self { _folder: folder, _server: server, keys, pool, provider: Scripted::new() }
    }

    /// A vault as a process that was just started sees it.
    async fn fresh(&self) -> Vault {
        let store = PostgresStore::open(self.pool.clone()).await.unwrap();
        Vault::open(store, self.keys.clone()).await.unwrap()
    }

    async fn edit(&self, sql: &str) {
        let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&self.pool).await.unwrap();
        assert!(done.rows_affected() > 0, "{sql} changed nothing");
    }
}

#[tokio::test]
async fn postgres_a_set_lives() {
    let on = OnPostgres::new().await;
    lives(&on.fresh().await, &on.fresh().await, &on.provider, Scrub::Impossible).await;
}

#[tokio::test]
async fn postgres_what_was_altered_is_refused_and_ended() {
    let on = OnPostgres::new().await;
    let moved = |from: &str, to: &str| {
        format!(
            "UPDATE tokenkeep.connection SET (kek, fingerprint, envelope) =
             (SELECT kek, fingerprint, envelope FROM tokenkeep.connection WHERE name = '{from}') WHERE name = '{to}'"
        )
    };
    let put_back = |half: &str| {
        format!(
            "DELETE FROM tokenkeep.connection WHERE name = '{half}';
             INSERT INTO tokenkeep.connection SELECT * FROM kept WHERE name = '{half}'"
        )
    };
    for sql in [
        moved("~env/other", "~env/scraper"),
        moved("~env-index/scraper", "~env/scraper"),
        moved("~env-index/other", "~env-index/scraper"),
        put_back("~env/scraper"),
        put_back("~env-index/scraper"),
        "DELETE FROM tokenkeep.connection WHERE name = '~env/scraper'".to_owned(),
        "DELETE FROM tokenkeep.connection WHERE name = '~env-index/scraper'".to_owned(),
        "UPDATE tokenkeep.connection SET revision = 99 WHERE name = '~env-index/scraper'".to_owned(),
    ] {
        let vault = on.fresh().await;
        for name in ["scraper", "other"] {
            let env = vault.secret_env("t", name).unwrap();
            env.create(&on.provider, &vars(&[("A", name)])).await.unwrap();
        }
        on.edit("CREATE TABLE kept AS SELECT * FROM tokenkeep.connection").await;
        let env = vault.secret_env("t", "scraper").unwrap();
        env.change(&change(&[("A", "new")], &[])).await.unwrap();
        on.edit(&sql).await;
        assert_eq!(opened(&env).await, Err(ErrorKind::Tampered), "who saw the new one: {sql}");
        let vault = on.fresh().await;
        let env = vault.secret_env("t", "scraper").unwrap();
        assert_eq!(opened(&env).await, Err(ErrorKind::Tampered), "{sql}");
        let found = findings(&vault).await;
        assert_eq!(found.len(), 1, "{sql}: {found:?}");
        let _ = env.discard_tampered(&on.provider).await.unwrap();
        assert_eq!(findings(&vault).await, [], "{sql}");
        env.create(&on.provider, &vars(&[("A", "again")])).await.unwrap();
        assert_eq!(opened(&env).await.as_deref(), Ok("A=again"), "{sql}");
        for name in ["scraper", "other"] {
            let _ = vault.secret_env("t", name).unwrap().remove().await.unwrap();
        }
        sqlx::raw_sql("DROP TABLE kept").execute(&on.pool).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_changes_at_the_same_time_all_count() {
    let on = OnPostgres::new().await;
    let vaults = [on.fresh().await, on.fresh().await, on.fresh().await, on.fresh().await];
    all_count(&on.provider, vaults).await;
}

#[tokio::test]
async fn postgres_an_interrupted_push_is_gone_on_with() {
    let on = OnPostgres::new().await;
    let (vault, target) = (on.fresh().await, Target::new());
    let env = vault.secret_env("t", "scraper").unwrap();
    let elsewhere = on.fresh().await.secret_env("t", "scraper").unwrap();
    env.create(&on.provider, &vars(&[("A", "1"), ("B", "2")])).await.unwrap();
    let plan = elsewhere.plan(&target).await.unwrap();
    let mut push = env.plan(&target).await.unwrap().push();
    target.will(1, Fate::Refused(ErrorKind::ProviderUnavailable));
    assert_eq!(push.next().await.unwrap().unwrap().to_string(), "create A");
    assert_eq!(push.next().await.unwrap_err().kind(), ErrorKind::ProviderUnavailable);
    assert_eq!(plan.apply().await.unwrap_err().kind(), ErrorKind::Conflict, "one sends at a time");
    assert_eq!(push.next().await.unwrap().unwrap().to_string(), "create B");
    assert_eq!(push.next().await.unwrap(), None);
    assert_eq!(target.shown(), "A=1 B=2");
    assert_eq!(steps(&elsewhere.plan(&target).await.unwrap()), "");
    assert_eq!(findings(&vault).await, []);
}
