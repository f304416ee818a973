//! Secrets wipe themselves: after a value is dropped, its place in this process's memory is read through
//! `/proc/self/mem`, which needs no `unsafe`.
#![cfg(target_os = "linux")]

#[path = "support/facts.rs"]
mod support;

use std::fs::File;
use std::os::unix::fs::FileExt;

use aes::Aes256;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use tokenkeep_core::{
    ApiToken, Dek, EncryptionContext, Kek, KekId, SealDraft, SecretVars, VaultId, VaultKeyPurpose,
    open_payload, open_token, seal_token,
};

/// Bytes that occur nowhere else in the process. Made at run time, so that no constant holds them.
fn secret<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    tokenkeep_core::fill_random(&mut bytes).unwrap();
    bytes.map(|byte| b'a' + byte % 26)
}

/// How many bytes of `secret` still stand where it was. The allocator writes a few bytes of its own into a freed
/// block, so the count is what tells.
struct Watch {
    memory: File,
    address: u64,
    found: Vec<u8>,
}

impl Watch {
    /// Everything is allocated before the drop, so that nothing of the test's own takes the freed block.
    fn on<T: ?Sized>(place: *const T, length: usize) -> Self {
        let memory = File::open("/proc/self/mem").unwrap();
        Self { memory, address: place.cast::<u8>().addr() as u64, found: vec![0; length] }
    }

    fn remaining(&mut self, secret: &[u8]) -> usize {
        self.memory.read_exact_at(&mut self.found, self.address).unwrap();
        let at = |start: usize| {
            let slice = &self.found[start..];
            slice.iter().zip(secret).filter(|(found, byte)| found == byte).count()
        };
        (0..self.found.len()).map(at).max().unwrap_or(0)
    }
}

#[test]
fn what_is_not_wiped_is_seen() {
    let secret = secret::<64>();
    let block = Box::new(secret);
    let mut watch = Watch::on(&raw const *block, 64);
    assert_eq!(watch.remaining(&secret), 64);
    drop(block);
    assert!(
        watch.remaining(&secret) > 32,
        "a plain box leaves its bytes behind, so the tests below can fail"
    );
}

#[test]
fn the_string_that_a_token_came_in() {
    let secret = secret::<64>();
    for refused in [false, true] {
        let mut text = String::from_utf8(secret.to_vec()).unwrap();
        if refused {
            text.push(' ');
        }
        let mut watch = Watch::on(text.as_ptr(), text.len());
        assert_eq!(watch.remaining(&secret), 64);
        let token = ApiToken::new(text);
        assert_eq!(token.is_err(), refused);
        assert!(watch.remaining(&secret) < 16);
    }
}

#[test]
fn the_string_of_a_paste() {
    let secret = secret::<64>();
    for (end, accepted) in [("\n", true), (" and more", false)] {
        let text = format!("{}{end}", str::from_utf8(&secret).unwrap());
        let mut watch = Watch::on(text.as_ptr(), secret.len());
        assert_eq!(watch.remaining(&secret), 64);
        assert_eq!(ApiToken::from_pasted(text).is_ok(), accepted);
        assert!(watch.remaining(&secret) < 16);
    }
}

#[test]
fn a_token() {
    let secret = secret::<64>();
    let token = ApiToken::new(String::from_utf8(secret.to_vec()).unwrap()).unwrap();
    let mut watch = Watch::on(token.expose_secret().as_ptr(), 64);
    assert_eq!(watch.remaining(&secret), 64);
    drop(token);
    assert!(watch.remaining(&secret) < 16);
}

#[test]
fn a_secret_variable() {
    let secret = secret::<64>();
    let text = || String::from_utf8(secret.to_vec()).unwrap();
    for (name, accepted) in [("NAME", true), ("no name", false)] {
        let mut vars = SecretVars::new();
        let value = text();
        let mut watch = Watch::on(value.as_ptr(), 64);
        assert_eq!(watch.remaining(&secret), 64);
        assert_eq!(vars.set(name, value).is_ok(), accepted);
        assert!(watch.remaining(&secret) < 16);
    }
    for removed in [true, false] {
        let mut vars = SecretVars::new();
        vars.set("NAME", text()).unwrap();
        let payload = vars.to_payload();
        let mut vars = SecretVars::from_payload(&payload).unwrap();
        let mut watches = [
            Watch::on(vars.expose_secret("NAME").unwrap().as_ptr(), 64),
            Watch::on(payload.as_ptr(), payload.len()),
        ];
        watches.iter_mut().for_each(|watch| assert_eq!(watch.remaining(&secret), 64));
        if removed {
            assert!(vars.remove("NAME"));
        } else {
            drop(vars);
        }
        drop(payload);
        watches.iter_mut().for_each(|watch| assert!(watch.remaining(&secret) < 16));
    }
}

