//! No Debug text of a public type shows a secret. Every type that a crate exports is in here with a value that holds a token or a
//! key, or was made from one, as far as it can; one that is exported and not in here fails the test. A new type belongs in
//! the file of its crate: `show!` takes the type as it is exported, and values of it; `show_small!` is for what has no room for a secret.
#![allow(unused_qualifications, reason = "a type is named as it is exported, whatever is imported")]

mod exports;
mod of_apify;
mod of_core;
mod of_keys;
mod of_network;
mod of_openbao;
mod of_secret_input;
mod of_store;
mod of_testkit;
mod of_vault;
mod on_servers;
mod secrets;
mod shown;

use std::collections::BTreeSet;

use secrets::Secrets;
use shown::Shown;

#[tokio::test]
async fn no_public_type_shows_a_secret() {
    let (mut shown, secrets) = (Shown::default(), Secrets::new());
    of_core::show(&mut shown, &secrets).await;
    of_keys::show(&mut shown, &secrets).await;
    Box::pin(of_network::show(&mut shown, &secrets)).await;
    Box::pin(of_openbao::show(&mut shown, &secrets)).await;
    Box::pin(of_vault::show(&mut shown, &secrets)).await;
    of_secret_input::show(&mut shown, &secrets);
    of_testkit::show(&mut shown, &secrets).await;
    assert_eq!(shown.leaks(&secrets.scanner()), [""; 0]);

    let on_servers = on_servers::ON_POSTGRES.iter().chain(on_servers::ON_OPENBAO);
    let mut shown = shown.types();
    shown.extend(on_servers.map(|name| (*name).to_owned()));
    let exported = exports::types();
    let difference = |one: &BTreeSet<String>, other| one.difference(other).cloned().collect::<Vec<_>>();
    let (missing, gone) = (difference(&exported, &shown), difference(&shown, &exported));
    assert!(missing.is_empty(), "exported, and not shown by this test: {missing:#?}");
    assert!(gone.is_empty(), "shown by this test, and not exported: {gone:#?}");
}
