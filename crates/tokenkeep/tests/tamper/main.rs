//! What someone who can write to the database gets: refused, or named. The database is a real SQLite file, edited
//! with SQL behind the vault's back.

mod altered;
#[path = "../common/mod.rs"]
mod common;
mod discarded;
mod files;
mod put_back;
mod trail;
