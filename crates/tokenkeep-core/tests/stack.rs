//! What a seal and an open leave behind on the stack: not the token, not the DEK, not the KEK.
//!
//! Only of the build that is shipped: without optimization each move leaves a copy. `cargo xtask test` runs the core's
//! tests with `--release` too, where these are compiled.
#![cfg(all(target_os = "linux", not(debug_assertions)))]

#[path = "support/facts.rs"]
mod support;

use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::thread;

use tokenkeep_core::{
    ApiToken, EncryptionContext, Envelope, Kek, KekId, fill_random, open_token, seal_token,
};

/// Below the frame of whoever looks: what is called has used no more.
const DEEP: usize = 128 * 1024;

/// Calls `action` on a stack of zeroes, and gives what then stands below this frame.
#[inline(never)]
fn stack_after(action: impl FnOnce()) -> Vec<u8> {
    let memory = File::open("/proc/self/mem").unwrap();
    let mut stack = vec![0; DEEP];
    let here = 0_u8;
    let top = black_box(&raw const here).addr() as u64;
    zeroes();
    further_down(action);
    memory.read_exact_at(&mut stack, top - DEEP as u64).unwrap();
    stack
}

#[inline(never)]
fn zeroes() {
    let mut zeroes = [1_u8; DEEP - 4096];
    black_box(&mut zeroes).fill(0);
    black_box(&zeroes);
}

/// So far that reading the memory afterwards does not overwrite it.
#[inline(never)]
fn further_down(action: impl FnOnce()) {
    let mut room = [0_u8; 16 * 1024];
    black_box(&mut room);
    action();
    black_box(&room);
}

/// Secrets are sought by a masked copy, so that what seeks them is not what is found.
fn masked(secret: &[u8]) -> Vec<u8> {
    secret.iter().map(|byte| byte ^ 0x5a).collect()
}

fn holds(stack: &[u8], masked_secret: &[u8]) -> bool {
    stack
        .windows(masked_secret.len())
        .any(|window| window.iter().zip(masked_secret).all(|(a, b)| a ^ 0x5a == *b))
}

struct Sample {
    kek: Box<Kek>,
    context: EncryptionContext,
    token: ApiToken,
    envelope: Envelope,
    /// Of each secret its first half and its second, by name.
    secrets: Vec<(&'static str, Vec<u8>)>,
}

fn sample() -> Sample {
    let mut key = Box::new([0; 32]);
    fill_random(&mut *key).unwrap();
    let text: String = key.iter().map(|byte| char::from(b'a' + byte % 26)).collect();
    let kek = Box::new(Kek::from_bytes(KekId::from_slice(b"id").unwrap(), &key));
    let context = EncryptionContext::for_token(&support::facts());
    let mut secrets = Vec::new();
    for (name, secret) in [("the KEK", &key[..]), ("the token", text.as_bytes())] {
        secret.chunks(16).for_each(|half| secrets.push((name, masked(half))));
    }
    let token = ApiToken::new(text).unwrap();
    let envelope = seal_token(&kek, &context, &token).unwrap();
    Sample { kek, context, token, envelope, secrets }
}

fn dek(sample: &Sample, envelope: &Envelope) -> Vec<(&'static str, Vec<u8>)> {
    let dek = envelope.unwrap_request(&sample.context).unwrap_with(&sample.kek).unwrap();
    dek.expose_secret().chunks(16).map(|half| ("the DEK", masked(half))).collect()
}

fn on_a_stack_of_its_own(test: fn()) {
    thread::Builder::new().stack_size(4 << 20).spawn(test).unwrap().join().unwrap();
}

#[test]
fn what_is_left_behind_is_seen() {
    on_a_stack_of_its_own(|| {
        let sample = sample();
        #[inline(never)]
        fn copies(key: &[u8; 32]) {
            let mut copy = *key;
            black_box(&mut copy);
        }
        let stack = stack_after(|| copies(sample.kek.expose_secret()));
        assert!(sample.secrets[..2].iter().all(|(_, half)| holds(&stack, half)));
    });
}

#[test]
fn a_seal_leaves_nothing() {
    on_a_stack_of_its_own(|| {
        let sample = sample();
        let mut sealed = None;
        let stack =
            stack_after(|| sealed = Some(seal_token(&sample.kek, &sample.context, &sample.token).unwrap()));
        let dek = dek(&sample, &sealed.unwrap());
        for (name, half) in sample.secrets.iter().chain(&dek) {
            assert!(!holds(&stack, half), "{name}");
        }
    });
}

#[test]
fn an_open_leaves_nothing() {
    on_a_stack_of_its_own(|| {
        let sample = sample();
        let stack = stack_after(|| drop(open_token(&sample.kek, &sample.context, &sample.envelope).unwrap()));
        let dek = dek(&sample, &sample.envelope);
        for (name, half) in sample.secrets.iter().chain(&dek) {
            assert!(!holds(&stack, half), "{name}");
        }
    });
}
