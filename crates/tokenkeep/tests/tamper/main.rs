//! What someone who can write to the database gets: refused, or named. The database is a real SQLite file, edited
//! with SQL behind the vault's back.

mod altered;
#[path = "../common/mod.rs"]
mod common;
mod discarded;
mod discarded_hooks;
mod discarded_races;
mod discarded_trail;
mod files;
mod gate;
mod put_back;
mod trail;
