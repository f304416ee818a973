//! What others offer for keeping a secret in a database, called as their documentation shows it.
//!
//! Each is given its key beforehand, as tokenkeep is given its KEK, and makes bytes that could be stored.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use age::x25519;
use envelopers::{Aes256Gcm, EncryptedRecord, EnvelopeCipher, SimpleKeyProvider};
use rusty_paseto::core::{
    ImplicitAssertion, Key, Local, Paseto, PasetoNonce, PasetoSymmetricKey, Payload, V4,
};

/// One library: a secret goes in, bytes come out, and the other way round.
pub(crate) trait Peer {
    fn name(&self) -> &'static str;
    fn seal(&self, plain: &[u8]) -> Vec<u8>;
    fn open(&self, sealed: &[u8]) -> Vec<u8>;
}

pub(crate) fn all() -> Vec<Box<dyn Peer>> {
    vec![
        Box::new(Orion(orion::aead::SecretKey::generate().expect("the system's generator"))),
        Box::new(Envelopers(EnvelopeCipher::init(SimpleKeyProvider::init([7; 16])))),
        Box::new(Paseto4(PasetoSymmetricKey::from(Key::try_new_random().expect("the system's generator")))),
        Box::new(Age(x25519::Identity::generate())),
    ]
}

/// What the peers that can bind a context are given: as many bytes as tokenkeep's, told in text.
const CONTEXT: &str = "vault 01010101010101010101010101010101, tenant customer-17, connection apify, incarnation \
                       02020202020202020202020202020202, https://api.apify.com, kind 1, version 1";

struct Orion(orion::aead::SecretKey);

impl Peer for Orion {
    fn name(&self) -> &'static str {
        "orion"
    }

    fn seal(&self, plain: &[u8]) -> Vec<u8> {
        orion::aead::seal(&self.0, plain).expect("it seals")
    }

    fn open(&self, sealed: &[u8]) -> Vec<u8> {
        orion::aead::open(&self.0, sealed).expect("sealed so")
    }
}

struct Envelopers(EnvelopeCipher<SimpleKeyProvider<Aes256Gcm>>);

impl Peer for Envelopers {
    fn name(&self) -> &'static str {
        "envelopers"
    }

    fn seal(&self, plain: &[u8]) -> Vec<u8> {
        let sealing = self.0.encrypt_with(plain).aad(CONTEXT).key_aad(CONTEXT);
        now(sealing.encrypt()).expect("it seals").to_vec().expect("it encodes")
    }

    fn open(&self, sealed: &[u8]) -> Vec<u8> {
        let record = EncryptedRecord::from_vec(sealed.to_vec()).expect("encoded so");
        now(self.0.decrypt_with(&record).aad(CONTEXT).key_aad(CONTEXT).decrypt()).expect("sealed so")
    }
}

/// The value of a future that waits for nothing, as one over a local key.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a local key is waited for"),
    }
}

struct Paseto4(PasetoSymmetricKey<V4, Local>);

impl Peer for Paseto4 {
    fn name(&self) -> &'static str {
        "paseto v4"
    }

    fn seal(&self, plain: &[u8]) -> Vec<u8> {
        let nonce = Key::<32>::try_new_random().expect("the system's generator");
        let mut builder = Paseto::<V4, Local>::builder();
        builder
            .set_payload(Payload::from(text(plain)))
            .set_implicit_assertion(ImplicitAssertion::from(CONTEXT));
        builder.try_encrypt(&self.0, &PasetoNonce::from(&nonce)).expect("it seals").into_bytes()
    }

    fn open(&self, sealed: &[u8]) -> Vec<u8> {
        let context = ImplicitAssertion::from(CONTEXT);
        Paseto::<V4, Local>::try_decrypt(text(sealed), &self.0, None, context)
            .expect("sealed so")
            .into_bytes()
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

struct Age(x25519::Identity);

impl Peer for Age {
    fn name(&self) -> &'static str {
        "age"
    }

    fn seal(&self, plain: &[u8]) -> Vec<u8> {
        age::encrypt(&self.0.to_public(), plain).expect("it seals")
    }

    fn open(&self, sealed: &[u8]) -> Vec<u8> {
        age::decrypt(&self.0, sealed).expect("sealed so")
    }
}
