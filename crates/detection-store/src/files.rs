//! Files and folders of their owner only, written so that a crash leaves the old or the new content.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::error::{FileError, at};

/// Creates a folder, with those above it.
pub(crate) fn create_folder(path: &Path) -> Result<(), FileError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(at("creating", path))
}

/// Opens a file to read and to append to.
pub(crate) fn open_to_append(path: &Path) -> Result<File, FileError> {
    let mut options = OpenOptions::new();
    options.create(true).read(true).append(true).mode(0o600).open(path).map_err(at("opening", path))
}

/// The names in a folder become durable.
pub(crate) fn sync_folder(path: &Path) -> Result<(), FileError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(at("syncing", path))
}

/// Replaces a file whole.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), FileError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = path.with_file_name(name);
    let write = || {
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(content)?;
        file.sync_data()?;
        std::fs::rename(&new, path)
    };
    write().map_err(|error| {
        // Whatever is left of it is of no use.
        let _ = std::fs::remove_file(&new);
        at("writing", path)(error)
    })
}
