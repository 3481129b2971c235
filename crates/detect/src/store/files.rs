use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};
use tempfile::{NamedTempFile, TempDir};

use super::error::StoreError;

const CHUNK: usize = 1 << 20;

/// The SHA-256 of a file in lower-case hex.
pub(super) fn sha256(path: &Path) -> Result<String, StoreError> {
    let read = |error| StoreError::io("read", path, error);
    let mut file = File::open(path).map_err(read)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = file.read(&mut chunk).map_err(read)?;
        if count == 0 {
            break;
        }
        hash.update(&chunk[..count]);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Checks that `path` exists and has the checksum `expected`.
pub(super) fn verify(path: &Path, expected: &str, name: &str, fix: &str) -> Result<(), StoreError> {
    if !path.is_file() {
        return Err(StoreError::Missing { name: name.to_owned(), path: path.to_owned(), fix: fix.to_owned() });
    }
    let found = sha256(path)?;
    if found == expected {
        return Ok(());
    }
    Err(StoreError::Checksum {
        name: name.to_owned(),
        path: path.to_owned(),
        expected: expected.to_owned(),
        found,
        fix: fix.to_owned(),
    })
}

/// A temporary folder in the cache: on the same file system as the files made from it.
pub(super) fn scratch(cache: &Path) -> Result<TempDir, StoreError> {
    create_folder(cache)?;
    tempfile::Builder::new()
        .prefix(".scratch-")
        .tempdir_in(cache)
        .map_err(|error| StoreError::io("write", cache, error))
}

pub(super) fn create_folder(path: &Path) -> Result<(), StoreError> {
    std::fs::create_dir_all(path).map_err(|error| StoreError::io("create", path, error))
}

/// Copies `from` to `to` atomically.
pub(super) fn copy_into(from: &Path, to: &Path) -> Result<(), StoreError> {
    let mut source = File::open(from).map_err(|error| StoreError::io("read", from, error))?;
    let write = |error: io::Error| StoreError::io("write", to, error);
    let folder = to.parent().unwrap_or(Path::new("."));
    create_folder(folder)?;
    let mut target = NamedTempFile::new_in(folder).map_err(write)?;
    io::copy(&mut source, &mut target).map_err(write)?;
    target.flush().map_err(write)?;
    target.as_file().sync_all().map_err(write)?;
    target.persist(to).map_err(|error| write(error.error))?;
    Ok(())
}
