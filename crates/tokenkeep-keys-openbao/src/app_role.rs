//! The ids of an AppRole, and the secret one taken out of its wrapping.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokenkeep_core::{ApiToken, Error};
use tokenkeep_https::Method;
use zeroize::Zeroizing;

use crate::client::{Client, Reply};
use crate::session::Session;
use crate::{OpenBaoFailure, OpenBaoKeys};

/// The ids of an AppRole: a way in that gets a new token by itself.
///
/// The ids wipe themselves and are shown nowhere. Bind the secret id to the application's hosts at the service, and let it live and
/// be used as long as the process: it is needed again when a token can't be renewed any more.
pub struct AppRole {
    mount: String,
    role_id: ApiToken,
    secret: Secret,
}

enum Secret {
    Id(Arc<ApiToken>),
    Wrapped(Arc<ApiToken>),
}

impl AppRole {
    /// The ids, for the auth method at `auth/approle`.
    #[must_use]
    pub fn new(role_id: ApiToken, secret_id: ApiToken) -> Self {
        Self { mount: "approle".into(), role_id, secret: Secret::Id(Arc::new(secret_id)) }
    }

    /// The same with a response-wrapping token that the secret id is behind (`bao write -wrap-ttl=60s -f
    /// auth/approle/role/NAME/secret-id`), so that it passes through nobody's hands. It is good for one time:
    /// [`build_unwrapping`](crate::OpenBaoBuilder::build_unwrapping) uses it, and the secret id is in this process alone.
    #[must_use]
    pub fn wrapped(role_id: ApiToken, wrapping_token: ApiToken) -> Self {
        Self { mount: "approle".into(), role_id, secret: Secret::Wrapped(Arc::new(wrapping_token)) }
    }

    /// The same for the auth method at this path below `auth/`.
    #[must_use]
    pub fn mount(mut self, mount: &str) -> Self {
        mount.clone_into(&mut self.mount);
        self
    }
}

impl AppRole {
    pub(crate) fn mount_path(&self) -> &str {
        &self.mount
    }

    pub(crate) fn is_wrapped(&self) -> bool {
        matches!(self.secret, Secret::Wrapped(_))
    }

    /// As it was given; `None` while it is wrapped.
    pub(crate) fn secret_id(&self) -> Option<Arc<ApiToken>> {
        match &self.secret {
            Secret::Id(secret_id) => Some(Arc::clone(secret_id)),
            Secret::Wrapped(_) => None,
        }
    }

    pub(crate) async fn log_in(
        &self,
        client: &Client,
        secret_id: &ApiToken,
    ) -> Result<Reply, OpenBaoFailure> {
        let (role, secret) = (self.role_id.expose_secret(), secret_id.expose_secret());
        // Every character escaped would be six; a block that grows leaves its old self behind.
        let mut body = Zeroizing::new(Vec::with_capacity(64 + 6 * (role.len() + secret.len())));
        serde_json::to_writer(&mut *body, &Ids { role_id: role, secret_id: secret })
            .map_err(|_| OpenBaoFailure::Misuse("the ids of an AppRole can't be sent"))?;
        let mut path = vec!["auth"];
        path.extend(self.mount.split('/'));
        path.push("login");
        match client.send(&Method::POST, &path, Some(&body), None).await {
            Ok(reply) if reply.is_done() => Ok(reply),
            Ok(_) | Err(OpenBaoFailure::Forbidden) => Err(OpenBaoFailure::LoginRefused),
            Err(failure) => Err(failure),
        }
    }

    /// The secret id behind the wrapping token, which is used up by it; `None` where it is in none.
    pub(crate) async fn unwrapped(&self, client: &Client) -> Result<Option<ApiToken>, OpenBaoFailure> {
        let Secret::Wrapped(token) = &self.secret else { return Ok(None) };
        self.look_at_wrapping(client, token).await?;
        let session = Session::lasting(&client.transport().spec().origin, Arc::clone(token));
        let sent = client.send(&Method::POST, UNWRAP, None, Some(&session)).await;
        let reply = good_for_once(sent)?;
        let answer: Unwrapped<'_> =
            serde_json::from_slice(reply.body()).map_err(|_| OpenBaoFailure::Garbage)?;
        ApiToken::new(answer.data.secret_id.to_owned()).map(Some).map_err(|_| OpenBaoFailure::Garbage)
    }

    /// What was wrapped must be the answer of this auth method itself. Who unwraps a secret id and wraps it again, so that nobody
    /// notices, can do so from another path alone.
    async fn look_at_wrapping(&self, client: &Client, token: &ApiToken) -> Result<(), OpenBaoFailure> {
        let mut body = Zeroizing::new(Vec::with_capacity(16 + 6 * token.expose_secret().len()));
        serde_json::to_writer(&mut *body, &Token { token: token.expose_secret() })
            .map_err(|_| OpenBaoFailure::Misuse("the wrapping token can't be sent"))?;
        let sent = client.send(&Method::POST, LOOKUP, Some(&body), None).await;
        let looked: Looked = good_for_once(sent)?.data()?;
        let role = looked
            .creation_path
            .strip_prefix("auth/")
            .and_then(|path| path.strip_prefix(self.mount.as_str()))
            .and_then(|path| path.strip_prefix("/role/"))
            .and_then(|path| path.strip_suffix("/secret-id"));
        match role {
            Some(name) if !name.is_empty() && !name.contains('/') => Ok(()),
            _ => Err(OpenBaoFailure::WrapsSomethingElse),
        }
    }
}

const LOOKUP: &[&str] = &["sys", "wrapping", "lookup"];
const UNWRAP: &[&str] = &["sys", "wrapping", "unwrap"];

fn good_for_once(sent: Result<Reply, OpenBaoFailure>) -> Result<Reply, OpenBaoFailure> {
    match sent {
        Ok(reply) if reply.is_done() => Ok(reply),
        Ok(_) | Err(OpenBaoFailure::Forbidden) => Err(OpenBaoFailure::WrappingTokenSpent),
        Err(failure) => Err(failure),
    }
}

pub(crate) const STILL_WRAPPED: OpenBaoFailure =
    OpenBaoFailure::Misuse("the secret id is still wrapped: build with build_unwrapping");

impl OpenBaoKeys {
    /// Logs in with this secret id from now on, after the one before ended or before it does, and without waiting out the pause after a
    /// login that was refused. A token that holds goes on.
    ///
    /// # Errors
    /// `Misuse` without an AppRole.
    pub fn set_secret_id(&self, secret_id: ApiToken) -> Result<(), Error> {
        match self.inner.client.login().set_secret_id(secret_id) {
            true => Ok(()),
            false => Err(OpenBaoFailure::Misuse("without an AppRole there is no secret id").into()),
        }
    }
}

impl fmt::Debug for AppRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppRole").field("mount", &self.mount).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Ids<'a> {
    role_id: &'a str,
    secret_id: &'a str,
}

#[derive(Serialize)]
struct Token<'a> {
    token: &'a str,
}

#[derive(Deserialize)]
struct Looked {
    creation_path: String,
}

#[derive(Deserialize)]
struct Unwrapped<'a> {
    #[serde(borrow)]
    data: SecretId<'a>,
}

#[derive(Deserialize)]
struct SecretId<'a> {
    secret_id: &'a str,
}
