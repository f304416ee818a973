//! Where checkpoints go.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use tokenkeep_core::Error;

use super::Checkpoint;

/// Keeps checkpoints where nobody who can write to the database can write: a file on another host, a bucket that takes no
/// second write, a transparency log, a mailbox. [`CheckpointFile`](super::CheckpointFile) is one in a file.
///
/// All instances of a vault deliver to one sink. Each checkpoint is delivered at least once, in the order of their numbers,
/// and perhaps again after later ones: by another instance, or by one that was interrupted. A sink that is new, or that
/// not every instance delivers to, may miss some; each of them speaks for all that is before it.
///
/// ```
/// # use tokenkeep::{Checkpoint, CheckpointSink, Error, async_trait};
/// # use std::sync::Mutex;
/// #[derive(Debug)]
/// struct Kept(Mutex<Vec<(u64, String)>>); // yours: a client of what keeps them
///
/// #[async_trait]
/// impl CheckpointSink for Kept {
///     async fn deliver(&self, checkpoint: &Checkpoint) -> Result<(), Error> {
///         let mut kept = self.0.lock().unwrap();
///         match kept.iter().find(|(number, _)| *number == checkpoint.number()) {
///             None => kept.push((checkpoint.number(), checkpoint.note().to_owned())),
///             Some((_, note)) if note == checkpoint.note() => {}
///             Some(_) => return Err(Error::from(tokenkeep::ErrorKind::Tampered)), // a fork: keep the first
///         }
///         Ok(())
///     }
///
///     async fn last(&self) -> Result<Option<String>, Error> {
///         Ok(self.0.lock().unwrap().iter().max().map(|(_, note)| note.clone()))
///     }
/// }
/// ```
#[async_trait]
pub trait CheckpointSink: Send + Sync + fmt::Debug {
    /// Keeps a checkpoint; when it returns `Ok`, the checkpoint is durable. One of a number that is kept already changes
    /// nothing.
    ///
    /// # Errors
    /// `Tampered` when it keeps another one of that number; `SinkUnavailable`, and the checkpoint is delivered again later.
    ///
    /// # Cancellation
    /// A dropped call may have kept it or not.
    async fn deliver(&self, checkpoint: &Checkpoint) -> Result<(), Error>;

    /// The note with the highest number; `None` before there is one. The vault checks its signature.
    ///
    /// # Errors
    /// `SinkUnavailable`; `Tampered` when what it keeps can't be read.
    async fn last(&self) -> Result<Option<String>, Error>;

    /// The file that it keeps them in, if it is one: a vault refuses one that is kept beside its database.
    fn file(&self) -> Option<&Path> {
        None
    }
}

// A default that is forgotten here would hide the sink's own.
#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<T: CheckpointSink + ?Sized> CheckpointSink for Arc<T> {
    async fn deliver(&self, checkpoint: &Checkpoint) -> Result<(), Error> {
        (**self).deliver(checkpoint).await
    }

    async fn last(&self) -> Result<Option<String>, Error> {
        (**self).last().await
    }

    fn file(&self) -> Option<&Path> {
        (**self).file()
    }
}
