//! A program that is given secrets and tells them: `cargo run --example secret_env` shows what comes back of it.
//!
//! A vault keeps such a set as [`SecretVars`]; here it is made up.
#![allow(clippy::print_stdout, reason = "a program that shows something")]

use std::error::Error;

use tokenkeep::{ImportedVars, SecretCommand};

/// Tells its secrets in the ways in which they get into logs.
const PROGRAM: &str = r#"
printf 'connecting as admin with %s\n' "$DB_PASSWORD"
printf 'Authorization: Basic %s\n' "$(printf 'admin:%s' "$DB_PASSWORD" | base64)"
printf 'GET /?password=correct%%20horse%%2Fbattery\n' >&2
printf '{"key": "%s"}\n' "$API_KEY"
"#;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let file = "DB_PASSWORD='correct horse/battery' # an example\nexport API_KEY=an-example-key\n";
    let imported = ImportedVars::from_dotenv(file.to_owned())?;
    println!("{imported}\n");

    let vars = imported.into_vars();
    let child = SecretCommand::new("sh").args(["-c", PROGRAM]).spawn(&vars)?;
    let (mut said, mut complained) = (Vec::new(), Vec::new());
    let status = child.relay(&mut said, &mut complained).await?;
    let (said, complained) = (String::from_utf8(said)?, String::from_utf8(complained)?);
    println!("What it said:\n{said}\nWhat it complained about:\n{complained}");

    assert!(status.success());
    let all = format!("{said}{complained}");
    assert_eq!(all.matches("[hidden DB_PASSWORD]").count(), 3, "plain, in base64 and percent-encoded");
    assert_eq!(all.matches("[hidden API_KEY]").count(), 1);
    for part in ["correct", "horse", "battery", "Y29ycmVjd", "an-example"] {
        assert!(!all.contains(part), "nothing of a value is left");
    }
    Ok(())
}
