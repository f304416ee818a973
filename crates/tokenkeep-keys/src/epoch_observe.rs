//! What epochs do, for metrics.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokenkeep_core::{ErrorKind, KekId};

use crate::EpochStatus;

/// Is told of everything that [`EpochKeys`](crate::EpochKeys) asks its key provider, and of what becomes of its epochs. Set by
/// [`EpochOptions::observer`](crate::EpochOptions::observer).
///
/// It is called in the task that does the work, or under a lock of theirs, so it must neither block nor call the epochs that it
/// observes: count, and return. A panic in it is caught and changes nothing.
///
/// ```
/// use tokenkeep_keys::{EpochEvent, EpochObserver};
///
/// struct Metrics(/* your registry */);
///
/// impl EpochObserver for Metrics {
///     fn event(&self, event: &EpochEvent) {
///         match event {
///             EpochEvent::Called { call, took, failed, .. } => {
///                 // Calls to the provider, and their latency.
///                 // self.0.histogram("tokenkeep_kms_seconds", took, &[call.name(), if failed.is_some() { "failed" } else { "ok" }]);
///                 # let _ = (call, took, failed);
///             }
///             EpochEvent::Hit { .. } => { /* self.0.counter("tokenkeep_epoch_hits", 1) */ }
///             EpochEvent::Read(epoch) => {
///                 let label = epoch.id.to_string();
///                 // self.0.gauge("tokenkeep_epoch_age_seconds", epoch.age, &[&label, epoch.state.name()]);
///                 // self.0.gauge("tokenkeep_epoch_wraps_left", epoch.wraps_left, &[&label]);
///                 # let _ = label;
///             }
///             EpochEvent::Grace { .. } => { /* alert: the key provider is down */ }
///             _ => {}
///         }
///     }
/// }
/// ```
pub trait EpochObserver: Send + Sync {
    /// Something happened.
    fn event(&self, event: &EpochEvent);
}

impl<T: EpochObserver + ?Sized> EpochObserver for Arc<T> {
    fn event(&self, event: &EpochEvent) {
        (**self).event(event);
    }
}

/// What can happen.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum EpochEvent {
    /// The key provider was called, and the call ended: a batch is one call. One whose callers are all gone is not told.
    Called {
        /// What it was asked.
        call: ProviderCall,
        /// How long it took.
        took: Duration,
        /// What it failed with; of a batch, the first failure in it.
        failed: Option<ErrorKind>,
    },
    /// A DEK, or all of a batch, was unwrapped or wrapped under an epoch that was in memory.
    Hit {
        /// The epoch.
        epoch: KekId,
    },
    /// An epoch was unwrapped and is in memory now.
    Loaded {
        /// The epoch.
        epoch: KekId,
    },
    /// An epoch was wiped from memory: it was too old, or its record changed.
    Wiped {
        /// The epoch.
        epoch: KekId,
    },
    /// The key provider or the epochs' store is down, and a DEK was unwrapped under an epoch that is past the maximum age.
    Grace {
        /// The epoch.
        epoch: KekId,
        /// How long ago it was unwrapped.
        age: Duration,
    },
    /// This instance made an epoch, and it is the active one.
    Made {
        /// The epoch.
        epoch: KekId,
    },
    /// The epochs' store was read, and this epoch was in it: one event for each epoch, at least once in a maximum age while there
    /// are calls. What [`EpochKeys::status`](crate::EpochKeys::status) gives, for a gauge of ages and of the wraps that are left.
    Read(EpochStatus),
    /// A number of wraps was set aside for this instance.
    Reserved {
        /// The epoch.
        epoch: KekId,
        /// How many more can be set aside under it.
        left: u64,
    },
}

/// What a key provider can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProviderCall {
    /// To unwrap an epoch.
    UnwrapEpoch,
    /// To make a key for a new epoch.
    MakeKey,
    /// To wrap a new epoch.
    WrapEpoch,
    /// To destroy an epoch's key.
    DestroyKey,
    /// To wrap what is no epoch's: a vault's own key.
    Wrap,
    /// To unwrap what is no epoch's.
    Unwrap,
    /// To list its KEKs.
    List,
}

impl ProviderCall {
    /// A stable name in lower case, for a label.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UnwrapEpoch => "unwrap-epoch",
            Self::MakeKey => "make-key",
            Self::WrapEpoch => "wrap-epoch",
            Self::DestroyKey => "destroy-key",
            Self::Wrap => "wrap",
            Self::Unwrap => "unwrap",
            Self::List => "list",
        }
    }
}

/// Whom epochs tell what they do.
#[derive(Clone, Default)]
pub(crate) struct Watch(pub(crate) Option<Arc<dyn EpochObserver>>);

impl Watch {
    pub(crate) fn tell(&self, event: &EpochEvent) {
        if let Some(observer) = &self.0 {
            // What was done is done, whatever the observer makes of it.
            let _ = catch_unwind(AssertUnwindSafe(|| observer.event(event)));
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watch").field(&self.0.is_some()).finish()
    }
}
