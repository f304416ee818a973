//! One thing that is under way at a time, for all who want it done.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// It runs in a task of its own, so that nobody who waits for it can break it off, and everybody who waits gets what came of it. They
/// alone have it then: it may be a token, which is to be wiped once nobody uses it.
pub(crate) struct Flight<T>(Arc<Mutex<Option<watch::Receiver<Option<T>>>>>);

impl<T> Default for Flight<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Clone + Send + Sync + 'static> Flight<T> {
    pub(crate) fn is_under_way(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(flies)
    }

    /// Waits for what is under way, or for what `begin` gives where nothing is. `None` when the runtime that it ran on is gone.
    pub(crate) async fn outcome<F>(&self, begin: impl FnOnce() -> F) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut seat = self.seat(begin);
        seat.wait_for(Option::is_some).await.ok().and_then(|outcome| outcome.clone())
    }

    fn seat<F>(&self, begin: impl FnOnce() -> F) -> watch::Receiver<Option<T>>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seat) = current.as_ref().filter(|seat| flies(seat)) {
            return seat.clone();
        }
        let (end, seat) = watch::channel(None);
        let flight = begin();
        let landing = Arc::clone(&self.0);
        tokio::spawn(async move {
            let outcome = flight.await;
            // Nobody takes the seat of the next one in between.
            let mut current = landing.lock().unwrap_or_else(PoisonError::into_inner);
            *current = None;
            end.send_replace(Some(outcome));
        });
        current.insert(seat).clone()
    }
}

fn flies<T>(seat: &watch::Receiver<Option<T>>) -> bool {
    seat.borrow().is_none() && seat.has_changed().is_ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn one_flies_for_all_and_lands_though_everybody_leaves() {
        let flight = Arc::new(Flight::default());
        let (go, begun) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let join = || {
            let (flight, go, begun) = (Arc::clone(&flight), Arc::clone(&go), Arc::clone(&begun));
            tokio::spawn(async move {
                let begin = || async move {
                    go.notified().await;
                    begun.fetch_add(1, Ordering::SeqCst)
                };
                flight.outcome(begin).await
            })
        };
        let first = join();
        while !flight.is_under_way() {
            tokio::task::yield_now().await;
        }
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        let others: Vec<_> = (0..3).map(|_| join()).collect();
        tokio::task::yield_now().await;
        go.notify_one();
        for other in others {
            assert_eq!(other.await.unwrap(), Some(0));
        }
        assert!(!flight.is_under_way());
        go.notify_one();
        assert_eq!(join().await.unwrap(), Some(1), "the next one begins anew");
    }

    #[tokio::test]
    async fn what_came_of_a_flight_ends_with_those_who_waited() {
        let flight = Flight::default();
        let (one, other) = tokio::join!(
            flight.outcome(|| async { Arc::new(()) }),
            flight.outcome(|| async { unreachable!("one is under way") })
        );
        let (one, other) = (one.unwrap(), other.unwrap());
        let left = Arc::downgrade(&one);
        assert!(Arc::ptr_eq(&one, &other));
        drop((one, other));
        assert!(left.upgrade().is_none(), "it is kept for the next flight");
    }

    #[test]
    fn a_flight_whose_runtime_is_gone_holds_nobody_up() {
        let flight = Flight::default();
        let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
        let first = runtime();
        first.block_on(async {
            let outcome = flight.outcome(std::future::pending::<()>);
            tokio::select! { biased; _ = outcome => {}, () = tokio::task::yield_now() => {} }
        });
        assert!(flight.is_under_way());
        drop(first);
        assert_eq!(runtime().block_on(flight.outcome(|| async {})), Some(()));
    }
}
