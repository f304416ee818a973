//! A keyring from the environment or a systemd credential. Each case is a child process, with an environment of its own.
#![allow(clippy::print_stdout, reason = "how the child process answers")]

mod keyring_common;

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use keyring_common::{passphrase, place, private_folder, set_mode, states};
use tokenkeep_core::{Error, KekId};
use tokenkeep_keys::{DestroyableKeys, KeyProvider, KeyringError, KeyringOptions, LocalKeyring, Passphrase};

const CASE: &str = "TOKENKEEP_TEST_SOURCE";
const VARIABLE: &str = "TOKENKEEP_TEST_KEYRING";
const FIRST: &str = "an example passphrase";

/// Run by itself as a child process, this one opens what it was told to open and prints what came of it.
#[tokio::test]
async fn child() {
    let Ok(case) = env::var(CASE) else { return };
    let options = || match env::var("TOKENKEEP_TEST_PASSPHRASE") {
        Ok(text) => KeyringOptions::new().passphrase(passphrase(&text)),
        Err(_) => KeyringOptions::new(),
    };
    let opened = match case.split_once(':') {
        // The keyring from the environment, its passphrase from a credential.
        Some(("passphrase", name)) => Passphrase::from_systemd_credential(name)
            .and_then(|passphrase| KeyringOptions::new().passphrase(passphrase).from_env(VARIABLE)),
        Some(("env", name)) => options().from_env(name),
        Some(("credential", name)) => options().from_systemd_credential(name),
        _ => panic!("no case"),
    };
    match opened {
        Err(error) => println!("\nANSWER {error:?}"),
        Ok(keyring) => {
            refuses_changes(&keyring).await;
            keyring.reload().unwrap();
            keyring.refresh().await.unwrap();
            let sealed = keyring_common::seal(&keyring).await;
            assert!(keyring_common::unwrap(&keyring, &sealed).await.is_ok());
            let path = keyring.key_file().map(Path::to_owned);
            println!("\nANSWER {} {path:?}", states(&keyring).await[0].0);
        }
    }
}

async fn refuses_changes(keyring: &LocalKeyring) {
    let (id, before) = (KekId::random().unwrap(), states(keyring).await);
    for refused in [
        keyring.rotate().map(drop),
        keyring.destroy(&id),
        keyring.set_passphrase(&passphrase(FIRST)),
        keyring.remove_passphrase(),
    ] {
        assert!(matches!(refused, Err(KeyringError::ReadOnly)));
    }
    let misuse = Error::from(KeyringError::ReadOnly).kind();
    assert_eq!(keyring.make_key().await.unwrap_err().kind(), misuse);
    assert_eq!(keyring.destroy_key(&id).await.unwrap_err().kind(), misuse);
    assert_eq!(states(keyring).await, before);
}

/// What the child printed.
fn answer(case: &str, environment: &[(&str, &OsStr)]) -> String {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env_remove("CREDENTIALS_DIRECTORY")
        .env(CASE, case)
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let shown = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{shown}");
    text.lines().find_map(|line| line.strip_prefix("ANSWER ")).expect("an answer").to_owned()
}

/// A keyring's text, and its one KEK's id.
async fn keyring_text(lock: Option<&str>) -> (Vec<u8>, String) {
    let (_folder, path) = place();
    let keyring = LocalKeyring::create(&path).unwrap();
    if let Some(lock) = lock {
        keyring.set_passphrase(&passphrase(lock)).unwrap();
    }
    (fs::read(&path).unwrap(), states(&keyring).await[0].0.to_string())
}

#[tokio::test]
async fn from_the_environment() {
    let (text, id) = keyring_text(None).await;
    let whole = OsStr::from_bytes(&text);
    let case = format!("env:{VARIABLE}");
    assert_eq!(answer(&case, &[(VARIABLE, whole)]), format!("{id} None"));
    // As a shell's `$(cat keyring)` gives it.
    let cut = OsStr::from_bytes(text.strip_suffix(b"\n").unwrap());
    assert_eq!(answer(&case, &[(VARIABLE, cut)]), format!("{id} None"));

    assert_eq!(answer(&case, &[]), "NoVariable");
    assert_eq!(answer("env:TOKENKEEP=TEST", &[]), "NoVariable");
    for (value, error) in [
        (&b""[..], "Malformed { line: 1 }"),
        (b"\xff\xfe", "Malformed { line: 1 }"),
        (b"tokenkeep-keyring 2", "Truncated"),
        (&text[..text.len() - 2], "Truncated"),
        (&text[1..], "Malformed { line: 1 }"),
    ] {
        assert_eq!(answer(&case, &[(VARIABLE, OsStr::from_bytes(value))]), error, "{value:?}");
    }
}

