//! Finds secrets where they should not be.

use crate::fake::FAKE_PREFIX;
use crate::views::{ANCHOR, Anchor, Views, bits_per_character};
use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// The shortest run that a scanner accepts: below it, chance finds something in every large file.
const SHORTEST_RUN: usize = ANCHOR;

/// How long a run of a token's secret part counts as a leak of it.
const TOKEN_RUN: usize = 12;

/// How much of a file is read at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// Finds secrets, or parts of them, in bytes, files and folders.
///
/// It looks for runs of consecutive bytes of a secret: as they are, in hex (either case, mixed too) and in base64
/// (standard and URL-safe alphabets, each of the three alignments). A run is found exactly when all of its bytes are
/// there, wherever it stands and whatever surrounds it. What is compressed, encrypted, broken into lines or encoded
/// twice is not found.
///
/// It holds the secrets in ordinary memory and shows them in no `Debug`.
pub struct LeakScanner {
    secrets: Vec<Secret>,
    /// Every 8 consecutive bytes of a secret: which secret, and where in it they end.
    anchors: HashMap<u64, Vec<(usize, usize)>>,
    /// One bit for each of 65,536 classes of anchors: most bytes of a file need no look into the map.
    classes: Vec<u64>,
}

struct Secret {
    name: String,
    min_run: usize,
}

/// A secret found where it should not be. Neither `Debug` nor `Display` shows any of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leak {
    /// The secret's name, as it was given to the scanner.
    pub secret: String,
    /// Where: a file's path, or what `scan_bytes` was told.
    pub place: String,
    /// Where in there the run begins, in bytes.
    pub offset: u64,
    /// How it is written there.
    pub encoding: LeakEncoding,
}

/// How a found secret is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum LeakEncoding {
    /// As it is.
    Plain,
    /// In hexadecimal digits of either case.
    Hex,
    /// In base64, standard or URL-safe.
    Base64,
}

impl LeakScanner {
    /// A scanner that looks for nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self { secrets: Vec::new(), anchors: HashMap::new(), classes: vec![0; 1024] }
    }

    /// Looks also for any `min_run` or more consecutive bytes of this secret.
    ///
    /// # Panics
    ///
    /// When `min_run` is below 8, or the secret is shorter than `min_run` and could never be found.
    #[must_use]
    pub fn secret(mut self, name: &str, secret: &[u8], min_run: usize) -> Self {
        assert!(
            min_run >= SHORTEST_RUN,
            "a run of {min_run} bytes is found by chance: look for {SHORTEST_RUN} or more"
        );
        assert!(
            secret.len() >= min_run,
            "the secret {name:?} is shorter than {min_run} bytes: it would never be found"
        );
        for (start, bytes) in secret.windows(ANCHOR).enumerate() {
            let bytes = bytes.iter().fold(0, |bytes, byte| bytes << 8 | u64::from(*byte));
            self.anchors.entry(bytes).or_default().push((self.secrets.len(), start + ANCHOR));
            let class = class(bytes);
            self.classes[class / 64] |= 1 << (class % 64);
        }
        self.secrets.push(Secret { name: name.to_owned(), min_run });
        self
    }

    /// Looks also for any 12 consecutive bytes of this token's secret part, which is what follows a literal
    /// `apify_api_FAKE-` or `apify_api_`.
    ///
    /// # Panics
    ///
    /// When that part is shorter than 12 bytes.
    #[must_use]
    pub fn token(self, name: &str, token: &str) -> Self {
        let prefixes = [FAKE_PREFIX, "apify_api_"];
        let secret_part = prefixes.iter().find_map(|prefix| token.strip_prefix(prefix)).unwrap_or(token);
        self.secret(name, secret_part.as_bytes(), TOKEN_RUN)
    }

    /// What is found in these bytes, which `place` names.
    ///
    /// # Panics
    ///
    /// When the scanner was given no secret.
    #[must_use]
    pub fn scan_bytes(&self, place: &str, bytes: &[u8]) -> Vec<Leak> {
        let mut scan = Scan::new(self, place);
        scan.feed(bytes);
        scan.leaks
    }

    /// What is found in this file.
    ///
    /// # Errors
    ///
    /// When it can't be read.
    ///
    /// # Panics
    ///
    /// When the scanner was given no secret.
    pub fn scan_file(&self, path: impl AsRef<Path>) -> io::Result<Vec<Leak>> {
        let path = path.as_ref();
        self.scan_file_as(path, &path.display().to_string())
    }

    /// What is found in this folder: in each file's bytes, hidden ones too, in the names of files and folders, and
    /// in what symbolic links point to, at any depth. Links are not followed; pipes, sockets and devices not read.
    /// A name that holds a secret is not shown in a place.
    ///
    /// # Errors
    ///
    /// When something in it can't be read, or vanishes meanwhile.
    ///
    /// # Panics
    ///
    /// When the scanner was given no secret.
    pub fn scan_dir(&self, path: impl AsRef<Path>) -> io::Result<Vec<Leak>> {
        let path = path.as_ref();
        let mut leaks = Vec::new();
        let mut folders = vec![(path.to_owned(), path.display().to_string())];
        while let Some((folder, place)) = folders.pop() {
            for entry in fs::read_dir(&folder).map_err(|error| at(&place, &error))? {
                let entry = entry.map_err(|error| at(&place, &error))?;
                let name = entry.file_name();
                let in_name = self.scan_bytes(&format!("{place} (a name in it)"), name.as_encoded_bytes());
                let shown =
                    if in_name.is_empty() { name.to_string_lossy() } else { "(a name with a secret)".into() };
                let place = Path::new(&place).join(&*shown).display().to_string();
                leaks.extend(in_name);
                let kind = entry.file_type().map_err(|error| at(&place, &error))?;
                if kind.is_dir() {
                    folders.push((entry.path(), place));
                } else if kind.is_file() {
                    leaks.extend(self.scan_file_as(&entry.path(), &place)?);
                } else if kind.is_symlink() {
                    let target = fs::read_link(entry.path()).map_err(|error| at(&place, &error))?;
                    leaks.extend(self.scan_bytes(&place, target.as_os_str().as_encoded_bytes()));
                }
            }
        }
        Ok(leaks)
    }

    fn scan_file_as(&self, path: &Path, place: &str) -> io::Result<Vec<Leak>> {
        let mut file = File::open(path).map_err(|error| at(place, &error))?;
        let mut scan = Scan::new(self, place);
        let mut chunk = vec![0; CHUNK];
        loop {
            match file.read(&mut chunk) {
                Ok(0) => return Ok(scan.leaks),
                Ok(length) => scan.feed(&chunk[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(at(place, &error)),
            }
        }
    }
}

/// Says where an error happened.
fn at(place: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("can't scan {place}: {error}"))
}

