//! Names that callers give: tenants, connections, providers.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use thiserror::Error;

/// Why a name was refused: the caller's fault. The name is not repeated here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BadName {
    /// It is empty.
    #[error("the {0} name is empty")]
    Empty(&'static str),
    /// It is longer than allowed; the second field is the most bytes it may have.
    #[error("the {0} name is over {1} bytes long")]
    TooLong(&'static str, usize),
    /// It has a control character, an invisible one, or white space at either end.
    #[error("the {0} name has a character that can't be printed, or white space at an end")]
    NotPrintable(&'static str),
    /// It has a character outside lower-case ASCII letters, digits and `-`, or an end that is not a letter or digit.
    #[error("the {0} name may have lower-case letters, digits and hyphens alone")]
    NotPlain(&'static str),
    /// It begins with `~`, as the names of what is no connection do.
    #[error("the {0} name begins with ~, which is kept for what is no connection")]
    Reserved(&'static str),
}

/// Characters that show nothing or reorder what stands beside them: two names that look alike would differ.
pub(crate) fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}' | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
}

pub(crate) fn check_printable(what: &'static str, text: &str, max: usize) -> Result<(), BadName> {
    if text.is_empty() {
        return Err(BadName::Empty(what));
    }
    if text.len() > max {
        return Err(BadName::TooLong(what, max));
    }
    if text.trim() != text || text.chars().any(is_invisible) {
        return Err(BadName::NotPrintable(what));
    }
    Ok(())
}

/// A text from outside for a person to read: what can't be printed is left out, and it is cut at `max` bytes.
#[cfg(feature = "async")]
pub(crate) fn shown(text: &str, max: usize) -> String {
    let mut shown = String::new();
    for c in text.chars().filter(|c| !is_invisible(*c)) {
        if shown.len() + c.len_utf8() > max {
            break;
        }
        shown.push(c);
    }
    shown
}

fn check_plain(what: &'static str, text: &str, max: usize) -> Result<(), BadName> {
    check_printable(what, text, max)?;
    let plain = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !plain || text.starts_with('-') || text.ends_with('-') {
        return Err(BadName::NotPlain(what));
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal, $check:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// The most bytes that it may have.
            pub const MAX_LEN: usize = $max;

            /// Checks and takes a name.
            ///
            /// # Errors
            /// [`BadName`] says what is wrong with it.
            pub fn new(text: impl AsRef<str>) -> Result<Self, BadName> {
                let text = text.as_ref();
                $check($what, text, Self::MAX_LEN)?;
                Ok(Self(text.to_owned()))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadName;

            fn from_str(text: &str) -> Result<Self, BadName> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }
    };
}

name! {
    /// Whose token it is: the application's customer. 1 to 255 bytes of printable text, compared byte by byte;
    /// it is stored in the clear, so an application may give a pseudonym.
    TenantId, "tenant", 255, check_printable
}

name! {
    /// Which of a tenant's connections it is. 1 to 255 bytes of printable text, compared byte by byte.
    ConnectionName, "connection", 255, check_printable
}

name! {
    /// A provider's short name, such as `apify`: 1 to 64 lower-case letters, digits and inner hyphens.
    ProviderName, "provider", 64, check_plain
}

/// Names one connection: a tenant, and the name of the connection within it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId {
    tenant: TenantId,
    name: ConnectionName,
}

impl ConnectionId {
    /// Checks both names.
    ///
    /// # Errors
    /// [`BadName`] says which name is refused and why.
    pub fn new(tenant: impl AsRef<str>, name: impl AsRef<str>) -> Result<Self, BadName> {
        Ok(Self { tenant: TenantId::new(tenant)?, name: ConnectionName::new(name)? })
    }

    /// The tenant.
    #[must_use]
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The connection's name within its tenant.
    #[must_use]
    pub fn name(&self) -> &ConnectionName {
        &self.name
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_mislead_are_refused() {
        assert_eq!(TenantId::new(""), Err(BadName::Empty("tenant")));
        assert_eq!(TenantId::new("x".repeat(256)), Err(BadName::TooLong("tenant", 255)));
        for bad in ["a\nb", " a", "a\u{202E}b", "a\0", "a\u{200B}", "\u{FEFF}a", "a\u{E0041}"] {
            assert_eq!(TenantId::new(bad), Err(BadName::NotPrintable("tenant")), "{bad:?}");
        }
        for good in ["a", "kunde 17", "客户", "user@example.com", &"x".repeat(255)] {
            assert!(TenantId::new(good).is_ok(), "{good:?}");
        }
        for bad in ["Apify", "a_b", "-a", "a-", "ä"] {
            assert_eq!(ProviderName::new(bad), Err(BadName::NotPlain("provider")), "{bad:?}");
        }
    }
}
