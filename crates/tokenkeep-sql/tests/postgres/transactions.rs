//! Commits inside the application's own transactions.

use std::time::Duration;

use sqlx::{Connection, PgConnection, Postgres, Transaction};
use tokenkeep_core::{Error, ErrorKind, VaultId};
use tokenkeep_sql::PostgresStore;
use tokenkeep_store::conformance::{
    sample_chain, sample_chain_of, sample_change, sample_id, sample_record, sample_use,
};
use tokenkeep_store::{Change, TokenStore, VaultRecord, shard_of};

use super::{Database, run};

const LEVELS: [&str; 3] = [
    "BEGIN ISOLATION LEVEL READ COMMITTED",
    "BEGIN ISOLATION LEVEL REPEATABLE READ",
    "BEGIN ISOLATION LEVEL SERIALIZABLE",
];

async fn begin<'c>(connection: &'c mut PgConnection, level: &'static str) -> Transaction<'c, Postgres> {
    let mut transaction = connection.begin_with(level).await.unwrap();
    // From here on the stricter levels see the database as it is now.
    run(&mut transaction, "SELECT 1 FROM tokenkeep.audit_head").await;
    transaction
}

async fn commit_in(store: &PostgresStore, db: &mut PgConnection, change: Change) -> Result<(), Error> {
    store.commit_in(db, &[change], &sample_chain()).await
}

async fn customers(database: &Database) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM customer")
        .fetch_one(&mut database.stranger().await)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_customer_and_its_connection_appear_together_or_not_at_all() {
    let database = Database::fresh();
    let store = database.store().await;
    let mut application = database.stranger().await;
    run(&mut application, "CREATE TABLE customer (name text)").await;
    for (n, level) in (0..).zip(LEVELS) {
        let record = sample_record(&sample_id(&format!("tenant-{n}"), "name"), 1);
        for keep in [false, true] {
            let mut transaction = begin(&mut application, level).await;
            run(&mut transaction, "INSERT INTO customer VALUES ('somebody')").await;
            commit_in(&store, &mut transaction, sample_change(&record, None)).await.unwrap();
            assert_eq!(store.record(&record.id).await.unwrap(), None, "seen before it was committed");
            if keep {
                transaction.commit().await.unwrap();
            } else {
                transaction.rollback().await.unwrap();
            }
            let there = store.record(&record.id).await.unwrap();
            assert_eq!(there, keep.then(|| record.clone()), "{level}, {keep}");
            assert_eq!(customers(&database).await, n + i64::from(keep));
        }
    }
    let heads = store.audit_heads().await.unwrap();
    assert_eq!(heads.iter().map(|head| head.sequence).sum::<u64>(), 3, "a rolled back commit left an entry");
}

/// The application has two vaults and hands one's change to the other's store.
#[tokio::test]
async fn another_vaults_change_is_refused_and_spares_the_transaction() {
    let database = Database::fresh();
    let store = database.store().await;
    let vault = |byte| VaultRecord { id: VaultId::from_bytes([byte; 16]), keys: Vec::new() };
    store.init_vault(&vault(1)).await.unwrap();
    let mut application = database.stranger().await;
    run(&mut application, "CREATE TABLE customer (name text)").await;
    let heads = store.audit_heads().await.unwrap();
    let record = |name: &str| sample_change(&sample_record(&sample_id("tenant", name), 1), None);
    for (n, level) in (1..).zip(LEVELS) {
        for changes in [vec![record("one")], vec![record("one"), record("two")]] {
            let mut transaction = begin(&mut application, level).await;
            run(&mut transaction, "INSERT INTO customer VALUES ('somebody')").await;
            let error = store.commit_in(&mut transaction, &changes, &sample_chain_of(vault(2).id)).await;
            assert_eq!(error.unwrap_err().kind(), ErrorKind::StoreUnusable, "{level}");
            // Nothing of it is in the transaction, whatever the application does with that.
            transaction.commit().await.unwrap();
        }
        assert_eq!(customers(&database).await, 2 * n);
        assert_eq!(store.audit_heads().await.unwrap(), heads, "{level}");
        assert_eq!(store.record(&sample_id("tenant", "one")).await.unwrap(), None);
    }
    let mut transaction = begin(&mut application, LEVELS[0]).await;
    store.commit_in(&mut transaction, &[record("one")], &sample_chain_of(vault(1).id)).await.unwrap();
    transaction.commit().await.unwrap();
    assert!(store.record(&sample_id("tenant", "one")).await.unwrap().is_some());
}

