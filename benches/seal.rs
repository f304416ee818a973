//! Sealing and opening a token of 46 bytes, beside their floors: one AES-256-GCM call of the same length with a key and
//! nonce freshly drawn from the operating system (seal), or with a fresh key schedule (open).

use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use tokenkeep_core::{
    ApiToken, ConnectionId, EncryptionContext, Incarnation, Kek, Origin, PayloadKind, SecretVersion,
    TokenFacts, VaultId, fill_random, open_token, seal_token,
};

const LENGTH: usize = 46;

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

fn floor_of_seal() -> Vec<u8> {
    let mut drawn = [0; 44];
    fill_random(&mut drawn).expect("the system's generator");
    let (key, nonce) = drawn.split_at(32);
    let mut buffer = vec![7; LENGTH];
    let cipher = Aes256Gcm::new(key.try_into().expect("32 bytes"));
    let tag =
        cipher.encrypt_inout_detached(nonce.try_into().expect("12 bytes"), b"", buffer.as_mut_slice().into());
    buffer.extend_from_slice(&tag.expect("a short message"));
    buffer
}

fn floor_of_open(sealed: &mut [u8]) {
    let (buffer, tag) = sealed.split_at_mut(LENGTH);
    let cipher = Aes256Gcm::new(&[1; 32].into());
    let tag = (&*tag).try_into().expect("16 bytes");
    cipher.decrypt_inout_detached(&[2; 12].into(), b"", buffer.into(), tag).expect("it was sealed so");
}

fn sealed_floor() -> Vec<u8> {
    let mut buffer = vec![7; LENGTH];
    let cipher = Aes256Gcm::new(&[1; 32].into());
    let tag = cipher.encrypt_inout_detached(&[2; 12].into(), b"", buffer.as_mut_slice().into());
    buffer.extend_from_slice(&tag.expect("a short message"));
    buffer
}

fn seal_and_open(c: &mut Criterion) {
    let kek = Kek::generate().expect("the system's generator");
    let context = context();
    let token = ApiToken::new("x".repeat(LENGTH)).expect("a token");
    let envelope = seal_token(&kek, &context, &token).expect("it seals");

    let mut group = c.benchmark_group("46 bytes");
    group.bench_function("seal: floor", |b| b.iter(floor_of_seal));
    group.bench_function("seal", |b| b.iter(|| seal_token(&kek, &context, &token)));
    let sealed = sealed_floor();
    group.bench_function("open: floor", |b| {
        b.iter_batched_ref(|| sealed.clone(), |sealed| floor_of_open(sealed), BatchSize::SmallInput);
    });
    group.bench_function("open", |b| b.iter(|| open_token(&kek, &context, &envelope)));
    group.finish();
}

criterion_group!(benches, seal_and_open);
criterion_main!(benches);
