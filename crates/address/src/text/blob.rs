//! A single byte string with the files of a tantivy index, and a directory that reads them in place.
//!
//! Layout, little endian: `VEDTXT01`; number of entries (u32); for each entry length of its name (u32), length of its bytes (u64),
//! name; then the bytes of all entries in the same order. The entry `ids` is not a tantivy file: it contains each document's entity
//! (u32 each).

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tantivy::directory::error::{DeleteError, OpenReadError, OpenWriteError};
use tantivy::directory::{FileHandle, OwnedBytes, WatchCallback, WatchHandle, WritePtr};

const MAGIC: &[u8; 8] = b"VEDTXT01";
pub(super) const IDS: &str = "ids";
/// An index has about ten files.
const MAX_ENTRIES: u32 = 64;
const MAX_NAME_BYTES: u32 = 128;

/// Why a text index cannot be built or opened.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum IndexError {
    #[error("entity {id} comes after entity {last}; add entities in ascending order of their ids, each once")]
    Order { id: u32, last: u32 },
    #[error("these bytes are not a valid text index ({0}); build the address base again")]
    Layout(&'static str),
    #[error("the text index cannot be made or read: {0}; build the address base again")]
    Tantivy(#[from] tantivy::TantivyError),
    #[error("the text index is damaged: reading it failed half-way; copy or build the address base again")]
    Damaged,
}

pub(super) fn pack(entries: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let length: usize = entries.iter().map(|(name, bytes)| 12 + name.len() + bytes.len()).sum();
    let mut blob = Vec::with_capacity(12 + length);
    blob.extend_from_slice(MAGIC);
    blob.extend_from_slice(&(entries.len() as u32).to_le_bytes());
    for (name, bytes) in entries {
        blob.extend_from_slice(&(name.len() as u32).to_le_bytes());
        blob.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        blob.extend_from_slice(name.as_bytes());
    }
    entries.values().for_each(|bytes| blob.extend_from_slice(bytes));
    blob
}

/// The entries of a blob by name; nothing is copied.
pub(super) fn unpack(blob: &OwnedBytes) -> Result<BTreeMap<PathBuf, OwnedBytes>, IndexError> {
    let mut head = Head { rest: blob };
    if head.take(MAGIC.len())? != MAGIC {
        return Err(IndexError::Layout("it does not begin with `VEDTXT01`"));
    }
    let count = head.number::<4>()?;
    if count > u64::from(MAX_ENTRIES) {
        return Err(IndexError::Layout("it claims more files than an index has"));
    }
    let mut table = Vec::new();
    for _ in 0..count {
        let (name_len, len) = (head.number::<4>()?, head.number::<8>()?);
        if name_len > u64::from(MAX_NAME_BYTES) {
            return Err(IndexError::Layout("the name of a file is too long"));
        }
        let name = std::str::from_utf8(head.take(name_len as usize)?)
            .map_err(|_| IndexError::Layout("the name of a file is not valid text"))?;
        table.push((PathBuf::from(name), len));
    }
    let mut start = blob.len() - head.rest.len();
    let mut entries = BTreeMap::new();
    for (name, len) in table {
        let end = usize::try_from(len).ok().and_then(|len| start.checked_add(len)).filter(|end| *end <= blob.len());
        let end = end.ok_or(IndexError::Layout("it was cut"))?;
        entries.insert(name, blob.slice(start..end));
        start = end;
    }
    if start != blob.len() {
        return Err(IndexError::Layout("it was extended"));
    }
    Ok(entries)
}

struct Head<'a> {
    rest: &'a [u8],
}

impl<'a> Head<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], IndexError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(IndexError::Layout("it was cut"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn number<const BYTES: usize>(&mut self) -> Result<u64, IndexError> {
        let mut bytes = [0; 8];
        bytes[..BYTES].copy_from_slice(self.take(BYTES)?);
        Ok(u64::from_le_bytes(bytes))
    }
}

/// The files of a blob as a read-only tantivy directory.
#[derive(Clone)]
pub(super) struct BlobDirectory(Arc<BTreeMap<PathBuf, OwnedBytes>>);

impl BlobDirectory {
    pub(super) fn new(entries: BTreeMap<PathBuf, OwnedBytes>) -> Self {
        Self(Arc::new(entries))
    }

    fn bytes(&self, path: &Path) -> Result<OwnedBytes, OpenReadError> {
        self.0.get(path).cloned().ok_or_else(|| OpenReadError::FileDoesNotExist(path.to_owned()))
    }
}

impl std::fmt::Debug for BlobDirectory {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

fn read_only() -> io::Error {
    io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "a text index in a base is never written")
}

impl tantivy::Directory for BlobDirectory {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        Ok(Arc::new(self.bytes(path)?))
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        Err(DeleteError::IoError { io_error: Arc::new(read_only()), filepath: path.to_owned() })
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        Ok(self.0.contains_key(path))
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        Err(OpenWriteError::IoError { io_error: Arc::new(read_only()), filepath: path.to_owned() })
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        Ok(self.bytes(path)?.as_slice().to_vec())
    }

    fn atomic_write(&self, _path: &Path, _data: &[u8]) -> io::Result<()> {
        Err(read_only())
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    fn watch(&self, _callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        Ok(WatchHandle::empty())
    }
}
