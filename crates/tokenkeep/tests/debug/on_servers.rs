//! What is not to be had without a server of its own. `cargo xtask test --without` leaves these out by the names of the tests.

use sqlx::postgres::PgPoolOptions;
use tokenkeep::{PostgresEpochStore, PostgresStore};
use tokenkeep_core::{ApiToken, Origin};
use tokenkeep_keys::{DestroyableKeys, MemoryEpochStore};
use tokenkeep_keys_openbao::OpenBaoKeys;
use tokenkeep_testkit::{LeakScanner, ThrowawayOpenBao, ThrowawayPostgres};

use crate::shown::{Shown, show};

pub(crate) const ON_POSTGRES: &[&str] = &[
    "tokenkeep_sql::PostgresEpochStore",
    "tokenkeep_sql::PostgresMigration",
    "tokenkeep_sql::PostgresStore",
    "tokenkeep_testkit::ThrowawayPostgres",
];
pub(crate) const ON_OPENBAO: &[&str] = &[
    "tokenkeep_keys_openbao::OpenBaoKeys",
    "tokenkeep_keys_openbao::OrphanKey",
    "tokenkeep_testkit::FrozenOpenBao",
    "tokenkeep_testkit::ThrowawayOpenBao",
];

/// The server's password is the secret here: stores hold pools, which hold it, and are given sealed bytes.
#[tokio::test]
async fn postgres_no_public_type_shows_a_secret() {
    let server = ThrowawayPostgres::start().unwrap();
    let pool = PgPoolOptions::new().max_connections(2).connect(&server.url("postgres")).await.unwrap();
    let mut shown = Shown::default();
    show!(shown, tokenkeep_sql::PostgresStore: PostgresStore::open(pool.clone()).await.unwrap());
    show!(shown, tokenkeep_sql::PostgresEpochStore: PostgresEpochStore::open(pool).await.unwrap());
    show!(shown, tokenkeep_sql::PostgresMigration: PostgresEpochStore::MIGRATIONS[0]);
    show!(shown, tokenkeep_testkit::ThrowawayPostgres: server);
    let scanner = LeakScanner::new().secret("password", server.password().as_bytes(), 8);
    assert_eq!(shown.leaks(&scanner), [""; 0]);
    assert!(shown.types().iter().eq(ON_POSTGRES), "{:?}", shown.types());
}

#[tokio::test]
async fn openbao_no_public_type_shows_a_secret() {
    let server = ThrowawayOpenBao::start().unwrap();
    let origin = Origin::parse(&server.origin()).unwrap();
    let root = ApiToken::new(server.root_token().to_owned()).unwrap();
    let keys = OpenBaoKeys::builder(origin, "shown").ca_pem(server.ca_pem()).unwrap().token(root).own_keys();
    let keys = keys.build().unwrap();
    keys.create_key().await.unwrap();
    let store = MemoryEpochStore::new();
    let epochs = tokenkeep_keys::EpochKeys::options().allow_unlocked_memory();
    let (mut shown, store) = (Shown::default(), std::sync::Arc::new(store));
    epochs.build(keys.clone(), std::sync::Arc::clone(&store)).unwrap().rotate().await.unwrap();
    keys.make_key().await.unwrap();
    for orphan in keys.orphans(&[&*store]).await.unwrap() {
        show!(shown, tokenkeep_keys_openbao::OrphanKey: orphan);
    }
    show!(shown, tokenkeep_keys_openbao::OpenBaoKeys: keys);
    show!(shown, tokenkeep_testkit::FrozenOpenBao<'_>: server.freeze().unwrap());
    show!(shown, tokenkeep_testkit::ThrowawayOpenBao: server);
    let scanner = LeakScanner::new().secret("root token", server.root_token().as_bytes(), 8);
    assert_eq!(shown.leaks(&scanner), [""; 0]);
    assert!(shown.types().iter().eq(ON_OPENBAO), "{:?}", shown.types());
}
