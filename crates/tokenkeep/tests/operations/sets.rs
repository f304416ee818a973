//! Sets of secret variables, in the drills.

use tokenkeep::{ConnectionId, ConnectionState, ErrorKind, Provider, SecretVars, TokenStore};

use crate::altered::end_altered;
use crate::site::Site;

fn vars(value: &str) -> SecretVars {
    let mut vars = SecretVars::new();
    vars.set("A", value.to_owned()).unwrap();
    vars
}

#[tokio::test]
async fn the_loop_ends_both_halves_of_a_set_whichever_was_altered() {
    for (sql, left) in [
        ("UPDATE tokenkeep_connection SET revision = 9 WHERE name = '~env-index/scraper'", 1),
        ("UPDATE tokenkeep_connection SET revision = 9 WHERE name = '~env/scraper'", 1),
        ("DELETE FROM tokenkeep_connection WHERE name = '~env-index/scraper'", 1),
        ("DELETE FROM tokenkeep_connection WHERE name = '~env/scraper'", 1),
        ("UPDATE tokenkeep_connection SET revision = 9 WHERE name LIKE '~env%'", 2),
    ] {
        let site = Site::new();
        let (vault, store) = site.start("sink/checkpoints").await;
        let env = vault.secret_env("t", "scraper").unwrap();
        env.create(&site.provider, &vars("1")).await.unwrap();
        site.sql(sql).await;
        drop(vault);
        store.close().await;

        let (vault, store) = site.start("sink/checkpoints").await;
        assert_eq!(vault.verify().await.unwrap().findings.len(), left, "{sql}");
        let provider_of = |_: &ConnectionId| -> &dyn Provider { &site.provider };
        assert_eq!(end_altered(&vault, provider_of).await.unwrap(), [], "{sql}");
        assert!(vault.verify().await.unwrap().is_whole(), "{sql}");
        for half in ["~env/scraper", "~env-index/scraper"] {
            let record = store.record(&ConnectionId::new("t", half).unwrap()).await.unwrap().unwrap();
            assert!(!record.is_live() && record.sealed.is_none(), "{half} after {sql}");
        }
        let env = vault.secret_env("t", "scraper").unwrap();
        assert_eq!(env.status().await.unwrap().state, ConnectionState::Disconnected, "{sql}");
        assert_eq!(env.names().await.unwrap_err().kind(), ErrorKind::NotConnected, "{sql}");
        env.create(&site.provider, &vars("2")).await.unwrap();
        assert_eq!(env.open().await.unwrap().expose_secret("A"), Some("2"), "{sql}");
    }
}

/// A row that somebody made, of a set that never was.
#[tokio::test]
async fn an_index_without_values_is_ended_too() {
    let site = Site::new();
    let (vault, store) = site.start("sink/checkpoints").await;
    vault.secret_env("t", "scraper").unwrap().create(&site.provider, &vars("1")).await.unwrap();
    site.sql(
        "CREATE TABLE planted AS SELECT * FROM tokenkeep_connection WHERE name = '~env-index/scraper';
         UPDATE planted SET name = '~env-index/planted', slot = NULL, kek = NULL, fingerprint_start = NULL,
             status = 'disconnected';
         INSERT INTO tokenkeep_connection SELECT * FROM planted",
    )
    .await;
    drop(vault);
    store.close().await;
    let (vault, _store) = site.start("sink/checkpoints").await;
    assert!(!vault.verify().await.unwrap().is_whole());
    let provider_of = |_: &ConnectionId| -> &dyn Provider { &site.provider };
    assert_eq!(end_altered(&vault, provider_of).await.unwrap(), []);
    assert!(vault.verify().await.unwrap().is_whole());
}
