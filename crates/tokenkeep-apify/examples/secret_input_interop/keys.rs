//! Private keys, made as they are needed: each form that Node.js and OpenSSL write, opened by all three.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::party::{Keys, Parties};
use crate::peer::Answer;
use crate::{base64, edges, encrypting};

const PASSPHRASE: &str = "a fake passphrase";
/// Where OpenSSL finds it: not on a command line.
const VARIABLE: &str = "FAKE_PASSPHRASE";

/// What OpenSSL makes of a key that is not encrypted: a name, and arguments.
const BY_OPENSSL: [(&str, &[&str]); 8] = [
    ("PKCS#1, DES-EDE3-CBC", &["rsa", "-traditional", "-des3"]),
    (AES_192, &["rsa", "-traditional", "-aes192"]),
    ("PKCS#8, its default", &["pkcs8", "-topk8"]),
    ("PKCS#8, DES-EDE3-CBC, HMAC-SHA-1", &["pkcs8", "-topk8", "-v2", "des3", "-v2prf", "hmacWithSHA1"]),
    (
        "PKCS#8, AES-256-CBC, HMAC-SHA-256",
        &["pkcs8", "-topk8", "-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA256"],
    ),
    (
        "PKCS#8, AES-256-CBC, HMAC-SHA-512",
        &["pkcs8", "-topk8", "-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA512"],
    ),
    (
        "PKCS#8, AES-192-CBC, 100 000 iterations",
        &["pkcs8", "-topk8", "-v2", "aes-192-cbc", "-iter", "100000"],
    ),
    (SCRYPT, &["pkcs8", "-topk8", "-scrypt"]),
];
const SCRYPT: &str = "PKCS#8, scrypt";
/// Python's `cryptography` knows the other two lengths in this form, and not this one.
const AES_192: &str = "PKCS#1, AES-192-CBC";

/// A fresh pair in all its forms.
pub(crate) struct Forms {
    public: String,
    /// A name, and base64 of PEM.
    encrypted: Vec<(String, String)>,
    plain: Vec<(String, String)>,
}

impl Forms {
    /// Of so many bits.
    pub(crate) fn make(parties: &mut Parties, bits: u32) -> Result<(Self, Vec<String>), String> {
        let made = parties.npm.must(&json!({ "ask": "makeKeys", "bits": bits, "passphrase": PASSPHRASE }))?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let forms = |value: &Value| {
            let forms = value.as_object().into_iter().flatten();
            forms.map(|(name, form)| (format!("Node.js: {name}"), text(form))).collect::<Vec<_>>()
        };
        let mut encrypted = forms(&made["private"]);
        let mut notes = Vec::new();
        for (name, arguments) in BY_OPENSSL {
            match openssl(arguments, &text(&made["pem"])) {
                Ok(pem) => encrypted.push((format!("OpenSSL: {name}"), base64::encode(&pem))),
                Err(error) => notes.push(format!("left out: OpenSSL: {name}: {error}")),
            }
        }
        Ok((Self { public: text(&made["public"]), encrypted, plain: forms(&made["plain"]) }, notes))
    }

    /// With the first form of the private key.
    pub(crate) fn keys(&self) -> Keys {
        self.with(&self.encrypted[0].1, PASSPHRASE)
    }

    fn with(&self, private: &str, passphrase: &str) -> Keys {
        Keys { public: self.public.clone(), private: private.into(), passphrase: passphrase.into() }
    }
}

/// One line for each form, and for what is no good one.
///
/// # Errors
/// The first one that somebody opens or refuses against expectation, by name.
pub(crate) fn run(parties: &mut Parties, forms: &Forms) -> Result<Vec<String>, String> {
    let (all, npm_alone) = ([true; 3], [true, false, false]);
    let (not_ours, not_python) = ([true, true, false], [true, false, true]);
    let first = &forms.encrypted[0].1;
    let mut cases = Vec::new();
    for (name, form) in &forms.encrypted {
        let expected = match name.strip_prefix("OpenSSL: ") {
            Some(SCRYPT) => not_ours,
            Some(AES_192) => not_python,
            _ => all,
        };
        cases.push((name.clone(), forms.with(form, PASSPHRASE), expected));
    }
    for (name, form) in &forms.plain {
        cases.push((format!("{name}, not encrypted"), forms.with(form, PASSPHRASE), npm_alone));
    }
    let broken: Vec<_> = first.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    cases.push(("base64 on lines".into(), forms.with(&broken.join("\n"), PASSPHRASE), all));
    cases.push(("no base64".into(), forms.with("a fake key", PASSPHRASE), [false; 3]));
    let (short, _) = Forms::make(parties, 1024)?;
    cases.push(("RSA of 1024 bits".into(), short.keys(), not_ours));

    let mut lines = Vec::new();
    for (name, keys, expected) in &cases {
        check(parties, name, keys, *expected)?;
        lines.push(edges::row("key", name, expected.map(|opens| if opens { "opens" } else { "refuses" })));
    }
    for (name, form) in &forms.encrypted {
        check(parties, &format!("{name}, another passphrase"), &forms.with(form, "another one"), [false; 3])?;
    }
    let name = format!("each of these {}, another passphrase", forms.encrypted.len());
    lines.push(edges::row("key", &name, ["refuses"; 3]));
    Ok(lines)
}

fn check(parties: &mut Parties, name: &str, keys: &Keys, expected: [bool; 3]) -> Result<(), String> {
    let opens = opens(parties, keys).map_err(|what| format!("{name}: {what}"))?;
    if opens == expected {
        return Ok(());
    }
    Err(format!("{name}: opened by npm, Python, ours: {opens:?}, where {expected:?} is expected"))
}

/// Who of npm, Python and ours opens it. Who does, opens what npm encrypts with it.
fn opens(parties: &mut Parties, keys: &Keys) -> Result<[bool; 3], String> {
    let schema = r#"{"properties":{"field":{"type":"string","isSecret":true}}}"#;
    let input = encrypting::input("\"a fake secret\"");
    let mut opens = [false; 3];
    let mut encrypted = None;
    for (party, opens) in parties.each().into_iter().zip(&mut opens) {
        *opens = party.open(keys)? == Answer::Gives(());
        if !*opens {
            continue;
        }
        if encrypted.is_none() {
            encrypted = Some(party.encrypt(schema, &input)?);
        }
        let Some(Answer::Gives(made)) = &encrypted else { return Err("it encrypts nothing".into()) };
        match party.decrypt(made)? {
            Answer::Gives(opened) if opened.replace(' ', "") == input.replace(' ', "") => {}
            _ => return Err(format!("{} opens nothing with it", party.name())),
        }
    }
    Ok(opens)
}

/// What OpenSSL writes, given this PEM.
fn openssl(arguments: &[&str], pem: &str) -> Result<Vec<u8>, String> {
    let mut child = Command::new("openssl")
        .args(arguments)
        .args(["-passout", &format!("env:{VARIABLE}")])
        .env(VARIABLE, PASSPHRASE)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("it does not start: {error}"))?;
    // A key is shorter than a pipe is long, so neither side waits for the other.
    if let Some(mut input) = child.stdin.take() {
        input.write_all(pem.as_bytes()).map_err(|error| format!("it reads nothing: {error}"))?;
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(output.stdout) } else { Err(output.status.to_string()) }
}
