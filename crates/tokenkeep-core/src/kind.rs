//! One list of what can go wrong, shared by every crate's errors.

use core::fmt;

/// What went wrong, as far as a program needs to tell things apart.
///
/// Every error of tokenkeep's crates can say its kind, and the kind says whose fault it is ([`fault`](Self::fault)),
/// whether the same call may work later ([`is_retryable`](Self::is_retryable)) and what the customer can do
/// ([`customer_action`](Self::customer_action)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The text given as a token can't be one: empty, white space, a URL, too long.
    InvalidToken,
    /// A tenant, connection or provider name or an origin is not allowed.
    InvalidName,
    /// The text given as an environment variable can't be one, or its set has no room for it.
    InvalidVariable,
    /// The call does not fit what was configured: another provider's connection, an origin not bound to the token.
    Misuse,
    /// The provider does not accept the token.
    TokenRefused,
    /// The token is good, but of another account than the one that is connected.
    OtherAccount,
    /// The provider accepts the token, but not for this.
    ScopeTooSmall,
    /// The provider wants the account to pay, or to raise a limit of its own, before it does this.
    PaymentRequired,
    /// The provider has no such thing.
    NotFound,
    /// The provider has no such thing, or does not accept the token: its answer does not tell which. Ask it whose the token is, and
    /// that answer does.
    NotFoundOrTokenRefused,
    /// The provider has one of that name already.
    AlreadyExists,
    /// The provider asks for fewer calls.
    RateLimited,
    /// The provider did not answer, or answered with a fault of its own.
    ProviderUnavailable,
    /// The provider's answer is not what its API promises: not JSON, too large, an unexpected status.
    ProviderMisbehaved,
    /// The connection holds a token already.
    AlreadyConnected,
    /// The token that was to take another one's place is that one.
    SameToken,
    /// There is no such connection, or it was disconnected.
    NotConnected,
    /// The provider refused the token once; it is not used until that is cleared up.
    Paused,
    /// The provider refused the token for good.
    Revoked,
    /// The token may have leaked; it is not used until it is replaced.
    Suspected,
    /// What the application cached for the disconnected connection is not cleared yet.
    PurgePending,
    /// The connection changed while this call was at work.
    Conflict,
    /// The database did not answer.
    StoreUnavailable,
    /// The database can't be used by this version: a newer schema, a missing table, another vault.
    StoreUnusable,
    /// What the database holds was altered, or is older than what was seen before.
    Tampered,
    /// Where the audit trail's checkpoints are kept did not answer.
    SinkUnavailable,
    /// The key provider did not answer.
    KeysUnavailable,
    /// The keys at hand are not those that this vault was sealed with.
    KeysWrong,
    /// The key was destroyed: what was sealed under it is gone for good.
    KeyDestroyed,
    /// The key is disabled: what was sealed under it opens once the operator enables it again.
    KeyDisabled,
    /// The key service lets this process in no longer, or not to this: its credential or its policy must be mended.
    KeysForbidden,
    /// The keys can't be used as they are: a keyring that is missing, truncated or altered.
    KeysUnusable,
    /// The keys are kept in a way that protects nothing: readable by others, or beside the database.
    KeysInsecure,
    /// The operating system gave no random bytes.
    RandomUnavailable,
    /// A fault of tokenkeep's own.
    Internal,
}

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The program that calls tokenkeep.
    Caller,
    /// The customer whose token it is.
    Customer,
    /// The provider's API or the way to it.
    Provider,
    /// Whoever runs the application: its database, its keys, its host.
    Operator,
    /// tokenkeep itself.
    Tokenkeep,
}

