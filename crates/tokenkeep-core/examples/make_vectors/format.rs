//! The format a second time: written from FORMAT.md, with the crates `cmac` and `aes-gcm` in place of the core's code.
//! What the core makes is compared with it byte by byte, and what the core would never make is made with it.

use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit};
use cmac::{Cmac, Mac};
use tokenkeep_core::{
    ConnectionId, EncryptionContext, Incarnation, KekId, Origin, PayloadKind, ProviderName, SecretVersion,
    TokenFacts, VaultId, VaultKeyPurpose,
};

pub(crate) type Output = fn(&[u8; 32], &[u8; 24], &[u8], &[u8]) -> Vec<u8>;

/// `F(x)`.
pub(crate) fn field(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("no field has over 65,535 bytes");
    [&length.to_be_bytes(), bytes].concat()
}

#[derive(Clone)]
pub(crate) struct Facts {
    pub(crate) vault: [u8; 16],
    pub(crate) tenant: String,
    pub(crate) connection: String,
    pub(crate) incarnation: [u8; 16],
    pub(crate) provider: String,
    pub(crate) origin: String,
    pub(crate) kind: u8,
    pub(crate) secret_version: u64,
}

impl Facts {
    pub(crate) fn fields(&self) -> [Vec<u8>; 9] {
        [
            b"tokenkeep token".to_vec(),
            self.vault.to_vec(),
            self.tenant.clone().into_bytes(),
            self.connection.clone().into_bytes(),
            self.incarnation.to_vec(),
            self.provider.clone().into_bytes(),
            self.origin.clone().into_bytes(),
            vec![self.kind],
            self.secret_version.to_be_bytes().to_vec(),
        ]
    }
}

#[derive(Clone)]
pub(crate) enum Context {
    Token(Facts),
    VaultKey { vault: [u8; 16], purpose: VaultKeyPurpose },
}

impl Context {
    pub(crate) fn encoded(&self) -> Vec<u8> {
        match self {
            Self::Token(facts) => facts.fields().iter().flat_map(|part| field(part)).collect(),
            Self::VaultKey { vault, purpose } => {
                [field(b"tokenkeep vault key"), field(vault), field(purpose.name().as_bytes())].concat()
            }
        }
    }

    /// The core's own; for facts that the core takes alone.
    pub(crate) fn of_the_core(&self) -> EncryptionContext {
        match self {
            Self::Token(facts) => EncryptionContext::for_token(&TokenFacts {
                vault: VaultId::from_bytes(facts.vault),
                connection: ConnectionId::new(&facts.tenant, &facts.connection).expect("good names"),
                incarnation: Incarnation::from_bytes(facts.incarnation),
                provider: ProviderName::new(&facts.provider).expect("a good name"),
                origin: Origin::parse(&facts.origin).expect("a good origin"),
                kind: PayloadKind::from_number(facts.kind).expect("a known kind"),
                secret_version: SecretVersion::from_u64(facts.secret_version),
            }),
            Self::VaultKey { vault, purpose } => {
                EncryptionContext::for_vault_key(VaultId::from_bytes(*vault), *purpose)
            }
        }
    }
}

pub(crate) fn payload_aad(context: &[u8]) -> Vec<u8> {
    [&field(b"tokenkeep payload"), &[1, 1][..], context].concat()
}

pub(crate) fn wrap_aad(kek_id: &[u8], context: &[u8]) -> Vec<u8> {
    [&field(b"tokenkeep wrapped dek"), &[1, 1][..], &field(kek_id), context].concat()
}

fn cmac(key: &[u8; 32], message: &[u8]) -> [u8; 16] {
    Cmac::<aes::Aes256>::new(key.into()).chain_update(message).finalize().into_bytes().into()
}

/// `Kx`.
pub(crate) fn derived_key(key: &[u8; 32], nonce: &[u8; 24]) -> [u8; 32] {
    let half = |counter| cmac(key, &[&[0, counter, 0x58, 0], &nonce[..12]].concat());
    [half(1), half(2)].concat().try_into().expect("32 bytes")
}

pub(crate) fn commitment(key: &[u8; 32], nonce: &[u8; 24]) -> Vec<u8> {
    let half = |counter| cmac(key, &[&b"XCMT"[..], nonce, &[0, 1, 0, counter]].concat());
    [half(1), half(2)].concat()
}

