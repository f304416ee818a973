//! The main job, from a pasted token to its last trace: `cargo run --example quickstart`.
//!
//! Offline by default: a stand-in for the Apify API answers on loopback over real TLS, and the token is made up.
//!
//! - `--data-dir DIR` keeps keyring and database there (DIR/keys and DIR/db) instead of a folder that vanishes;
//! - `--token-stdin` reads the token from standard input instead of making one up;
//! - `--live` asks the real Apify, with the token in `APIFY_TOKEN`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that shows something")]

use std::error::Error as StdError;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tokenkeep::apify::Apify;
use tokenkeep::{ApiToken, Connection, LocalKeyring, Origin, SqliteStore, TokenStore, Vault};
use tokenkeep_testkit::{Access, ApifyStandIn, LeakScanner, fake_token};
use zeroize::Zeroizing;

type Result<T, E = Box<dyn StdError>> = std::result::Result<T, E>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nquickstart: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  because: {error}");
                cause = error.source();
            }
            if let Some(action) = error.downcast_ref::<tokenkeep::Error>().and_then(|e| e.customer_action()) {
                eprintln!("  what to do: {action}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let options = Options::parse(std::env::args().skip(1))?;
    let temporary = tempfile::tempdir()?;
    let data = options.data_dir.clone().unwrap_or_else(|| temporary.path().to_owned());
    let token = options.token()?;
    let needle = Needle::new(&token)?;

    title("1. Keys and database, apart");
    let keyring_file = data.join("keys/keyring");
    let keys = LocalKeyring::open_or_create(&keyring_file)?;
    let store = SqliteStore::open(data.join("db/tokenkeep.sqlite")).await?;
    let vault = Vault::open(store.clone(), keys).await?;
    fact("keyring", &shown(&data, &keyring_file));
    fact("database", &shown(&data, &data.join("db/tokenkeep.sqlite")));
    fact("vault", &vault.id().to_string());

    title("2. The customer pastes a token");
    let (apify, _stand_in) = provider(&options, &token).await?;
    fact("token", &format!("{} characters, {}", token.len(), options.origin_of_token()));
    let connection = vault.connection("customer-17", "apify")?;
    let kept = connection.connect(apify.provider(), ApiToken::new(token.as_str().to_owned())?).await?;
    drop(token);
    fact("Apify says", &format!("it is the token of {} ({})", kept.account.name(), kept.account.id()));

    title("3. It is used: the client holds no token and asks for it each time");
    let client = apify.with(connection.credential());
    let runs = client.runs().list().limit(5).newest_first().await?;
    println!("   {:<20} {:<20} {:<10} started", "run", "Actor", "status");
    for run in &runs.items {
        let started = run.started_at.as_deref().unwrap_or("-");
        println!("   {:<20} {:<20} {:<10} {started}", run.id, run.actor_id, run.status.as_str());
    }
    println!("   {} of {} runs", runs.items.len(), runs.total);

    title("4. What the database really holds for the token");
    let parts = show_envelope(&store, &connection).await?;
    fact("searched", &needle.search(&data)?);

    title("5. Every use is on record");
    vault.flush().await?;
    for entry in vault.audit().of_tenant("customer-17", 0, 20).await? {
        println!(
            "   {}  {:<12} revision {}",
            entry.draft.at,
            entry.draft.action.name(),
            entry.draft.revision
        );
    }
    fact("verify", &vault.verify().await?.to_string());

    title("6. The customer clicks Disconnect");
    let receipt = connection.disconnect().await?;
    receipt.to_string().lines().for_each(|line| println!("   {line}"));
    let refused = client.runs().list().await.err().ok_or("a disconnected connection was used")?;
    fact("next use", &refused.to_string());

    title("7. Nothing is left of it");
    fact("token", &needle.search(&data)?);
    fact("sealed bytes", &parts.search(&data)?);
    fact("verify", &vault.verify().await?.to_string());
    if options.data_dir.is_some() {
        fact("files kept in", &data.display().to_string());
    }
    println!();
    Ok(())
}

/// The envelope's parts as they lie in the database, and a search for any 16 bytes of them.
async fn show_envelope(store: &SqliteStore, connection: &Connection) -> Result<Needle> {
    let record = store.record(connection.id()).await?.ok_or("the record is not there")?;
    let bytes = record.sealed.as_ref().ok_or("the record holds no token")?.envelope.as_slice();
    let id_length = usize::from(bytes[2]);
    let wrapped_at = 3 + id_length + 2;
    let wrapped_length = usize::from(u16::from_be_bytes([bytes[wrapped_at - 2], bytes[wrapped_at - 1]]));
    let nonce_at = wrapped_at + wrapped_length;
    let end = bytes.len();
    let mut scanner = LeakScanner::new();
    println!("   an envelope of {end} bytes, version {}, suite {}", bytes[0], bytes[1]);
    for (name, part, searched) in [
        ("KEK id", &bytes[3..3 + id_length], false),
        ("wrapped DEK", &bytes[wrapped_at..nonce_at], true),
        ("nonce", &bytes[nonce_at..nonce_at + 24], true),
        ("ciphertext", &bytes[nonce_at + 24..end - 48], true),
        ("tag", &bytes[end - 48..end - 32], true),
        ("commitment", &bytes[end - 32..], true),
    ] {
        println!("   {name:<14} {:>4} bytes  {}", part.len(), hex(part));
        if searched && part.len() >= 16 {
            scanner = scanner.secret(name, part, 16);
        }
    }
    Ok(Needle(scanner))
}

/// What is looked for in the files.
struct Needle(LeakScanner);

impl Needle {
    fn new(token: &str) -> Result<Self> {
        if token.len() < 12 {
            return Err("a token of at least 12 characters is needed, to search for it afterwards".into());
        }
        // Any 12 characters of it, except the prefix that every Apify token begins with.
        let secret = token.strip_prefix("apify_api_").filter(|rest| rest.len() >= 12).unwrap_or(token);
        Ok(Self(LeakScanner::new().secret("token", secret.as_bytes(), 12)))
    }

    /// Says what was searched; a hit is an error, so that the program fails where the promise does.
    fn search(&self, folder: &Path) -> Result<String> {
        let leaks = self.0.scan_dir(folder)?;
        match leaks.first() {
            None => Ok(format!("{} files: not there, not plain, not base64, not hex", files_below(folder)?)),
            Some(leak) => Err(format!("{} hits, the first: {leak}", leaks.len()).into()),
        }
    }
}

struct Options {
    data_dir: Option<PathBuf>,
    token_stdin: bool,
    live: bool,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self { data_dir: None, token_stdin: false, live: false };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--data-dir" => {
                    options.data_dir = Some(arguments.next().ok_or("--data-dir wants a folder")?.into());
                }
                "--token-stdin" => options.token_stdin = true,
                "--live" => options.live = true,
                _ => return Err("usage: quickstart [--data-dir DIR] [--token-stdin] [--live]".into()),
            }
        }
        Ok(options)
    }

    fn token(&self) -> Result<Zeroizing<String>> {
        if self.token_stdin {
            // Sized first: a buffer that grows leaves its old block, and the token in it, behind.
            let mut text = Zeroizing::new(String::with_capacity(64 * 1024));
            std::io::stdin().take(32 * 1024).read_to_string(&mut text)?;
            let token = Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned());
            return Ok(token);
        }
        if self.live {
            return Ok(Zeroizing::new(
                std::env::var("APIFY_TOKEN").map_err(|_| "--live wants the token in APIFY_TOKEN")?,
            ));
        }
        Ok(Zeroizing::new(fake_token()))
    }

    fn origin_of_token(&self) -> &'static str {
        match (self.token_stdin, self.live) {
            (true, _) => "read from standard input",
            (false, true) => "from APIFY_TOKEN",
            (false, false) => "made up",
        }
    }
}

