//! An answer in JSON, written anew with the fields that its shape has and a boundary allows.
//!
//! It is read once, from front to back, and what is not passed on is skipped where it stands: it gets into no tree, no map and
//! no string that would have to be wiped.

mod out;

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::de::SliceRead;

use super::class::Grants;
use super::shape::{Fields, Shape};
use crate::error_type;
use out::Out;

/// Why a body could not be projected. The words behind "it answered with HTTP status 200 and …".
const NOT_JSON: &str = "not with JSON that can be read in one way only";

/// The parts of this JSON that have a place in this shape and are allowed.
///
/// Refused: what is no JSON or more than one value, a field that stands in an object twice, and passed-on data that is nested
/// over 100 deep. Numbers are passed on as 64-bit integers or as floating point.
pub(crate) fn project(shape: &Shape, grants: Grants, body: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut out = Out::with_capacity(body.len());
    let mut json = serde_json::Deserializer::new(SliceRead::new(body));
    let kept = Part { shape, grants, out: &mut out }.deserialize(&mut json).map_err(|_| NOT_JSON)?;
    json.end().map_err(|_| NOT_JSON)?;
    if kept { Ok(out.take()) } else { Err("not with the kind of JSON that its API promises") }
}

/// One value. Tells whether it was written; if not, nothing is left in `out`.
struct Part<'a> {
    shape: &'a Shape,
    grants: Grants,
    out: &'a mut Out,
}

impl Part<'_> {
    fn inner<'b>(&'b mut self, shape: &'b Shape) -> Part<'b> {
        Part { shape, grants: self.grants, out: self.out }
    }

    fn scalar<E: serde::de::Error>(self, value: impl serde::Serialize) -> Result<bool, E> {
        if !matches!(self.shape, Shape::Scalar | Shape::Any) {
            return Ok(false);
        }
        self.write(value).map(|()| true)
    }

    fn write<E: serde::de::Error>(self, value: impl serde::Serialize) -> Result<(), E> {
        serde_json::to_writer(&mut *self.out, &value).map_err(|_| E::custom("it can't be written"))
    }

    /// Writes a member, or nothing.
    fn member<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        shape: &Shape,
        map: &mut A,
    ) -> Result<(), A::Error> {
        let before = self.out.len();
        if self.out.last() != Some(b'{') {
            self.out.push(b',');
        }
        self.inner(shape).write(name)?;
        self.out.push(b':');
        if !map.next_value_seed(self.inner(shape))? {
            self.out.truncate(before);
        }
        Ok(())
    }

    fn object<'de, A: MapAccess<'de>>(mut self, fields: &[Fields], mut map: A) -> Result<bool, A::Error> {
        let mut seen = Vec::new();
        self.out.push(b'{');
        while let Some(known) = map.next_key_seed(Known(fields))? {
            let Some((name, fields)) = known else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if seen.contains(&name) {
                return Err(A::Error::custom("a field stands there twice"));
            }
            seen.push(name);
            match fields.shape(self.grants) {
                Some(shape) => self.member(name, shape, &mut map)?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        self.out.push(b'}');
        Ok(true)
    }

    fn map<'de, A: MapAccess<'de>>(mut self, inner: &Shape, mut map: A) -> Result<bool, A::Error> {
        let mut seen = HashSet::new();
        self.out.push(b'{');
        while let Some(name) = map.next_key::<String>()? {
            self.member(&name, inner, &mut map)?;
            if !seen.insert(name) {
                return Err(A::Error::custom("a name stands there twice"));
            }
        }
        self.out.push(b'}');
        Ok(true)
    }
}

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<bool, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<bool, E> {
        self.scalar(value)
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<bool, E> {
        self.scalar(value)
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<bool, E> {
        self.scalar(value)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<bool, E> {
        self.scalar(value)
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<bool, E> {
        self.scalar(value)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<bool, E> {
        self.write(()).map(|()| true)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<bool, A::Error> {
        let inner = match self.shape {
            Shape::List(inner) => *inner,
            Shape::Any => &Shape::Any,
            Shape::Scalar | Shape::Map(_) | Shape::Object(_) => {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(false);
            }
        };
        self.out.push(b'[');
        loop {
            let before = self.out.len();
            if self.out.last() != Some(b'[') {
                self.out.push(b',');
            }
            match list.next_element_seed(self.inner(inner))? {
                Some(true) => {}
                Some(false) => self.out.truncate(before),
                None => {
                    self.out.truncate(before);
                    break;
                }
            }
        }
        self.out.push(b']');
        Ok(true)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        match self.shape {
            Shape::Object(fields) => self.object(fields, map),
            Shape::Map(inner) => self.map(inner, map),
            Shape::Any => self.map(&Shape::Any, map),
            Shape::Scalar | Shape::List(_) => {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(false)
            }
        }
    }
}

/// The name of a member, looked up where it stands.
struct Known<'a>(&'a [Fields]);

impl<'de, 'a> DeserializeSeed<'de> for Known<'a> {
    type Value = Option<(&'static str, &'a Fields)>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'a> Visitor<'_> for Known<'a> {
    type Value = Option<(&'static str, &'a Fields)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().find_map(|fields| {
            let known = fields.names.iter().find(|known| **known == name)?;
            Some((*known, fields))
        }))
    }
}

/// `{"error":{"type":"…"}}` of an error's body, and nothing else of it; empty where it has no type of the form that all types of
/// Apify's have. Messages repeat what was sent.
pub(crate) fn project_error(body: &[u8]) -> Vec<u8> {
    const SHAPE: Shape = Shape::Object(&[super::shape::part(&["error"], &ERROR)]);
    const ERROR: Shape = Shape::Object(&[super::shape::plain(&["type"])]);
    let Ok(error) = project(&SHAPE, Grants::NONE, body) else { return Vec::new() };
    let error_type = error
        .strip_prefix(br#"{"error":{"type":""#.as_slice())
        .and_then(|rest| rest.strip_suffix(br#""}}"#.as_slice()));
    if error_type.is_some_and(error_type::is_one) { error } else { Vec::new() }
}

#[cfg(test)]
mod tests;
