//! The database's file, before SQLite touches it.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use tokenkeep_core::{Error, ErrorKind};

/// Makes the file and its folder, if they are missing, and gives its canonical path. Blocks.
pub(crate) fn prepare(path: &Path) -> Result<PathBuf, Error> {
    let file = create(path).and_then(|()| path.canonicalize()).map_err(|error| {
        Error::new(ErrorKind::StoreUnusable).because("its file can't be made or reached").with_source(error)
    })?;
    if !file.is_file() {
        return Err(
            Error::new(ErrorKind::StoreUnusable).because("its path leads to something that is no file")
        );
    }
    if file.to_str().is_none() {
        return Err(Error::new(ErrorKind::Misuse).because("the path of the database is not UTF-8"));
    }
    Ok(file)
}

fn create(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
