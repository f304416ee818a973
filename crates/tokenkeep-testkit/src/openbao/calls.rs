//! What a test asks of the server.

use std::io;

use serde_json::{Value, json};

use super::ThrowawayOpenBao;
use super::api::Request;

impl ThrowawayOpenBao {
    /// Writes to a path of its API (`transit/keys/x`) as root and gives what it answers; `Null` for an empty answer.
    ///
    /// # Errors
    /// When it refuses, with its status and words.
    pub fn write(&self, path: &str, data: &Value) -> io::Result<Value> {
        self.call("POST", path, &self.root_token, data)
    }

    /// The same with this token.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_as(&self, token: &str, path: &str, data: &Value) -> io::Result<Value> {
        self.call("POST", path, token, data)
    }

    /// Writes as root, and gives a token that the answer is wrapped behind for so long, as in `"60s"`: at `["wrap_info"]["token"]`.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_wrapped(&self, path: &str, data: &Value, ttl: &str) -> io::Result<Value> {
        self.done(&Request { method: "POST", path, token: &self.root_token, wrap_ttl: ttl, data })
    }

    /// Reads a path of its API as root.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn read(&self, path: &str) -> io::Result<Value> {
        self.call("GET", path, &self.root_token, &Value::Null)
    }

    /// Deletes a path of its API as root.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn delete(&self, path: &str) -> io::Result<Value> {
        self.call("DELETE", path, &self.root_token, &Value::Null)
    }

    /// Puts this policy, in HCL, in the place of the one with its name.
    ///
    /// # Errors
    /// When the server refuses it.
    pub fn put_policy(&self, name: &str, hcl: &str) -> io::Result<()> {
        self.write(&format!("sys/policies/acl/{name}"), &json!({ "policy": hcl })).map(drop)
    }

    /// A token with these policies and the default one, and `ttl` as in `"1h"`.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn token(&self, policies: &[&str], ttl: &str) -> io::Result<String> {
        let made = self.write("auth/token/create-orphan", &json!({ "policies": policies, "ttl": ttl }))?;
        made["auth"]["client_token"].as_str().map(str::to_owned).ok_or_else(|| io::Error::other("no token"))
    }

    pub(super) fn call(&self, method: &str, path: &str, token: &str, data: &Value) -> io::Result<Value> {
        self.done(&Request { method, path, token, wrap_ttl: "", data })
    }

    fn done(&self, request: &Request<'_>) -> io::Result<Value> {
        let (status, answer) = self.api.call(self.port, request)?;
        if status < 300 {
            return Ok(answer);
        }
        let Request { method, path, .. } = request;
        Err(io::Error::other(format!("OpenBao answers {method} {path} with {status}: {}", answer["errors"])))
    }

    pub(super) fn status(&self, path: &str) -> io::Result<u16> {
        let request = Request { method: "GET", path, token: "", wrap_ttl: "", data: &Value::Null };
        Ok(self.api.call(self.port, &request)?.0)
    }
}
