//! What an error says of itself: whose fault it is, whether to try again, what the customer can do.

use std::collections::HashSet;
use std::error::Error as _;

use tokenkeep_core::{
    BadKekId, CustomerAction, DecodeError, Error, ErrorKind, Fault, OpenError, Origin, RandomUnavailable,
    SealError, SecretVarRejected, TenantId, TokenRejected,
};

/// Kind, fault, whether it can be tried again, what the customer can do.
#[rustfmt::skip]
const KINDS: [(ErrorKind, Fault, bool, Option<CustomerAction>); 35] = {
    use CustomerAction as Do;
    use ErrorKind as Kind;
    [
        (Kind::InvalidToken, Fault::Customer, false, Some(Do::EnterTokenAgain)),
        (Kind::InvalidName, Fault::Caller, false, None),
        (Kind::InvalidVariable, Fault::Caller, false, None),
        (Kind::Misuse, Fault::Caller, false, None),
        (Kind::TokenRefused, Fault::Customer, false, Some(Do::ReplaceToken)),
        (Kind::OtherAccount, Fault::Customer, false, Some(Do::UseSameAccount)),
        (Kind::ScopeTooSmall, Fault::Customer, false, Some(Do::WidenScope)),
        (Kind::PaymentRequired, Fault::Customer, false, Some(Do::RaiseLimit)),
        (Kind::NotFound, Fault::Caller, false, None),
        (Kind::NotFoundOrTokenRefused, Fault::Caller, false, None),
        (Kind::AlreadyExists, Fault::Caller, false, None),
        (Kind::RateLimited, Fault::Provider, true, Some(Do::TryAgainLater)),
        (Kind::ProviderUnavailable, Fault::Provider, true, Some(Do::TryAgainLater)),
        (Kind::ProviderMisbehaved, Fault::Provider, false, None),
        (Kind::AlreadyConnected, Fault::Caller, false, Some(Do::ReplaceInstead)),
        (Kind::SameToken, Fault::Customer, false, Some(Do::ReplaceToken)),
        (Kind::NotConnected, Fault::Caller, false, Some(Do::Connect)),
        (Kind::Paused, Fault::Customer, false, Some(Do::TryAgainLater)),
        (Kind::Revoked, Fault::Customer, false, Some(Do::ReplaceToken)),
        (Kind::Suspected, Fault::Customer, false, Some(Do::DeleteAndReplace)),
        (Kind::PurgePending, Fault::Caller, true, Some(Do::TryAgainLater)),
        (Kind::Conflict, Fault::Caller, true, Some(Do::TryAgainLater)),
        (Kind::StoreUnavailable, Fault::Operator, true, Some(Do::TryAgainLater)),
        (Kind::StoreUnusable, Fault::Operator, false, None),
        (Kind::Tampered, Fault::Operator, false, None),
        (Kind::SinkUnavailable, Fault::Operator, true, None),
        (Kind::KeysUnavailable, Fault::Operator, true, Some(Do::TryAgainLater)),
        (Kind::KeysWrong, Fault::Operator, false, None),
        (Kind::KeyDestroyed, Fault::Operator, false, None),
        (Kind::KeyDisabled, Fault::Operator, false, None),
        (Kind::KeysForbidden, Fault::Operator, false, None),
        (Kind::KeysUnusable, Fault::Operator, false, None),
        (Kind::KeysInsecure, Fault::Operator, false, None),
        (Kind::RandomUnavailable, Fault::Operator, true, None),
        (Kind::Internal, Fault::Tokenkeep, false, None),
    ]
};

#[test]
fn each_kind_has_its_fault_and_its_way_out() {
    for (kind, fault, retryable, action) in KINDS {
        assert_eq!(kind.fault(), fault, "{kind:?}");
        assert_eq!(kind.is_retryable(), retryable, "{kind:?}");
        assert_eq!(kind.customer_action(), action, "{kind:?}");
        let error = Error::from(kind);
        assert_eq!(
            (error.kind(), error.fault(), error.is_retryable(), error.customer_action()),
            (kind, fault, retryable, action)
        );
    }
}

