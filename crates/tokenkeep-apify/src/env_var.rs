//! Environment variables of an Actor's version.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use tokenkeep_core::{Error, ErrorKind};
use zeroize::Zeroizing;

use crate::endpoint::Endpoint;
use crate::{ApifyClient, boundary, json};

/// The environment variables of one version of an Actor. Owned, cheap to clone; it asks nothing until it is told to.
///
/// It is an [`EnvTarget`](tokenkeep_core::EnvTarget), too: where a vault's sets of secret variables are sent to.
///
/// A change counts for the version's next build or run. Apify gives tokens with limited permissions no access to them.
#[derive(Debug, Clone)]
pub struct EnvVars {
    client: ApifyClient,
    actor: String,
    version: String,
}

impl EnvVars {
    pub(crate) fn new(client: ApifyClient, actor: String, version: String) -> Self {
        Self { client, actor, version }
    }

    pub(crate) fn client(&self) -> &ApifyClient {
        &self.client
    }

    pub(crate) fn actor(&self) -> &str {
        &self.actor
    }

    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// All of them (`GET /v2/actors/{actorId}/versions/{versionNumber}/env-vars`). Apify has no pages of them.
    ///
    /// Reads the class [`EnvVars`](crate::Class::EnvVars).
    ///
    /// # Errors
    /// As [the crate's table](crate#errors) says.
    pub async fn list(&self) -> Result<Vec<EnvVar>, Error> {
        let call = self.client.place(Endpoint::ENV_VARS, [&self.actor, &self.version]).call()?;
        Ok(self.client.send::<EnvVarList>(call).await?.items)
    }

    /// One of them.
    ///
    /// Reads the class [`EnvVars`](crate::Class::EnvVars).
    ///
    /// # Errors
    /// As [the crate's table](crate#errors) says.
    pub async fn get(&self, name: &str) -> Result<EnvVar, Error> {
        let call = self.client.place(Endpoint::ENV_VAR, [&self.actor, &self.version, name]).call()?;
        self.client.send(call).await
    }

    /// Makes a new one, and gives it as Apify has it then.
    ///
    /// Writes the class [`EnvVars`](crate::Class::EnvVars). What may have made it is not sent again by any layer here.
    ///
    /// # Errors
    /// As [the crate's table](crate#errors) says; `AlreadyExists` where there is one of that name. `Misuse` for a name of other
    /// characters than letters, digits and underscores; nothing was sent.
    pub async fn create(&self, variable: &NewEnvVar) -> Result<EnvVar, Error> {
        variable.check_name()?;
        let call = self.client.place(Endpoint::ENV_VAR_CREATE, [&self.actor, &self.version]).call()?;
        self.client.send(call.json(variable.body()?)).await
    }

    /// Gives the one of this name another value, and gives it as Apify has it then.
    ///
    /// Writes the class [`EnvVars`](crate::Class::EnvVars).
    ///
    /// # Errors
    /// As [the crate's table](crate#errors) says; `NotFound` where there is none of that name. `Misuse` as [`create`](Self::create).
    pub async fn update(&self, variable: &NewEnvVar) -> Result<EnvVar, Error> {
        variable.check_name()?;
        let ids = [&self.actor, &self.version, variable.name.as_str()];
        let call = self.client.place(Endpoint::ENV_VAR_UPDATE, ids).call()?;
        self.client.send(call.json(variable.body()?)).await
    }

    /// Deletes one.
    ///
    /// Writes the class [`EnvVars`](crate::Class::EnvVars).
    ///
    /// # Errors
    /// As [the crate's table](crate#errors) says. `NotFound` also where a first attempt deleted it and its answer was lost.
    pub async fn delete(&self, name: &str) -> Result<(), Error> {
        let call = self.client.place(Endpoint::ENV_VAR_DELETE, [&self.actor, &self.version, name]).call()?;
        call.credential(self.client.credential()).send().await.map(drop)
    }
}

#[derive(Deserialize)]
struct EnvVarList {
    items: Vec<EnvVar>,
}

/// An environment variable, as Apify gives it.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EnvVar {
    /// Its name.
    pub name: String,
    /// Whether Apify keeps its value secret, and strikes it out of logs.
    pub is_secret: bool,
    /// Its value; `None` of a secret one, which Apify never gives and which is not taken from it if it does.
    pub value: Option<EnvVarValue>,
}

