//! Calls as an application makes them: again, while the error says that they may work.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokenkeep::{Connection, Error, ErrorKind};

use crate::common::{Scripted, give, token};

/// One call, with the token that it brings or must give.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Call<'a> {
    Connect(&'a str),
    Replace(&'a str),
    Use(&'a str),
    Disconnect,
}

impl Call<'_> {
    async fn make(self, connection: &Connection, provider: &Scripted) -> Result<(), Error> {
        match self {
            Self::Connect(new) => connection.connect(provider, token(new)).await.map(drop),
            Self::Replace(new) => connection.replace(provider, token(new)).await.map(drop),
            Self::Disconnect => connection.disconnect().await.map(drop),
            Self::Use(held) => {
                let given = give(&connection.credential(), provider).await?;
                assert_eq!(given, held, "another token than the last one");
                Ok(())
            }
        }
    }

    /// Makes the call until it is done, and counts what failed.
    pub(crate) async fn until_done(self, connection: &Connection, provider: &Scripted, failed: &AtomicUsize) {
        let mut again = false;
        while let Err(error) = self.make(connection, provider).await {
            let told = matches!(error.kind(), ErrorKind::SameToken | ErrorKind::AlreadyConnected);
            if again && told {
                // The try before was made after all, and its answer was lost.
                return;
            }
            assert!(error.is_retryable(), "{self:?}: {}", error.report());
            failed.fetch_add(1, Ordering::SeqCst);
            again = true;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