#[test]
fn an_opened_token() {
    let secret = secret::<64>();
    let (kek, context) = (Kek::generate().unwrap(), EncryptionContext::for_token(&support::facts()));
    let token = ApiToken::new(String::from_utf8(secret.to_vec()).unwrap()).unwrap();
    let envelope = seal_token(&kek, &context, &token).unwrap();
    let opened = open_token(&kek, &context, &envelope).unwrap();
    let mut watch = Watch::on(opened.expose_secret().as_ptr(), 64);
    assert_eq!(watch.remaining(&secret), 64);
    drop(opened);
    assert!(watch.remaining(&secret) < 16);
}

#[test]
fn an_opened_payload() {
    let payload = secret::<64>();
    let context = EncryptionContext::for_token(&support::facts());
    let kek = Kek::generate().unwrap();
    let draft = SealDraft::new(&context).unwrap();
    let wrapped = draft.wrap_request().wrap_with(&kek);
    let envelope = draft.finish(&payload, &wrapped).unwrap();
    let dek = envelope.unwrap_request(&context).unwrap_with(&kek).unwrap();
    let opened = open_payload(&envelope, &dek, &context).unwrap();
    let mut watch = Watch::on(opened.as_ptr(), 64);
    assert_eq!(watch.remaining(&payload), 64);
    drop(opened);
    assert!(watch.remaining(&payload) < 16);
}

#[test]
fn a_dek() {
    let secret = secret::<32>();
    let dek = Box::new(Dek::from_bytes(&secret));
    let mut watch = Watch::on(&raw const *dek, size_of::<Dek>());
    assert_eq!(watch.remaining(&secret), 32);
    drop(dek);
    assert!(watch.remaining(&secret) < 8);
}

#[test]
fn a_kek_and_its_schedule() {
    let secret = secret::<32>();
    let kek = Box::new(Kek::from_bytes(KekId::from_slice(b"some id").unwrap(), &secret));
    let mut watch = Watch::on(&raw const *kek, size_of::<Kek>());
    assert_eq!(watch.remaining(&secret), 32);
    let whole = watch.found.clone();
    drop(kek);
    assert!(watch.remaining(&secret) < 8);
    // The expanded schedule is as good as the key: of the non-zero bytes before, few may stand unchanged.
    let unchanged = whole.iter().zip(&watch.found).filter(|(was, is)| **was != 0 && was == is).count();
    assert!(unchanged < 64, "{unchanged} of {} bytes stand as they were", whole.len());
}

/// CMAC's subkey makes commitments by itself.
#[test]
fn the_cmac_subkey_of_a_kek() {
    let secret = secret::<32>();
    let kek = Box::new(Kek::from_bytes(KekId::from_slice(b"some id").unwrap(), &secret));
    let mut l = aes::Block::default();
    Aes256::new(&secret.into()).encrypt_block(&mut l);
    let l = u128::from_be_bytes(l.into());
    let subkey = ((l << 1) ^ (0x87 * (l >> 127))).to_be_bytes();
    let mut watch = Watch::on(&raw const *kek, size_of::<Kek>());
    assert_eq!(watch.remaining(&subkey), 16);
    drop(kek);
    assert!(watch.remaining(&subkey) < 8);
}

#[test]
fn a_draft_of_a_seal() {
    let context = EncryptionContext::for_vault_key(VaultId::from_bytes([1; 16]), VaultKeyPurpose::AuditMac);
    let draft = Box::new(SealDraft::new(&context).unwrap());
    let dek = *draft.wrap_request().dek().expose_secret();
    let mut watch = Watch::on(&raw const *draft, size_of::<SealDraft<'_>>());
    assert_eq!(watch.remaining(&dek), 32);
    drop(draft);
    assert!(watch.remaining(&dek) < 8);
}
