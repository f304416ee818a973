//! Sets of secret environment variables: sealed, changed, listed, opened, sent and removed, on every store.

#[path = "../common/mod.rs"]
mod common;
mod counting;
#[path = "../tamper/files.rs"]
#[allow(dead_code, reason = "some of it is for other tests")]
mod files;
mod halves;
mod life;
#[cfg(feature = "postgres")]
mod on_postgres;
mod pairs;
mod push;
mod push_drops;
mod push_faults;
mod push_late;
mod races;
mod scans;
mod sealed;
mod sets;
#[cfg(feature = "apify")]
mod stand_in;
mod suspected;
mod target;
mod targets;
