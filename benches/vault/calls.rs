//! Calls over HTTPS: what the transport, a vault's credential and the typed client with its boundary add to a call of reqwest's own.

mod server;
mod subjects;

use std::sync::Arc;

use tokenkeep::{Credential, LocalKeyring, MemoryStore, SqliteStore, TokenStore};
use tokenkeep_apify::Apify;
use tokenkeep_https::Transport;

use crate::fixture::{Keys, StillClock, connection, token};
use crate::rounds::{Effort, Turn, compare};
use crate::{CONNECTIONS, TASKS};
use server::{Protocol, Server};
use subjects::{Bare, BareTyped, Call, Issue, Parts, Typed};

pub(crate) async fn measure(effort: Effort) {
    for protocol in [Protocol::Http2, Protocol::Http1] {
        of_one_token(protocol, effort).await;
    }
    let server = Server::start(Protocol::Http2);
    let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
    let ring = LocalKeyring::create(folder.path().join("keys/keyring")).expect("a keyring");
    let keys = Arc::new(Keys::of(folder, ring));
    of_vault("memory", Arc::new(MemoryStore::new()), &keys, &server, effort).await;
    let file = keys.folder.path().join("db/tokens.sqlite");
    of_vault("sqlite", SqliteStore::open(file).await.expect("it opens"), &keys, &server, effort).await;
}

/// A credential that no vault keeps, beside the same calls by reqwest alone.
async fn of_one_token(protocol: Protocol, effort: Effort) {
    let server = Server::start(protocol);
    let secret = token();
    let bare = Bare::new(&server, secret.expose_secret());
    let credential = Credential::fixed(server.origin(), secret);
    let apify = apify(&server);
    let call = Call::with(transport(&apify, &server), vec![credential.clone()]);
    let (bare_call, typed_bare) = (Turn::of(bare.clone()), Turn::of(BareTyped(bare)));
    let (call, typed) = (Turn::of(call), Turn::of(Typed(apify.with(credential))));
    for tasks in [1, TASKS] {
        let (protocol, names) = (protocol.name(), ["reqwest", "tokenkeep"]);
        compare(&format!("call {protocol} by {tasks}"), names, tasks, effort, &bare_call, &call).await;
        compare(&format!("typed {protocol} by {tasks}"), names, tasks, effort, &typed_bare, &typed).await;
    }
}

fn apify(server: &Server) -> Apify {
    let builder = Apify::builder().origin(server.origin()).extra_root_der(server.authority());
    builder.build().expect("plain options")
}

/// To the same provider without its boundary: what reqwest's calls are compared with.
fn transport(apify: &Apify, server: &Server) -> Transport {
    let builder = Transport::builder(apify.provider().spec().clone());
    builder.extra_root_der(server.authority()).build().expect("plain options")
}

/// A vault's credentials, beside the sum of the parts: the same call with a credential of no vault, and the vault asked for a token.
async fn of_vault<S: TokenStore + Clone + 'static>(
    name: &str,
    store: S,
    keys: &Arc<Keys>,
    server: &Server,
    effort: Effort,
) {
    let clock = StillClock::new();
    let vault = keys.vault(store.clone(), &clock).await;
    let apify = apify(server);
    for number in 0..CONNECTIONS {
        let connection = connection(&vault, number);
        connection.connect(apify.provider(), token()).await.expect("the server accepts every token");
    }
    let transport = transport(&apify, server);
    let ours: Vec<_> = (0..CONNECTIONS).map(|number| connection(&vault, number).credential()).collect();
    let fixed = vec![Credential::fixed(server.origin(), token())];

    let (call, issue) =
        (Call::with(transport.clone(), fixed.clone()), Issue::of(transport.spec(), &ours).await);
    let parts = Turn::of(Parts(call.clone(), issue.clone()));
    let (call, issue) = (Turn::of(call), Turn::of(issue));
    let whole = Turn::of(Call::with(transport, ours));
    for tasks in [1, TASKS] {
        compare(&format!("part {name} by {tasks}"), ["call", "issue"], tasks, effort, &call, &issue).await;
        let operation = format!("whole {name} by {tasks}");
        compare(&operation, ["parts", "tokenkeep"], tasks, effort, &parts, &whole).await;
    }
}
