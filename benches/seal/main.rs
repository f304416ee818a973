//! Sealing and opening a token, beside their floors and peers, at 46 bytes and 1 KiB. `cargo xtask bench` shows it as a
//! table, with all of them measured in turn, round after round, and says what each does not do.
//!
//! The floor of a seal is one AES-256-GCM call of the backend's own library, with a key and nonce freshly drawn from the
//! operating system; that of an open is one call with a fresh key schedule.
#![forbid(unsafe_code)]

mod peers;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use tokenkeep_core::{
    ApiToken, ConnectionId, EncryptionContext, Incarnation, Kek, Origin, PayloadKind, SecretVersion,
    TokenFacts, VaultId, fill_random, open_token, seal_token,
};

#[cfg(not(feature = "aws-lc"))]
mod floor {
    use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit};

    pub(crate) fn seal(key: &[u8; 32], nonce: &[u8; 12], buffer: &mut [u8]) -> [u8; 16] {
        let cipher = Aes256Gcm::new(key.into());
        cipher.encrypt_inout_detached(nonce.into(), b"", buffer.into()).expect("a short message").into()
    }

    pub(crate) fn open(key: &[u8; 32], nonce: &[u8; 12], buffer: &mut [u8], tag: &[u8; 16]) {
        let cipher = Aes256Gcm::new(key.into());
        cipher.decrypt_inout_detached(nonce.into(), b"", buffer.into(), tag.into()).expect("sealed so");
    }
}

#[cfg(feature = "aws-lc")]
mod floor {
    use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

    fn cipher(key: &[u8; 32]) -> LessSafeKey {
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("32 bytes"))
    }

    pub(crate) fn seal(key: &[u8; 32], nonce: &[u8; 12], buffer: &mut [u8]) -> [u8; 16] {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let tag =
            cipher(key).seal_in_place_separate_tag(nonce, Aad::empty(), buffer).expect("a short message");
        tag.as_ref().try_into().expect("16 bytes")
    }

    pub(crate) fn open(key: &[u8; 32], nonce: &[u8; 12], buffer: &mut [u8], tag: &[u8; 16]) {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        cipher(key).open_in_place_separate_tag(nonce, Aad::empty(), tag, buffer).expect("sealed so");
    }
}

fn floor_of_seal(plain: &[u8]) -> Vec<u8> {
    let mut drawn = [0; 44];
    fill_random(&mut drawn).expect("the system's generator");
    let (key, nonce) = drawn.split_first_chunk::<32>().expect("44 bytes");
    let mut sealed = Vec::with_capacity(plain.len() + 28);
    sealed.extend_from_slice(plain);
    let tag = floor::seal(key, nonce.try_into().expect("12 bytes"), &mut sealed);
    sealed.extend_from_slice(nonce);
    sealed.extend_from_slice(&tag);
    sealed
}

fn floor_of_open(key: &[u8; 32], nonce: &[u8; 12], sealed: &[u8], tag: &[u8; 16]) -> Vec<u8> {
    let mut opened = sealed.to_vec();
    floor::open(key, nonce, &mut opened, tag);
    opened
}

fn context() -> EncryptionContext {
    EncryptionContext::for_token(&TokenFacts {
        vault: VaultId::from_bytes([1; 16]),
        connection: ConnectionId::new("customer-17", "apify").expect("plain names"),
        incarnation: Incarnation::from_bytes([2; 16]),
        provider: "apify".parse().expect("a plain name"),
        origin: Origin::parse("https://api.apify.com").expect("an origin"),
        kind: PayloadKind::ApiToken,
        secret_version: SecretVersion::FIRST,
    })
}

/// One round of everything, so that a machine that slows down slows all of them down.
fn round(c: &mut Criterion, round: u32) {
    let kek = Kek::generate().expect("the system's generator");
    let context = context();
    for length in [46, 1024] {
        let text = "x".repeat(length);
        let plain = text.as_bytes();
        let token = ApiToken::new(text.clone()).expect("a token");
        let envelope = seal_token(&kek, &context, &token).expect("it seals");
        let (key, nonce) = ([1; 32], [2; 12]);
        let mut ciphertext = plain.to_vec();
        let tag = floor::seal(&key, &nonce, &mut ciphertext);
        let peers: Vec<_> = peers::all()
            .into_iter()
            .map(|peer| {
                let sealed = peer.seal(plain);
                assert_eq!(peer.open(&sealed), plain, "{}", peer.name());
                (peer, sealed)
            })
            .collect();

        let mut group = c.benchmark_group(format!("seal {length}"));
        group.bench_function(format!("floor/{round}"), |b| b.iter(|| floor_of_seal(black_box(plain))));
        group.bench_function(format!("tokenkeep/{round}"), |b| b.iter(|| seal_token(&kek, &context, &token)));
        for (peer, _) in &peers {
            group.bench_function(format!("{}/{round}", peer.name()), |b| {
                b.iter(|| peer.seal(black_box(plain)))
            });
        }
        group.finish();

        let mut group = c.benchmark_group(format!("open {length}"));
        group.bench_function(format!("floor/{round}"), |b| {
            b.iter(|| floor_of_open(black_box(&key), &nonce, &ciphertext, &tag));
        });
        group.bench_function(format!("tokenkeep/{round}"), |b| {
            b.iter(|| open_token(&kek, &context, &envelope));
        });
        for (peer, sealed) in &peers {
            group.bench_function(format!("{}/{round}", peer.name()), |b| {
                b.iter(|| peer.open(black_box(sealed)))
            });
        }
        group.finish();
    }
}

fn all(c: &mut Criterion) {
    // One round by itself; `cargo xtask bench` asks for more.
    let rounds =
        std::env::var("TOKENKEEP_BENCH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1);
    (1..=rounds).for_each(|n| round(c, n));
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(50))
        .measurement_time(Duration::from_millis(200))
        .without_plots();
    targets = all
}
criterion_main!(benches);
