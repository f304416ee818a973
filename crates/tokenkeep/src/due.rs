//! The tokens that should be replaced, for a job to act on.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokenkeep_core::Error;
use tokenkeep_store::{Record, Timestamp, TokenSet};

use crate::env::names::is_reserved;
use crate::inner::Inner;
use crate::observe::Operation;
use crate::replacement::Replacement;
use crate::status::{ConnectionState, ConnectionStatus};

/// How many records are read at a time.
const PAGE: u32 = 128;

/// How long after a page was asked for what it said may be given. Whoever writes a mail for each is slower, and is given what
/// one more read says.
const FRESH: Duration = Duration::from_millis(250);

/// Connections by the date until which their token should be replaced, the earliest first. Made by
/// [`Vault::due`](crate::Vault::due) and [`Vault::overdue`](crate::Vault::overdue).
///
/// It is read page by page, through an index, so that it costs as much as what it gives, however many connections there
/// are. Paused, revoked and suspected ones are among them: see [`ConnectionStatus::state`].
///
/// ```
/// # async fn example(vault: tokenkeep::Vault) -> Result<(), tokenkeep::Error> {
/// let mut due = vault.due();
/// while let Some(status) = due.next().await? {
///     for action in status.customer_actions() {
///         println!("to {}: {action} (by {:?})", status.id.tenant(), status.replace_by);
///     }
/// }
/// # Ok(()) }
/// ```
#[must_use = "nothing is read until `next` is called"]
pub struct DueConnections {
    vault: Arc<Inner>,
    during: Range<Timestamp>,
    /// The last one that was read.
    after: Option<TokenSet>,
    page: VecDeque<(Record, ConnectionStatus)>,
    /// When the page was asked for.
    read_at: Instant,
}

impl DueConnections {
    pub(crate) fn new(vault: Arc<Inner>, during: Range<Timestamp>) -> Self {
        Self { vault, during, after: None, page: VecDeque::new(), read_at: Instant::now() }
    }

    /// The next one; `None` at the end. Which ones they are is as of when this was made; how each stands is as of this call,
    /// or at most a quarter of a second before it, and one that was replaced or disconnected meanwhile, by any instance, is left out. One
    /// whose record was altered is given as [`Tampered`](ConnectionState::Tampered).
    ///
    /// # Errors
    /// `StoreUnavailable`, and the same call goes on later; `Tampered` when a record's very name can't be read.
    ///
    /// # Cancellation
    /// Safe: a dropped call skips nothing.
    pub async fn next(&mut self) -> Result<Option<ConnectionStatus>, Error> {
        loop {
            while let Some((record, as_read)) = self.page.front() {
                let status = if self.read_at.elapsed() < FRESH && self.vault.is_latest(record) {
                    as_read.clone()
                } else {
                    self.vault.listed_anew(record).await?
                };
                self.page.pop_front();
                let is_due = status.replacement.is_some_and(|replacement| replacement != Replacement::Fresh);
                if is_due || status.state == ConnectionState::Tampered {
                    return Ok(Some(status));
                }
            }
            let read_at = Instant::now();
            let Some((after, page)) = self.vault.watch.over(Operation::List, None, self.read_page()).await?
            else {
                return Ok(None);
            };
            (self.after, self.page, self.read_at) = (Some(after), page, read_at);
        }
    }

    async fn read_page(&self) -> Result<Option<(TokenSet, VecDeque<(Record, ConnectionStatus)>)>, Error> {
        let mut page = self.vault.store.tokens_set(self.during.clone(), self.after.as_ref(), PAGE).await?;
        let Some(after) = page.last().map(TokenSet::of) else { return Ok(None) };
        // A store may give those of sets, too; or a token's record was altered to look like one, or the other way round.
        page.retain(|record| !is_reserved(record.id.name()));
        let listed = self.vault.listed(&page).await?;
        Ok(Some((after, page.into_iter().zip(listed).collect())))
    }
}

impl fmt::Debug for DueConnections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DueConnections").field("during", &self.during).finish_non_exhaustive()
    }
}
