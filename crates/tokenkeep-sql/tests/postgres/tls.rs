//! TLS as the documentation shows it: `verify-full` takes the right server and no other.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};
use tokenkeep_sql::PostgresStore;
use tokenkeep_store::TokenStore;
use tokenkeep_testkit::ThrowawayPostgres;

async fn connect(options: PgConnectOptions) -> Result<PgPool, sqlx::Error> {
    PgPoolOptions::new().acquire_timeout(Duration::from_secs(5)).connect_with(options).await
}

fn verify_full(server: &ThrowawayPostgres, host: &str, ca: &str) -> PgConnectOptions {
    let options = server.url("postgres").parse::<PgConnectOptions>().unwrap();
    options.host(host).ssl_mode(PgSslMode::VerifyFull).ssl_root_cert_from_pem(ca.as_bytes().to_vec())
}

#[tokio::test]
async fn verify_full_takes_the_right_server_and_no_other() {
    let server = ThrowawayPostgres::builder().tls(true).start().unwrap();
    let stranger = ThrowawayPostgres::builder().tls(true).start().unwrap();
    let (ca, wrong) = (server.ca_pem().unwrap(), stranger.ca_pem().unwrap());

    let pool = connect(verify_full(&server, "localhost", ca)).await.unwrap();
    let encrypted: bool = sqlx::query_scalar("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert!(encrypted);
    assert_eq!(PostgresStore::open(pool).await.unwrap().vault().await.unwrap(), None);

    for (what, options) in [
        ("another CA", verify_full(&server, "localhost", wrong)),
        ("another host", verify_full(&server, "127.0.0.1", ca)),
    ] {
        let error = connect(options).await.expect_err(what);
        let shown = format!("{error:?}");
        assert!(shown.contains("ertificate"), "{what}: refused for another reason: {shown}");
    }
    // A server without TLS is not spoken to in the clear.
    let plain = ThrowawayPostgres::start().unwrap();
    assert!(connect(verify_full(&plain, "localhost", ca)).await.is_err());
}