/// The real Apify, or the stand-in with this token known to it.
async fn provider(options: &Options, token: &str) -> Result<(Apify, Option<ApifyStandIn>)> {
    if options.live {
        return Ok((Apify::new()?, None));
    }
    let stand_in = ApifyStandIn::start().await?;
    stand_in.grant(token, Access::full("FakeUser17", "jane-doe"));
    let origin = Origin::parse(&stand_in.origin())?;
    let apify = Apify::builder().origin(origin).extra_root_der(&stand_in.ca_der()).build()?;
    Ok((apify, Some(stand_in)))
}

fn title(text: &str) {
    println!("\n{text}");
}

fn fact(name: &str, value: &str) {
    let mut lines = value.lines();
    println!("   {name:<14} {}", lines.next().unwrap_or_default());
    lines.for_each(|line| println!("   {:<14} {line}", ""));
}

/// A path below the data folder, and its mode.
fn shown(data: &Path, file: &Path) -> String {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(file).map_or(0, |metadata| metadata.permissions().mode() & 0o777);
    let name = file.strip_prefix(data).unwrap_or(file).display().to_string();
    format!("{name:<22} mode {mode:04o}")
}

/// The first 24 bytes in hex; for sealed bytes alone.
fn hex(bytes: &[u8]) -> String {
    let shown: String = bytes.iter().take(24).map(|byte| format!("{byte:02x}")).collect();
    if bytes.len() > 24 { format!("{shown}…") } else { shown }
}

fn files_below(folder: &Path) -> Result<usize> {
    let mut count = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        count += if entry.file_type()?.is_dir() { files_below(&entry.path())? } else { 1 };
    }
    Ok(count)
}
