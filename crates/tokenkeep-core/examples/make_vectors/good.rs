//! Envelopes that open: one for every shape of input.

pub(crate) mod remote;

use sha2::{Digest, Sha256};
use tokenkeep_core::{MAX_PAYLOAD, SealDraft, VaultKeyPurpose, WrappedDek};

use crate::format::{Context, Facts, Recipe, TestKek, payload_aad, wrap_aad};
use crate::two_keys::{self, Twin};
use crate::{json, kek, made_up};

pub(crate) struct Good {
    name: &'static str,
    shows: &'static str,
    kek: TestKek,
    context: Context,
    drawn: [u8; 80],
    payload: Vec<u8>,
    /// The vector whose payload this one shares, byte for byte.
    rewrap_of: Option<&'static str>,
    /// What a key service made of the DEK; the KEK's key is not at hand then.
    by_service: Option<Vec<u8>>,
}

pub(crate) fn facts() -> Facts {
    Facts {
        vault: made_up("vault"),
        tenant: "customer-17".into(),
        connection: "apify".into(),
        incarnation: made_up("incarnation"),
        provider: "apify".into(),
        origin: "https://api.apify.com".into(),
        kind: 1,
        secret_version: 1,
    }
}

/// As long as a token of Apify's, and no token.
pub(crate) const TOKEN: &[u8; 46] = b"not-a-token-of-anyone-but-just-as-long-as-one.";

/// The vector that most others are changes of.
pub(crate) fn plain() -> Good {
    Good {
        name: "token",
        shows: "a token of 46 bytes under a KEK with a 16-byte id: what is stored as a rule",
        kek: kek("one", 16),
        context: Context::Token(facts()),
        drawn: made_up("token"),
        payload: TOKEN.to_vec(),
        rewrap_of: None,
        by_service: None,
    }
}

pub(crate) fn all() -> Vec<Good> {
    let token = |name, shows, change: fn(&mut Facts)| {
        let mut facts = facts();
        change(&mut facts);
        Good { name, shows, context: Context::Token(facts), drawn: made_up(name), ..plain() }
    };
    let long = |name, shows, length| Good {
        name,
        shows,
        payload: (0..length).map(|at| b'a' + (at % 26) as u8).collect(),
        drawn: made_up(name),
        ..plain()
    };
    let under = |name, shows, id_length| Good {
        name,
        shows,
        kek: kek(name, id_length),
        drawn: made_up(name),
        ..plain()
    };
    let vault_key = |name, shows, purpose| Good {
        name,
        shows,
        context: Context::VaultKey { vault: made_up("vault"), purpose },
        drawn: made_up(name),
        payload: made_up::<32>(&format!("{name}, the key")).to_vec(),
        ..plain()
    };
    let mut rewrapped = Good {
        name: "rewrapped",
        shows: "the vector `token` moved to another KEK: from the payload's nonce on, the same bytes",
        kek: kek("two", 29),
        rewrap_of: Some("token"),
        ..plain()
    };
    rewrapped.drawn[56..].copy_from_slice(&made_up::<24>("rewrapped"));

    let mut all = vec![
        plain(),
        long("payload of 0 bytes", "no ciphertext: tag and commitment alone", 0),
        long("payload of 1 byte", "the shortest token", 1),
        long("payload of 16 bytes", "one whole block", 16),
        long("payload of 1024 bytes", "more than one block", 1024),
        long("payload of 16384 bytes", "the longest payload", MAX_PAYLOAD),
        Good {
            payload: (0..=255).collect(),
            ..long("payload of any bytes", "a payload is bytes, not text", 0)
        },
        under("KEK id of 1 byte", "the shortest KEK id", 1),
        under("KEK id of 29 bytes", "the longest KEK id", 29),
        token("shortest names", "each name one byte long", |facts| {
            facts.tenant = "t".into();
            facts.connection = "c".into();
            facts.provider = "p".into();
            facts.origin = "https://h".into();
        }),
        token("longest names", "each name as long as it may be: a context of 915 bytes", |facts| {
            let label = "h".repeat(63);
            facts.tenant = "t".repeat(255);
            facts.connection = "c".repeat(255);
            facts.provider = "p".repeat(64);
            facts.origin = format!("https://{label}.{label}.{label}.{}:65535", "h".repeat(61));
        }),
        token("Unicode names", "tenant and connection in UTF-8, one with a combining accent", |facts| {
            facts.tenant = "客户 № 17 · žluťoučký 🦀".into();
            facts.connection = "cafe\u{301}".into();
        }),
        token(
            "Unicode names, precomposed",
            "the same text to the eye: other bytes, another context",
            |facts| {
                facts.tenant = "客户 № 17 · žluťoučký 🦀".into();
                facts.connection = "caf\u{e9}".into();
            },
        ),
        token("another port", "an origin with a port", |facts| {
            facts.origin = "https://api.apify.com:8443".into();
        }),
        token("secret version 2^63", "above what fits a signed number", |facts| {
            facts.secret_version = 1 << 63;
        }),
        token("secret version 2^64-1", "the largest", |facts| facts.secret_version = u64::MAX),
        vault_key("vault key: fingerprint", "one of a vault's own keys", VaultKeyPurpose::Fingerprint),
        vault_key("vault key: record-mac", "one of a vault's own keys", VaultKeyPurpose::RecordMac),
        vault_key("vault key: audit-mac", "one of a vault's own keys", VaultKeyPurpose::AuditMac),
        vault_key(
            "vault key: checkpoint-signing",
            "one of a vault's own keys",
            VaultKeyPurpose::CheckpointSigning,
        ),
        vault_key(
            "vault key: tenant-pseudonym",
            "one of a vault's own keys",
            VaultKeyPurpose::TenantPseudonym,
        ),
        rewrapped,
    ];
    all.extend(two_deks());
    all.extend(two_keks());
    all.extend(remote::all());
    all
}

