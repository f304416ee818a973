//! Every byte that must be random is: none is left at what it was, none is drawn once for all.

#[path = "support/facts.rs"]
mod support;

use tokenkeep_core::{
    ApiToken, Dek, EncryptionContext, Incarnation, Kek, KekId, VaultId, WrapRequest, seal_token,
};

/// Each byte differs at least once in 33 draws. By chance one doesn't in one of 2^256 runs.
#[track_caller]
fn varies<const N: usize>(draw: impl Fn() -> [u8; N]) {
    let first = draw();
    let mut same = [true; N];
    for _ in 0..32 {
        let next = draw();
        same.iter_mut().zip(first.iter().zip(&next)).for_each(|(same, (one, other))| *same &= one == other);
    }
    assert_eq!(same, [false; N], "a byte never varies");
}

#[test]
fn keys_and_ids() {
    varies(|| *Kek::generate().unwrap().expose_secret());
    varies(|| <[u8; 16]>::try_from(KekId::random().unwrap().as_bytes()).unwrap());
    varies(|| *VaultId::random().unwrap().as_bytes());
    varies(|| *Incarnation::random().unwrap().as_bytes());
}

#[test]
fn what_a_seal_draws() {
    let (kek, context) = (Kek::generate().unwrap(), EncryptionContext::for_token(&support::facts()));
    let token = ApiToken::new("an-example-token".to_owned()).unwrap();
    let seal = || seal_token(&kek, &context, &token).unwrap();
    varies(|| *seal().unwrap_request(&context).unwrap_with(&kek).unwrap().expose_secret());
    varies(|| <[u8; 24]>::try_from(seal().nonce()).unwrap());
    varies(|| *seal().wrapped_dek().first_chunk::<24>().unwrap());
}

#[test]
fn what_a_rewrap_draws() {
    let (kek, context) = (Kek::generate().unwrap(), EncryptionContext::for_token(&support::facts()));
    let dek = Dek::from_bytes(&[5; 32]);
    varies(|| {
        let wrapped = WrapRequest::for_rewrap(&dek, &context).unwrap().wrap_with(&kek);
        *wrapped.as_bytes().first_chunk::<24>().unwrap()
    });
}

#[test]
fn what_a_request_made_anew_draws() {
    let (kek, context) = (Kek::generate().unwrap(), EncryptionContext::for_token(&support::facts()));
    let dek = Dek::from_bytes(&[5; 32]);
    let request = WrapRequest::for_rewrap(&dek, &context).unwrap();
    varies(|| *request.anew().unwrap().wrap_with(&kek).as_bytes().first_chunk::<24>().unwrap());
    assert_eq!(request.anew().unwrap().context_digest(kek.id()), request.context_digest(kek.id()));
}
