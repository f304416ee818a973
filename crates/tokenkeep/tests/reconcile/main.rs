//! What was started in an account's name, but not by us, is listed; what we started is not.

#[path = "../common/mod.rs"]
mod common;
mod listed;
mod pages;
mod world;
