//! PEM: one block of it, with the headers of an encrypted legacy key or without (RFC 7468, RFC 1421).

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

/// The most bytes of a PEM, and of the base64 that one comes in: several times what a key of 8192 bits has.
pub(super) const MAX_LEN: usize = 64 * 1024;

/// What one block holds.
pub(super) struct Pem<'a> {
    pub(super) label: &'a str,
    /// What `DEK-Info` says, in a block that is encrypted in the legacy way: the cipher and the initial vector.
    pub(super) dek_info: Option<(&'a str, &'a str)>,
    pub(super) content: Zeroizing<Vec<u8>>,
}

impl<'a> Pem<'a> {
    /// Reads one block with nothing but white space around it.
    ///
    /// Lines may end in a line feed or in a carriage return and a line feed, and be of any length. `None` for anything else.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim_ascii().strip_prefix("-----BEGIN ")?;
        let (label, rest) = text.split_once("-----")?;
        let body = rest.strip_suffix("-----")?.strip_suffix(label)?.strip_suffix("-----END ")?;
        // A line break behind the first line and before the last.
        let body = body.strip_prefix('\n').or_else(|| body.strip_prefix("\r\n"))?.strip_suffix('\n')?;
        let (dek_info, base64) = headers(body)?;
        Some(Self { label, dek_info, content: decode(base64)? })
    }
}

/// The headers, of which there are two or none, and what comes behind them.
fn headers(body: &str) -> Option<(Option<(&str, &str)>, &str)> {
    if !body.contains(':') {
        return Some((None, body));
    }
    let mut lines = body.splitn(4, '\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    if lines.next()? != "Proc-Type: 4,ENCRYPTED" {
        return None;
    }
    let dek_info = lines.next()?.strip_prefix("DEK-Info: ")?.split_once(',')?;
    if !lines.next()?.is_empty() {
        return None;
    }
    Some((Some(dek_info), lines.next()?))
}

/// The bytes of padded base64 that may be broken into lines. `None` for any other spelling.
///
/// It may be of a key: nothing is decided by what its letters are, and each copy of it wipes itself.
pub(super) fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut one_line = Zeroizing::new(Vec::with_capacity(text.len()));
    one_line.extend(text.bytes().filter(|byte| !byte.is_ascii_whitespace()));
    let mut bytes = Zeroizing::new(vec![0; one_line.len() / 4 * 3]);
    let len = Base64::decode(one_line.as_slice(), &mut bytes).ok()?.len();
    bytes.truncate(len);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_block_and_nothing_else() {
        let block = "-----BEGIN A KEY-----\nAAEC\nAw==\n-----END A KEY-----";
        for good in
            [block, &format!("\n {block}\n\n"), &block.replace('\n', "\r\n"), &block.replace("C\nA", "CA")]
        {
            let pem = Pem::parse(good).unwrap();
            assert_eq!((pem.label, pem.content.as_slice(), pem.dek_info), ("A KEY", &[0, 1, 2, 3][..], None));
        }
        for bad in [
            "",
            "-----BEGIN A KEY-----",
            "-----BEGIN A KEY----------END A KEY-----",
            &block.replace("END A", "END B"),
            &block.replace("BEGIN A KEY-----\n", "BEGIN A KEY-----"),
            &block.replace("\n-----END", "-----END"),
            &block.replace("==", ""),
            &block.replace("==", "="),
            &block.replace("Aw==", "Ax=="),
            &block.replace("AAEC", "AA-C"),
            &block[1..],
            &block[..block.len() - 1],
            &format!("{block}\n{block}"),
            &format!("text\n{block}"),
            &format!("{block}\ntext"),
        ] {
            assert!(Pem::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_headers_of_an_encrypted_key() {
        let block =
            "-----BEGIN K-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES-EDE3-CBC,0011\n\nAAEC\n-----END K-----";
        for good in [block, &block.replace('\n', "\r\n")] {
            let pem = Pem::parse(good).unwrap();
            assert_eq!(
                (pem.dek_info, pem.content.as_slice()),
                (Some(("DES-EDE3-CBC", "0011")), &[0, 1, 2][..])
            );
        }
        for bad in [
            block.replace("4,ENCRYPTED", "4,MIC-ONLY"),
            block.replace("Proc-Type", "X-Proc-Type"),
            block.replace("DEK-Info: DES-EDE3-CBC,0011\n", ""),
            block.replace("\n\n", "\n"),
            block.replace(",0011", ""),
            block.replace("\n\n", "\nMore: 1\n\n"),
        ] {
            assert!(Pem::parse(&bad).is_none(), "{bad}");
        }
    }
}