#[tokio::test]
async fn a_locked_one_from_the_environment() {
    let (text, id) = keyring_text(Some(FIRST)).await;
    let (case, text) = (format!("env:{VARIABLE}"), OsStr::from_bytes(&text));
    let with = |passphrase: &'static str| ("TOKENKEEP_TEST_PASSPHRASE", OsStr::new(passphrase));
    assert_eq!(answer(&case, &[(VARIABLE, text), with(FIRST)]), format!("{id} None"));
    assert_eq!(answer(&case, &[(VARIABLE, text)]), "PassphraseNeeded");
    assert_eq!(answer(&case, &[(VARIABLE, text), with("another example")]), "WrongPassphrase");
}

#[tokio::test]
async fn a_passphrase_from_a_credential() {
    let (text, id) = keyring_text(Some(FIRST)).await;
    let folder = private_folder();
    let (path, keyring) = (folder.path().join("lock"), (VARIABLE, OsStr::from_bytes(&text)));
    let directory = ("CREDENTIALS_DIRECTORY", folder.path().as_os_str());
    for (bytes, expected) in [
        (FIRST.as_bytes(), format!("{id} None")),
        (b"an example passphrase\n", format!("{id} None")),
        (b"an example passphrase\n\n", "UnfitPassphrase".to_owned()),
        (b"an example passphrase\xff", "UnfitPassphrase".to_owned()),
        (b"", "UnfitPassphrase".to_owned()),
        (b"another example passphrase", "WrongPassphrase".to_owned()),
    ] {
        fs::write(&path, bytes).unwrap();
        set_mode(&path, 0o400);
        assert_eq!(answer("passphrase:lock", &[directory, keyring]), expected);
        fs::remove_file(&path).unwrap();
    }
    assert_eq!(answer("passphrase:lock", &[directory, keyring]), "NoCredential");
}

#[tokio::test]
async fn from_a_credential() {
    let (text, id) = keyring_text(None).await;
    // As systemd makes it: 0400 in 0500.
    let folder = private_folder();
    let path = folder.path().join("token.keyring");
    fs::write(&path, &text).unwrap();
    set_mode(&path, 0o400);
    symlink(&path, folder.path().join("link")).unwrap();
    fs::create_dir(folder.path().join("directory")).unwrap();
    set_mode(folder.path(), 0o500);
    let directory = ("CREDENTIALS_DIRECTORY", folder.path().as_os_str());

    assert_eq!(answer("credential:token.keyring", &[directory]), format!("{id} {:?}", Some(&path)));
    assert_eq!(answer("credential:other", &[directory]), "NoCredential");
    assert_eq!(answer("credential:link", &[directory]), "NotAFile");
    assert_eq!(answer("credential:directory", &[directory]), "NotAFile");
    for name in ["../token.keyring", "a/b", "", "."] {
        assert_eq!(answer(&format!("credential:{name}"), &[directory]), "BadCredentialName", "{name:?}");
    }
    assert_eq!(answer("credential:token.keyring", &[]), "NoCredential");
    for elsewhere in ["relative", "", "/no/such/directory"] {
        let directory = ("CREDENTIALS_DIRECTORY", OsStr::new(elsewhere));
        assert_eq!(answer("credential:token.keyring", &[directory]), "NoCredential", "{elsewhere:?}");
    }

    for (file, folders, seen) in [(0o404, 0o500, 0o404), (0o420, 0o500, 0o420), (0o400, 0o505, 0o505)] {
        set_mode(&path, file);
        set_mode(folder.path(), folders);
        let error = format!("CredentialOpenToOthers {{ mode: {seen} }}");
        assert_eq!(answer("credential:token.keyring", &[directory]), error, "{file:o} {folders:o}");
    }
    set_mode(folder.path(), 0o700);
    set_mode(&path, 0o600);
    fs::write(&path, vec![b'x'; 1024 * 1024 + 1]).unwrap();
    assert_eq!(answer("credential:token.keyring", &[directory]), "TooLong");
}
