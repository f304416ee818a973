//! The job that keeps tokens young: `cargo run --example rotation_job`.
//!
//! [`rotation_job`] is what an application runs once a day. Here it is run on six days of a year that passes at once: a
//! clock that can be moved stands in for the calendar, a stand-in for the Apify API answers on loopback, and mail is printed.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that shows something")]

use std::collections::HashMap;
use std::error::Error as StdError;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tokenkeep::apify::Apify;
use tokenkeep::{
    ApiToken, Clock, ConnectionId, ConnectionStatus, ErrorKind, LocalKeyring, Origin, SecretVersion,
    SqliteStore, SystemClock, Timestamp, Vault,
};
use tokenkeep_testkit::{Access, ApifyStandIn, fake_token};

type Result<T, E = Box<dyn StdError>> = std::result::Result<T, E>;

/// Which mail a customer has had about which token.
type Reminded = HashMap<ConnectionId, (SecretVersion, Mail)>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mail {
    ReplaceSoon,
    ReplaceNow,
}

/// Writes to the customers whose token is to be replaced, once when it is due and once when it is overdue, and finishes what an
/// interrupted disconnect left. An application keeps `reminded` in its database.
async fn rotation_job(vault: &Vault, reminded: &mut Reminded) -> Result<usize> {
    for finished in vault.finish_disconnects().await? {
        println!("   {finished}");
    }
    let mut sent = 0;
    for (mail, mut connections) in [(Mail::ReplaceSoon, vault.due()), (Mail::ReplaceNow, vault.overdue())] {
        // A page at a time, by date, whatever the number of customers.
        while let Some(status) = connections.next().await? {
            let Some(version) = status.secret_version else { continue };
            if reminded.get(&status.id) != Some(&(version, mail)) {
                send(&status);
                reminded.insert(status.id, (version, mail));
                sent += 1;
            }
        }
    }
    // The counts of uses belong in the audit trail, too.
    vault.flush().await?;
    Ok(sent)
}

fn send(status: &ConnectionStatus) {
    let by = status.replace_by.map_or_else(String::new, |by| by.to_string()[..10].to_owned());
    for action in status.customer_actions() {
        println!("   mail to {}: {action} (by {by})", status.id.tenant());
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nrotation_job: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let keys = LocalKeyring::create(folder.path().join("keys/keyring"))?;
    let store = SqliteStore::open(folder.path().join("db/tokenkeep.sqlite")).await?;
    let calendar = Calendar::default();
    // Hooks there are none here. A job of an application whose other processes register some says `hooks_elsewhere()`.
    let options = Vault::options().replace_every(90).replace_warning(14).clock(calendar.clone());
    let vault = options.open(store, keys).await?;
    let accounts = Accounts::start().await?;
    let mut reminded = Reminded::new();

    calendar.day(0);
    for (customer, account) in [("ada", "user-ada"), ("ben", "user-ben"), ("cleo", "user-cleo")] {
        let connection = vault.connection(customer, "apify")?;
        let kept = connection.connect(accounts.apify.provider(), accounts.new_token(account)?).await?;
        println!("   {customer} connects: the token of {}", kept.account.name());
    }

    for (day, expected) in [(75, 0), (76, 3), (77, 0)] {
        calendar.day(day);
        let sent = rotation_job(&vault, &mut reminded).await?;
        ensure(sent == expected, "a mail for each token, 14 days before, once")?;
    }

    calendar.day(80);
    let ada = vault.connection("ada", "apify")?;
    let foreign = ada.replace(accounts.apify.provider(), accounts.new_token("user-ben")?).await;
    let refused = foreign.err().filter(|error| error.kind() == ErrorKind::OtherAccount);
    let refused = refused.ok_or("a token of another account was taken")?;
    println!("   a token of Ben's account is refused: {refused}");
    let kept = ada.replace(accounts.apify.provider(), accounts.new_token("user-ada")?).await?;
    for action in kept.customer_actions() {
        println!("   ada replaces hers, and is shown: {action}");
    }
    let receipt = vault.connection("cleo", "apify")?.disconnect().await?;
    println!("   cleo disconnects: the token was removed {}", receipt.removed_at);

    for (day, expected) in [(90, 1), (91, 0)] {
        calendar.day(day);
        let sent = rotation_job(&vault, &mut reminded).await?;
        ensure(sent == expected, "Ben alone is overdue, and told once")?;
    }
    let ben = vault.connection("ben", "apify")?;
    let used = accounts.apify.with(ben.credential()).me().await?;
    println!("   it still works: Ben's token is overdue, and {} is served", used.username);

    ben.replace(accounts.apify.provider(), accounts.new_token("user-ben")?).await?;
    calendar.day(92);
    ensure(rotation_job(&vault, &mut reminded).await? == 0, "nobody is left to write to")?;
    println!("   nobody is left to write to");
    println!("\nThe audit trail: {}\n", vault.verify().await?);
    Ok(())
}

fn ensure(holds: bool, what: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(format!("it should have been: {what}").into()) }
}

/// A clock that starts today and is moved by whole days.
#[derive(Debug, Clone, Default)]
struct Calendar(Arc<AtomicI64>);

impl Calendar {
    fn day(&self, day: i64) {
        println!("\nDay {day}");
        self.0.store(day * 24 * 60 * 60 * 1000, Ordering::Relaxed);
    }
}

impl Clock for Calendar {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(SystemClock.now().as_millis() + self.0.load(Ordering::Relaxed))
    }
}

/// What the customers have at Apify.
struct Accounts {
    stand_in: ApifyStandIn,
    apify: Apify,
}

impl Accounts {
    async fn start() -> Result<Self> {
        let stand_in = ApifyStandIn::start().await?;
        let origin = Origin::parse(&stand_in.origin())?;
        let apify = Apify::builder().origin(origin).extra_root_der(&stand_in.ca_der()).build()?;
        Ok(Self { stand_in, apify })
    }

    /// The customer makes a token in Apify Console.
    fn new_token(&self, account: &str) -> Result<ApiToken> {
        let token = fake_token();
        self.stand_in.grant(&token, Access::full(account, account));
        Ok(ApiToken::new(token)?)
    }
}
