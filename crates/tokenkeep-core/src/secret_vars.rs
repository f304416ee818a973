//! A set of secret environment variables.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use core::fmt;

use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use crate::MAX_PAYLOAD;

/// The first byte of a set's payload.
const VERSION: u8 = 1;

/// What a payload begins with: the version, and how many variables there are as a big-endian `u16`.
const HEADER: usize = 3;

/// What a variable takes in a payload besides its name and its value: the length of each, one byte and two.
const LENGTHS: usize = 3;

/// Environment variables whose values are secret, in the order of their names. The values wipe themselves; `{:?}` shows the names
/// alone. A set can't be cloned, compared or serialized.
///
/// ```
/// use tokenkeep_core::SecretVars;
///
/// let mut vars = SecretVars::new();
/// vars.set("DATABASE_URL", "an-example-value".to_owned())?;
/// assert_eq!(vars.names().collect::<Vec<_>>(), ["DATABASE_URL"]);
/// assert_eq!(format!("{vars:?}"), r#"SecretVars({"DATABASE_URL"})"#);
/// # Ok::<(), tokenkeep_core::SecretVarRejected>(())
/// ```
///
/// ```compile_fail
/// let copy = tokenkeep_core::SecretVars::new().clone();
/// ```
#[derive(Default)]
pub struct SecretVars {
    vars: BTreeMap<Box<str>, SecretString>,
    /// What all of them take in a payload.
    size: usize,
    /// The bytes of all names.
    names: usize,
}

/// Why a variable is not taken into a set: the fault of whoever gave it. Neither its name nor its value is repeated here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SecretVarRejected {
    /// The name is not letters, digits and `_` of ASCII, or begins with a digit, or is empty.
    #[error(
        "the name of an environment variable may have ASCII letters, digits and _ alone, and begins with no digit"
    )]
    Name,
    /// The name is over [`SecretVars::MAX_NAME_LEN`] bytes.
    #[error("the name of an environment variable is over 255 bytes long")]
    NameTooLong,
    /// The set has a variable of that name already.
    #[error("the set has an environment variable of that name already; remove it first")]
    Duplicate,
    /// The value has a NUL, which no environment can hold.
    #[error("the value of an environment variable has a NUL in it")]
    Nul,
    /// The set would have over [`SecretVars::MAX_VARS`] variables.
    #[error("the set would have over 100 environment variables; leave some out")]
    TooMany,
    /// The names of the set would be over [`SecretVars::MAX_NAMES_LEN`] bytes in all.
    #[error("the names in the set would be over 8 KiB in all; leave some out")]
    NamesTooLong,
    /// The set would be over [`SecretVars::MAX_LEN`] bytes.
    #[error("the set would be over 16 KiB in all; leave some out")]
    TooLong,
}

impl SecretVars {
    /// The most bytes that a name has.
    pub const MAX_NAME_LEN: usize = 255;
    /// The most variables that a set has.
    pub const MAX_VARS: usize = 100;
    /// The most bytes that the names of a set have in all.
    pub const MAX_NAMES_LEN: usize = 8 * 1024;
    /// The most bytes that names and values of a set have in all, with three more for each variable.
    pub const MAX_LEN: usize = MAX_PAYLOAD - HEADER;

    /// A set without variables.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a variable in and wipes the `String` that its value came in, also when it is refused. An empty value is one.
    ///
    /// # Errors
    /// [`SecretVarRejected`] says what is wrong, or which limit it would break; the set is as it was then.
    pub fn set(&mut self, name: impl AsRef<str>, mut value: String) -> Result<(), SecretVarRejected> {
        // Copied into a block of its own size: `into_boxed_str` may reallocate and leave the old block unwiped.
        let taken = self.check(name.as_ref(), &value).map(|size| {
            self.vars.insert(name.as_ref().into(), SecretString::from(Box::<str>::from(value.as_str())));
            self.size += size;
            self.names += name.as_ref().len();
        });
        value.zeroize();
        taken
    }

    /// Removes a variable and wipes its value; tells whether there was one of that name.
    pub fn remove(&mut self, name: &str) -> bool {
        let Some(value) = self.vars.remove(name) else { return false };
        self.size -= LENGTHS + name.len() + value.expose_secret().len();
        self.names -= name.len();
        true
    }

