//! Outside of tokio, where the call that finds something due waits for it: what it has then is no older than anywhere else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use tokenkeep_core::{Dek, Error, ErrorKind, KekId, UnwrapRequest, WrapRequest, WrappedDek};
use tokenkeep_keys::{DestroyableKeys, Destruction, KekStatus, KeyProvider};

use crate::service::{Hands, Home, MINUTE, Service, fails_with, open, seal};

/// Takes half an hour for an unwrap, once it is told to, and then says that the key is gone, or does not answer.
#[derive(Debug, Clone)]
struct Slow {
    service: Service,
    clock: Hands,
    on: Arc<AtomicBool>,
    says: ErrorKind,
}

#[async_trait]
impl KeyProvider for Slow {
    async fn wrap_dek(&self, request: &WrapRequest<'_>) -> Result<WrappedDek, Error> {
        self.service.wrap_dek(request).await
    }

    async fn unwrap_dek(&self, request: &UnwrapRequest<'_>) -> Result<Dek, Error> {
        if self.on.load(Ordering::SeqCst) {
            self.clock.pass(MINUTE * 30);
            return Err(self.says.into());
        }
        self.service.unwrap_dek(request).await
    }

    async fn keks(&self) -> Result<Vec<KekStatus>, Error> {
        self.service.keks().await
    }
}

#[async_trait]
impl DestroyableKeys for Slow {
    async fn make_key(&self) -> Result<KekId, Error> {
        self.service.make_key().await
    }

    async fn wrap_under(&self, key: &KekId, request: &WrapRequest<'_>) -> Result<WrappedDek, Error> {
        self.service.wrap_under(key, request).await
    }

    async fn destroy_key(&self, key: &KekId) -> Result<Destruction, Error> {
        self.service.destroy_key(key).await
    }
}

fn without_tokio<T>(work: impl Future<Output = T>) -> T {
    let mut work = Box::pin(work);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..10_000 {
        if let Poll::Ready(done) = work.as_mut().poll(&mut context) {
            return done;
        }
    }
    panic!("it waits for something that does not come");
}

#[test]
fn what_was_waited_for_counts() {
    for says in [ErrorKind::KeyDestroyed, ErrorKind::KeysUnavailable] {
        for seals in [false, true] {
            let home = Home::new();
            let (clock, on) = (home.clock.clone(), Arc::default());
            let slow = Slow { service: home.service.clone(), clock, on, says };
            // The time of grace is over, too.
            let options = home.options().grace(MINUTE * 5);
            let keys = options.build(slow.clone(), Arc::clone(&home.store)).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let envelope = runtime.block_on(seal(&keys)).unwrap();
            drop(runtime);
            home.clock.pass(MINUTE * 9);
            slow.on.store(true, Ordering::SeqCst);
            if seals {
                fails_with(without_tokio(seal(&keys)), says);
            } else {
                fails_with(without_tokio(open(&keys, &envelope)), says);
            }
        }
    }
}

/// A runtime that ends while its task renews: whoever comes next goes on, on another runtime or on none.
#[test]
fn a_runtime_that_ends_in_the_middle_leaves_nobody_waiting() {
    let home = Home::new();
    let keys = home.instance();
    let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
    let first = runtime();
    let envelope = first.block_on(seal(&keys)).unwrap();
    home.clock.pass(MINUTE * 9);
    home.service.hold();
    first.block_on(async {
        open(&keys, &envelope).await.unwrap();
        crate::service::settle().await;
    });
    assert_eq!(home.service.waiting(), 1);
    drop(first);
    home.clock.pass(MINUTE);
    home.service.let_through();
    runtime().block_on(open(&keys, &envelope)).unwrap();
    drop(keys);
    assert_eq!(home.service.waiting(), 0);
}