/// What the customer can do, for an application to show. [`Display`](fmt::Display) gives plain English.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CustomerAction {
    /// Paste the token again.
    EnterTokenAgain,
    /// Connect: there is no token.
    Connect,
    /// Make a new token at the provider and put it in the old one's place.
    ReplaceToken,
    /// The same, by the date that is shown with it: the token still works.
    ReplaceSoon,
    /// Delete the token at the provider at once, since others may have it; then make a new one and put it in its place.
    DeleteAndReplace,
    /// Delete the old token at the provider: another one took its place here.
    DeleteOldToken,
    /// Enter a token of the account that is connected, or disconnect first to connect another one.
    UseSameAccount,
    /// Give the token the permissions that were asked for, or make one that has them.
    WidenScope,
    /// Pay at the provider, or raise the limit that the account has reached there.
    RaiseLimit,
    /// Disconnect first, or replace the token.
    ReplaceInstead,
    /// Make a token for each connection: this one is used for another one too.
    UseOwnToken,
    /// Replace each value of a set of secret variables where it came from, since others may have them; then enter the new ones.
    ReplaceVariables,
    /// Enter the secret variables: there are none.
    EnterVariables,
    /// Change the secret variables that are there, or remove them first.
    ChangeVariables,
    /// Nothing but waiting.
    TryAgainLater,
    /// Tell the application's support: it is not the customer's to mend.
    ContactSupport,
}

impl ErrorKind {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(self) -> Fault {
        match self {
            Self::InvalidToken
            | Self::TokenRefused
            | Self::OtherAccount
            | Self::ScopeTooSmall
            | Self::PaymentRequired
            | Self::SameToken
            | Self::Paused
            | Self::Revoked
            | Self::Suspected => Fault::Customer,
            Self::InvalidName
            | Self::InvalidVariable
            | Self::Misuse
            | Self::NotFound
            | Self::NotFoundOrTokenRefused
            | Self::AlreadyExists
            | Self::AlreadyConnected
            | Self::NotConnected
            | Self::PurgePending
            | Self::Conflict => Fault::Caller,
            Self::RateLimited | Self::ProviderUnavailable | Self::ProviderMisbehaved => Fault::Provider,
            Self::StoreUnavailable
            | Self::StoreUnusable
            | Self::Tampered
            | Self::SinkUnavailable
            | Self::KeysUnavailable
            | Self::KeysWrong
            | Self::KeyDestroyed
            | Self::KeyDisabled
            | Self::KeysForbidden
            | Self::KeysUnusable
            | Self::KeysInsecure
            | Self::RandomUnavailable => Fault::Operator,
            Self::Internal => Fault::Tokenkeep,
        }
    }

