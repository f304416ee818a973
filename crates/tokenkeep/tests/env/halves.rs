//! One half of a set without the other one is no set, and looks like none.

use tokenkeep::ErrorKind;

use crate::files::{Files, findings};
use crate::races::polled;
use crate::sets::{named, opened, vars};

#[tokio::test]
async fn half_a_set_is_tampered_with() {
    for gone in ["~env-index/scraper", "~env/scraper"] {
        let f = Files::new();
        let env = f.fresh().await.secret_env("t", "scraper").unwrap();
        env.create(&f.provider, &vars(&[("A", "1")])).await.unwrap();
        f.edit(&format!("DELETE FROM tokenkeep_connection WHERE name = '{gone}'")).await;
        let vault = f.fresh().await;
        let env = vault.secret_env("t", "scraper").unwrap();
        assert_eq!(env.status().await.unwrap_err().kind(), ErrorKind::Tampered, "{gone}");
        assert_eq!(opened(&env).await, Err(ErrorKind::Tampered), "{gone}");
        let created = env.create(&f.provider, &vars(&[])).await.unwrap_err();
        assert_eq!(created.kind(), ErrorKind::Tampered, "{gone}");
        if gone == "~env-index/scraper" {
            assert_eq!(named(&env).await, Err(ErrorKind::Tampered));
            let listed = vault.secret_envs("t", None, 5).await.unwrap();
            assert_eq!(listed[0].state.name(), "tampered");
        }
        let _ = env.discard_tampered(&f.provider).await.unwrap();
        env.create(&f.provider, &vars(&[("A", "2")])).await.unwrap();
        assert_eq!(opened(&env).await.as_deref(), Ok("A=2"), "{gone}");
        assert_eq!(findings(&f.fresh().await).await, []);
    }
}

/// What a discard leaves that was dropped between its two halves: nothing is altered any more, and yet it is no set.
#[tokio::test]
async fn a_half_that_was_ended_alone_is_ended_by_the_operators_word() {
    let f = Files::new();
    let settled = f.fresh().await.secret_env("t", "settled").unwrap();
    settled.create(&f.provider, &vars(&[])).await.unwrap();
    let mut alone = 0;
    for times in 1..400 {
        let name = format!("set-{times}");
        let env = f.fresh().await.secret_env("t", &name).unwrap();
        env.create(&f.provider, &vars(&[("A", "1")])).await.unwrap();
        f.edit(&format!(
            "UPDATE tokenkeep_connection SET mac = zeroblob(32) WHERE name = '~env-index/{name}'"
        ))
        .await;
        let done = polled(env.discard_tampered(&f.provider), times).await;
        // Whatever SQLite still does of a call that was dropped is done once something else is committed.
        drop(settled.open().await.unwrap());
        let vault = f.fresh().await;
        let env = vault.secret_env("t", &name).unwrap();
        if !done && findings(&vault).await.is_empty() && env.status().await.is_err() {
            alone += 1;
            assert_eq!(opened(&env).await, Err(ErrorKind::Tampered));
            let _ = env.discard_tampered(&f.provider).await.unwrap();
            assert_eq!(env.discard_tampered(&f.provider).await.unwrap_err().kind(), ErrorKind::Misuse);
            env.create(&f.provider, &vars(&[("A", "2")])).await.unwrap();
            assert_eq!(opened(&env).await.as_deref(), Ok("A=2"));
        }
        if done || alone == 3 {
            break;
        }
        if env.discard_tampered(&f.provider).await.is_err() {
            let _ = env.remove().await.unwrap();
        }
    }
    assert!(alone > 0);
}