/// The two that have nonce, ciphertext and tag of the payload in common.
pub(crate) fn two_deks() -> [Good; 2] {
    let [one, other] = two_keys::deks();
    [
        twin("payload that fits two DEKs: one", "AES-GCM accepts nonce, ciphertext and tag under both", one),
        twin("payload that fits two DEKs: the other", "they differ in DEK, payload and commitment", other),
    ]
}

/// The two that have nonce, ciphertext and tag in common, of wrap and payload.
pub(crate) fn two_keks() -> [Good; 2] {
    let [one, other] = two_keys::keks();
    [
        twin("wrap that fits two KEKs: one", "the payload fits both wrapped DEKs", one),
        twin("wrap that fits two KEKs: the other", "both KEKs have one id", other),
    ]
}

fn twin(name: &'static str, shows: &'static str, twin: Twin) -> Good {
    Good { name, shows, kek: twin.kek, drawn: twin.drawn, payload: twin.payload, ..plain() }
}

impl Good {
    pub(crate) fn kek(&self) -> &TestKek {
        &self.kek
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    pub(crate) fn recipe(&self) -> Recipe {
        let recipe = Recipe::new(&self.kek, &self.context.encoded(), self.drawn, &self.payload);
        Recipe { by_service: self.by_service.clone(), ..recipe }
    }

    /// What a key service gives back, where one wrapped the DEK.
    pub(crate) fn dek(&self) -> Option<[u8; 32]> {
        self.by_service.is_some().then(|| *self.drawn.first_chunk().expect("80 bytes"))
    }

    /// Sealed by the core, and the same as FORMAT.md says.
    pub(crate) fn envelope(&self) -> Vec<u8> {
        let context = self.context.of_the_core();
        let draft = SealDraft::dangerous_from_bytes(&context, &self.drawn);
        let kek = self.kek.of_the_core();
        assert_eq!(draft.wrap_request().context_digest(kek.id()), self.context_digest(), "{}", self.name);
        let wrapped = match &self.by_service {
            None => draft.wrap_request().wrap_with(&kek),
            Some(bytes) => WrappedDek::from_service(*kek.id(), bytes.clone()).expect("1 to 65,535 bytes"),
        };
        let envelope = draft.finish(&self.payload, &wrapped).expect("no payload is too long").into_bytes();
        assert_eq!(envelope, self.recipe().envelope(), "{}: the core and FORMAT.md differ", self.name);
        envelope
    }

    /// What a key service is given of the context.
    fn context_digest(&self) -> [u8; 32] {
        Sha256::digest(wrap_aad(&self.kek.id, &self.context.encoded())).into()
    }

    pub(crate) fn json(&self) -> String {
        let context = self.context.encoded();
        let mut fields = vec![("name", json::text(self.name)), ("shows", json::text(self.shows))];
        fields.extend(self.rewrap_of.map(|name| ("rewrap_of", json::text(name))));
        fields.extend(json::keys(&self.kek, self.dek()));
        fields.extend([
            json::context(&self.context),
            ("drawn", json::hex(&self.drawn)),
            ("payload", json::hex(&self.payload)),
            ("encoded_context", json::hex(&context)),
            ("payload_aad", json::hex(&payload_aad(&context))),
            ("wrap_aad", json::hex(&wrap_aad(&self.kek.id, &context))),
            ("context_digest", json::hex(&self.context_digest())),
            ("envelope", json::hex(&self.envelope())),
        ]);
        json::object(&fields, 2)
    }
}
