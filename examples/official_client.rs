//! Apify's official client, crate `apify-client`, with a customer's token that it never holds: `cargo run --example official_client`.
//!
//! It runs against a stand-in for Apify on loopback. Who uses the official client copies `dashboard` and the lines that lead to it.
#![allow(clippy::print_stdout, reason = "a program that shows something")]

use tokenkeep::apify::Apify;
use tokenkeep::{ApiToken, LocalKeyring, MemoryStore, Origin, Vault};
use tokenkeep_apify_official::apify_client::{ApifyClient, ApifyClientError};
use tokenkeep_apify_official::{into_error, official_client};
use tokenkeep_testkit::{Access, ApifyStandIn, fake_token};

/// Calls as the official client has them. Nothing here knows of tokens.
async fn dashboard(client: &ApifyClient) -> Result<(), ApifyClientError> {
    if let Some(me) = client.me().get().await? {
        println!("connected as {}", me.username.unwrap_or_default());
    }
    let mut runs = client.runs().iterate(Default::default(), Default::default());
    while let Some(run) = runs.next().await? {
        println!("  {} {}", run.id, run.status.unwrap_or_default());
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // In an application: `Apify::new()?`, a `SqliteStore` and a keyring that stays, each once per process.
    let (stand_in, pasted) = (ApifyStandIn::start().await?, fake_token());
    stand_in.grant(&pasted, Access::full("FakeUser000000001", "jane-doe"));
    let origin = Origin::parse(&stand_in.origin())?;
    let apify = Apify::builder().origin(origin).extra_root_der(&stand_in.ca_der()).build()?;
    let folder = tempfile::tempdir()?;
    let keys = LocalKeyring::create(folder.path().join("keys/keyring"))?;
    let vault = Vault::open(MemoryStore::new(), keys).await?;

    let connection = vault.connection("customer-17", "apify")?;
    connection.connect(apify.provider(), ApiToken::new(pasted)?).await?;

    // The official client, in the place of `ApifyClient::new(token)`.
    let client = official_client(&apify, connection.credential());
    dashboard(&client).await?;

    // What the boundary does not allow is refused before anything is sent.
    let items = client.dataset("FakeItems00000000").list_items::<Vec<u8>>(Default::default()).await;
    let refused = into_error(items.err().ok_or("items came through the boundary")?);
    println!("items: {}", refused.report());

    // A disconnect counts at once, for clients that were made before it too.
    let sent = stand_in.requests().len();
    println!("{}", connection.disconnect().await?);
    let refused = into_error(dashboard(&client).await.err().ok_or("a removed token was used")?);
    println!("afterwards: {refused}");
    if stand_in.requests().len() != sent {
        return Err("something was sent after the disconnect".into());
    }
    Ok(())
}