#[tokio::test]
async fn what_ends_before_another_begins_is_never_overwritten() {
    let database = Database::fresh();
    let store = database.store().await;
    let mut application = database.stranger().await;
    for (n, level) in (0..).zip(LEVELS) {
        let id = sample_id(&format!("tenant-{n}"), "name");
        store.commit(&[sample_change(&sample_record(&id, 1), None)], &sample_chain()).await.unwrap();
        let mut transaction = begin(&mut application, level).await;
        let won = sample_record(&id, 2);
        store.commit(&[sample_change(&won, Some(1))], &sample_chain()).await.unwrap();
        let mut late = sample_record(&id, 2);
        late.mac = [9; 32];
        let error = commit_in(&store, &mut transaction, sample_change(&late, Some(1))).await.unwrap_err();
        // The stricter levels can't see what it lost against; PostgreSQL itself refuses them.
        let expected = if n == 0 { ErrorKind::Conflict } else { ErrorKind::StoreUnavailable };
        assert_eq!(error.kind(), expected, "{level}: {error:?}");
        assert!(error.is_retryable());
        let _ = transaction.commit().await;
        assert_eq!(store.record(&id).await.unwrap(), Some(won), "{level}: a lost update");
    }
}

#[tokio::test]
async fn a_record_that_appears_meanwhile_is_never_overwritten() {
    let database = Database::fresh();
    let store = database.store().await;
    let mut application = database.stranger().await;
    for (n, level) in (0..).zip(LEVELS) {
        let id = sample_id(&format!("tenant-{n}"), "name");
        let mut transaction = begin(&mut application, level).await;
        let won = sample_record(&id, 7);
        store.commit(&[sample_change(&won, None)], &sample_chain()).await.unwrap();
        let late = sample_change(&sample_record(&id, 1), None);
        let error = commit_in(&store, &mut transaction, late).await.unwrap_err();
        assert!(error.is_retryable(), "{level}: {error:?}");
        let _ = transaction.commit().await;
        assert_eq!(store.record(&id).await.unwrap(), Some(won), "{level}");
    }
}

/// The trail's head moved on under a transaction that still sees the old one.
#[tokio::test]
async fn the_trail_never_forks() {
    let database = Database::fresh();
    let store = database.store().await;
    let mut application = database.stranger().await;
    let id = sample_id("tenant", "name");
    for level in LEVELS {
        let mut transaction = begin(&mut application, level).await;
        store.commit(&[sample_use(&id)], &sample_chain()).await.unwrap();
        let done = commit_in(&store, &mut transaction, sample_use(&id)).await;
        assert!(
            done.as_ref().is_ok_and(|()| level == LEVELS[0]) || done.is_err_and(|error| error.is_retryable())
        );
        let _ = transaction.commit().await;
    }
    let shard = shard_of(id.tenant());
    let mut head = tokenkeep_store::AuditHead::empty(shard);
    for entry in store.audit_entries(shard, 0, 100).await.unwrap() {
        assert!(sample_chain().follows(&head, &entry));
        head = entry.head();
    }
    assert_eq!(head.sequence, 4);
    assert_eq!(store.audit_heads().await.unwrap()[usize::from(shard)], head);
}

/// Two transactions that change the same records, named in opposite orders, wait for each other and never deadlock.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn commits_of_several_records_lock_in_one_order() {
    let database = Database::fresh();
    let store = database.store().await;
    let ids: Vec<_> = (0..6).map(|n| sample_id(&format!("tenant-{n}"), "name")).collect();
    let racing: Vec<_> = (0..8)
        .map(|racer| {
            let (store, mut ids) = (store.clone(), ids.clone());
            if racer % 2 == 0 {
                ids.reverse();
            }
            tokio::spawn(async move {
                for _ in 0..12 {
                    let mut changes = Vec::new();
                    for id in &ids {
                        let revision = store.record(id).await?.map(|record| record.revision.get());
                        changes.push(sample_change(&sample_record(id, revision.unwrap_or(0) + 1), revision));
                    }
                    match store.commit(&changes, &sample_chain()).await {
                        Err(error) if error.kind() == ErrorKind::Conflict => {}
                        done => done?,
                    }
                }
                Ok::<(), Error>(())
            })
        })
        .collect();
    for racer in racing {
        racer.await.unwrap().unwrap();
    }
    let deadlocks: i64 =
        sqlx::query_scalar("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
            .fetch_one(&mut database.stranger().await)
            .await
            .unwrap();
    assert_eq!(deadlocks, 0);
}