#[test]
fn each_kind_and_each_action_has_words_of_its_own() {
    let mut messages = HashSet::new();
    for (kind, ..) in KINDS {
        assert!(kind.message().contains(' ') && messages.insert(kind.message()), "{kind:?}");
    }
    use CustomerAction::{
        ChangeVariables, ContactSupport, DeleteOldToken, EnterVariables, ReplaceSoon, ReplaceVariables,
        UseOwnToken,
    };
    let mut actions: HashSet<CustomerAction> = KINDS.iter().filter_map(|kind| kind.3).collect();
    actions.extend([ReplaceSoon, DeleteOldToken, UseOwnToken, ReplaceVariables, ContactSupport]);
    actions.extend([EnterVariables, ChangeVariables]);
    let words: HashSet<String> = actions.iter().map(ToString::to_string).collect();
    assert_eq!((actions.len(), words.len()), (16, 16));
    assert!(words.iter().all(|text| text.ends_with('.')), "{words:?}");
}

#[test]
fn a_report_tells_the_kind_the_detail_and_every_cause() {
    let bare = Error::new(ErrorKind::Conflict);
    assert_eq!(bare.to_string(), ErrorKind::Conflict.message());
    assert_eq!(bare.report(), bare.to_string());
    assert!(bare.source().is_none());

    let whole = Error::new(ErrorKind::Internal)
        .because("a detail")
        .with_source(Error::from(ErrorKind::Tampered).with_source(OpenError::Rejected));
    let first = format!("{}: a detail", ErrorKind::Internal.message());
    assert_eq!(whole.to_string(), first);
    assert_eq!(
        whole.report(),
        format!("{first}: {}: {}", ErrorKind::Tampered.message(), OpenError::Rejected)
    );
}

#[test]
fn each_typed_error_becomes_its_kind_and_stays_its_source() {
    let bad_name = TenantId::new("").unwrap_err();
    let bad_origin = Origin::parse("").unwrap_err();
    let becomes: [(Error, ErrorKind, String); 16] = [
        (TokenRejected::Empty.into(), ErrorKind::InvalidToken, TokenRejected::Empty.to_string()),
        (SecretVarRejected::Nul.into(), ErrorKind::InvalidVariable, SecretVarRejected::Nul.to_string()),
        (bad_name.into(), ErrorKind::InvalidName, bad_name.to_string()),
        (bad_origin.into(), ErrorKind::InvalidName, bad_origin.to_string()),
        (BadKekId.into(), ErrorKind::Misuse, BadKekId.to_string()),
        (RandomUnavailable.into(), ErrorKind::RandomUnavailable, RandomUnavailable.to_string()),
        decoding(DecodeError::UnknownVersion, ErrorKind::StoreUnusable),
        decoding(DecodeError::UnknownSuite, ErrorKind::StoreUnusable),
        decoding(DecodeError::Truncated, ErrorKind::Tampered),
        decoding(DecodeError::Length, ErrorKind::Tampered),
        sealing(SealError::Random(RandomUnavailable), ErrorKind::RandomUnavailable),
        sealing(SealError::PayloadTooLong, ErrorKind::Misuse),
        sealing(SealError::WrappedDekLength, ErrorKind::KeysUnavailable),
        opening(OpenError::Decode(DecodeError::UnknownSuite), ErrorKind::StoreUnusable),
        opening(OpenError::Rejected, ErrorKind::Tampered),
        opening(OpenError::OtherKek, ErrorKind::KeysWrong),
    ];
    for (error, kind, source) in becomes {
        assert_eq!(error.kind(), kind, "{source}");
        assert_eq!(error.source().map(ToString::to_string), Some(source));
    }
}

fn decoding(error: DecodeError, kind: ErrorKind) -> (Error, ErrorKind, String) {
    (error.into(), kind, error.to_string())
}

fn sealing(error: SealError, kind: ErrorKind) -> (Error, ErrorKind, String) {
    (error.into(), kind, error.to_string())
}

fn opening(error: OpenError, kind: ErrorKind) -> (Error, ErrorKind, String) {
    (error.into(), kind, error.to_string())
}

#[test]
fn of_variables_the_words_are_about_those_and_the_kind_is_the_same() {
    use CustomerAction::{ChangeVariables, EnterVariables, ReplaceVariables};
    for (kind, _, retryable, action) in KINDS {
        let (error, token) = (Error::new(kind).of_variables(), Error::new(kind));
        let own = match kind {
            ErrorKind::AlreadyConnected => Some(ChangeVariables),
            ErrorKind::NotConnected => Some(EnterVariables),
            ErrorKind::Suspected => Some(ReplaceVariables),
            _ => None,
        };
        assert_eq!((error.kind(), error.is_retryable()), (kind, retryable));
        assert_eq!(error.customer_action(), own.or(action), "{kind:?}");
        assert_eq!(error.to_string() != token.to_string(), own.is_some(), "{kind:?}");
    }
}
