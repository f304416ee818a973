//! A server for all tests, and what each has of its own in it.

use std::sync::OnceLock;
use std::time::Duration;

use serde_json::json;
use tokenkeep_core::{
    ApiToken, ConnectionId, Dek, EncryptionContext, Envelope, Error, ErrorKind, Incarnation, KekId, Origin,
    PayloadKind, SealDraft, SecretVersion, TokenFacts, VaultId, VaultKeyPurpose, WrapRequest, WrappedDek,
    fill_random,
};
use tokenkeep_keys::KeyProvider;
use tokenkeep_keys_openbao::{OpenBaoBuilder, OpenBaoFailure, OpenBaoKeys};
use tokenkeep_testkit::ThrowawayOpenBao;

pub(crate) const APPLICATION: &str = include_str!("../../policies/application.hcl");
pub(crate) const EPOCHS: &str = include_str!("../../policies/epochs.hcl");
pub(crate) const OPERATOR: &str = include_str!("../../policies/operator.hcl");

/// For whoever neither seals nor kills it.
pub(crate) fn shared() -> &'static ThrowawayOpenBao {
    static SERVER: OnceLock<ThrowawayOpenBao> = OnceLock::new();
    SERVER.get_or_init(|| ThrowawayOpenBao::start().unwrap())
}

/// A transit key of the test's own.
pub(crate) struct Place {
    pub(crate) server: &'static ThrowawayOpenBao,
    pub(crate) key: String,
}

impl Place {
    /// A key as it must be.
    pub(crate) fn new() -> Self {
        let place = Self::without_key();
        place.server.write(&place.path(), &json!({ "type": "aes256-gcm96", "derived": true })).unwrap();
        place
    }

    pub(crate) fn without_key() -> Self {
        let server = shared();
        Self { server, key: server.fresh_name("key") }
    }

    pub(crate) fn path(&self) -> String {
        format!("transit/keys/{}", self.key)
    }

    pub(crate) fn builder(&self) -> OpenBaoBuilder {
        builder(self.server, &self.key)
    }

    /// With the policies of an application that keeps epochs.
    pub(crate) fn keys(&self) -> OpenBaoKeys {
        let token = self.token(&[APPLICATION, EPOCHS], "1h");
        self.builder().own_keys().token(token).build().unwrap()
    }

    /// With the operator's policy.
    pub(crate) fn operator(&self) -> OpenBaoKeys {
        self.builder().own_keys().token(self.token(&[OPERATOR], "1h")).build().unwrap()
    }

    /// So many versions, oldest first; this provider knows them.
    pub(crate) async fn versions(&self, keys: &OpenBaoKeys, count: usize) -> Vec<KekId> {
        let mut ids = vec![*Sample::new().wrap(keys).await.unwrap().kek()];
        while ids.len() < count {
            ids.push(self.operator().rotate().await.unwrap());
        }
        keys.keks().await.unwrap();
        ids
    }

    /// A token with the policies as they are published, but for this key.
    pub(crate) fn token(&self, policies: &[&str], ttl: &str) -> ApiToken {
        let names: Vec<String> = policies.iter().map(|policy| self.policy(policy)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        token(&self.server.token(&names, ttl).unwrap())
    }

    /// The policy's name.
    pub(crate) fn policy(&self, hcl: &str) -> String {
        let name = self.server.fresh_name("policy");
        self.server.put_policy(&name, &self.hcl(hcl)).unwrap();
        name
    }

    pub(crate) fn hcl(&self, published: &str) -> String {
        let mine = published
            .replace("s/tokenkeep", &format!("s/{}", self.key))
            .replace("crypt/tokenkeep", &format!("crypt/{}", self.key));
        assert!(!mine.contains("/tokenkeep"), "a path was overlooked");
        mine
    }
}

/// Where the service keeps a key that was made to be destroyed alone.
pub(crate) fn own_path(place: &Place, id: &KekId) -> String {
    let hex: String = id.as_bytes()[9..].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-epoch-{hex}", place.path())
}

pub(crate) fn builder(server: &ThrowawayOpenBao, key: &str) -> OpenBaoBuilder {
    let origin = Origin::parse(&server.origin()).unwrap();
    let builder = OpenBaoKeys::builder(origin, key).ca_pem(server.ca_pem()).unwrap();
    builder.timeout(Duration::from_secs(20))
}

pub(crate) fn token(text: &str) -> ApiToken {
    ApiToken::new(text.to_owned()).unwrap()
}

/// A DEK and its context.
pub(crate) struct Sample {
    pub(crate) dek: Dek,
    pub(crate) context: EncryptionContext,
}

impl Sample {
    pub(crate) fn new() -> Self {
        let mut bytes = [0; 32];
        fill_random(&mut bytes).unwrap();
        let vault = VaultId::random().unwrap();
        let context = EncryptionContext::for_vault_key(vault, VaultKeyPurpose::AuditMac);
        Self { dek: Dek::from_bytes(&bytes), context }
    }

    /// A token's, not a vault's own key: what epochs are for.
    pub(crate) fn of_a_token() -> Self {
        let context = EncryptionContext::for_token(&TokenFacts {
            vault: VaultId::random().unwrap(),
            connection: ConnectionId::new("customer-number-17", "main-account").unwrap(),
            incarnation: Incarnation::random().unwrap(),
            provider: "apify".parse().unwrap(),
            origin: Origin::parse("https://api.apify.com").unwrap(),
            kind: PayloadKind::ApiToken,
            secret_version: SecretVersion::FIRST,
        });
        Self { context, ..Self::new() }
    }

    pub(crate) fn request(&self) -> WrapRequest<'_> {
        WrapRequest::for_rewrap(&self.dek, &self.context).unwrap()
    }

    pub(crate) async fn wrap(&self, keys: &dyn KeyProvider) -> Result<WrappedDek, Error> {
        keys.wrap_dek(&self.request()).await
    }

    /// Whether it opens to the same DEK; never to another.
    pub(crate) async fn unwrap(&self, keys: &dyn KeyProvider, wrapped: &WrappedDek) -> Result<(), Error> {
        let dek = keys.unwrap_dek(&envelope(wrapped).unwrap_request(&self.context)).await?;
        assert_eq!(dek.expose_secret(), self.dek.expose_secret(), "another DEK");
        Ok(())
    }
}

pub(crate) fn envelope(wrapped: &WrappedDek) -> Envelope {
    SealDraft::new(&Sample::new().context).unwrap().finish(&[], wrapped).unwrap()
}

/// Kind and failure, as text without a failure's own source.
#[track_caller]
pub(crate) fn fails<T>(result: Result<T, Error>, kind: ErrorKind, failure: &str) -> Error {
    let error = result.err().expect("it must fail");
    let found = format!("{:?}", OpenBaoFailure::of(&error).expect("a failure of the key service"));
    let name = found.split(['(', ' ']).next().unwrap();
    assert_eq!((error.kind(), name), (kind, failure), "{}", error.report());
    error
}

pub(crate) fn under(kek: &KekId, wrapped: &WrappedDek) -> WrappedDek {
    WrappedDek::from_service(*kek, wrapped.as_bytes().to_vec()).unwrap()
}
