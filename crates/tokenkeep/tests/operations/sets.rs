//! Sets of secret variables, in the drills.

use tokenkeep::{ConnectionId, ConnectionState, Error, ErrorKind, Provider, SecretVars, TokenStore, Vault};

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

/// The restore's loop, with the lines as they are: one for each record of a set.
#[tokio::test]
async fn what_was_done_to_sets_since_the_backup_is_done_again() {
    let site = Site::new();
    let (vault, store) = site.start("sink/checkpoints").await;
    for name in ["removed", "suspected", "cleared", "discarded", "stays"] {
        vault.secret_env("t", name).unwrap().create(&site.provider, &vars("1")).await.unwrap();
    }
    let cleared = vault.secret_env("t", "cleared").unwrap();
    let _ = cleared.suspect_leak().finish().await.unwrap();
    site.back_up("backup").await;
    let before = lines(&vault).await.len();

    let _ = vault.secret_env("t", "removed").unwrap().remove().await.unwrap();
    let _ = vault.secret_env("t", "suspected").unwrap().suspect_leak().finish().await.unwrap();
    cleared.clear_suspicion().await.unwrap();
    site.sql("UPDATE tokenkeep_connection SET mac = zeroblob(32) WHERE name = '~env-index/discarded'").await;
    let discarded = vault.secret_env("t", "discarded").unwrap();
    let _ = discarded.discard_tampered(&site.provider).await.unwrap();
    let after = lines(&vault).await;
    drop(vault);
    store.close().await;
    site.restore("backup");

    let (vault, _store) = site.start("sink/new-checkpoints").await;
    for name in ["removed", "suspected", "discarded"] {
        assert!(vault.secret_env("t", name).unwrap().open().await.is_ok(), "{name} is there again");
    }
    for (connection, action) in &after[before..] {
        redo(&vault, &site.provider, connection, action).await.unwrap();
    }
    let opened = async |name: &str| vault.secret_env("t", name).unwrap().open().await.map(drop);
    for (name, expected) in [
        ("removed", Some(ErrorKind::NotConnected)),
        ("suspected", Some(ErrorKind::Suspected)),
        ("cleared", None),
        ("discarded", Some(ErrorKind::NotConnected)),
        ("stays", None),
    ] {
        assert_eq!(opened(name).await.err().map(|error| error.kind()), expected, "{name}");
    }
    let findings = vault.verify().await.unwrap().findings;
    assert!(findings.is_empty(), "{findings:?}");
}

/// Name and action of what the trail has of the tenant, which is one chain.
async fn lines(vault: &Vault) -> Vec<(String, String)> {
    let entries = vault.audit().of_tenant("t", 0, 1000).await.unwrap();
    let line = |entry: &tokenkeep::AuditEntry| {
        (entry.draft.id.name().to_string(), entry.draft.action.name().to_owned())
    };
    entries.iter().map(line).collect()
}

/// As the page has it, but for what it prints.
async fn redo(vault: &Vault, provider: &dyn Provider, connection: &str, action: &str) -> Result<(), Error> {
    let connection = vault.connection_of(&ConnectionId::new("t", connection)?);
    let done = match action {
        "disconnected" => connection.disconnect().await.map(drop),
        "discarded" => match connection.discard_tampered(provider).await {
            Err(error) if error.kind() == ErrorKind::Misuse => connection.disconnect().await,
            done => done,
        }
        .map(drop),
        "suspected" => connection.suspect_leak().finish().await.map(drop),
        "cleared" => connection.clear_suspicion().await.map(drop),
        _ => Ok(()),
    };
    match done {
        Err(error) if error.kind() == ErrorKind::NotConnected => Ok(()),
        done => done,
    }
}
