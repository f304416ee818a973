//! An envelope's form at its borders: the longest and the shortest of everything, and one byte more or less.

use tokenkeep_core::{
    DecodeError, Dek, EncryptionContext, Envelope, Kek, KekId, MAX_PAYLOAD, SealDraft, VaultId,
    VaultKeyPurpose, WrapRequest, WrappedDek, open_payload,
};

/// A form without a meaning: it decodes, and would never open.
fn form(kek: usize, wrapped: usize, payload: usize) -> Vec<u8> {
    let mut bytes = vec![1, 1, kek as u8];
    bytes.extend(std::iter::repeat_n(b'k', kek));
    bytes.extend((wrapped as u16).to_be_bytes());
    bytes.extend(std::iter::repeat_n(b'w', wrapped));
    bytes.extend(std::iter::repeat_n(b'n', 24));
    bytes.extend(std::iter::repeat_n(b'p', payload));
    bytes.extend(std::iter::repeat_n(b't', 48));
    bytes
}

fn context() -> EncryptionContext {
    EncryptionContext::for_vault_key(VaultId::from_bytes([1; 16]), VaultKeyPurpose::AuditMac)
}

#[test]
fn every_length_in_its_range_decodes_into_its_fields() {
    for (kek, wrapped, payload) in
        [(1, 1, 0), (29, 1, 1), (1, 65_535, 0), (16, 104, 46), (29, 65_535, MAX_PAYLOAD), (3, 256, 7)]
    {
        let bytes = form(kek, wrapped, payload);
        let envelope = Envelope::decode(bytes.clone()).unwrap();
        assert_eq!(envelope.kek().as_bytes(), vec![b'k'; kek]);
        assert_eq!(envelope.wrapped_dek(), vec![b'w'; wrapped]);
        assert_eq!(envelope.nonce(), [b'n'; 24]);
        assert_eq!(envelope.ciphertext(), vec![b'p'; payload]);
        let context = context();
        let request = envelope.unwrap_request(&context);
        assert_eq!((request.kek(), request.wrapped()), (envelope.kek(), envelope.wrapped_dek()));
        assert_eq!(envelope.as_bytes(), bytes);
        assert_eq!(envelope.into_bytes(), bytes);
    }
}

#[test]
fn one_byte_outside_a_range_is_refused_with_its_error() {
    let refused = |bytes: Vec<u8>| Envelope::decode(bytes).expect_err("it is outside its range");
    assert_eq!(refused(form(0, 1, 0)), DecodeError::Length);
    assert_eq!(refused(form(30, 1, 0)), DecodeError::Length);
    assert_eq!(refused(form(1, 0, 0)), DecodeError::Length);
    assert_eq!(refused(form(1, 1, MAX_PAYLOAD + 1)), DecodeError::Length);
    // A length that can't be is told before it is found that so much is not there.
    assert_eq!(refused(vec![1, 1, 30]), DecodeError::Length);
    assert_eq!(refused(vec![1, 1, 0]), DecodeError::Length);
    assert_eq!(refused(vec![1, 1, 1, b'k', 0, 0]), DecodeError::Length);
}

#[test]
fn every_cut_before_the_payload_is_a_truncation() {
    // Behind it, ciphertext and trailer shift, which only opening notices.
    let bytes = form(16, 104, 0);
    for length in 0..bytes.len() {
        assert_eq!(Envelope::decode(bytes[..length].to_vec()), Err(DecodeError::Truncated), "{length} bytes");
    }
}

#[test]
fn a_seal_takes_exactly_the_memory_that_it_needs() {
    let (kek, context) = (Kek::generate().unwrap(), context());
    for length in [0, 1, 46, MAX_PAYLOAD] {
        let draft = SealDraft::new(&context).unwrap();
        let wrapped = draft.wrap_request().wrap_with(&kek);
        let envelope = draft.finish(&vec![7; length], &wrapped).unwrap();
        let again = envelope.with_wrapped_dek(&wrapped);
        for bytes in [envelope.into_bytes(), again.into_bytes()] {
            assert_eq!(bytes.capacity(), bytes.len(), "a buffer that grew leaves the plaintext behind");
        }
    }
}

#[test]
fn the_longest_payload_and_the_empty_one_come_back() {
    let (kek, context) = (Kek::generate().unwrap(), context());
    for payload in [Vec::new(), vec![7; MAX_PAYLOAD]] {
        let draft = SealDraft::new(&context).unwrap();
        let wrapped = draft.wrap_request().wrap_with(&kek);
        let envelope = draft.finish(&payload, &wrapped).unwrap();
        let dek = envelope.unwrap_request(&context).unwrap_with(&kek).unwrap();
        assert_eq!(**open_payload(&envelope, &dek, &context).unwrap(), payload);
    }
}

#[test]
fn a_service_may_wrap_in_1_to_65535_bytes() {
    let kek = KekId::from_slice(b"service").unwrap();
    for length in [1, 65_535] {
        let wrapped = WrappedDek::from_service(kek, vec![9; length]).unwrap();
        assert_eq!((wrapped.kek(), wrapped.as_bytes()), (&kek, &vec![9; length][..]));
    }
    for length in [0, 65_536] {
        assert!(WrappedDek::from_service(kek, vec![9; length]).is_err(), "{length} bytes");
    }
}

#[test]
fn a_request_hands_out_the_dek_it_was_made_for() {
    let (dek, context) = (Dek::from_bytes(&[5; 32]), context());
    let request = WrapRequest::for_rewrap(&dek, &context).unwrap();
    assert_eq!(request.dek().expose_secret(), &[5; 32]);
    // Two requests, two nonces: the first 24 bytes of what a local KEK makes.
    let kek = Kek::generate().unwrap();
    let other = WrapRequest::for_rewrap(&dek, &context).unwrap();
    assert_ne!(request.wrap_with(&kek).as_bytes()[..24], other.wrap_with(&kek).as_bytes()[..24]);
}
