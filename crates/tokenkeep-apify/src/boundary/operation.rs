//! One operation of Apify's API.

use super::class::{Access, Class, Need};
use super::ids;
use super::request::Request;
use super::shape::Shape;
use super::{Refused, table};

/// A list of storages holds those of others, too, unless its query says otherwise.
const OWNERSHIP: &str = "ownership";
const OWNED_BY_ME: &str = "ownedByMe";

/// An operation: what is asked, what it needs, what it answers.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    /// The path, with the names of its parameters in braces.
    pub(crate) path: &'static str,
    /// How many segments the path has: most operations are told apart from a request by that.
    pub(crate) segments: usize,
    /// All of them are needed. None for what every boundary allows.
    pub(crate) needs: &'static [Need],
    /// The names that its query may have, in groups.
    pub(crate) queries: &'static [&'static [&'static str]],
    pub(crate) answer: Answer,
}

/// What an operation answers when it did what it was asked.
#[derive(Debug)]
pub(crate) enum Answer {
    /// JSON, of which these fields are passed on.
    Json(&'static Shape),
    /// A text, passed on as it is: a log.
    Text,
    /// Whatever somebody stored, passed on as it is.
    Whole,
}

impl Operation {
    /// The one operation that a request is, by method and path.
    pub(crate) fn of(method: &str, request: &Request<'_>) -> Result<&'static Self, Refused> {
        let mut there = Refused::UnknownPath;
        for operation in table::all() {
            if operation.has_path(&request.segments) {
                if operation.method == method {
                    return Ok(operation);
                }
                there = Refused::UnknownMethod;
            }
        }
        Err(there)
    }

    fn has_path(&self, segments: &[&str]) -> bool {
        let fits = |(part, segment): (&str, &&str)| match part
            .strip_prefix('{')
            .and_then(|part| part.strip_suffix('}'))
        {
            Some(parameter) => ids::fits(parameter, segment),
            None => part == *segment,
        };
        self.segments == segments.len() && self.path.split('/').skip(1).zip(segments).all(fits)
    }

    /// What it needs beside [`needs`](Self::needs), with this query.
    pub(crate) fn needs_with(&self, queries: &[(&str, &str)]) -> impl Iterator<Item = Need> {
        let shared = self.knows_query(OWNERSHIP) && !queries.contains(&(OWNERSHIP, OWNED_BY_ME));
        let shared = shared.then_some(Need { class: Class::OtherUsers, access: Access::Read });
        queries.iter().filter_map(|(name, _)| query_need(name)).chain(shared)
    }

    pub(crate) fn knows_query(&self, name: &str) -> bool {
        self.queries.iter().any(|names| names.contains(&name))
    }
}

/// How many segments there are in a path that begins with a slash.
pub(crate) const fn count_segments(path: &str) -> usize {
    let (bytes, mut count, mut next) = (path.as_bytes(), 0, 0);
    while next < bytes.len() {
        if bytes[next] == b'/' {
            count += 1;
        }
        next += 1;
    }
    count
}

/// What the name of a query parameter needs beside the operation.
fn query_need(name: &str) -> Option<Need> {
    match name {
        // It reaches what the token does not.
        "signature" => Some(Need { class: Class::Sharing, access: Access::Read }),
        // It sends what a run does to an address of the caller's choice.
        "webhooks" => Some(Need { class: Class::Webhooks, access: Access::ReadAndWrite }),
        // It gives a run more of the account than its Actor asks for.
        "forcePermissionLevel" => Some(Need { class: Class::Actors, access: Access::ReadAndWrite }),
        _ => None,
    }
}
