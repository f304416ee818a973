//! The types that a provider and a transport meet on.
#![cfg(feature = "async")]

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokenkeep_core::{
    Account, ApiToken, Credential, ErrorKind, IssuedToken, ListedRun, Meaning, Origin, ProviderSpec,
    SecretVersion, Use,
};

fn spec(origin: &str) -> ProviderSpec {
    ProviderSpec::new("apify".parse().unwrap(), Origin::parse(origin).unwrap())
}

fn token() -> Arc<ApiToken> {
    Arc::new(ApiToken::new("a-made-up-token".to_owned()).unwrap())
}

/// A credential that holds its token is ready at once; so no runtime is needed.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it had nothing to wait for"),
    }
}

fn issue(credential: &Credential, spec: &ProviderSpec) -> Result<IssuedToken, ErrorKind> {
    ready(credential.issue(Use::at(spec))).map_err(|error| error.kind())
}

#[test]
fn a_fixed_token_is_given_for_its_origin_alone() {
    let (here, elsewhere) = (spec("https://api.apify.com"), spec("https://api.apify.com:8443"));
    let credential = Credential::fixed(here.origin.clone(), token());
    let issued = issue(&credential, &here).unwrap();
    assert_eq!(issued.token.expose_secret(), "a-made-up-token");
    assert_eq!(issued.secret_version, SecretVersion::FIRST);
    assert_eq!(issue(&credential, &elsewhere).err(), Some(ErrorKind::Misuse));
    let report =
        credential.report(issued.incarnation, issued.secret_version, tokenkeep_core::Outcome::Accepted);
    assert!(ready(report).is_ok());
    assert_eq!(format!("{credential:?}"), "Credential");
}

#[test]
fn a_lent_token_ends_with_its_lender() {
    let (here, token) = (spec("https://api.apify.com"), token());
    let credential = Credential::lent(here.origin.clone(), &token);
    let kept = credential.clone();
    assert_eq!(issue(&credential, &here).unwrap().token.expose_secret(), "a-made-up-token");
    drop(token);
    assert_eq!(issue(&kept, &here).err(), Some(ErrorKind::NotConnected));
}

#[test]
fn each_status_has_its_meaning_and_each_meaning_its_kind() {
    for (status, meaning, kind) in [
        (401, Meaning::TokenRefused, ErrorKind::TokenRefused),
        (403, Meaning::ScopeTooSmall, ErrorKind::ScopeTooSmall),
        (400, Meaning::BadRequest, ErrorKind::Misuse),
        (405, Meaning::BadRequest, ErrorKind::Misuse),
        (413, Meaning::BadRequest, ErrorKind::Misuse),
        (414, Meaning::BadRequest, ErrorKind::Misuse),
        (415, Meaning::BadRequest, ErrorKind::Misuse),
        (422, Meaning::BadRequest, ErrorKind::Misuse),
        (404, Meaning::NotFound, ErrorKind::NotFound),
        (429, Meaning::RateLimited, ErrorKind::RateLimited),
        (500, Meaning::Unavailable, ErrorKind::ProviderUnavailable),
        (599, Meaning::Unavailable, ErrorKind::ProviderUnavailable),
        (200, Meaning::Unexpected, ErrorKind::ProviderMisbehaved),
        (402, Meaning::Unexpected, ErrorKind::ProviderMisbehaved),
        (600, Meaning::Unexpected, ErrorKind::ProviderMisbehaved),
    ] {
        assert_eq!((Meaning::of_status(status), meaning.kind()), (meaning, kind), "{status}");
        assert_eq!((spec("https://a").meaning)(status, b"{}"), meaning, "unless a provider says more");
    }
    // What no status says by itself.
    for (meaning, kind) in [
        (Meaning::PaymentRequired, ErrorKind::PaymentRequired),
        (Meaning::NotFoundOrTokenRefused, ErrorKind::NotFoundOrTokenRefused),
        (Meaning::AlreadyExists, ErrorKind::AlreadyExists),
    ] {
        assert_eq!(meaning.kind(), kind);
    }
}

#[test]
fn a_spec_keeps_what_it_is_told() {
    let spec = spec("https://api.apify.com");
    assert_eq!((spec.header, spec.prefix), ("authorization", "Bearer "));
    let spec = spec.with_header("x-api-key", "").with_meaning(|_, _| Meaning::NotFound);
    assert_eq!((spec.header, spec.prefix), ("x-api-key", ""));
    assert_eq!((spec.meaning)(401, b""), Meaning::NotFound);
    let shown = format!("{spec:?}");
    assert!(shown.contains("apify") && shown.contains("https://api.apify.com"), "{shown}");
}

#[test]
fn a_listed_run_can_be_shown_whatever_its_starter_says() {
    assert_eq!(ListedRun::without_time("run-1").unwrap().started_at(), None);
    let run = ListedRun::new("run-1", 17).unwrap();
    assert_eq!((run.id(), run.started_at(), run.may_be_by_token()), ("run-1", Some(17), true));
    assert_eq!((run.origin(), run.address(), run.user_agent()), (None, None, None));
    let run = run.with_origin("A\u{1b}PI").with_address("203.0.113.7\n").without_token();
    let run = run.with_user_agent(format!("a\u{202e}{}", "ä".repeat(200)));
    assert_eq!((run.origin(), run.address()), (Some("API"), Some("203.0.113.7")));
    assert_eq!(run.user_agent(), Some(format!("a{}", "ä".repeat(127)).as_str()), "cut at 255 bytes");
    assert!(!run.may_be_by_token());
    for bad in [String::new(), "r".repeat(256), "r\n".into(), "r\u{200b}".into()] {
        assert_eq!(ListedRun::new(bad, 0).unwrap_err().kind(), ErrorKind::ProviderMisbehaved);
    }
}

#[test]
fn an_account_has_an_id_that_can_be_compared_and_a_name_that_can_be_shown() {
    let account = Account::new("u-1", "A\u{202e} Name\n").unwrap();
    assert_eq!((account.id(), account.name()), ("u-1", "A Name"));
    assert_eq!(Account::new("u-1", "").unwrap().name(), "");
    // Cut between two characters: 127 of two bytes, and no half of the next.
    assert_eq!(Account::new("u-1", "ä".repeat(200)).unwrap().name(), "ä".repeat(127));
    assert_eq!(Account::new("u-1", "a".repeat(256)).unwrap().name(), "a".repeat(255));
    assert!(Account::new("i".repeat(255), "").is_ok());
    for bad in [String::new(), "i".repeat(256), " a".into(), "a\u{200b}".into()] {
        assert_eq!(Account::new(bad, "").map_err(|error| error.kind()), Err(ErrorKind::ProviderMisbehaved));
    }
}
