//! The audit trail as JSON lines.

use std::fmt::{self, Write as _};
use std::str::FromStr;
use std::sync::Arc;

use tokenkeep_core::{Error, ErrorKind, TenantId};
use tokenkeep_store::{AuditEntry, AuditHead, SHARDS, shard_of};

use crate::inner::Inner;
use crate::observe::Operation;

/// How many entries are read at a time.
const PAGE: u32 = 512;

/// How far the audit trail was exported: a place in each of its chains. `Display` and `FromStr` are 16 decimal numbers with
/// commas between them, to be kept until the next export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct AuditCursor([u64; SHARDS as usize]);

impl fmt::Display for AuditCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (shard, place) in self.0.iter().enumerate() {
            write!(f, "{}{place}", if shard == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl FromStr for AuditCursor {
    type Err = Error;

    /// # Errors
    /// `Misuse` for a text that `Display` does not write.
    fn from_str(text: &str) -> Result<Self, Error> {
        let places: Option<Vec<u64>> = text.split(',').map(|place| place.parse().ok()).collect();
        let cursor = places.and_then(|places| places.try_into().ok()).map(Self);
        let written = cursor.filter(|cursor| cursor.to_string() == text);
        written
            .ok_or_else(|| Error::new(ErrorKind::Misuse).because("the text is no place in the audit trail"))
    }
}

/// Gives the audit trail as JSON lines, page by page. Made by [`AuditTrail::export`](crate::AuditTrail::export).
///
/// # Form
/// Each entry is one JSON object on a line of its own, ended by a line feed, with these fields in this order:
///
/// | field | value |
/// | --- | --- |
/// | `shard`, `sequence` | its chain, and its place in it from 1 |
/// | `at` | when, by the clock of the process that wrote it: RFC 3339, UTC, with milliseconds |
/// | `action` | what was done: `connected`, `replaced`, `disconnected`, `purged`, `used`, `used-again`, `created`, … |
/// | `tenant`, `connection` | to which connection |
/// | `incarnation` | to which life of it: 32 hexadecimal digits |
/// | `secret_version`, `revision` | with which token; which version of the record |
/// | `count` | how often; 1 but for `used-again` |
/// | `subject` | the provider's identifier of what a use made; of `discarded`, what was found; of `replaced`, the target that a set is sent to; or `null` |
/// | `record_mac` | the MAC of the record after it, 64 hexadecimal digits, or `null` where no record changed |
/// | `mac` | the entry's own, 64 hexadecimal digits |
///
/// Later versions may add fields behind these, and actions. Entries of one chain, so of one tenant, come in order; the
/// chains come one after the other. Nothing in them is secret; the names are as the application gave them, so whoever
/// puts them into a table or a shell takes care. Numbers may be above 2^53.
///
/// It only reads: [`Vault::verify`](crate::Vault::verify) tells whether the trail is whole. It ends with what was there
/// when it began.
#[derive(Debug)]
#[must_use = "nothing is read before a page is asked for"]
pub struct AuditExport {
    vault: Arc<Inner>,
    tenant: Option<TenantId>,
    cursor: AuditCursor,
    /// Where it ends; `None` before it began.
    heads: Option<Vec<AuditHead>>,
}

impl AuditExport {
    pub(crate) fn new(vault: Arc<Inner>) -> Self {
        Self { vault, tenant: None, cursor: AuditCursor::default(), heads: None }
    }

    /// This tenant's entries alone: by the name that the application has for it, also where the vault keeps
    /// [pseudonyms](crate::VaultOptions::pseudonymous_tenants).
    ///
    /// # Errors
    /// `InvalidName` when the name is empty, over 255 bytes or not printable.
    pub fn tenant(mut self, tenant: impl AsRef<str>) -> Result<Self, Error> {
        self.tenant = Some(self.vault.keys.tenants.of(tenant.as_ref())?);
        Ok(self)
    }

    /// From behind the place where another one ended.
    ///
    /// After a database was restored from a backup, the place that was kept is no place in it: begin anew from the end of the
    /// restored trail, taken before anything was written to it. A kept place beyond the end of its chain is refused
    /// (`Tampered`), so that nothing is passed over in silence; once the chain has grown past it, nothing here can tell.
    pub fn after(mut self, cursor: AuditCursor) -> Self {
        self.cursor = cursor;
        self
    }

    /// Up to which place everything was given.
    #[must_use]
    pub fn cursor(&self) -> AuditCursor {
        self.cursor
    }

    /// The next lines, some hundred at most and never none; `None` at the end.
    ///
    /// # Errors
    /// `Tampered` when an entry can't be read, or when the trail ends before the place that it is to go on from: it was
    /// cut, or an old database restored (see [`after`](Self::after)); `StoreUnavailable`. The next call tries the same
    /// page again.
    ///
    /// # Cancellation
    /// Safe: a dropped call gave nothing, and the next one gives it.
    pub async fn next(&mut self) -> Result<Option<String>, Error> {
        let vault = Arc::clone(&self.vault);
        vault.watch.over(Operation::ExportAudit, None, self.next_unwatched()).await
    }

    async fn next_unwatched(&mut self) -> Result<Option<String>, Error> {
        let heads = match &self.heads {
            Some(heads) => heads,
            None => self.heads.insert(self.vault.store.audit_heads().await?),
        };
        let own = self.tenant.as_ref().map(shard_of);
        let heads = || heads.iter().filter(|head| own.is_none_or(|own| own == head.shard));
        // Before any page: what is given now would lie beside another history.
        if heads().any(|head| self.cursor.0[usize::from(head.shard)] > head.sequence) {
            return Err(Error::new(ErrorKind::Tampered).because(
                "the audit trail ends before the place that was exported; it was cut, or put back",
            ));
        }
        for head in heads() {
            let place = &mut self.cursor.0[usize::from(head.shard)];
            while *place < head.sequence {
                let missing = u32::try_from(head.sequence - *place).unwrap_or(PAGE).min(PAGE);
                let page = self.vault.store.audit_entries(head.shard, *place, missing).await?;
                let Some(last) = page.last() else {
                    return Err(
                        Error::new(ErrorKind::Tampered).because("the audit trail ends before its head")
                    );
                };
                *place = last.sequence;
                let mut lines = String::new();
                let of_tenant = |entry: &&AuditEntry| {
                    self.tenant.as_ref().is_none_or(|tenant| tenant == entry.draft.id.tenant())
                };
                page.iter().filter(of_tenant).for_each(|entry| line(&mut lines, entry));
                if !lines.is_empty() {
                    return Ok(Some(lines));
                }
            }
        }
        Ok(None)
    }
}

fn line(to: &mut String, AuditEntry { shard, sequence, draft, mac }: &AuditEntry) {
    let hex = base16ct::lower::encode_string;
    let quoted = |text: &str| Quoted(text).to_string();
    // Writing to a `String` does not fail.
    let _ = writeln!(
        to,
        "{{\"shard\":{shard},\"sequence\":{sequence},\"at\":\"{}\",\"action\":\"{}\",\"tenant\":{},\"connection\":{},\
         \"incarnation\":\"{}\",\"secret_version\":{},\"revision\":{},\"count\":{},\"subject\":{},\"record_mac\":{},\
         \"mac\":\"{}\"}}",
        draft.at,
        draft.action.name(),
        Quoted(draft.id.tenant().as_str()),
        Quoted(draft.id.name().as_str()),
        draft.incarnation,
        draft.secret_version,
        draft.revision,
        draft.count,
        draft.subject.as_deref().map_or_else(|| "null".to_owned(), quoted),
        draft.record_mac.map_or_else(|| "null".to_owned(), |mac| format!("\"{}\"", hex(&mac))),
        hex(mac),
    );
}

/// A JSON string. Beyond what JSON asks for it escapes what ends a line for some readers, and DEL.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                    write!(f, "\\u{:04x}", c as u32)?;
                }
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_text_is_read_back(text in any::<String>()) {
            let quoted = Quoted(&text).to_string();
            prop_assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), text);
            let one_line = !quoted.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'));
            prop_assert!(one_line);
        }

        #[test]
        fn a_cursor_is_read_back(places in any::<[u64; 16]>()) {
            let cursor = AuditCursor(places);
            prop_assert_eq!(cursor.to_string().parse::<AuditCursor>().unwrap(), cursor);
        }
    }

    #[test]
    fn other_texts_are_no_cursor() {
        let zero = AuditCursor::default().to_string();
        assert_eq!(zero, "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0");
        for text in ["", "0", &zero[2..], &format!("{zero},0"), &format!("0{zero}"), &format!("+{zero}")] {
            assert_eq!(text.parse::<AuditCursor>().unwrap_err().kind(), ErrorKind::Misuse, "{text}");
        }
    }
}