    /// The names, in ascending order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.vars.keys().map(AsRef::as_ref)
    }

    /// The value of this variable, if there is one. Copy it nowhere: not into a log, an error, a `String` that lives on.
    #[must_use]
    pub fn expose_secret(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(ExposeSecret::expose_secret)
    }

    /// How many variables there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.vars.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.vars.is_empty()
    }

    /// The set as a payload to be sealed. It has [`MAX_PAYLOAD`] bytes, whatever is in the set, so that its length tells nothing.
    ///
    /// `version u8 = 1 | number of variables: u16 | of each, in ascending order: name: u8 length, bytes | value: u16 length, bytes |
    /// zeros`; numbers are big-endian.
    #[must_use]
    pub fn to_payload(&self) -> Zeroizing<Box<[u8]>> {
        let mut payload: Zeroizing<Box<[u8]>> = Zeroizing::new([0; MAX_PAYLOAD].into());
        let mut rest = &mut **payload;
        // Each length fits: `check` bounds the names, and all of it together.
        put(&mut rest, &[VERSION]);
        put(&mut rest, &(self.vars.len() as u16).to_be_bytes());
        for (name, value) in &self.vars {
            let value = value.expose_secret().as_bytes();
            put(&mut rest, &[name.len() as u8]);
            put(&mut rest, name.as_bytes());
            put(&mut rest, &(value.len() as u16).to_be_bytes());
            put(&mut rest, value);
        }
        payload
    }

    /// The set that a payload holds. `None` for whatever [`to_payload`](Self::to_payload) does not make.
    #[must_use]
    pub fn from_payload(payload: &[u8]) -> Option<Self> {
        if payload.len() != MAX_PAYLOAD {
            return None;
        }
        let (header, mut rest) = payload.split_first_chunk::<HEADER>()?;
        if header[0] != VERSION {
            return None;
        }
        let mut vars = Self::new();
        for _ in 0..u16::from_be_bytes([header[1], header[2]]) {
            let ([name], after) = rest.split_first_chunk()?;
            let (name, after) = after.split_at_checked(usize::from(*name))?;
            let (value, after) = after.split_first_chunk()?;
            let (value, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*value)))?;
            let name = core::str::from_utf8(name).ok()?;
            // A set has one form: its names ascend.
            if vars.vars.last_key_value().is_some_and(|(last, _)| **last >= *name) {
                return None;
            }
            vars.set(name, core::str::from_utf8(value).ok()?.to_owned()).ok()?;
            rest = after;
        }
        rest.iter().all(|byte| *byte == 0).then_some(vars)
    }

    /// What the variable would take in a payload, if it may be taken in.
    fn check(&self, name: &str, value: &str) -> Result<usize, SecretVarRejected> {
        check_name(name)?;
        if value.contains('\0') {
            return Err(SecretVarRejected::Nul);
        }
        if self.vars.contains_key(name) {
            return Err(SecretVarRejected::Duplicate);
        }
        if self.vars.len() == Self::MAX_VARS {
            return Err(SecretVarRejected::TooMany);
        }
        if self.names + name.len() > Self::MAX_NAMES_LEN {
            return Err(SecretVarRejected::NamesTooLong);
        }
        let size = LENGTHS + name.len() + value.len();
        if self.size + size > Self::MAX_LEN {
            return Err(SecretVarRejected::TooLong);
        }
        Ok(size)
    }
}

impl fmt::Debug for SecretVars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Names<'a>(&'a SecretVars);
        impl fmt::Debug for Names<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_set().entries(self.0.names()).finish()
            }
        }
        f.debug_tuple("SecretVars").field(&Names(self)).finish()
    }
}

fn check_name(name: &str) -> Result<(), SecretVarRejected> {
    if name.len() > SecretVars::MAX_NAME_LEN {
        return Err(SecretVarRejected::NameTooLong);
    }
    let fits = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !fits || name.is_empty() || name.as_bytes()[0].is_ascii_digit() {
        return Err(SecretVarRejected::Name);
    }
    Ok(())
}

