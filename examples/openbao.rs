//! A vault whose keys are in OpenBao, or in HashiCorp Vault: `cargo run --example openbao`.
//!
//! As it stands it starts a throwaway OpenBao of its own. To see it beside a server that you started, which one line does:
//!
//! ```sh
//! tls=$(mktemp -d); "$(cargo xtask openbao | tail -1)" server -dev -dev-tls -dev-tls-cert-dir="$tls" -dev-root-token-id=root > "$tls/log" &
//! BAO_ADDR=https://localhost:8200 BAO_CACERT="$tls/vault-ca.pem" BAO_TOKEN=root cargo run --example openbao
//! ```
//!
//! (Certificates, the authority's key among them, are in a folder that is yours alone. `kill %1` ends the server.)
//!
//! Here the root token does the operator's part and the application's. A real application has an AppRole with the policies that
//! the crate `tokenkeep-keys-openbao` documents, and the operator another one.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that shows something")]

use std::error::Error as StdError;
use std::fs;
use std::process::ExitCode;

use tokenkeep::apify::Apify;
use tokenkeep::https::{Method, Transport};
use tokenkeep::openbao::{OpenBaoFailure, OpenBaoKeys};
use tokenkeep::{ApiToken, Credential, KeyProvider, Origin, ProviderSpec, SqliteStore, Vault};
use tokenkeep_testkit::{Access, ApifyStandIn, ThrowawayOpenBao, fake_token};
use zeroize::Zeroizing;

type Result<T, E = Box<dyn StdError>> = std::result::Result<T, E>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nopenbao: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  because: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    println!("1. The key service");
    let server = Server::find()?;
    server.enable_transit().await?;
    let keys = OpenBaoKeys::builder(server.origin.clone(), "tokenkeep-example")
        .ca_pem(&server.ca_pem)?
        .token(server.token()?)
        .build()?;
    keys.create_key().await?;
    println!("   a derived key for AES-256-GCM at {}", server.origin);

    println!("2. A vault over it, and a customer's token in it");
    let folder = tempfile::tempdir()?;
    let store = SqliteStore::open(folder.path().join("tokenkeep.sqlite")).await?;
    let vault = Vault::open(store, keys.clone()).await?;
    let stand_in = ApifyStandIn::start().await?;
    let pasted = fake_token();
    stand_in.grant(&pasted, Access::full("FakeUser000000001", "jane-doe"));
    let apify = Apify::builder()
        .origin(Origin::parse(&stand_in.origin())?)
        .extra_root_der(&stand_in.ca_der())
        .build()?;
    let connection = vault.connection("customer-17", "apify")?;
    let kept = connection.connect(apify.provider(), ApiToken::new(pasted)?).await?;
    println!("   connected to {}", kept.account.name());

    println!("3. A new version of the key, which touches no stored data");
    let primary = keys.rotate().await?;
    println!("   primary now: {primary}");
    for kek in keys.keks().await? {
        println!("   {} {:?}", kek.id, kek.state);
    }
    let runs = apify.with(connection.credential()).runs().list().limit(3).await?;
    println!("   what was sealed before still opens: {} runs listed", runs.items.len());

    if let Some(throwaway) = &server.throwaway {
        println!("4. The service is sealed");
        throwaway.seal()?;
        let refused = apify.with(connection.credential()).runs().list().await;
        let error = refused.err().ok_or("a token was opened without the service")?;
        println!("   {error}");
        if let Some(failure) = failure_in(&error) {
            println!("   because: {failure}");
        }
        throwaway.unseal()?;
        apify.with(connection.credential()).runs().list().await?;
        println!("   unsealed: it goes on, without a restart");
    }
    println!("5. Disconnect");
    connection.disconnect().await?.to_string().lines().for_each(|line| println!("   {line}"));
    Ok(())
}

fn failure_in<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a OpenBaoFailure> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(failure) = error.downcast_ref() {
            return Some(failure);
        }
        cause = error.source();
    }
    None
}

/// Yours, or one that vanishes.
struct Server {
    origin: Origin,
    ca_pem: String,
    root_token: Zeroizing<String>,
    throwaway: Option<ThrowawayOpenBao>,
}

impl Server {
    fn find() -> Result<Self> {
        if let Ok(address) = std::env::var("BAO_ADDR") {
            let need =
                |name| std::env::var(name).map_err(|_| format!("BAO_ADDR is set, so {name} must be, too"));
            return Ok(Self {
                origin: Origin::parse(&address)?,
                ca_pem: fs::read_to_string(need("BAO_CACERT")?)?,
                root_token: Zeroizing::new(need("BAO_TOKEN")?),
                throwaway: None,
            });
        }
        let throwaway = ThrowawayOpenBao::start()?;
        Ok(Self {
            origin: Origin::parse(&throwaway.origin())?,
            ca_pem: throwaway.ca_pem().to_owned(),
            root_token: Zeroizing::new(throwaway.root_token().to_owned()),
            throwaway: Some(throwaway),
        })
    }

    fn token(&self) -> Result<ApiToken> {
        Ok(ApiToken::new(self.root_token.to_string())?)
    }

    /// What `bao secrets enable transit` does; no error where it is done.
    async fn enable_transit(&self) -> Result<()> {
        let spec =
            ProviderSpec::new("openbao".parse()?, self.origin.clone()).with_header("x-vault-token", "");
        let transport = Transport::builder(spec).extra_roots_pem(&self.ca_pem)?.build()?;
        let credential = Credential::fixed(self.origin.clone(), self.token()?);
        let looked = transport.request(Method::GET, "/v1/sys/mounts/transit").errors_as_answers();
        // What a service says that has nothing at this path.
        if let 400 | 404 = looked.credential(&credential).send().await?.status() {
            let body = Zeroizing::new(br#"{"type":"transit"}"#.to_vec());
            let call = transport.request(Method::POST, "/v1/sys/mounts/transit").json(body);
            call.credential(&credential).send().await?;
        }
        Ok(())
    }
}