/// Ciphertext and tag.
pub(crate) fn gcm(key: &[u8; 32], nonce: &[u8], aad: &[u8], plain: &[u8]) -> Vec<u8> {
    let nonce: &[u8; 12] = nonce.try_into().expect("12 bytes");
    let mut output = plain.to_vec();
    let cipher = Aes256Gcm::new(key.into());
    let tag = cipher.encrypt_inout_detached(nonce.into(), aad, output.as_mut_slice().into());
    output.extend_from_slice(&tag.expect("far below AES-GCM's limit"));
    output
}

/// XAES-256-GCM by itself: ciphertext and tag, no commitment.
pub(crate) fn xaes(key: &[u8; 32], nonce: &[u8; 24], aad: &[u8], plain: &[u8]) -> Vec<u8> {
    gcm(&derived_key(key, nonce), &nonce[12..], aad, plain)
}

/// XAES-256-GCM by itself opens: the plaintext, if the tag fits.
pub(crate) fn xaes_open(key: &[u8; 32], nonce: &[u8; 24], aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (ciphertext, tag) = sealed.split_last_chunk::<16>()?;
    let mut output = ciphertext.to_vec();
    let cipher = Aes256Gcm::new((&derived_key(key, nonce)).into());
    let nonce: &[u8; 12] = nonce.last_chunk()?;
    cipher.decrypt_inout_detached(nonce.into(), aad, output.as_mut_slice().into(), tag.into()).ok()?;
    Some(output)
}

/// The suite: ciphertext, tag, commitment.
pub(crate) fn kc_xaes(key: &[u8; 32], nonce: &[u8; 24], aad: &[u8], plain: &[u8]) -> Vec<u8> {
    [xaes(key, nonce, aad, plain), commitment(key, nonce)].concat()
}

#[derive(Clone)]
pub(crate) struct TestKek {
    pub(crate) id: Vec<u8>,
    pub(crate) key: [u8; 32],
}

impl TestKek {
    pub(crate) fn of_the_core(&self) -> tokenkeep_core::Kek {
        tokenkeep_core::Kek::from_bytes(KekId::from_slice(&self.id).expect("1 to 29 bytes"), &self.key)
    }
}

/// Everything that goes into an envelope, each part of it to be set by itself.
#[derive(Clone)]
pub(crate) struct Recipe {
    pub(crate) kek: TestKek,
    /// DEK 32, payload nonce 24, wrap nonce 24.
    pub(crate) drawn: [u8; 80],
    pub(crate) payload: Vec<u8>,
    pub(crate) wrapped: Vec<u8>,
    pub(crate) payload_aad: Vec<u8>,
    pub(crate) wrap_aad: Vec<u8>,
    pub(crate) seal_payload: Output,
    pub(crate) seal_wrap: Output,
    /// What a key service made of the DEK, in place of a wrap under the KEK's key.
    pub(crate) by_service: Option<Vec<u8>>,
}

impl Recipe {
    /// As FORMAT.md has it.
    pub(crate) fn new(kek: &TestKek, context: &[u8], drawn: [u8; 80], payload: &[u8]) -> Self {
        Self {
            kek: kek.clone(),
            drawn,
            payload: payload.to_vec(),
            wrapped: drawn[..32].to_vec(),
            payload_aad: payload_aad(context),
            wrap_aad: wrap_aad(&kek.id, context),
            seal_payload: kc_xaes,
            seal_wrap: kc_xaes,
            by_service: None,
        }
    }

    pub(crate) fn envelope(&self) -> Vec<u8> {
        let (dek, nonces) = self.drawn.split_first_chunk::<32>().expect("80 bytes");
        let (nonce, wrap_nonce) = nonces.split_first_chunk::<24>().expect("80 bytes");
        let wrap_nonce: &[u8; 24] = wrap_nonce.try_into().expect("80 bytes");
        let wrapped_here = || {
            let output = (self.seal_wrap)(&self.kek.key, wrap_nonce, &self.wrap_aad, &self.wrapped);
            [&wrap_nonce[..], &output].concat()
        };
        let wrapped_dek = self.by_service.clone().unwrap_or_else(wrapped_here);
        let id_length = u8::try_from(self.kek.id.len()).expect("at most 29");
        let payload_output = (self.seal_payload)(dek, nonce, &self.payload_aad, &self.payload);
        [&[1, 1, id_length], &self.kek.id[..], &field(&wrapped_dek), nonce, &payload_output].concat()
    }
}
