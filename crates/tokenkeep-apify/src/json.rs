//! Bodies of JSON that wipe themselves.

use std::io;

use serde::{Deserialize, Deserializer, Serialize};
use tokenkeep_core::{Error, ErrorKind};
use zeroize::Zeroizing;

/// The value as JSON, in one block: it is measured first, as a block that grows leaves its old self behind.
///
/// # Errors
/// `Misuse` when it can't be written as JSON. The error says nothing of the value.
pub(crate) fn body<T: Serialize + ?Sized>(value: &T) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut measure = Measure(0);
    serde_json::to_writer(&mut measure, value).map_err(|_| not_json())?;
    let mut body = Zeroizing::new(Vec::with_capacity(measure.0));
    serde_json::to_writer(&mut Fill(&mut body), value).map_err(|_| not_json())?;
    Ok(body)
}

/// What was given as JSON, if it is.
///
/// # Errors
/// `Misuse` when it is not.
pub(crate) fn checked(body: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, Error> {
    match serde_json::from_slice::<serde::de::IgnoredAny>(&body) {
        Ok(_) => Ok(body),
        Err(_) => Err(not_json()),
    }
}

/// The identifier of what an answer is about, for a record: `data.id`.
pub(crate) fn id(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Answer {
        data: Made,
    }
    #[derive(Deserialize)]
    struct Made {
        id: String,
    }
    serde_json::from_slice::<Answer>(body).ok().map(|answer| answer.data.id)
}

/// What is null is what it would be if it were not there. With `#[serde(default)]`, which is for what is not there.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// `serde_json`'s own error may repeat a part of the value.
fn not_json() -> Error {
    Error::new(ErrorKind::Misuse).because("what is to be sent is no JSON")
}

/// Counts bytes and keeps none.
struct Measure(usize);

impl io::Write for Measure {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Fills what there is room for, and no more.
struct Fill<'a>(&'a mut Vec<u8>);

impl io::Write for Fill<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A value that is longer the second time.
        if bytes.len() > self.0.capacity() - self.0.len() {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_body_is_one_block_of_the_right_size() {
        let value = json!({ "name": "ž\n\"", "list": [1, null, true], "long": "x".repeat(10_000) });
        let body = body(&value).unwrap();
        assert_eq!(body.as_slice(), serde_json::to_vec(&value).unwrap());
        assert_eq!(body.len(), body.capacity());
    }

    #[test]
    fn an_identifier_is_found_or_none() {
        let of = |text: &str| id(text.as_bytes());
        assert_eq!(
            of(r#"{"data": {"status": "READY", "id": "HG7ML7M8z78YcAPEB"}}"#).as_deref(),
            Some("HG7ML7M8z78YcAPEB")
        );
        for none in [r#"{"data": {"id": 1}}"#, r#"{"id": "a"}"#, "", "{"] {
            assert_eq!(of(none), None, "{none}");
        }
    }

    /// Longer each time it is written.
    struct Growing(Cell<usize>);

    impl Serialize for Growing {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.0.set(self.0.get() + 100);
            serializer.serialize_str(&"x".repeat(self.0.get()))
        }
    }

    #[test]
    fn what_would_grow_its_block_or_is_no_json_is_refused() {
        assert_eq!(body(&Growing(Cell::new(0))).unwrap_err().kind(), ErrorKind::Misuse);
        let keys = std::collections::HashMap::from([((1, 2), "s3cret")]);
        let error = body(&keys).unwrap_err();
        assert!(!format!("{} {error:?}", error.report()).contains("s3cret"));
        for bad in ["", "s3cret", "{\"a\":}", "{} {}"] {
            let error = checked(Zeroizing::new(bad.into())).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Misuse, "{bad}");
            assert!(!format!("{} {error:?}", error.report()).contains("s3cret"));
        }
        assert!(checked(Zeroizing::new(b" {\"a\": [1]} ".to_vec())).is_ok());
    }
}
