//! The answers of Apify's operations, field by field, as its API description has them.
//!
//! A field that stands here without a class is what the operation itself is about. What the description does not know is not here,
//! and so never passed on: a new field of Apify's waits until somebody has said of which class it is.

mod account;
mod actors;
mod automation;
mod jobs;
mod storage;

pub(crate) use account::*;
pub(crate) use actors::*;
pub(crate) use automation::*;
pub(crate) use jobs::*;
pub(crate) use storage::*;

use super::shape::Shape;

/// `{}`, and whatever is in it is dropped.
pub(crate) const EMPTY: Shape = Shape::Object(&[]);
