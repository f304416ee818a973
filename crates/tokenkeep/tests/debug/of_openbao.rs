//! tokenkeep-keys-openbao, as far as it needs no real server: keys in a service that refuses everything and repeats what it was sent.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokenkeep_core::{Dek, EncryptionContext, Error, Origin, WrapRequest};
use tokenkeep_keys::KeyProvider;
use tokenkeep_keys_openbao::{AppRole, OpenBaoFailure, OpenBaoKeys};
use tokenkeep_testkit::JsonStandIn;

use crate::Secrets;
use crate::of_core::facts;
use crate::shown::{Shown, show};

const STATUSES: [u16; 6] = [400, 403, 404, 429, 500, 503];

pub(crate) async fn show(shown: &mut Shown, secrets: &Secrets) {
    let asked = AtomicUsize::new(0);
    let service = JsonStandIn::start(move |request| {
        let sent = String::from_utf8_lossy(&request.body).replace('"', "'");
        let token = request.header("x-vault-token").unwrap_or("none");
        let status = STATUSES[asked.fetch_add(1, Ordering::SeqCst) % STATUSES.len()];
        (status, format!("{{\"errors\":[\"{token} {sent}\"]}}"))
    });
    let service = service.await.unwrap();
    let role = || AppRole::new(secrets.next(), secrets.token());
    show!(
        shown,
        tokenkeep_keys_openbao::AppRole: role(), AppRole::wrapped(secrets.next(), secrets.token())
    );
    let context = EncryptionContext::for_token(&facts());
    let dek = Dek::from_bytes(&secrets.key);
    let request = WrapRequest::for_rewrap(&dek, &context).unwrap();
    let origin = Origin::parse(&service.origin()).unwrap();
    let builder = || {
        let builder = OpenBaoKeys::builder(origin.clone(), "tokenkeep").ca_der(&service.ca_der());
        builder.timeout(Duration::from_secs(5))
    };
    let mut failures = BTreeSet::new();
    for _ in STATUSES {
        for builder in [builder().token(secrets.token()), builder().app_role(role())] {
            show!(shown, tokenkeep_keys_openbao::OpenBaoBuilder: builder);
            let keys = builder.build().unwrap();
            failures.insert(error(shown, &keys.wrap_dek(&request).await.unwrap_err()));
            // One with a role takes no token.
            if let Err(refused) = keys.set_token(secrets.next()) {
                failures.insert(error(shown, &refused));
            }
            show!(shown, tokenkeep_keys_openbao::OpenBaoKeys: keys);
        }
    }
    assert!(failures.len() > 4, "{failures:?}");
}

/// Shows what a call failed with, and says what that is.
fn error(shown: &mut Shown, error: &Error) -> String {
    let failure = OpenBaoFailure::of(error).expect("it says what happened");
    shown.add_error("tokenkeep_core::Error", error);
    shown.add_error("tokenkeep_keys_openbao::OpenBaoFailure", failure);
    format!("{failure:?}").split(['(', ' ']).next().unwrap_or_default().to_owned()
}
