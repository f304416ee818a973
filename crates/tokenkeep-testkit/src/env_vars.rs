//! Environment variables of Actors' versions at the stand-in.

use crate::answers::{self, Body};
use crate::routes::missing;
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

/// One of them.
pub(crate) struct EnvVar {
    name: String,
    value: String,
    is_secret: bool,
}

impl EnvVar {
    /// Out of the body of a request.
    fn read(body: &[u8]) -> Result<Self, Box<Response<Body>>> {
        let read = || {
            let sent: Value = serde_json::from_slice(body).ok()?;
            Some(Self {
                name: sent["name"].as_str()?.to_owned(),
                value: sent["value"].as_str()?.to_owned(),
                is_secret: sent["isSecret"].as_bool().unwrap_or(false),
            })
        };
        read().ok_or_else(|| refused("invalid-input", "The request body contains invalid data."))
    }

    /// As Apify shows it: the value of a secret one never.
    fn shown(&self) -> Value {
        match self.is_secret {
            true => json!({ "name": self.name, "isSecret": true }),
            false => json!({ "name": self.name, "value": self.value, "isSecret": false }),
        }
    }
}

/// What is asked of all of a version's.
pub(crate) fn all(
    variables: &mut Vec<EnvVar>,
    method: &str,
    body: &[u8],
) -> Result<Response<Body>, Box<Response<Body>>> {
    if method != "POST" {
        let items: Vec<Value> = variables.iter().map(EnvVar::shown).collect();
        return Ok(answers::ok(&json!({ "data": { "total": items.len(), "items": items } })));
    }
    let new = EnvVar::read(body)?;
    if variables.iter().any(|variable| variable.name == new.name) {
        return Err(refused("env-var-already-exists", "There is one of that name."));
    }
    let mut answer = answers::ok(&json!({ "data": new.shown() }));
    *answer.status_mut() = StatusCode::CREATED;
    variables.push(new);
    Ok(answer)
}

/// What is asked of one.
pub(crate) fn one(
    variables: &mut Vec<EnvVar>,
    method: &str,
    name: &str,
    body: &[u8],
) -> Result<Response<Body>, Box<Response<Body>>> {
    let at = variables.iter().position(|variable| variable.name == name).ok_or_else(missing)?;
    match method {
        "DELETE" => {
            variables.remove(at);
            return Ok(answers::no_content());
        }
        "PUT" => {
            let new = EnvVar::read(body)?;
            if new.name != name {
                return Err(refused("cannot-rename-env-var", "A name can't be changed."));
            }
            variables[at] = new;
        }
        _ => {}
    }
    Ok(answers::ok(&json!({ "data": variables[at].shown() })))
}

fn refused(error_type: &str, message: &str) -> Box<Response<Body>> {
    Box::new(answers::error(StatusCode::BAD_REQUEST, error_type, message))
}
