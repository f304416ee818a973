//! What someone gets who can write to the database and edits one record of a set.

use tokenkeep::{ErrorKind, Finding, SecretEnv, Vault};

use crate::files::{Files, KEEP, findings};
use crate::sets::{change, named, opened, vars};

async fn made(f: &Files) -> (Vault, SecretEnv) {
    let vault = f.fresh().await;
    for (name, value) in [("scraper", "1"), ("other", "2")] {
        let env = vault.secret_env("t", name).unwrap();
        env.create(&f.provider, &vars(&[("A", value)])).await.unwrap();
    }
    let env = vault.secret_env("t", "scraper").unwrap();
    (vault, env)
}

async fn fresh(f: &Files) -> SecretEnv {
    f.fresh().await.secret_env("t", "scraper").unwrap()
}

/// Puts the sealed bytes of one record in another's place.
fn moved(from: &str, to: &str) -> String {
    let slot = |name| format!("(SELECT slot FROM tokenkeep_connection WHERE name = '{name}')");
    format!(
        "UPDATE tokenkeep_sealed SET bytes = (SELECT bytes FROM tokenkeep_sealed WHERE slot = {}) WHERE slot = {};
         UPDATE tokenkeep_connection SET fingerprint_start = (SELECT fingerprint_start FROM tokenkeep_connection WHERE name = '{from}')
         WHERE name = '{to}'",
        slot(from),
        slot(to)
    )
}

#[tokio::test]
async fn envelopes_are_bound_to_their_set_and_their_half() {
    for (from, to) in [
        ("~env/other", "~env/scraper"),
        ("~env-index/other", "~env-index/scraper"),
        ("~env/scraper", "~env-index/scraper"),
        ("~env-index/scraper", "~env/scraper"),
    ] {
        let f = Files::new();
        let (vault, _) = made(&f).await;
        f.edit(&moved(from, to)).await;
        assert_eq!(opened(&fresh(&f).await).await, Err(ErrorKind::Tampered), "{from} as {to}");
        if to.starts_with("~env-index") {
            assert_eq!(named(&fresh(&f).await).await, Err(ErrorKind::Tampered), "{from} as {to}");
        }
        let found = findings(&vault).await;
        assert!(
            matches!(&found[..], [Finding::RecordAltered { id }] if id.name().as_str() == to),
            "{found:?}"
        );
        let listed = vault.secret_envs("t", None, 10).await.unwrap();
        let states: Vec<_> = listed.iter().map(|env| (env.name.as_str(), env.state.name())).collect();
        assert_eq!(states, [("other", "connected"), ("scraper", "tampered")]);
    }
}

/// An older row of one half beside a newer one of the other: a process that never saw the newer one refuses it, too.
#[tokio::test]
async fn halves_of_two_versions_are_refused() {
    for half in ["~env/scraper", "~env-index/scraper"] {
        let f = Files::new();
        let (_, env) = made(&f).await;
        sqlx::raw_sql(KEEP).execute(&mut f.sql().await).await.unwrap();
        env.change(&change(&[("A", "new")], &[])).await.unwrap();
        f.edit(&format!(
            "UPDATE tokenkeep_sealed SET bytes = (SELECT bytes FROM kept_s WHERE kept_s.slot = tokenkeep_sealed.slot)
             WHERE slot = (SELECT slot FROM tokenkeep_connection WHERE name = '{half}');
             DELETE FROM tokenkeep_connection WHERE name = '{half}';
             INSERT INTO tokenkeep_connection SELECT * FROM kept_c WHERE name = '{half}'"
        ))
        .await;
        assert_eq!(opened(&env).await, Err(ErrorKind::Tampered), "who saw the new one");
        let env = fresh(&f).await;
        assert_eq!(opened(&env).await, Err(ErrorKind::Tampered), "{half}");
        let error = env.change(&change(&[("A", "3")], &[])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tampered);
        let found = findings(&f.fresh().await).await;
        assert!(
            matches!(&found[..], [Finding::RecordPutBack { id, .. }] if id.name().as_str() == half),
            "{found:?}"
        );
    }
}

#[tokio::test]
async fn an_operator_ends_what_was_altered() {
    for (half, edit) in [
        ("~env/scraper", "UPDATE tokenkeep_connection SET kind = 1 WHERE name = '~env/scraper'"),
        (
            "~env-index/scraper",
            "UPDATE tokenkeep_connection SET revision = 9 WHERE name = '~env-index/scraper'",
        ),
        ("~env/scraper", "DELETE FROM tokenkeep_connection WHERE name = '~env/scraper'"),
        ("~env-index/scraper", "DELETE FROM tokenkeep_connection WHERE name = '~env-index/scraper'"),
    ] {
        let f = Files::new();
        let (vault, env) = made(&f).await;
        assert_eq!(env.discard_tampered(&f.provider).await.unwrap_err().kind(), ErrorKind::Misuse);
        f.edit(edit).await;
        assert_eq!(opened(&env).await, Err(ErrorKind::Tampered), "{edit}");
        // A removal ends the half that is whole, and says that there is another one.
        if edit.starts_with("UPDATE") {
            assert_eq!(env.remove().await.unwrap_err().kind(), ErrorKind::Tampered, "{edit}");
        }
        let receipt = env.discard_tampered(&f.provider).await.unwrap();
        assert_eq!(receipt.connection.name().as_str(), "~env/scraper");
        assert_eq!(findings(&vault).await, [], "{half}");
        let env = fresh(&f).await;
        assert_eq!(opened(&env).await, Err(ErrorKind::NotConnected));
        env.create(&f.provider, &vars(&[("A", "again")])).await.unwrap();
        assert_eq!(opened(&env).await.as_deref(), Ok("A=again"));
        assert_eq!(findings(&f.fresh().await).await, []);
    }
}
