//! Envelopes that open: one for every shape of input.

use tokenkeep_core::{MAX_PAYLOAD, SealDraft, VaultKeyPurpose};

use crate::format::{Context, Facts, Recipe, TestKek, payload_aad, wrap_aad};
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

    vec![
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
        rewrapped,
    ]
}

impl Good {
    pub(crate) fn kek(&self) -> &TestKek {
        &self.kek
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    pub(crate) fn recipe(&self) -> Recipe {
        Recipe::new(&self.kek, &self.context.encoded(), self.drawn, &self.payload)
    }

    /// Sealed by the core, and the same as FORMAT.md says.
    pub(crate) fn envelope(&self) -> Vec<u8> {
        let context = self.context.of_the_core();
        let draft = SealDraft::dangerous_from_bytes(&context, &self.drawn);
        let wrapped = draft.wrap_request().wrap_with(&self.kek.of_the_core());
        let envelope = draft.finish(&self.payload, &wrapped).expect("no payload is too long").into_bytes();
        assert_eq!(envelope, self.recipe().envelope(), "{}: the core and FORMAT.md differ", self.name);
        envelope
    }

    pub(crate) fn json(&self) -> String {
        let context = self.context.encoded();
        let mut fields = vec![("name", json::text(self.name)), ("shows", json::text(self.shows))];
        fields.extend(self.rewrap_of.map(|name| ("rewrap_of", json::text(name))));
        fields.extend([
            json::kek(&self.kek),
            json::context(&self.context),
            ("drawn", json::hex(&self.drawn)),
            ("payload", json::hex(&self.payload)),
            ("encoded_context", json::hex(&context)),
            ("payload_aad", json::hex(&payload_aad(&context))),
            ("wrap_aad", json::hex(&wrap_aad(&self.kek.id, &context))),
            ("envelope", json::hex(&self.envelope())),
        ]);
        json::object(&fields, 2)
    }
}
