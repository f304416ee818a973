//! The disk is full, really: a small file system, filled to its last byte.

use std::time::Instant;

use tokenkeep::{Action, ErrorKind, Vault};
use tokenkeep_testkit::{ThrowawayPostgres, fake_token};

use crate::common::token;
use crate::home::{Home, is_passing, is_whole, times};
use crate::mount::Mount;

/// Each call fails in a way that may pass, or is made: nothing between. Gives how many failed.
async fn on_a_full_disk(home: &Home, vault: &Vault) -> usize {
    let held = home.given(vault, "held").await.expect("a use that needs no room");
    let mut failed = 0;
    // More than the room that is left in pages which the database has already.
    for n in 0..150 {
        let (name, new) = (format!("new-{n}"), fake_token());
        let began = Instant::now();
        let connected = vault.connection("t", &name).unwrap().connect(&home.provider, token(&new)).await;
        let made = connected.is_ok();
        if !made {
            is_passing("a connect", began, connected);
            failed += 1;
        }
        let expected = if made { Ok(new) } else { Err(ErrorKind::NotConnected) };
        let given = home.given(vault, &name).await;
        // Its first use needs an entry, for which there may be no room.
        assert!(given == expected || made && given == Err(ErrorKind::StoreUnavailable), "{name}: {given:?}");
        if failed > 5 {
            break;
        }
    }
    let connection = vault.connection("t", "held").unwrap();
    for _ in 0..6 {
        let (new, began) = (fake_token(), Instant::now());
        let before = times(vault, "held", Action::Replaced).await;
        let replaced = connection.replace(&home.provider, token(&new)).await;
        let made = replaced.is_ok();
        assert_eq!(times(vault, "held", Action::Replaced).await, before + usize::from(made));
        if !made {
            is_passing("a replace", began, replaced);
            assert_eq!(home.given(vault, "held").await, Ok(held.clone()), "half a replacement");
            failed += 1;
        }
    }
    failed
}

async fn goes_on(home: &Home, vault: &Vault) {
    let new = fake_token();
    let connection = vault.connection("t", "held").unwrap();
    connection.replace(&home.provider, token(&new)).await.unwrap();
    assert_eq!(home.given(vault, "held").await, Ok(new));
    let receipt = connection.disconnect().await.unwrap();
    assert!(receipt.hooks_pending.is_empty());
    assert_eq!(home.given(&home.vault().await, "held").await, Err(ErrorKind::NotConnected));
    is_whole(vault).await;
}

#[tokio::test]
async fn a_full_disk_under_sqlite() {
    let mount = Mount::small(2048, false);
    let mut home = Home::sqlite();
    home.files = mount.path().to_owned();
    let vault = home.vault().await;
    let connection = vault.connection("t", "held").unwrap();
    connection.connect(&home.provider, token(&fake_token())).await.unwrap();
    home.given(&vault, "held").await.unwrap();

    let ballast = mount.fill();
    assert_eq!(on_a_full_disk(&home, &vault).await, 12, "with no room at all, everything fails");
    let began = Instant::now();
    is_passing("a disconnect", began, connection.disconnect().await);
    assert_eq!(connection.status().await.unwrap().state.name(), "connected", "half a disconnect");
    is_whole(&vault).await;
    drop(ballast);
    goes_on(&home, &vault).await;
}

#[tokio::test]
async fn a_full_disk_under_postgres() {
    let mount = Mount::small(64 * 1024, true);
    // Its own, as it must end before its disk does.
    let server = ThrowawayPostgres::start().unwrap();
    let folder = mount.path().display();
    server.sql("postgres", &format!("CREATE TABLESPACE small LOCATION '{folder}'")).unwrap();
    server.sql("postgres", "CREATE DATABASE small TABLESPACE small").unwrap();
    let home = Home::new(Some(server.url("small")));
    let vault = home.vault().await;
    let connection = vault.connection("t", "held").unwrap();
    connection.connect(&home.provider, token(&fake_token())).await.unwrap();
    home.given(&vault, "held").await.unwrap();

    let ballast = mount.fill();
    assert!(on_a_full_disk(&home, &vault).await > 5, "the disk had room");
    is_whole(&vault).await;
    drop(ballast);
    goes_on(&home, &vault).await;
    drop((vault, home));
    drop(server);
}
