//! Batches: one call for what is the service's, one epoch for what is under it, and each answer in its place.

use tokenkeep_core::{Dek, EncryptionContext, Envelope, ErrorKind, SealDraft, WrapRequest, WrappedDek};
use tokenkeep_keys::{EpochEvent, EpochKeys, KeyProvider};

use crate::service::{Home, MINUTE, fails_with, seal, token_context, vault_key_context};

/// A token's and a vault key's context, in turn.
fn contexts(count: usize) -> Vec<EncryptionContext> {
    let context = |at: usize| match at % 2 {
        0 => token_context(&format!("connection-{at}")),
        _ => vault_key_context(),
    };
    (0..count).map(context).collect()
}

fn deks(count: usize) -> Vec<Dek> {
    (0..count).map(|at| Dek::from_bytes(&[u8::try_from(at).unwrap(); Dek::LEN])).collect()
}

fn envelope(wrapped: &WrappedDek) -> Envelope {
    SealDraft::new(&vault_key_context()).unwrap().finish(&[], wrapped).unwrap()
}

async fn wrapped(keys: &EpochKeys, contexts: &[EncryptionContext]) -> Vec<Envelope> {
    let deks = deks(contexts.len());
    let requests: Vec<_> = deks
        .iter()
        .zip(contexts)
        .map(|(dek, context)| WrapRequest::for_rewrap(dek, context).unwrap())
        .collect();
    let answers = keys.wrap_deks(&requests).await;
    answers.into_iter().map(|answer| envelope(&answer.unwrap())).collect()
}

#[tokio::test]
async fn a_batch_is_one_call_for_what_is_the_services() {
    let home = Home::new();
    let keys = home.instance();
    let old = seal(&keys).await.unwrap();
    let (contexts, before) = (contexts(64), home.service.all_calls());
    let envelopes = wrapped(&keys, &contexts).await;
    assert_eq!((home.service.calls("wrap-batch"), home.service.all_calls() - before), (1, 1));
    assert_eq!(*envelopes[0].kek(), *old.kek());

    // By one that holds nothing yet: one call for the epoch, and one for the vault keys.
    let (keys, before, hits) = (home.instance(), home.service.all_calls(), home.told.count(is_hit));
    let requests: Vec<_> =
        envelopes.iter().zip(&contexts).map(|(envelope, context)| envelope.unwrap_request(context)).collect();
    for round in 0..3 {
        for (answer, dek) in keys.unwrap_deks(&requests).await.into_iter().zip(deks(64)) {
            assert_eq!(answer.unwrap().expose_secret(), dek.expose_secret());
        }
        assert_eq!(home.service.calls("unwrap-batch"), round + 1);
        assert_eq!(home.service.all_calls() - before, 2 + round);
    }
    // Taken once for each batch.
    assert_eq!(home.told.count(is_hit) - hits, 2);
    // Without a vault key the service is not called at all.
    let tokens: Vec<_> = contexts.iter().step_by(2).cloned().collect();
    let before = home.service.all_calls();
    wrapped(&home.instance(), &tokens).await;
    // For the epoch, which that one did not hold.
    assert_eq!(home.service.all_calls() - before, 1);
}

fn is_hit(event: &EpochEvent) -> bool {
    matches!(event, EpochEvent::Hit { .. })
}

/// Two epochs, the service's own key, a key that nobody knows, another's context and an epoch whose own key is gone, in one batch.
#[tokio::test]
async fn each_failure_keeps_to_its_place() {
    let home = Home::new();
    let keys = home.instance();
    let contexts = contexts(8);
    let gone = wrapped(&keys, &contexts[..1]).await.remove(0);
    let row = tokenkeep_keys::EpochStore::epochs(&*home.store).await.unwrap().remove(0);
    keys.rotate().await.unwrap();
    let mut envelopes = wrapped(&keys, &contexts).await;
    keys.rotate().await.unwrap();
    let newer = wrapped(&keys, &contexts).await;
    envelopes[2] = newer[2].clone();
    envelopes[0] = gone;
    let foreign = Home::new();
    envelopes[5] = wrapped(&foreign.instance(), &contexts).await.remove(5);
    let own_key = *Envelope::decode(row.sealed).unwrap().kek();
    tokenkeep_keys::DestroyableKeys::destroy_key(&home.service, &own_key).await.unwrap();
    home.clock.pass(MINUTE * 10);

    let before = home.service.all_calls();
    let mut requests: Vec<_> =
        envelopes.iter().zip(&contexts).map(|(envelope, context)| envelope.unwrap_request(context)).collect();
    requests[3] = envelopes[3].unwrap_request(&contexts[2]);
    requests[4] = envelopes[4].unwrap_request(&contexts[6]);
    let expected = [
        Some(ErrorKind::KeyDestroyed),
        None,
        None,
        Some(ErrorKind::Tampered),
        Some(ErrorKind::Tampered),
        Some(ErrorKind::KeysWrong),
        None,
        None,
    ];
    for ((answer, expected), dek) in keys.unwrap_deks(&requests).await.into_iter().zip(expected).zip(deks(8))
    {
        match expected {
            Some(kind) => drop(fails_with(answer, kind)),
            None => assert_eq!(answer.unwrap().expose_secret(), dek.expose_secret()),
        }
    }
    // Three epochs, and one batch.
    assert_eq!(home.service.all_calls() - before, 4);
}

/// The service is down: its requests fail, and those under an epoch that is held do not.
#[tokio::test]
async fn what_is_held_goes_on_beside_what_is_not() {
    let home = Home::new();
    let keys = home.instance();
    let contexts = contexts(6);
    let envelopes = wrapped(&keys, &contexts).await;
    home.service.fails(Some(ErrorKind::KeysUnavailable));
    let requests: Vec<_> =
        envelopes.iter().zip(&contexts).map(|(envelope, context)| envelope.unwrap_request(context)).collect();
    for (at, answer) in keys.unwrap_deks(&requests).await.into_iter().enumerate() {
        assert_eq!(
            answer.err().map(|error| error.kind()),
            (at % 2 == 1).then_some(ErrorKind::KeysUnavailable)
        );
    }
    let deks = deks(6);
    let wraps: Vec<_> = deks
        .iter()
        .zip(&contexts)
        .map(|(dek, context)| WrapRequest::for_rewrap(dek, context).unwrap())
        .collect();
    for (at, answer) in keys.wrap_deks(&wraps).await.into_iter().enumerate() {
        assert_eq!(
            answer.err().map(|error| error.kind()),
            (at % 2 == 1).then_some(ErrorKind::KeysUnavailable)
        );
    }
}

/// A batch may be larger than what an instance sets aside at a time, and than what an epoch wraps at all.
#[tokio::test]
async fn a_batch_keeps_to_the_cap() {
    let home = Home::new();
    let keys = home.with(home.options().wraps(32));
    let contexts: Vec<_> = (0..100).map(|at| token_context(&format!("connection-{at}"))).collect();
    let mut counted = std::collections::HashMap::<_, u64>::new();
    for envelope in wrapped(&keys, &contexts).await {
        *counted.entry(*envelope.kek()).or_default() += 1;
    }
    assert!(counted.len() >= 4 && counted.values().all(|wraps| *wraps <= 32), "{counted:?}");
}
