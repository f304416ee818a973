//! A provider of your own: another API, another header, no Apify crate. `cargo run --example custom_provider`.
//!
//! Acme is made up, and so is its API: a stand-in answers for it on loopback.
#![allow(clippy::print_stdout, reason = "a program that shows something")]

use async_trait::async_trait;
use serde::Deserialize;
use tokenkeep::https::Transport;
use tokenkeep::{
    Account, ApiToken, Credential, Error, LocalKeyring, Meaning, MemoryStore, Origin, Provider, ProviderSpec,
    Vault,
};
use tokenkeep_testkit::{JsonStandIn, fake_token};

/// All that tokenkeep needs to know of Acme.
#[derive(Debug, Clone)]
struct Acme {
    transport: Transport,
}

#[derive(Deserialize)]
struct WhoAmI {
    id: u64,
    login: String,
}

impl Acme {
    fn new(origin: Origin, extra_root: &[u8]) -> Result<Self, Error> {
        let spec = ProviderSpec::new("acme".parse()?, origin)
            .with_header("x-acme-key", "") // sent as `x-acme-key: TOKEN`
            .with_meaning(|status, body| match (status, body) {
                // Acme answers 400 where others answer 401.
                (400, body) if body.starts_with(b"{\"error\":\"bad key\"") => Meaning::TokenRefused,
                (status, _) => Meaning::of_status(status),
            });
        Ok(Self { transport: Transport::builder(spec).extra_root_der(extra_root).build()? })
    }

    async fn who_am_i(&self, credential: &Credential) -> Result<WhoAmI, Error> {
        self.transport.get("/whoami").credential(credential).send().await?.json()
    }
}

#[async_trait]
impl Provider for Acme {
    fn spec(&self) -> &ProviderSpec {
        self.transport.spec()
    }

    async fn check(&self, credential: &Credential) -> Result<Account, Error> {
        let WhoAmI { id, login } = self.who_am_i(credential).await?;
        Account::new(id.to_string(), login)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let key = fake_token();
    let known = key.clone();
    let stand_in = JsonStandIn::start(move |request| match request.header("x-acme-key") {
        Some(sent) if sent == known => (200, r#"{"id":17,"login":"wile","plan":"roadrunner"}"#.to_owned()),
        _ => (400, r#"{"error":"bad key"}"#.to_owned()),
    })
    .await?;
    let acme = Acme::new(Origin::parse(&stand_in.origin())?, &stand_in.ca_der())?;

    let folder = tempfile::tempdir()?;
    let keys = LocalKeyring::create(folder.path().join("keys/keyring"))?;
    let vault = Vault::open(MemoryStore::new(), keys).await?;
    let connection = vault.connection("customer-17", "acme")?;

    let refused =
        connection.connect(&acme, ApiToken::new(fake_token())?).await.err().ok_or("a wrong key was kept")?;
    println!("a wrong key   {refused}");
    let account = connection.connect(&acme, ApiToken::new(key)?).await?.account;
    println!("the right one {} ({})", account.name(), account.id());
    let me = acme.who_am_i(&connection.credential()).await?;
    println!("in use        {} is logged in, and the caller held no key", me.login);
    println!("{}", connection.disconnect().await?);
    let refused = acme.who_am_i(&connection.credential()).await.err().ok_or("a removed key was used")?;
    println!("afterwards    {refused}");
    Ok(())
}