    /// Whether the same call may work later with nothing else changed.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::RateLimited
                | Self::ProviderUnavailable
                | Self::PurgePending
                | Self::Conflict
                | Self::StoreUnavailable
                | Self::SinkUnavailable
                | Self::KeysUnavailable
                | Self::RandomUnavailable
        )
    }

    /// What went wrong and what to do, in plain English for a developer or an operator.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::InvalidToken => "the text given as a token can't be one",
            Self::InvalidName => "a tenant, connection or provider name or an origin is not allowed",
            Self::InvalidVariable => {
                "the text given as an environment variable can't be one, or its set is full"
            }
            Self::Misuse => "the call does not fit what was configured",
            Self::TokenRefused => "the provider does not accept the token",
            Self::OtherAccount => "the token is of another account than the one that is connected",
            Self::ScopeTooSmall => "the provider accepts the token, but not for this",
            Self::PaymentRequired => "the provider wants the account to pay, or to raise a limit, first",
            Self::NotFound => "the provider has no such thing",
            Self::NotFoundOrTokenRefused => "the provider has no such thing, or does not accept the token",
            Self::AlreadyExists => "the provider has one of that name already",
            Self::RateLimited => "the provider asks for fewer calls; try again later",
            Self::ProviderUnavailable => {
                "the provider did not answer or had a fault of its own; try again later"
            }
            Self::ProviderMisbehaved => "the provider's answer is not what its API promises",
            Self::AlreadyConnected => "the connection holds a token already; replace it instead",
            Self::SameToken => "the token is the one that the connection holds already; a new one is needed",
            Self::NotConnected => "the connection is not connected",
            Self::Paused => "the provider refused the token once; whether for good is being found out",
            Self::Revoked => "the provider refused the token for good; it must be replaced",
            Self::Suspected => "the token may have leaked; it must be deleted at the provider and replaced",
            Self::PurgePending => "what was cached for the former connection is not cleared yet; try again",
            Self::Conflict => "something changed while this call was at work; try again",
            Self::StoreUnavailable => "the database did not answer; try again later",
            Self::StoreUnusable => "the database can't be used as it is",
            Self::Tampered => "what the database holds was altered or put back; run verify and look into it",
            Self::SinkUnavailable => {
                "where the audit trail's checkpoints are kept did not answer; try again later"
            }
            Self::KeysUnavailable => "the key provider did not answer; try again later",
            Self::KeysWrong => "the keys at hand are not those that this vault was sealed with",
            Self::KeyDestroyed => "the key was destroyed; what was sealed under it is gone",
            Self::KeyDisabled => "the key is disabled; enable it where the keys are",
            Self::KeysForbidden => "the key service refuses this process; mend its credential or its policy",
            Self::KeysUnusable => "the keys can't be used as they are",
            Self::KeysInsecure => "the keys are kept in a way that protects nothing",
            Self::RandomUnavailable => "the operating system gave no random bytes; try again",
            Self::Internal => "a fault in tokenkeep; please report it",
        }
    }

    /// What the customer can do about it; `None` where it is not the customer's to mend.
    #[must_use]
    pub fn customer_action(self) -> Option<CustomerAction> {
        match self {
            Self::InvalidToken => Some(CustomerAction::EnterTokenAgain),
            Self::TokenRefused | Self::SameToken | Self::Revoked => Some(CustomerAction::ReplaceToken),
            Self::Suspected => Some(CustomerAction::DeleteAndReplace),
            Self::OtherAccount => Some(CustomerAction::UseSameAccount),
            Self::ScopeTooSmall => Some(CustomerAction::WidenScope),
            Self::PaymentRequired => Some(CustomerAction::RaiseLimit),
            Self::AlreadyConnected => Some(CustomerAction::ReplaceInstead),
            Self::NotConnected => Some(CustomerAction::Connect),
            Self::Paused
            | Self::RateLimited
            | Self::ProviderUnavailable
            | Self::PurgePending
            | Self::Conflict
            | Self::StoreUnavailable
            | Self::KeysUnavailable => Some(CustomerAction::TryAgainLater),
            _ => None,
        }
    }

    /// As [`message`](Self::message), of a set of secret environment variables.
    pub(crate) fn message_of_variables(self) -> &'static str {
        match self {
            Self::AlreadyConnected => "there is a set of secret variables of that name; change it instead",
            Self::NotConnected => "there is no such set of secret variables",
            Self::Suspected => {
                "the secret variables may have leaked; each must be replaced where it came from, then here"
            }
            other => other.message(),
        }
    }

    /// As [`customer_action`](Self::customer_action), of a set of secret environment variables.
    pub(crate) fn customer_action_of_variables(self) -> Option<CustomerAction> {
        match self {
            Self::AlreadyConnected => Some(CustomerAction::ChangeVariables),
            Self::NotConnected => Some(CustomerAction::EnterVariables),
            Self::Suspected => Some(CustomerAction::ReplaceVariables),
            other => other.customer_action(),
        }
    }
}

impl fmt::Display for CustomerAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EnterTokenAgain => "Copy the token again and paste it whole.",
            Self::Connect => "Connect your account first.",
            Self::ReplaceToken => "Make a new token at the provider and enter it here.",
            Self::ReplaceSoon => "Make a new token at the provider soon and enter it here.",
            Self::DeleteOldToken => {
                "Delete the old token at the provider: it stays valid there until you do."
            }
            Self::UseSameAccount => {
                "Enter a token of the account that is connected, or disconnect first to connect another one."
            }
            Self::WidenScope => "Give the token the permissions that were asked for.",
            Self::RaiseLimit => {
                "Your account at the provider has reached a limit, or must pay for this. Look there, then try again."
            }
            Self::ReplaceInstead => "Replace the token, or disconnect first.",
            Self::DeleteAndReplace => {
                "This token may have leaked. Delete it at the provider now, then make a new one there and enter it here."
            }
            Self::UseOwnToken => {
                "This token is used for another connection too. Make a token of its own for each at the provider."
            }
            Self::ReplaceVariables => {
                "These secret variables may have leaked. Replace each value where it came from now, then enter the new ones here."
            }
            Self::EnterVariables => "Enter your secret variables first.",
            Self::ChangeVariables => "Change the secret variables that are there, or remove them first.",
            Self::ContactSupport => {
                "Something is wrong on our side, and the token is not used meanwhile. Please contact our support."
            }
            Self::TryAgainLater => "Please try again in a few minutes.",
        })
    }
}