/// A commit that waits for a record holds no head meanwhile: else it would hold up a sixteenth of all tenants, and lock
/// in another order than a commit of several records does.
#[tokio::test]
async fn whoever_waits_for_a_record_holds_no_head() {
    let database = Database::fresh();
    let store = database.store().await;
    let id = sample_id("tenant", "name");
    store.commit(&[sample_change(&sample_record(&id, 1), None)], &sample_chain()).await.unwrap();
    let (mut holder, mut other) = (database.stranger().await, database.stranger().await);
    let mut held = holder.begin().await.unwrap();
    run(&mut held, "SELECT FROM tokenkeep.connection FOR UPDATE").await;
    let waiting = tokio::spawn({
        let (store, next) = (store.clone(), sample_change(&sample_record(&id, 2), Some(1)));
        async move { store.commit(&[next], &sample_chain()).await }
    });
    let waits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')";
    while !sqlx::query_scalar::<_, bool>(waits).fetch_one(&mut other).await.unwrap() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    run(&mut other, "SELECT FROM tokenkeep.audit_head FOR UPDATE NOWAIT").await;
    held.rollback().await.unwrap();
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_refused_commit_leaves_the_transaction_to_the_application() {
    let database = Database::fresh();
    let store = database.store().await;
    let mut application = database.stranger().await;
    let mut transaction = application.begin().await.unwrap();
    run(&mut transaction, "CREATE TABLE theirs (n int)").await;
    let (one, other) = (sample_id("a", "name"), sample_id("b", "name"));
    let changes =
        [sample_change(&sample_record(&one, 1), None), sample_change(&sample_record(&other, 2), Some(1))];
    let error = store.commit_in(&mut transaction, &changes, &sample_chain()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    transaction.commit().await.unwrap();
    run(&mut database.stranger().await, "SELECT n FROM theirs").await;
    assert_eq!(store.record(&one).await.unwrap(), None, "half of a refused commit was made");
    assert!(store.audit_heads().await.unwrap().iter().all(|head| head.sequence == 0));
}

#[tokio::test]
async fn without_a_transaction_it_is_refused() {
    let database = Database::fresh();
    let store = database.store().await;
    let mut connection = database.stranger().await;
    let use_of = || sample_use(&sample_id("tenant", "name"));
    let error = commit_in(&store, &mut connection, use_of()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misuse);
    // One that failed before can't be used either.
    let mut transaction = connection.begin().await.unwrap();
    sqlx::query("SELECT 1 / 0").execute(&mut *transaction).await.unwrap_err();
    let error = commit_in(&store, &mut transaction, use_of()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misuse, "{error:?}");
}

/// An application that gave up durability for itself does not give it up for its tokens.
#[tokio::test]
async fn an_acknowledged_commit_is_durable_whatever_the_application_chose() {
    let database = Database::fresh();
    let store = database.store().await;
    let mut application = database.stranger().await;
    for (chosen, expected) in [("off", "on"), ("local", "on"), ("on", "on"), ("remote_apply", "remote_apply")]
    {
        sqlx::query("SELECT set_config('synchronous_commit', $1, false)")
            .bind(chosen)
            .execute(&mut application)
            .await
            .unwrap();
        let mut transaction = application.begin().await.unwrap();
        commit_in(&store, &mut transaction, sample_use(&sample_id("tenant", "name"))).await.unwrap();
        let found: String =
            sqlx::query_scalar("SHOW synchronous_commit").fetch_one(&mut *transaction).await.unwrap();
        assert_eq!(found, expected);
        transaction.rollback().await.unwrap();
        let found: String =
            sqlx::query_scalar("SHOW synchronous_commit").fetch_one(&mut application).await.unwrap();
        assert_eq!(found, chosen, "it outlived the transaction");
    }
}

/// A transaction of the store's own has its own settings, whatever the role's are.
#[tokio::test]
async fn its_own_transactions_are_durable_bounded_and_see_what_is_committed() {
    let database = Database::fresh();
    database.store().await;
    run(
        &mut database.stranger().await,
        "CREATE TABLE seen (settings text); \
         CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         INSERT INTO public.seen SELECT string_agg(current_setting(name), ' ') FROM unnest(ARRAY['transaction_isolation', \
         'synchronous_commit', 'statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout']) AS name; \
         RETURN NEW; END $$; \
         CREATE TRIGGER look BEFORE INSERT ON tokenkeep.audit FOR EACH ROW EXECUTE FUNCTION look()",
    )
    .await;
    let awkward = database.options().options([
        ("default_transaction_isolation", "serializable"),
        ("synchronous_commit", "off"),
        ("statement_timeout", "0"),
        ("lock_timeout", "0"),
        ("idle_in_transaction_session_timeout", "0"),
    ]);
    let store = PostgresStore::open(super::pool(awkward).await).await.unwrap();
    let id = sample_id("tenant", "name");
    store.commit(&[sample_use(&id)], &sample_chain()).await.unwrap();
    store.commit(&[sample_change(&sample_record(&id, 1), None)], &sample_chain()).await.unwrap();
    let seen: Vec<String> = sqlx::query_scalar("SELECT settings FROM seen")
        .fetch_all(&mut database.stranger().await)
        .await
        .unwrap();
    assert_eq!(seen, ["read committed on 10s 5s 10s"; 2]);
}
