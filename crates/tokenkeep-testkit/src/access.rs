//! What a token may do at the stand-in.

/// Whose token it is at the stand-in, and how far it reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    pub(crate) account_id: String,
    pub(crate) username: String,
    pub(crate) scope: Scope,
}

/// How far a token reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope {
    /// Everything that the stand-in knows.
    Full,
    /// `GET /v2/users/me` alone; everything else is 403 `insufficient-permissions`.
    UnderScoped,
}

impl Access {
    /// A token of this account that reaches everything.
    #[must_use]
    pub fn full(account_id: &str, username: &str) -> Self {
        Self { account_id: account_id.to_owned(), username: username.to_owned(), scope: Scope::Full }
    }

    /// A token of this account that reaches `GET /v2/users/me` alone.
    #[must_use]
    pub fn under_scoped(account_id: &str, username: &str) -> Self {
        Self { scope: Scope::UnderScoped, ..Self::full(account_id, username) }
    }
}
