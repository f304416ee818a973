//! Good envelopes in the wrong place: other keys, other records, other facts.

use tokenkeep_core::VaultKeyPurpose;

use super::{Bad, KEK_ID, Kek, PAYLOAD, Payload, WRAP, WRAPPED_LENGTH, Wrap, edited, made};
use crate::format::{Context, Facts, Recipe, TestKek, payload_aad, wrap_aad};
use crate::good::{TOKEN, facts, plain};
use crate::{kek, made_up};

pub(super) fn keys() -> Vec<Bad> {
    let one = plain();
    let (encoded, one_kek) = (one.context().encoded(), one.kek().clone());
    // Same KEK, same context, another draw; and the same with another incarnation.
    let sibling = Recipe::new(&one_kek, &encoded, made_up("a sibling"), TOKEN).envelope();
    let other_facts = Facts { incarnation: made_up("another incarnation"), ..facts() };
    let other_context = Context::Token(other_facts).encoded();
    let other = Recipe::new(&one_kek, &other_context, made_up("another record"), TOKEN).envelope();
    let two = kek("two", 16);
    let rewrapped = Recipe::new(&two, &encoded, plain().recipe().drawn, TOKEN).envelope();
    let same_id = TestKek { id: one_kek.id.clone(), key: two.key };
    let same_key = TestKek { id: two.id.clone(), key: one_kek.key };

    let wrapped = WRAP.nonce..WRAP.end;
    vec![
        Bad {
            kek: two.clone(),
            ..edited("another KEK at hand", "the envelope names the KEK that it needs", Kek, |_| ())
        },
        Bad {
            kek: same_id.clone(),
            ..edited("another key under the same id", "an id is no key", Wrap, |_| ())
        },
        Bad {
            kek: same_key,
            ..edited(
                "the right key under another id",
                "the wrap's associated data has the KEK id",
                Wrap,
                |bytes| {
                    bytes[KEK_ID..WRAPPED_LENGTH].copy_from_slice(&two.id);
                },
            )
        },
        edited("rewrapped, and the old KEK at hand", "a rewrap shuts the old KEK out", Kek, |bytes| {
            *bytes = rewrapped.clone();
        }),
        edited("rewrapped, and the old id written back", "a rewrap shuts the old KEK out", Wrap, |bytes| {
            bytes.clone_from(&rewrapped);
            bytes[KEK_ID..WRAPPED_LENGTH].copy_from_slice(&one_kek.id);
        }),
        edited(
            "wrapped DEK of another record",
            "that record has another incarnation, and the wrap is bound to it",
            Wrap,
            |bytes| bytes[wrapped.clone()].copy_from_slice(&other[wrapped.clone()]),
        ),
        edited("payload of another record", "its DEK is another one", Payload, |bytes| {
            bytes[PAYLOAD.nonce..].copy_from_slice(&other[PAYLOAD.nonce..]);
        }),
        edited(
            "wrapped DEK of an earlier envelope of the same token",
            "the context is the same, so it unwraps; but every envelope has a DEK of its own",
            Payload,
            |bytes| bytes[wrapped.clone()].copy_from_slice(&sibling[wrapped.clone()]),
        ),
        edited("the envelope of another record", "its incarnation is another one", Wrap, |bytes| {
            bytes.clone_from(&other);
        }),
    ]
}

/// Facts that are not those of the vector `token`, one apart.
pub(super) fn other_facts() -> Vec<(&'static str, &'static str, Facts)> {
    let other = |name, why, change: fn(&mut Facts)| {
        let mut facts = facts();
        change(&mut facts);
        (name, why, facts)
    };
    vec![
        other("another vault", "the vault is bound", |facts| facts.vault = made_up("another vault")),
        other("another tenant", "the tenant is bound", |facts| facts.tenant = "customer-18".into()),
        other("a tenant in another case", "names are compared byte by byte", |facts| {
            facts.tenant = "Customer-17".into();
        }),
        other("another connection", "the connection is bound", |facts| {
            facts.connection = "apify2".into();
        }),
        other("tenant and connection exchanged", "each has its place", |facts| {
            (facts.tenant, facts.connection) = ("apify".into(), "customer-17".into());
        }),
        other("a name that shifts into the next", "each field is led by its length", |facts| {
            (facts.tenant, facts.connection) = ("customer-17a".into(), "pify".into());
        }),
        other("another incarnation", "the incarnation is bound", |facts| {
            facts.incarnation = made_up("another incarnation");
        }),
        other("vault and incarnation exchanged", "each has its place", |facts| {
            (facts.vault, facts.incarnation) = (facts.incarnation, facts.vault);
        }),
        other("another provider", "the provider is bound", |facts| facts.provider = "other".into()),
        other("another host", "the origin is bound", |facts| {
            facts.origin = "https://api.apify.example".into();
        }),
        other("another port", "the origin is bound, its port too", |facts| {
            facts.origin = "https://api.apify.com:8443".into();
        }),
        other("the next secret version", "the secret version is bound", |facts| {
            facts.secret_version = 2;
        }),
        other("secret version in the other byte order", "numbers are big-endian", |facts| {
            facts.secret_version = facts.secret_version.swap_bytes();
        }),
    ]
}

pub(super) fn contexts() -> Vec<Bad> {
    let vault_key = |vault: &str, purpose| Context::VaultKey { vault: made_up(vault), purpose };
    let fingerprint = vault_key("vault", VaultKeyPurpose::Fingerprint);
    let of_vault_key = |name, why, opened_with: &Context| {
        let kek = plain().kek().clone();
        let recipe = Recipe::new(&kek, &fingerprint.encoded(), made_up("vault key: fingerprint"), &[7; 32]);
        Bad { context: opened_with.clone(), ..edited(name, why, Wrap, |bytes| *bytes = recipe.envelope()) }
    };
    let mut all: Vec<Bad> = other_facts()
        .into_iter()
        .map(|(name, why, facts)| Bad { context: Context::Token(facts), ..edited(name, why, Wrap, |_| ()) })
        .collect();
    all.extend([
        made(
            "a payload of kind 2",
            "the kind is bound; it was sealed as 2 and is opened as 1",
            Wrap,
            |recipe| {
                let context = Context::Token(Facts { kind: 2, ..facts() }).encoded();
                recipe.payload_aad = payload_aad(&context);
                recipe.wrap_aad = wrap_aad(&recipe.kek.id, &context);
            },
        ),
        Bad {
            context: fingerprint.clone(),
            ..edited("a token opened as a vault's key", "the label is bound", Wrap, |_| ())
        },
        of_vault_key("a vault's key opened as a token", "the label is bound", &Context::Token(facts())),
        of_vault_key(
            "a vault's key for another purpose",
            "the purpose is bound",
            &vault_key("vault", VaultKeyPurpose::AuditMac),
        ),
        of_vault_key(
            "a vault's key of another vault",
            "the vault is bound",
            &vault_key("another vault", VaultKeyPurpose::Fingerprint),
        ),
        made("another context in the payload alone", "each level is bound by itself", Payload, |recipe| {
            let other = Facts { tenant: "customer-18".into(), ..facts() };
            recipe.payload_aad = payload_aad(&Context::Token(other).encoded());
        }),
    ]);
    all
}
