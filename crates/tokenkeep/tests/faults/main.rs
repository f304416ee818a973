//! What goes wrong below a vault, on SQLite and on PostgreSQL: a call that is dropped, a disk that is full, a database that
//! takes no writes or is gone, many writers, a primary that dies. Tests that need PostgreSQL have it in their name.

mod cancelled;
#[path = "../common/mod.rs"]
mod common;
mod failover;
mod full_disk;
mod gone;
mod home;
mod mount;
mod read_only;
mod until_done;
mod writers;