/// Writes at the beginning of what is left.
fn put(rest: &mut &mut [u8], bytes: &[u8]) {
    let (place, after) = core::mem::take(rest).split_at_mut(bytes.len());
    place.copy_from_slice(bytes);
    *rest = after;
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::vec;
    use alloc::vec::Vec;

    fn set(vars: &[(&str, &str)]) -> SecretVars {
        let mut set = SecretVars::new();
        vars.iter().for_each(|(name, value)| set.set(name, (*value).to_owned()).unwrap());
        set
    }

    fn pairs(set: &SecretVars) -> Vec<(String, String)> {
        let value = |name| set.expose_secret(name).unwrap().to_owned();
        set.names().map(|name| (name.to_owned(), value(name))).collect()
    }

    #[test]
    fn what_can_be_no_variable_is_refused_and_changes_nothing() {
        let mut vars = set(&[("A", "1")]);
        for (name, value, why) in [
            ("", "x", SecretVarRejected::Name),
            ("1A", "x", SecretVarRejected::Name),
            ("A-B", "x", SecretVarRejected::Name),
            ("A=B", "x", SecretVarRejected::Name),
            ("Ä", "x", SecretVarRejected::Name),
            ("A ", "x", SecretVarRejected::Name),
            (&"x".repeat(256), "x", SecretVarRejected::NameTooLong),
            ("B", "a\0b", SecretVarRejected::Nul),
            ("A", "x", SecretVarRejected::Duplicate),
        ] {
            assert_eq!(vars.set(name, value.to_owned()), Err(why), "{name:?}");
        }
        assert_eq!(pairs(&vars), pairs(&set(&[("A", "1")])));
        assert!(vars.set("_a1".repeat(85), "\n ä=\"'".to_owned()).is_ok());
    }

    #[test]
    fn each_limit_is_refused_by_its_name() {
        let mut vars = SecretVars::new();
        let room = SecretVars::MAX_LEN - LENGTHS - 1;
        assert_eq!(vars.set("A", "x".repeat(room + 1)), Err(SecretVarRejected::TooLong));
        vars.set("A", "x".repeat(room)).unwrap();
        assert_eq!(vars.set("B", String::new()), Err(SecretVarRejected::TooLong));
        assert!(vars.remove("A") && !vars.remove("A"));
        for number in 0..SecretVars::MAX_VARS {
            vars.set(format!("A{number}"), String::new()).unwrap();
        }
        assert_eq!(vars.set("B", String::new()), Err(SecretVarRejected::TooMany));
        let mut vars = SecretVars::new();
        let long = |number: usize| format!("A{number:0>254}");
        (0..32).for_each(|number| vars.set(long(number), String::new()).unwrap());
        vars.set("B".repeat(32), String::new()).unwrap();
        assert_eq!(vars.set("C", String::new()), Err(SecretVarRejected::NamesTooLong));
        assert!(vars.remove(&long(1)) && vars.set("C", String::new()).is_ok());
    }

    #[test]
    fn a_payload_has_one_length_and_gives_the_set_back() {
        let full = "ä".repeat((SecretVars::MAX_LEN - LENGTHS - 1) / 2);
        for vars in [vec![], vec![("A", "")], vec![("B", "1"), ("_", "\u{1F511}\n")], vec![("A", &full)]] {
            let vars = set(&vars);
            let payload = vars.to_payload();
            assert_eq!(payload.len(), MAX_PAYLOAD);
            let back = SecretVars::from_payload(&payload).unwrap();
            assert_eq!((pairs(&back), back.size, back.names), (pairs(&vars), vars.size, vars.names));
        }
    }

    #[test]
    fn another_form_is_no_payload() {
        let good = |parts: &[&[u8]]| {
            let mut payload = parts.concat();
            payload.resize(MAX_PAYLOAD, 0);
            payload
        };
        let read = |payload: &[u8]| SecretVars::from_payload(payload).is_some();
        let two = good(&[&[1, 0, 2], b"\x01A\0\x01x", b"\x01B\0\0"]);
        assert!(read(&two));
        assert!(!read(&two[..MAX_PAYLOAD - 1]) && !read(&[&two[..], &[0]].concat()) && !read(&[]));
        let mut trailing = two.clone();
        trailing[MAX_PAYLOAD - 1] = 1;
        assert!(!read(&trailing));
        for parts in [
            &[&[2, 0, 1], &b"\x01A\0\x01x"[..]][..],
            &[&[1, 0, 0], b"\x01A\0\x01x"],
            &[&[1, 0, 2], b"\x01A\0\x01x"],
            &[&[1, 0, 2], b"\x01B\0\0", b"\x01A\0\x01x"],
            &[&[1, 0, 2], b"\x01A\0\0", b"\x01A\0\x01x"],
            &[&[1, 0, 1], b"\x011\0\0"],
            &[&[1, 0, 1], b"\x01A\0\x01\0"],
            &[&[1, 0, 1], b"\x01A\0\x01\xff"],
            &[&[1, 0, 1], b"\x01A\xff\xff"],
        ] {
            assert!(!read(&good(parts)), "{parts:?}");
        }
    }

    #[test]
    fn debug_shows_names_alone() {
        let vars = set(&[("A", "an-example-value"), ("B", "")]);
        assert_eq!(format!("{vars:?}"), r#"SecretVars({"A", "B"})"#);
    }
}
