//! SQLite, as the store opens it: a write-ahead log, and each commit on the disk (`synchronous = FULL`).

use std::sync::Arc;

use tokenkeep::SqliteStore;

use crate::Places;
use crate::fixture::{Keys, StillClock};
use crate::floors::RawSqlite;
use crate::rounds::Effort;

pub(crate) async fn measure(effort: Effort, only: &str) {
    let keys = Arc::new(Keys::new());
    let clock = StillClock::new();
    let (file, apart) = (keys.folder.path().join("db/a.sqlite"), keys.folder.path().join("db/b.sqlite"));
    let store = SqliteStore::open(&file).await.expect("it opens");
    let apart_store = SqliteStore::open(&apart).await.expect("it opens");
    let vault = keys.vault(store.clone(), &clock).await;
    drop(keys.vault(apart_store.clone(), &clock).await);
    let places = Places {
        name: "sqlite",
        beside: RawSqlite::open(&file).await,
        apart: RawSqlite::open(&apart).await,
        keys,
        clock,
        vault,
        store,
        apart_store,
    };
    places.measure(effort, only).await;
}
