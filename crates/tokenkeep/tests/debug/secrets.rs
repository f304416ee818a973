//! What must not be seen.

use std::cell::RefCell;

use tokenkeep_core::{
    ApiToken, EncryptionContext, Envelope, Kek, KekId, TokenFacts, fill_random, open_payload,
};
use tokenkeep_store::{Record, VaultRecord};
use tokenkeep_testkit::{LeakScanner, fake_token};

/// A run of this many bytes of a key is a leak of it.
const KEY_RUN: usize = 8;

/// The secrets that values are made from, and the keys that are found out on the way.
pub(crate) struct Secrets {
    pub(crate) token: String,
    /// The one that takes the other's place.
    pub(crate) next: String,
    pub(crate) passphrase: String,
    pub(crate) key: [u8; 32],
    others: RefCell<Vec<(String, Vec<u8>)>>,
}

impl Secrets {
    pub(crate) fn new() -> Self {
        let mut key = [0; 32];
        fill_random(&mut key).unwrap();
        let passphrase = fake_token().split_off(15);
        Self { token: fake_token(), next: fake_token(), passphrase, key, others: RefCell::default() }
    }

    pub(crate) fn token(&self) -> ApiToken {
        ApiToken::new(self.token.clone()).unwrap()
    }

    pub(crate) fn next(&self) -> ApiToken {
        ApiToken::new(self.next.clone()).unwrap()
    }

    /// Looks for this too.
    pub(crate) fn also(&self, name: &str, secret: &[u8]) {
        self.others.borrow_mut().push((name.to_owned(), secret.to_vec()));
    }

    /// Looks for the keys in a keyring's file too, and says how many there are.
    pub(crate) fn also_keyring(&self, text: &str) -> usize {
        let keks = keks(text);
        keks.iter().for_each(|kek| self.also("a KEK", kek.expose_secret()));
        keks.len()
    }

    /// Looks for a vault's own keys too, and for the DEKs that they and these records are under.
    pub(crate) fn also_vault(&self, keyring: &str, vault: &VaultRecord, records: &[Record]) {
        let keks = keks(keyring);
        let open = |name: &str, envelope: &[u8], context: &EncryptionContext| {
            let envelope = Envelope::decode(envelope.to_vec()).unwrap();
            let kek = keks.iter().find(|kek| kek.id() == envelope.kek()).expect("the keyring's");
            let dek = envelope.unwrap_request(context).unwrap_with(kek).unwrap();
            self.also(&format!("the DEK of {name}"), dek.expose_secret());
            open_payload(&envelope, &dek, context).unwrap()
        };
        for (purpose, sealed) in &vault.keys {
            let context = EncryptionContext::for_vault_key(vault.id, *purpose);
            let key = open(purpose.name(), sealed, &context);
            // The one for pseudonyms is empty where there are none.
            if !key.is_empty() {
                self.also(purpose.name(), &key);
            }
        }
        for record in records {
            let context = EncryptionContext::for_token(&TokenFacts {
                vault: vault.id,
                connection: record.id.clone(),
                incarnation: record.incarnation,
                provider: record.provider.clone(),
                origin: record.origin.clone(),
                kind: record.kind,
                secret_version: record.secret_version,
            });
            let sealed = record.sealed.as_ref().expect("a live record");
            let token = open("a token", &sealed.envelope, &context);
            assert!([&self.token, &self.next].iter().any(|known| known.as_bytes() == &**token));
        }
    }

    pub(crate) fn scanner(&self) -> LeakScanner {
        let scanner = LeakScanner::new().token("token", &self.token).token("next token", &self.next);
        let scanner = scanner.secret("passphrase", self.passphrase.as_bytes(), 12);
        let others = self.others.borrow();
        others.iter().fold(scanner.secret("key", &self.key, KEY_RUN), |scanner, (name, secret)| {
            scanner.secret(name, secret, KEY_RUN)
        })
    }
}

/// The keys in the text of a keyring that is not locked: `kek ID STATE TIME KEY`.
fn keks(keyring: &str) -> Vec<Kek> {
    let bytes = |hex: &str| -> Vec<u8> {
        let digits: Vec<_> = hex.bytes().map(|digit| char::from(digit).to_digit(16).unwrap() as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    };
    let lines = keyring.lines().filter_map(|line| line.strip_prefix("kek "));
    let keks: Vec<_> = lines
        .filter_map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
            [id, _, _, key] if key.len() == 64 => {
                let id = KekId::from_slice(&bytes(id)).unwrap();
                Some(Kek::from_bytes(id, bytes(key).as_slice().try_into().unwrap()))
            }
            _ => None,
        })
        .collect();
    assert!(!keks.is_empty(), "no keyring that can be read");
    keks
}
