//! How a provider is set up.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokenkeep_core::{ApiToken, Error, Origin, ProviderSpec};
use tokenkeep_https::{Transport, TransportBuilder};

use crate::OpenBaoFailure;
use crate::app_role::{AppRole, STILL_WRAPPED};
use crate::client::Client;
use crate::ids::Place;
use crate::keys::{Inner, OpenBaoKeys};
use crate::login::{Login, Way};
use crate::own::OwnKeys;
use crate::transit_key::Watched;

/// Someone waits for each of these calls.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The answer to a full batch has some 100 KiB.
const MAX_BODY: usize = 1024 * 1024;

/// Settings of an [`OpenBaoKeys`].
///
/// Service name, namespace, mount and key name are part of every KEK id: under another one the same key is not known, so an engine that
/// was moved must be moved back, or its wraps rewrapped before.
#[must_use = "a provider comes of build"]
pub struct OpenBaoBuilder {
    transport: TransportBuilder,
    key: String,
    service: String,
    mount: String,
    namespace: Option<String>,
    way: Option<Way>,
    own_keys: bool,
}

impl OpenBaoBuilder {
    pub(crate) fn new(origin: Origin, key: &str) -> Self {
        let name = "openbao".parse().expect("it is a provider's name");
        let spec = ProviderSpec::new(name, origin).with_header("x-vault-token", "");
        Self {
            transport: Transport::builder(spec).timeout(TIMEOUT).connect_timeout(TIMEOUT).max_body(MAX_BODY),
            key: key.to_owned(),
            service: String::new(),
            mount: "transit".to_owned(),
            namespace: None,
            way: None,
            own_keys: false,
        }
    }

    /// A name of the service's own, `production` or `staging`; none unless given. Where there is more than one service, it tells their keys
    /// apart: without it, a version that is trimmed at one of them counts here as that of the same number and key name at another one.
    /// A replica of the same keys, or the same service at another address, has the same name. All who use the key give the same one,
    /// the operator too.
    pub fn service(mut self, name: &str) -> Self {
        name.clone_into(&mut self.service);
        self
    }

    /// The path that the transit engine is mounted at; `transit` unless given.
    pub fn mount(mut self, path: &str) -> Self {
        path.clone_into(&mut self.mount);
        self
    }

    /// The namespace of engine and login, `team` or `team/app`.
    pub fn namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// Gets in with this token. It is renewed as long as the service allows; then it takes [`OpenBaoKeys::set_token`].
    pub fn token(mut self, token: ApiToken) -> Self {
        self.way = Some(Way::Token(Mutex::new(Arc::new(token))));
        self
    }

    /// Gets in with these ids, and again whenever a token has come to its end.
    pub fn app_role(mut self, role: AppRole) -> Self {
        self.way = Some(Way::AppRole(role));
        self
    }

    /// Trusts the authorities in this text too, certificates in PEM: a key service's is private more often than not.
    ///
    /// # Errors
    /// `Misuse` when there is none, or one that can't be read.
    pub fn ca_pem(mut self, pem: &str) -> Result<Self, Error> {
        self.transport = self.transport.extra_roots_pem(pem)?;
        Ok(self)
    }

    /// Trusts this authority too, a certificate in DER.
    pub fn ca_der(mut self, der: &[u8]) -> Self {
        self.transport = self.transport.extra_root_der(der);
        self
    }

    /// How long one request to the service may take; 5 s unless given. A call that finds a login due makes two or three.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.transport = self.transport.timeout(limit).connect_timeout(limit);
        self
    }

    /// Lets it make keys that can be destroyed alone ([`DestroyableKeys`](tokenkeep_keys::DestroyableKeys)), named like the key with
    /// `-epoch-` and 32 digits behind it, and list them. Needs more of the policy.
    pub fn own_keys(mut self) -> Self {
        self.own_keys = true;
        self
    }

    /// The provider. Opens no connection: whether everything fits shows with the first call.
    ///
    /// # Errors
    /// `Misuse` without token or AppRole, for a secret id that is still wrapped, or for a mount, namespace or key name that can't be
    /// one.
    pub fn build(self) -> Result<OpenBaoKeys, Error> {
        match &self.way {
            Some(Way::AppRole(role)) if role.is_wrapped() => Err(STILL_WRAPPED.into()),
            _ => Ok(OpenBaoKeys { inner: Arc::new(self.assembled()?) }),
        }
    }

    /// The provider, with the secret id of [`AppRole::wrapped`] taken out of its wrapping: once, at the start of a process.
    ///
    /// # Errors
    /// `KeysForbidden` with [`OpenBaoFailure::WrappingTokenSpent`], and then **somebody else may have the secret id**: destroy it by its
    /// accessor, read the service's audit log, and wrap a new one; or with [`OpenBaoFailure::WrapsSomethingElse`], for a token that
    /// this AppRole did not wrap. Otherwise as [`build`](Self::build) and at [`KeyProvider`](tokenkeep_keys::KeyProvider). After a time-out
    /// the token may be spent.
    ///
    /// # Cancellation
    /// A call that is dropped may have used the wrapping token up; then another one is needed.
    pub async fn build_unwrapping(self) -> Result<OpenBaoKeys, Error> {
        let mut inner = self.assembled()?;
        inner.client.unwrap_secret_id().await?;
        Ok(OpenBaoKeys { inner: Arc::new(inner) })
    }

    fn assembled(self) -> Result<Inner, Error> {
        let way = self.way.ok_or(OpenBaoFailure::Misuse("a way in is missing: a token or an AppRole"))?;
        let mount_of_role = match &way {
            Way::AppRole(role) => role.mount_path(),
            Way::Token(_) => "token",
        };
        let namespace = self.namespace.as_deref().map(|namespace| namespace.trim_matches('/'));
        let good = is_path(&self.mount)
            && is_path(mount_of_role)
            && namespace.is_none_or(is_path)
            && is_path(&self.key)
            && !self.key.contains('/');
        if !good {
            return Err(OpenBaoFailure::Misuse(
                "mount, namespace and key name have letters, digits and -_. alone, and a path no slash at its ends",
            )
            .into());
        }
        let namespace = namespace.map(str::to_owned);
        Ok(Inner {
            place: Place::new(
                &self.service,
                namespace.as_deref().unwrap_or_default(),
                &self.mount,
                &self.key,
            ),
            own: self.own_keys.then(|| OwnKeys::behind(&self.key)),
            client: Client::new(self.transport.build()?, namespace, Login::new(way)),
            mount: self.mount,
            key: self.key,
            watched: Watched::default(),
        })
    }
}

/// Segments of letters, digits and `-_.`, none of them empty or made of dots.
fn is_path(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    text.split('/').all(|segment| {
        !segment.is_empty() && segment.bytes().all(plain) && segment.bytes().any(|byte| byte != b'.')
    })
}

impl fmt::Debug for OpenBaoBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenBaoBuilder")
            .field("key", &self.key)
            .field("service", &self.service)
            .field("mount", &self.mount)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}
