//! The tasks of one stand-in, which end with it.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinSet;

/// Every task of a stand-in: the accept loop, the connections, and what HTTP/2 spawns for its streams. Stopping
/// aborts them all, and none starts afterwards.
#[derive(Clone)]
pub(crate) struct Tasks {
    running: Arc<Mutex<Option<JoinSet<()>>>>,
}

impl Tasks {
    pub(crate) fn new() -> Self {
        Self { running: Arc::new(Mutex::new(Some(JoinSet::new()))) }
    }

    /// Starts a task on the current runtime, unless the stand-in has stopped.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = running.as_mut() {
            // Finished tasks stay in the set until they are taken out.
            while running.try_join_next().is_some() {}
            running.spawn(task);
        }
    }

    /// Takes the tasks out; dropping them aborts them.
    pub(crate) fn take(&self) -> Option<JoinSet<()>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Tasks {
    fn execute(&self, task: F) {
        self.spawn(task);
    }
}