/// A multiplicative hash of 16 bits.
const fn class(bytes: u64) -> usize {
    (bytes.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48) as usize
}

impl Default for LeakScanner {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for LeakScanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.secrets.iter().map(|secret| secret.name.as_str()).collect();
        f.debug_struct("LeakScanner").field("secrets", &names).finish_non_exhaustive()
    }
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { secret, place, offset, encoding } = self;
        write!(f, "{secret} is in {place} at byte {offset}, {encoding}")
    }
}

impl fmt::Display for LeakEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Hex => "in hex",
            Self::Base64 => "in base64",
        })
    }
}

/// One pass over a stream, in chunks of any size.
struct Scan<'s> {
    scanner: &'s LeakScanner,
    place: &'s str,
    views: Views,
    runs: Vec<OpenRun>,
    leaks: Vec<Leak>,
}

/// Bytes of a secret that were just seen, and that the next byte may continue.
struct OpenRun {
    encoding: LeakEncoding,
    end_bit: u64,
    secret: usize,
    /// Where in the secret it ends.
    end: usize,
    length: usize,
}

impl<'s> Scan<'s> {
    fn new(scanner: &'s LeakScanner, place: &'s str) -> Self {
        assert!(!scanner.secrets.is_empty(), "a scanner without a secret would find nothing, whatever leaks");
        Self { scanner, place, views: Views::default(), runs: Vec::new(), leaks: Vec::new() }
    }

    fn feed(&mut self, bytes: &[u8]) {
        let Self { scanner, place, views, runs, leaks } = self;
        for byte in bytes {
            views.feed(*byte, |anchor| {
                let class = class(anchor.bytes);
                if scanner.classes[class / 64] & 1 << (class % 64) != 0 {
                    scanner.continue_runs(place, anchor, runs, leaks);
                }
            });
        }
    }
}

impl LeakScanner {
    /// Lengthens the runs that an anchor continues, begins those that it begins, and reports each that has just
    /// become long enough.
    fn continue_runs(&self, place: &str, anchor: &Anchor, runs: &mut Vec<OpenRun>, leaks: &mut Vec<Leak>) {
        let &Anchor { encoding, bytes, end_bit } = anchor;
        for &(secret, end) in self.anchors.get(&bytes).into_iter().flatten() {
            let before = runs.iter().find(|run| {
                run.encoding == encoding
                    && run.end_bit + 8 == end_bit
                    && run.secret == secret
                    && run.end + 1 == end
            });
            let length = before.map_or(ANCHOR, |run| run.length + 1);
            let Secret { name, min_run } = &self.secrets[secret];
            if length == *min_run {
                let offset = (end_bit - 8 * length as u64) / bits_per_character(encoding);
                let leak = Leak { secret: name.clone(), place: place.to_owned(), offset, encoding };
                // A secret that repeats itself matches itself at several of its places.
                if leaks.last() != Some(&leak) {
                    leaks.push(leak);
                }
            }
            runs.push(OpenRun { encoding, end_bit, secret, end, length });
        }
        runs.retain(|run| run.encoding != encoding || run.end_bit + 8 > end_bit);
    }
}
