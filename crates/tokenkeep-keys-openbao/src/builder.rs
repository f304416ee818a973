//! How a provider is set up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokenkeep_core::{ApiToken, Error, Origin, ProviderSpec};
use tokenkeep_https::{Retries, Transport, TransportBuilder};

use crate::OpenBaoFailure;
use crate::app_role::{AppRole, STILL_WRAPPED};
use crate::client::Client;
use crate::ids::Place;
use crate::keys::{Inner, OpenBaoKeys};
use crate::login::Login;
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
    timeout: Duration,
}

enum Way {
    Token(ApiToken),
    AppRole(AppRole),
}

impl OpenBaoBuilder {
    pub(crate) fn new(origin: Origin, key: &str) -> Self {
        let name = "openbao".parse().expect("it is a provider's name");
        let spec = ProviderSpec::new(name, origin).with_header("x-vault-token", "");
        Self {
            transport: Transport::builder(spec)
                .timeout(TIMEOUT)
                .connect_timeout(TIMEOUT)
                .max_body(MAX_BODY)
                // What is to be tried again is told by what the service says, above the transport.
                .retries(Retries::none()),
            key: key.to_owned(),
            service: String::new(),
            mount: "transit".to_owned(),
            namespace: None,
            way: None,
            own_keys: false,
            timeout: TIMEOUT,
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
        self.way = Some(Way::Token(token));
        self
    }

    /// Gets in with these ids, and again whenever a token has come to its end.
    pub fn app_role(mut self, role: AppRole) -> Self {
        self.way = Some(Way::AppRole(role));
        self
    }

    /// Trusts the authorities in this text **and no others**, certificates in PEM, as `BAO_CACERT` does: a key service's is private
    /// more often than not, and no public authority is to vouch for it then. May be given more than once. Without any, the public
    /// roots count. A new authority takes a new provider: give the old and the new one while a certificate is changed.
    ///
    /// # Errors
    /// `Misuse` when there is none, or one that can't be read.
    pub fn ca_pem(mut self, pem: &str) -> Result<Self, Error> {
        self.transport = self.transport.extra_roots_pem(pem)?.without_public_roots();
        Ok(self)
    }

    /// As [`ca_pem`](Self::ca_pem), for one certificate in DER.
    pub fn ca_der(mut self, der: &[u8]) -> Self {
        self.transport = self.transport.extra_root_der(der).without_public_roots();
        self
    }

    /// How long one request to the service may take; 5 s unless given.
    ///
    /// A call makes one request more often than not. It may have to log in, to look at the key, to find out why it was refused, or to wait for
    /// another one that does; with all that, wrapping or unwrapping takes **four times as long at most** for each hundred of a batch, and then is
    /// `TimedOut`. What an operator does, and [`keks`](tokenkeep_keys::KeyProvider::keks), takes that for each of the questions that it
    /// asks one after the other.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self.transport = self.transport.timeout(limit).connect_timeout(limit);
        self
    }

    /// When a connection that calls wait on is asked for a sign of life, and how soon it must give one: see
    /// [`TransportBuilder::ping`]. A third of the [`timeout`](Self::timeout) each unless given, and never more. So a node that hangs
    /// while its host goes on acknowledging is left for another one behind the same origin.
    pub fn ping(mut self, after: Duration, within: Duration) -> Self {
        self.transport = self.transport.ping(after, within);
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
        let inner = self.assembled()?;
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
        let login = match way {
            Way::Token(token) => Login::with_token(token),
            Way::AppRole(role) => Login::with_app_role(role),
        };
        Ok(Inner {
            place: Place::new(&self.service, namespace.unwrap_or_default(), &self.mount, &self.key),
            own: self.own_keys.then(|| OwnKeys::behind(&self.key)),
            client: Client::new(self.transport.build()?, namespace, login, self.timeout),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_of_ones_own_leaves_the_public_ones_out() {
        let builder = || OpenBaoBuilder::new(Origin::parse("https://bao.example").unwrap(), "key");
        let public =
            |builder: &OpenBaoBuilder| format!("{:?}", builder.transport).contains("public_roots: true");
        assert!(public(&builder()));
        assert!(!public(&builder().ca_der(&[1])));
        let pem = "-----BEGIN CERTIFICATE-----\nAQ==\n-----END CERTIFICATE-----\n";
        assert!(!public(&builder().ca_pem(pem).unwrap()));
    }
}
