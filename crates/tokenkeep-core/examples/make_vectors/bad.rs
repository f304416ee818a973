//! Envelopes that no reader may open: at least one for every rule that refuses.

use tokenkeep_core::{Envelope, OpenError, VaultKeyPurpose, open_payload};

use crate::format::{
    Context, Facts, Recipe, TestKek, commitment, field, gcm, kc_xaes, payload_aad, wrap_aad, xaes,
};
use crate::good::{TOKEN, facts, plain};
use crate::{json, kek, made_up};

/// Where a reader refuses, and with which error.
#[derive(Clone, Copy, PartialEq, Debug)]
enum At {
    /// The bytes are no envelope.
    Decode(&'static str),
    /// The KEK at hand is not the one that is named: `OtherKek`.
    Kek,
    /// The wrapped DEK does not open: `Rejected`.
    Wrap,
    /// The DEK was unwrapped, and the payload does not open with it: `Rejected`.
    Payload,
}
use At::{Decode, Kek, Payload, Wrap};

#[derive(Clone)]
pub(crate) struct Bad {
    name: String,
    why: String,
    kek: TestKek,
    context: Context,
    envelope: Vec<u8>,
    at: At,
}

// Where the fields of the vector `token` are.
const KEK_ID: usize = 3;
const WRAPPED_LENGTH: usize = 19;
const WRAP: Level = Level { nonce: 21, ciphertext: 45, tag: 77, commitment: 93, end: 125 };
const PAYLOAD: Level = Level { nonce: 125, ciphertext: 149, tag: 195, commitment: 211, end: 243 };

struct Level {
    nonce: usize,
    ciphertext: usize,
    tag: usize,
    commitment: usize,
    end: usize,
}

pub(crate) fn all() -> Vec<Bad> {
    let all = [headers(), lengths(), flips(), swaps(), keys(), contexts(), other_makers()].concat();
    for (at, bad) in all.iter().enumerate() {
        bad.check();
        assert!(all[..at].iter().all(|other| other.name != bad.name), "{}: twice", bad.name);
    }
    all
}

/// The vector `token` with its bytes changed.
fn edited(name: &str, why: &str, at: At, edit: impl FnOnce(&mut Vec<u8>)) -> Bad {
    let good = plain();
    let mut envelope = good.envelope();
    edit(&mut envelope);
    let (kek, context) = (good.kek().clone(), good.context().clone());
    Bad { name: name.into(), why: why.into(), kek, context, envelope, at }
}

/// The vector `token` as it would be, were one thing made in another way.
fn made(name: &str, why: &str, at: At, change: impl FnOnce(&mut Recipe)) -> Bad {
    let mut recipe = plain().recipe();
    change(&mut recipe);
    edited(name, why, at, |bytes| *bytes = recipe.envelope())
}

/// The vector `token` opened with other facts.
fn with_facts(name: &str, why: &str, change: impl FnOnce(&mut Facts)) -> Bad {
    let mut facts = facts();
    change(&mut facts);
    Bad { context: Context::Token(facts), ..edited(name, why, Wrap, |_| ()) }
}

fn headers() -> Vec<Bad> {
    let cut = |name, length| {
        edited(name, "bytes that end before a field does", Decode("Truncated"), |bytes| {
            bytes.truncate(length);
        })
    };
    let byte =
        |name, why, error, at: usize, value| edited(name, why, Decode(error), |bytes| bytes[at] = value);
    let version = "a version that is not 1 is never guessed at";
    let suite = "a suite that is not 1 is never guessed at";
    let id = "a KEK id has 1 to 29 bytes";
    vec![
        cut("nothing at all", 0),
        cut("the version alone", 1),
        cut("no KEK id length", 2),
        cut("no KEK id", KEK_ID),
        cut("half a KEK id", KEK_ID + 8),
        cut("no wrapped DEK length", WRAPPED_LENGTH),
        cut("half a wrapped DEK length", WRAPPED_LENGTH + 1),
        cut("no wrapped DEK", WRAP.nonce),
        cut("a wrapped DEK that lacks its last byte", WRAP.end - 1),
        cut("no payload", PAYLOAD.nonce),
        cut("half a payload nonce", PAYLOAD.nonce + 12),
        cut("no tag and no commitment", PAYLOAD.ciphertext),
        cut("one byte too few for nonce, tag and commitment", PAYLOAD.nonce + 71),
        byte("version 0", version, "UnknownVersion", 0, 0),
        byte("version 2", version, "UnknownVersion", 0, 2),
        edited("version 2 and nothing else", version, Decode("UnknownVersion"), |bytes| *bytes = vec![2]),
        edited("a byte before the version", version, Decode("UnknownVersion"), |bytes| bytes.insert(0, 0)),
        byte("suite 0", suite, "UnknownSuite", 1, 0),
        byte("suite 2", suite, "UnknownSuite", 1, 2),
        edited("suite 2 and nothing else", suite, Decode("UnknownSuite"), |bytes| *bytes = vec![1, 2]),
        byte("KEK id of 0 bytes", id, "Length", 2, 0),
        byte("KEK id of 30 bytes", id, "Length", 2, 30),
        byte("KEK id of 255 bytes", id, "Length", 2, 255),
        edited(
            "KEK id of 30 bytes that are not there",
            "a length outside its range is refused before its bytes are looked for",
            Decode("Length"),
            |bytes| *bytes = vec![1, 1, 30],
        ),
        edited(
            "cut by one byte",
            "what is left still has the form of an envelope: ciphertext, tag and commitment shift",
            Payload,
            |bytes| bytes.truncate(PAYLOAD.end - 1),
        ),
        edited(
            "cut by the length of the payload",
            "what is left has the form of an envelope with an empty payload",
            Payload,
            |bytes| bytes.truncate(PAYLOAD.end - TOKEN.len()),
        ),
    ]
}

fn lengths() -> Vec<Bad> {
    let wrapped = |name, why, at, length: u16| {
        edited(name, why, at, |bytes| {
            bytes[WRAPPED_LENGTH..WRAP.nonce].copy_from_slice(&length.to_be_bytes());
        })
    };
    let local = "a local KEK wraps to 104 bytes and no other number";
    let lies = "a length that lies shifts everything behind it";
    vec![
        wrapped("wrapped DEK of 0 bytes", "a wrapped DEK has at least one byte", Decode("Length"), 0),
        edited(
            "wrapped DEK of 0 bytes, removed",
            "as before, and the length does not lie",
            Decode("Length"),
            |bytes| {
                bytes.drain(WRAP.nonce..WRAP.end);
                bytes[WRAPPED_LENGTH + 1] = 0;
            },
        ),
        wrapped("wrapped DEK length one too many", lies, Wrap, 105),
        wrapped("wrapped DEK length one too few", lies, Wrap, 103),
        wrapped("wrapped DEK length that takes in the ciphertext", lies, Wrap, 104 + 46),
        wrapped("wrapped DEK length that leaves one byte too few", lies, Decode("Truncated"), 104 + 47),
        wrapped("wrapped DEK length of 65,535", lies, Decode("Truncated"), u16::MAX),
        wrapped(
            "wrapped DEK length in the other byte order",
            "numbers are big-endian",
            Decode("Truncated"),
            u16::swap_bytes(104),
        ),
        edited("KEK id length one too few", lies, Decode("Truncated"), |bytes| bytes[2] = 15),
        edited("KEK id length one too many", lies, Decode("Truncated"), |bytes| bytes[2] = 17),
        edited("KEK id that lacks its last byte", "another id, though every length fits", Kek, |bytes| {
            bytes.remove(WRAPPED_LENGTH - 1);
            bytes[2] = 15;
        }),
        edited("wrapped DEK with a byte appended", local, Wrap, |bytes| {
            bytes.insert(WRAP.end, 0);
            bytes[WRAPPED_LENGTH + 1] = 105;
        }),
        made("wrapped key of 16 bytes", "a DEK has 32 bytes, and this wrap is sound else", Wrap, |recipe| {
            recipe.wrapped.truncate(16);
        }),
        made("wrapped key of 33 bytes", "a DEK has 32 bytes, and this wrap is sound else", Wrap, |recipe| {
            recipe.wrapped.push(0);
        }),
        made(
            "payload of 16,385 bytes",
            "a payload has at most 16,384 bytes, though this one is sealed soundly",
            Decode("Length"),
            |recipe| recipe.payload = vec![b'x'; 16_385],
        ),
        edited("a byte appended", "ciphertext, tag and commitment shift", Payload, |bytes| bytes.push(0)),
        edited("an envelope twice", "there is one envelope, and nothing behind it", Payload, |bytes| {
            let again = bytes.clone();
            bytes.extend(again);
        }),
    ]
}

fn flips() -> Vec<Bad> {
    let mut all = Vec::new();
    for (level, at, what) in [(WRAP, Wrap, "wrap"), (PAYLOAD, Payload, "payload")] {
        for (field, place, why) in [
            ("nonce, first half", level.nonce, "this half goes into Kx and the commitment"),
            ("nonce, second half", level.ciphertext - 1, "this half goes to AES-GCM and the commitment"),
            ("ciphertext, first byte", level.ciphertext, "the tag covers it"),
            ("ciphertext, last byte", level.tag - 1, "the tag covers it"),
            ("tag, first byte", level.tag, "the whole tag is compared"),
            ("tag, last byte", level.commitment - 1, "the whole tag is compared"),
            ("commitment, first half, first byte", level.commitment, "the whole commitment is compared"),
            ("commitment, first half, last byte", level.commitment + 15, "the whole commitment is compared"),
            (
                "commitment, second half, first byte",
                level.commitment + 16,
                "the whole commitment is compared",
            ),
            ("commitment, second half, last byte", level.end - 1, "the whole commitment is compared"),
        ] {
            let name = format!("one bit of the {what}'s {field}");
            all.push(edited(&name, why, at, |bytes| bytes[place] ^= 1));
        }
    }
    all.push(edited("one bit of the KEK id", "the KEK at hand has another id", Kek, |bytes| {
        bytes[KEK_ID] ^= 1;
    }));
    all
}

fn swaps() -> Vec<Bad> {
    let exchange = |bytes: &mut Vec<u8>, one: usize, other: usize, length: usize| {
        (0..length).for_each(|at| bytes.swap(one + at, other + at));
    };
    let mut all = vec![
        edited("wrap and payload exchange their nonces", "each level has its own", Wrap, |bytes| {
            exchange(bytes, WRAP.nonce, PAYLOAD.nonce, 24);
        }),
        edited("wrap and payload exchange their tags", "each level has its own", Wrap, |bytes| {
            exchange(bytes, WRAP.tag, PAYLOAD.tag, 16);
        }),
        edited("wrap and payload exchange their commitments", "each level has its own", Wrap, |bytes| {
            exchange(bytes, WRAP.commitment, PAYLOAD.commitment, 32);
        }),
        edited("the payload has the wrap's commitment", "each level has its own", Payload, |bytes| {
            bytes.copy_within(WRAP.commitment..WRAP.end, PAYLOAD.commitment);
        }),
    ];
    for (level, at, what) in [(WRAP, Wrap, "wrap"), (PAYLOAD, Payload, "payload")] {
        let length = level.end - level.tag;
        all.push(edited(
            &format!("the {what}'s commitment before its tag"),
            "the tag comes first",
            at,
            |bytes| bytes[level.tag..level.tag + length].rotate_left(16),
        ));
        all.push(edited(
            &format!("the {what}'s commitment with its halves exchanged"),
            "counter 1 comes first",
            at,
            |bytes| exchange(bytes, level.commitment, level.commitment + 16, 16),
        ));
        all.push(edited(
            &format!("the {what}'s nonce with its halves exchanged"),
            "the first half goes into Kx",
            at,
            |bytes| exchange(bytes, level.nonce, level.nonce + 12, 12),
        ));
    }
    all
}

fn keys() -> Vec<Bad> {
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

fn contexts() -> Vec<Bad> {
    let vault_key = |vault: &str, purpose| Context::VaultKey { vault: made_up(vault), purpose };
    let fingerprint = vault_key("vault", VaultKeyPurpose::Fingerprint);
    let of_vault_key = |name, why, opened_with: &Context| {
        let kek = plain().kek().clone();
        let recipe = Recipe::new(&kek, &fingerprint.encoded(), made_up("vault key: fingerprint"), &[7; 32]);
        Bad { context: opened_with.clone(), ..edited(name, why, Wrap, |bytes| *bytes = recipe.envelope()) }
    };
    vec![
        with_facts("another vault", "the vault is bound", |facts| facts.vault = made_up("another vault")),
        with_facts("another tenant", "the tenant is bound", |facts| facts.tenant = "customer-18".into()),
        with_facts("a tenant in another case", "names are compared byte by byte", |facts| {
            facts.tenant = "Customer-17".into();
        }),
        with_facts("another connection", "the connection is bound", |facts| {
            facts.connection = "apify2".into();
        }),
        with_facts("tenant and connection exchanged", "each has its place", |facts| {
            (facts.tenant, facts.connection) = ("apify".into(), "customer-17".into());
        }),
        with_facts("a name that shifts into the next", "each field is led by its length", |facts| {
            (facts.tenant, facts.connection) = ("customer-17a".into(), "pify".into());
        }),
        with_facts("another incarnation", "the incarnation is bound", |facts| {
            facts.incarnation = made_up("another incarnation");
        }),
        with_facts("vault and incarnation exchanged", "each has its place", |facts| {
            (facts.vault, facts.incarnation) = (facts.incarnation, facts.vault);
        }),
        with_facts("another provider", "the provider is bound", |facts| facts.provider = "other".into()),
        with_facts("another host", "the origin is bound", |facts| {
            facts.origin = "https://api.apify.example".into();
        }),
        with_facts("another port", "the origin is bound, its port too", |facts| {
            facts.origin = "https://api.apify.com:8443".into();
        }),
        with_facts("the next secret version", "the secret version is bound", |facts| {
            facts.secret_version = 2;
        }),
        with_facts("secret version in the other byte order", "numbers are big-endian", |facts| {
            facts.secret_version = facts.secret_version.swap_bytes();
        }),
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
    ]
}

/// What a maker that read FORMAT.md carelessly, or none, would make.
fn other_makers() -> Vec<Bad> {
    let encoded = plain().context().encoded();
    let id = plain().kek().id.clone();
    let bare: Vec<u8> = facts().fields().concat();
    let little_endian: Vec<u8> = facts()
        .fields()
        .iter()
        .flat_map(|part| [&(part.len() as u16).to_le_bytes(), &part[..]].concat())
        .collect();
    let numbered = |aad: &[u8], label: usize, version: u8, suite: u8| {
        let mut aad = aad.to_vec();
        (aad[2 + label], aad[3 + label]) = (version, suite);
        aad
    };
    let mut all = Vec::new();

    let (right_payload, right_wrap) = (payload_aad(&encoded), wrap_aad(&id, &encoded));
    for (name, why, payload, wrap) in [
        (
            "KEK id in the payload's associated data",
            "it is left out, so that a rewrap leaves the payload alone",
            Some([&field(b"tokenkeep payload"), &[1, 1][..], &field(&id), &encoded].concat()),
            None,
        ),
        (
            "no KEK id in the wrap's associated data",
            "the wrap is bound to its KEK id",
            None,
            Some([&field(b"tokenkeep wrapped dek"), &[1, 1][..], &encoded].concat()),
        ),
        ("the wrap's label at the payload", "each level has its label", Some(right_wrap.clone()), None),
        ("the payload's label at the wrap", "each level has its label", None, Some(right_payload.clone())),
        ("no associated data at the payload", "each level is bound by itself", Some(Vec::new()), None),
        ("no associated data at the wrap", "each level is bound by itself", None, Some(Vec::new())),
        ("a context without lengths", "each field is led by its length", None, Some(wrap_aad(&id, &bare))),
        (
            "a context with little-endian lengths",
            "numbers are big-endian",
            None,
            Some(wrap_aad(&id, &little_endian)),
        ),
        (
            "sealed as version 2, and renamed",
            "the version is in both associated data",
            None,
            Some(numbered(&right_wrap, 21, 2, 1)),
        ),
        (
            "sealed as suite 2, and renamed",
            "the suite is in both associated data",
            None,
            Some(numbered(&right_wrap, 21, 1, 2)),
        ),
        (
            "payload sealed as version 2, and renamed",
            "the version is in both associated data",
            Some(numbered(&right_payload, 17, 2, 1)),
            None,
        ),
        (
            "payload sealed as suite 2, and renamed",
            "the suite is in both associated data",
            Some(numbered(&right_payload, 17, 1, 2)),
            None,
        ),
    ] {
        let at = if wrap.is_some() { Wrap } else { Payload };
        all.push(made(name, why, at, |recipe| {
            if let Some(aad) = payload {
                recipe.payload_aad = aad;
            }
            if let Some(aad) = wrap {
                recipe.wrap_aad = aad;
            }
        }));
    }

    let outputs: [(&str, &str, crate::format::Output); 7] = [
        ("without a commitment", "plain XAES-256-GCM, 32 bytes shorter", xaes),
        (
            "with a commitment to another key",
            "the tag fits; who skips the commitment takes it",
            |key, nonce, aad, plain| {
                [xaes(key, nonce, aad, plain), commitment(&made_up("another key"), nonce)].concat()
            },
        ),
        (
            "with a commitment to another nonce",
            "the tag fits; who skips the commitment takes it",
            |key, nonce, aad, plain| [xaes(key, nonce, aad, plain), commitment(key, &[0; 24])].concat(),
        ),
        (
            "with a commitment of zeros",
            "the tag fits; who skips the commitment takes it",
            |key, nonce, aad, plain| [xaes(key, nonce, aad, plain), vec![0; 32]].concat(),
        ),
        (
            "with AES-256-GCM in place of XAES",
            "the commitment fits, but the key was not derived",
            |key, nonce, aad, plain| [gcm(key, &nonce[12..], aad, plain), commitment(key, nonce)].concat(),
        ),
        (
            "with a tag of zeros",
            "the commitment fits; who skips the tag takes it",
            |key, nonce, aad, plain| {
                let mut output = kc_xaes(key, nonce, aad, plain);
                output[plain.len()..plain.len() + 16].fill(0);
                output
            },
        ),
        (
            "with its plaintext, not encrypted",
            "tag and commitment are those of the ciphertext",
            |key, nonce, aad, plain| [plain, &kc_xaes(key, nonce, aad, plain)[plain.len()..]].concat(),
        ),
    ];
    for (name, why, output) in outputs {
        all.push(made(&format!("payload {name}"), why, Payload, |recipe| recipe.seal_payload = output));
        all.push(made(&format!("wrap {name}"), why, Wrap, |recipe| recipe.seal_wrap = output));
    }
    all
}

impl Bad {
    /// The core refuses it where and as the vector says.
    fn check(&self) {
        let (kek, context) = (self.kek.of_the_core(), self.context.of_the_core());
        let refused = match Envelope::decode(self.envelope.clone()) {
            Err(error) => (format!("{error:?}"), "decode"),
            Ok(envelope) => match envelope.unwrap_request(&context).unwrap_with(&kek) {
                Err(error @ OpenError::OtherKek) => (format!("{error:?}"), "kek"),
                Err(error) => (format!("{error:?}"), "wrap"),
                Ok(dek) => match open_payload(&envelope, &dek, &context) {
                    Err(error) => (format!("{error:?}"), "payload"),
                    Ok(_) => panic!("{}: it opens", self.name),
                },
            },
        };
        assert_eq!((refused.0.as_str(), refused.1), self.expected(), "{}", self.name);
    }

    fn expected(&self) -> (&'static str, &'static str) {
        match self.at {
            Decode(error) => (error, "decode"),
            Kek => ("OtherKek", "kek"),
            Wrap => ("Rejected", "wrap"),
            Payload => ("Rejected", "payload"),
        }
    }

    pub(crate) fn json(&self) -> String {
        let (error, refused_at) = self.expected();
        let fields = [
            ("name", json::text(&self.name)),
            ("why", json::text(&self.why)),
            json::kek(&self.kek),
            json::context(&self.context),
            ("envelope", json::hex(&self.envelope)),
            ("error", json::text(error)),
            ("refused_at", json::text(refused_at)),
        ];
        json::object(&fields, 2)
    }
}
