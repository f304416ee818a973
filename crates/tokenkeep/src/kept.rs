//! What came of a token that was connected, or put in another one's place.

use tokenkeep_core::{Account, ConnectionId, CustomerAction};

/// A token that was accepted and kept. Holds no token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeptToken {
    /// Whose token it is, as the provider says.
    pub account: Account,
    /// Whether it took another token's place. That one stays valid at the provider until it is deleted there.
    pub replaced: bool,
    /// Other connections of the same tenant that hold the same token; up to 64 are named.
    pub reused: Vec<ConnectionId>,
}

impl KeptToken {
    /// What the customer should do now, for an application to show in this order; empty when nothing.
    ///
    /// ```
    /// # async fn example(connection: tokenkeep::Connection, provider: &dyn tokenkeep::Provider, new: tokenkeep::ApiToken)
    /// # -> Result<(), tokenkeep::Error> {
    /// let kept = connection.replace(provider, new).await?;
    /// for action in kept.customer_actions() {
    ///     println!("{action}"); // "Delete the old token at the provider: it stays valid there until you do."
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn customer_actions(&self) -> Vec<CustomerAction> {
        let delete = self.replaced.then_some(CustomerAction::DeleteOldToken);
        let share = (!self.reused.is_empty()).then_some(CustomerAction::UseOwnToken);
        delete.into_iter().chain(share).collect()
    }
}