impl<'de> Deserialize<'de> for EnvVar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Given {
            name: String,
            is_secret: Option<bool>,
            value: Option<EnvVarValue>,
        }
        let Given { name, is_secret, value } = Given::deserialize(deserializer)?;
        let is_secret = is_secret.unwrap_or(false);
        Ok(Self { name, is_secret, value: value.filter(|_| !is_secret) })
    }
}

/// An environment variable to be sent: its name of letters, digits and underscores, its value, and whether it is secret.
#[derive(Debug)]
pub struct NewEnvVar {
    name: String,
    value: EnvVarValue,
    is_secret: bool,
}

impl NewEnvVar {
    /// One whose value nobody can read any more, here or at Apify, but the Actor itself.
    pub fn secret(name: impl Into<String>, value: impl Into<EnvVarValue>) -> Self {
        Self { name: name.into(), value: value.into(), is_secret: true }
    }

    /// One whose value everybody can read who may read the Actor's source code.
    pub fn plain(name: impl Into<String>, value: impl Into<EnvVarValue>) -> Self {
        Self { name: name.into(), value: value.into(), is_secret: false }
    }

    /// What could be made under another name could be reached by no call: a boundary lets no other name into a path.
    fn check_name(&self) -> Result<(), Error> {
        match boundary::is_env_var_name(&self.name) {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::Misuse).because(
                "the name of an environment variable is of letters, digits and underscores, 256 at most",
            )),
        }
    }

    /// In one block that wipes itself.
    fn body(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Sent<'a> {
            name: &'a str,
            value: &'a str,
            is_secret: bool,
        }
        json::body(&Sent { name: &self.name, value: self.value.expose_secret(), is_secret: self.is_secret })
    }
}

/// The value of an environment variable: wiped when it is dropped, shown by nothing, copied by nothing.
///
/// Of a value that was read, a copy may be left where JSON with escapes was unescaped.
#[derive(PartialEq, Eq)]
pub struct EnvVarValue(Zeroizing<String>);

impl EnvVarValue {
    /// The value itself.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.0
    }
}

/// Takes the text as it is, without a copy.
impl From<String> for EnvVarValue {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<Zeroizing<String>> for EnvVarValue {
    fn from(text: Zeroizing<String>) -> Self {
        Self(text)
    }
}

impl<'de> Deserialize<'de> for EnvVarValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

impl fmt::Debug for EnvVarValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnvVarValue")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_value_is_never_taken() {
        let read = |json: &str| serde_json::from_str::<EnvVar>(json).unwrap();
        let value = |variable: &EnvVar| variable.value.as_ref().map(|it| it.expose_secret().to_owned());
        for (json, secret, expected) in [
            (r#"{"name": "A", "value": "open", "isSecret": false}"#, false, Some("open")),
            (r#"{"name": "A", "value": "open", "isSecret": null}"#, false, Some("open")),
            (r#"{"name": "A", "value": "open"}"#, false, Some("open")),
            (r#"{"name": "A", "isSecret": true}"#, true, None),
            (r#"{"name": "A", "isSecret": true, "value": "s3cret"}"#, true, None),
            (r#"{"value": "s3cret", "isSecret": true, "name": "A", "new": {}}"#, true, None),
        ] {
            let variable = read(json);
            assert_eq!((variable.is_secret, value(&variable).as_deref()), (secret, expected), "{json}");
        }
    }

    #[test]
    fn a_value_is_sent_whole_and_shown_by_nothing() {
        let variable = NewEnvVar::secret("MY_KEY", "s3cret \"ž\n".to_owned());
        let body = variable.body().unwrap();
        assert_eq!(
            std::str::from_utf8(&body).unwrap(),
            r#"{"name":"MY_KEY","value":"s3cret \"ž\n","isSecret":true}"#
        );
        assert_eq!(body.len(), body.capacity());
        let shown = format!("{variable:?}");
        assert!(shown.contains("MY_KEY") && !shown.contains("s3cret"), "{shown}");
        assert!(!NewEnvVar::plain("A", String::new()).is_secret);
    }
}
