//! Sixty-four writers, on one connection and on as many, through two instances.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use tokenkeep::{Action, ErrorKind};
use tokenkeep_testkit::fake_token;

use crate::common::{give, token};
use crate::home::{Home, is_whole, times};
use crate::until_done::Call;

const WRITERS: usize = 64;

/// All of them saw the same revision: one wins, the others are told that something changed.
async fn one_winner_per_revision(home: Home) {
    let vaults = [home.vault().await, home.vault().await];
    let connection = |n: usize| vaults[n % 2].connection("t", "one").unwrap();
    connection(0).connect(&home.provider, token(&fake_token())).await.unwrap();
    for round in 1..=3 {
        let mut racers = Vec::new();
        for n in 0..WRITERS {
            let new = fake_token();
            let prepared = connection(n).prepare_replace(&home.provider, token(&new)).await.unwrap();
            racers.push((new, prepared));
        }
        let racing = racers.into_iter().map(|(new, prepared)| {
            tokio::spawn(
                async move { (new, prepared.commit().await.map(drop).map_err(|error| error.kind())) },
            )
        });
        let (mut winners, mut unsure) = (Vec::new(), 0);
        for racer in racing.collect::<Vec<_>>() {
            match racer.await.unwrap() {
                (new, Ok(())) => winners.push(new),
                (_, Err(kind)) => {
                    assert_eq!(kind, ErrorKind::Conflict, "in round {round}");
                    unsure += 1;
                }
            }
        }
        assert_eq!((winners.len(), unsure), (1, WRITERS - 1), "in round {round}");
        for vault in &vaults {
            assert_eq!(home.given(vault, "one").await, Ok(winners[0].clone()), "in round {round}");
        }
        assert_eq!(times(&vaults[0], "one", Action::Replaced).await, round);
    }
    is_whole(&vaults[1]).await;
}

async fn all_get_their_turn(home: Home, own_connection: bool) {
    let home = Arc::new(home);
    let vaults = [home.vault().await, home.vault().await];
    let name = move |n: usize| if own_connection { format!("of-{n}") } else { "one".to_owned() };
    let names: BTreeSet<String> = (0..WRITERS).map(name).collect();
    for name in &names {
        let connection = vaults[0].connection("t", name).unwrap();
        connection.connect(&home.provider, token(&fake_token())).await.unwrap();
    }
    let writers = (0..WRITERS).map(|n| {
        let (vault, home) = (vaults[n % 2].clone(), Arc::clone(&home));
        tokio::spawn(async move {
            let connection = vault.connection("t", name(n)).unwrap();
            let new = fake_token();
            Call::Replace(&new).until_done(&connection, &home.provider, &AtomicUsize::new(0)).await;
            if own_connection {
                assert_eq!(give(&connection.credential(), &home.provider).await, Ok(new));
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let (status, replaced) = (vaults[1].clone(), WRITERS / names.len());
    for name in &names {
        let status = status.connection("t", name).unwrap().status().await.unwrap();
        assert_eq!(status.secret_version.unwrap().get(), replaced as u64 + 1, "{name}");
        assert_eq!(times(&vaults[0], name, Action::Replaced).await, replaced, "{name}");
    }
    is_whole(&vaults[1]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_writers_have_one_winner_per_revision_on_sqlite() {
    one_winner_per_revision(Home::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_writers_have_one_winner_per_revision_on_postgres() {
    one_winner_per_revision(Home::postgres()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_writers_on_one_connection_get_their_turn_on_sqlite() {
    all_get_their_turn(Home::sqlite(), false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_writers_on_one_connection_get_their_turn_on_postgres() {
    all_get_their_turn(Home::postgres(), false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_writers_on_sixty_four_connections_on_sqlite() {
    all_get_their_turn(Home::sqlite(), true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_writers_on_sixty_four_connections_on_postgres() {
    all_get_their_turn(Home::postgres(), true).await;
}
