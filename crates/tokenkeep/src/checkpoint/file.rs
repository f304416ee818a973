//! Checkpoints in a file.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use sha2::{Digest, Sha256};
use tokenkeep_core::{Error, ErrorKind};

use super::note::Note;
use super::{Checkpoint, CheckpointSink, Facts, LINES, TITLE};

/// How much of the file's end is read first: some notes.
const WINDOW: u64 = 16 * 1024;

/// How far back an old checkpoint is looked for: some five hundred.
const MOST: u64 = 1024 * 1024;

/// No note is longer, so neither is what an interrupted write left of one.
const LONGEST: usize = 4096;

/// A file of checkpoints, one note after the other, each of 23 lines (`split -l 23` takes them apart). Appended and
/// flushed to the disk; several processes may share it. What an interrupted write left at its end is cut off by the next
/// one.
///
/// It is worth something only where whoever writes to the database can't write: not in the database's folder, not in its
/// backups. A file that only this process's user may append to is better than nothing; another host is better than that.
///
/// Keep the file when a database is restored from a backup on purpose: the vault then makes no more checkpoints into it
/// (`Tampered`), for they would deny the ones that are there. Give it a new file, and keep the old one as evidence.
#[derive(Debug, Clone)]
pub struct CheckpointFile {
    path: Arc<Path>,
}

impl CheckpointFile {
    /// The file, which must be there.
    ///
    /// # Errors
    /// `SinkUnavailable` when it can't be read; `Tampered` when it is no file of checkpoints.
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let file = Self { path: path.into().into() };
        file.last().await?;
        Ok(file)
    }

    /// The same; a missing file is made, with mode 0600, and so are folders above it, with mode 0700. For the first
    /// start: later, a file that went missing is a fault.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_or_create(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path: Arc<Path> = path.into().into();
        let missing = Arc::clone(&path);
        blocking(move || create(&missing).map_err(unavailable)).await?;
        Self::open(&*path).await
    }
}

#[async_trait]
impl CheckpointSink for CheckpointFile {
    async fn deliver(&self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let (path, checkpoint) = (Arc::clone(&self.path), checkpoint.clone());
        blocking(move || {
            let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(unavailable)?;
            file.lock().map_err(unavailable)?;
            append(&mut file, &checkpoint)
            // Closing the file unlocks it.
        })
        .await
    }

    async fn last(&self) -> Result<Option<String>, Error> {
        let path = Arc::clone(&self.path);
        blocking(move || {
            let mut file = File::open(path).map_err(unavailable)?;
            file.lock_shared().map_err(unavailable)?;
            Ok(Tail::read(&mut file, WINDOW)?.notes.pop())
        })
        .await
    }

    fn file(&self) -> Option<&Path> {
        Some(&self.path)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::new(ErrorKind::Internal).with_source(error))?
}

fn unavailable(error: io::Error) -> Error {
    Error::new(ErrorKind::SinkUnavailable).with_source(error)
}

fn altered() -> Error {
    Error::new(ErrorKind::Tampered).because("the file of checkpoints holds what no checkpoint is")
}

fn create(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        file => {
            file?.sync_all()?;
            // Its name is on the disk only once its folder is.
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
        }
    }
}

fn append(file: &mut File, checkpoint: &Checkpoint) -> Result<(), Error> {
    let mut tail = Tail::read(file, WINDOW)?;
    while let Some(first) = tail.notes.first() {
        let (first, _) = facts(first)?;
        // Of those further back than that it is enough that there are later ones.
        if first.number <= checkpoint.number() || tail.is_whole || tail.window >= MOST {
            break;
        }
        tail = Tail::read(file, tail.window * 4)?;
    }
    if let Some(last) = tail.notes.last() {
        let (last, digest) = facts(last)?;
        if checkpoint.number() == last.number.saturating_add(1) && *checkpoint.previous() != digest {
            return Err(forked());
        }
        if checkpoint.number() <= last.number {
            for note in &tail.notes {
                let (kept, digest) = facts(note)?;
                if kept.number == checkpoint.number() && digest != *checkpoint.digest() {
                    return Err(forked());
                }
            }
            return Ok(());
        }
    }
    file.set_len(tail.end).map_err(unavailable)?;
    file.seek(SeekFrom::Start(tail.end)).map_err(unavailable)?;
    file.write_all(checkpoint.note().as_bytes()).map_err(unavailable)?;
    file.sync_all().map_err(unavailable)
}

fn forked() -> Error {
    Error::new(ErrorKind::Tampered).because("the file keeps other checkpoints than this run of them")
}

fn facts(note: &str) -> Result<(Facts, [u8; 32]), Error> {
    let text = Note::parse(note).ok_or_else(altered)?.text;
    Ok((Facts::parse(text).ok_or_else(altered)?, Sha256::digest(text).into()))
}

/// The last notes of a file.
struct Tail {
    notes: Vec<String>,
    /// Where the last of them ends.
    end: u64,
    window: u64,
    /// Whether these are all notes of the file.
    is_whole: bool,
}

impl Tail {
    fn read(file: &mut File, window: u64) -> Result<Self, Error> {
        let length = file.metadata().map_err(unavailable)?.len();
        let start = length.saturating_sub(window);
        file.seek(SeekFrom::Start(start)).map_err(unavailable)?;
        let mut bytes = Vec::new();
        // Whatever the file grows by meanwhile is not this call's: appending takes the lock.
        file.take(window).read_to_end(&mut bytes).map_err(unavailable)?;
        // No note has the title at the beginning of another line, so each of those begins one.
        let title = [b"\n", TITLE.as_bytes()].concat();
        let at_start = (start == 0 && bytes.starts_with(TITLE.as_bytes())).then_some(0);
        let later = bytes.windows(title.len()).enumerate().filter(|(_, found)| *found == title);
        let mut from = at_start.or_else(|| later.map(|(place, _)| place + 1).next());
        let (mut notes, mut end) = (Vec::new(), from.unwrap_or(0));
        while let Some(place) = from {
            end = place;
            from = bytes[place..].starts_with(TITLE.as_bytes()).then(|| note_end(&bytes, place)).flatten();
            if let Some(next) = from {
                notes.push(String::from_utf8(bytes[place..next].to_vec()).map_err(|_| altered())?);
            }
        }
        if start > 0 && notes.is_empty() {
            return Err(altered());
        }
        is_torn(&bytes[end..]).then_some(()).ok_or_else(altered)?;
        Ok(Self { notes, end: start + end as u64, window, is_whole: start == 0 })
    }
}

/// Where the note that begins here ends, if all its lines are there.
fn note_end(bytes: &[u8], from: usize) -> Option<usize> {
    let ends = bytes[from..].iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    ends.map(|(place, _)| from + place + 1).nth(LINES - 1)
}

/// Whether this may be the beginning of a note, the rest of which was not written; a file system that was interrupted may
/// leave zeroes in the place of what was. Anything else is not ours to cut off.
fn is_torn(rest: &[u8]) -> bool {
    let written = rest.len() - rest.iter().rev().take_while(|byte| **byte == 0).count();
    let written = &rest[..written];
    let begins = TITLE.as_bytes().starts_with(written) || written.starts_with(TITLE.as_bytes());
    rest.len() <= LONGEST && begins
}
