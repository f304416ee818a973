//! What is taken of the budget and not used goes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokenkeep_core::{
    ApiToken, Credential, CredentialSource, Error, ErrorKind, Incarnation, IssuedToken, Outcome,
    SecretVersion, Use,
};
use tokenkeep_https::{CallFailure, Retries, Transport};
use tokenkeep_testkit::JsonStandIn;
use tokio::io::AsyncWriteExt;

use crate::support::{INCARNATION, Scripted, Spy, VERSION, spec};

const BUDGET: u32 = 8;
/// At once, or nearly so.
const QUICK: Retries = Retries::standard().first_wait(Duration::from_millis(1)).budget(BUDGET);

#[tokio::test]
async fn a_call_that_is_dropped_in_its_wait_uses_nothing_up() {
    let server = Scripted::start(|number, mut socket| async move {
        let text: &[u8] = if number < BUDGET as usize {
            b"HTTP/1.1 429 Slow Down\r\nretry-after: 60\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
        } else {
            b"HTTP/1.1 503 Down\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
        };
        socket.write_all(text).await?;
        socket.shutdown().await
    })
    .await;
    let transport = server.builder().retries(QUICK).build().unwrap();
    // They all wait, each with a repeat of its own: the budget is empty now.
    let spy = Arc::new(Spy::new("an-example-token"));
    let call = || transport.get("/").credential(&spy.credential()).send();
    let calls: Vec<_> = (0..BUDGET).map(|_| tokio::spawn(call())).collect();
    // A call goes from its report into its wait without a pause, and the test runs on one thread.
    while spy.told_so_far() < BUDGET as usize {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let error = transport.get("/").send().await.unwrap_err();
    assert_eq!(CallFailure::of(&error).unwrap().attempts(), 1, "each of them holds a repeat");
    for call in calls {
        assert!(!call.is_finished());
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
    }
    let error = transport.get("/").send().await.unwrap_err();
    assert_eq!(CallFailure::of(&error).unwrap().attempts(), 1 + BUDGET);
}

/// Gives every second token alone.
struct EverySecond(AtomicUsize);

#[async_trait]
impl CredentialSource for EverySecond {
    async fn issue(&self, _: Use<'_>) -> Result<IssuedToken, Error> {
        if self.0.fetch_add(1, Ordering::SeqCst) % 2 == 1 {
            return Err(ErrorKind::NotConnected.into());
        }
        let token = ApiToken::new("an-example-token".to_owned())?;
        Ok(IssuedToken { token, incarnation: INCARNATION, secret_version: VERSION })
    }

    async fn report(&self, _: Incarnation, _: SecretVersion, _: Outcome<'_>) -> Result<(), Error> {
        Ok(())
    }
}

#[tokio::test]
async fn a_repeat_that_gets_no_token_uses_nothing_up() {
    let server = JsonStandIn::start(|_| (503, "{}".to_owned())).await.unwrap();
    let builder = Transport::builder(spec(&server.origin())).extra_root_der(&server.ca_der());
    let transport = builder.retries(QUICK).build().unwrap();
    let credential = Credential::new(EverySecond(AtomicUsize::new(0)));
    for _ in 0..2 * BUDGET {
        let error = transport.get("/").credential(&credential).send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected);
    }
    let error = transport.get("/").send().await.unwrap_err();
    assert_eq!(CallFailure::of(&error).unwrap().attempts(), 1 + BUDGET);
}
