//! What the tests say of sets.

use tokenkeep::{ConnectionId, EnvChange, ErrorKind, SecretEnv, SecretVars, TokenStore};
use tokenkeep_store::Record;

pub(crate) fn vars(pairs: &[(&str, &str)]) -> SecretVars {
    let mut vars = SecretVars::new();
    pairs.iter().for_each(|(name, value)| vars.set(name, (*value).to_owned()).unwrap());
    vars
}

pub(crate) fn change(set: &[(&str, &str)], removed: &[&str]) -> EnvChange {
    let mut change = EnvChange::from(vars(set));
    removed.iter().for_each(|name| change.remove(*name).unwrap());
    change
}

pub(crate) fn pairs(vars: &SecretVars) -> Vec<(String, String)> {
    vars.names().map(|name| (name.to_owned(), vars.expose_secret(name).unwrap().to_owned())).collect()
}

/// What opening gives: `A=1 B=2`.
pub(crate) async fn opened(env: &SecretEnv) -> Result<String, ErrorKind> {
    let vars = env.open().await.map_err(|error| error.kind())?;
    Ok(pairs(&vars).iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" "))
}

/// What listing gives: `A@1 B@2`, with the version in which each changed.
pub(crate) async fn named(env: &SecretEnv) -> Result<String, ErrorKind> {
    let names = env.names().await.map_err(|error| error.kind())?;
    Ok(names.iter().map(|var| format!("{}@{}", var.name, var.changed_in)).collect::<Vec<_>>().join(" "))
}

/// The records of a tenant's set: values and index.
pub(crate) async fn records(store: &dyn TokenStore, tenant: &str, name: &str) -> [Record; 2] {
    let record = async |part: &str| {
        let id = ConnectionId::new(tenant, format!("{part}{name}")).unwrap();
        store.record(&id).await.unwrap().unwrap()
    };
    [record("~env/").await, record("~env-index/").await]
}
