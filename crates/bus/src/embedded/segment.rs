use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, Weak};

use super::disk::Disk;
use super::frame::FrameHead;
use super::frames::{Frames, Step, WIDEST_HOLE};
use super::index::Index;

pub(super) const MAGIC: &[u8; 8] = b"VEDLOG1\n";
/// Bytes before the first frame of a segment file.
pub(super) const HEADER: u64 = MAGIC.len() as u64;

/// One file of a partition: the records from `base` on to the base of the next segment.
pub(super) struct Segment {
    /// Lowest offset it may hold.
    pub(super) base: u64,
    /// The file; its index is beside it.
    pub(super) path: PathBuf,
    // Covers durable records only: readers never see more.
    index: RwLock<Index>,
    reading: Mutex<Reading>,
}

#[derive(Default)]
struct Reading {
    // Open while it is being read, so that a long log does not exhaust the process's file handles.
    file: Weak<File>,
    // Its path now refers to another segment's file.
    is_replaced: bool,
}

/// Repairs made on opening a segment.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Repairs {
    /// Truncated bytes at the end that no complete record followed.
    pub(super) torn_bytes: u64,
    /// Unreadable bytes between sound records, left in place and skipped.
    pub(super) damaged_bytes: u64,
    /// Whether the index was rebuilt from the records.
    pub(super) index_rebuilt: bool,
    /// The offset after the last record according to an index that was written earlier, where that lies behind the last record
    /// found: the records between were acknowledged, and are lost.
    pub(super) known_end: Option<u64>,
}

impl Segment {
    pub(super) fn path(dir: &Path, base: u64) -> PathBuf {
        dir.join(format!("{base:020}.log"))
    }

    /// An empty segment with its file, durable in its directory.
    pub(super) fn create(dir: &Path, base: u64, disk: &dyn Disk) -> io::Result<(Self, File)> {
        let path = Self::path(dir, base);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
        disk.write(&file, MAGIC, 0)?;
        disk.sync(&file)?;
        sync_dir(dir)?;
        Ok((Self::with_index(path, base, Index::new(base, HEADER)), file))
    }

    pub(super) fn with_index(path: PathBuf, base: u64, index: Index) -> Self {
        Self { base, path, index: RwLock::new(index), reading: Mutex::default() }
    }

    /// Opens the file at `path`. Only the `last` segment of a partition can have a torn end.
    pub(super) fn open(path: PathBuf, base: u64, last: bool) -> io::Result<(Self, Repairs)> {
        let mut repairs = Repairs::default();
        let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
        let mut len = file.metadata()?.len();
        if last && Self::is_unfinished(&file, len)? {
            repairs.torn_bytes = len;
            file.write_all_at(MAGIC, 0)?;
            file.sync_all()?;
            len = HEADER;
        }
        let mut magic = [0; MAGIC.len()];
        file.read_exact_at(&mut magic, 0)?;
        if magic != *MAGIC {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "not a segment of this version; put the file aside or restore it",
            ));
        }
        let index = match Index::load(&path.with_extension("idx"), len) {
            Some(index) => index,
            None => {
                repairs.index_rebuilt = true;
                let found = Self::scan(&mut file, base, len, last, &mut repairs)?;
                let known = Index::known_end(&path.with_extension("idx"));
                repairs.known_end =
                    known.filter(|end| (found.next_offset + 1..found.next_offset + WIDEST_HOLE).contains(end));
                found
            }
        };
        let segment = Self::with_index(path, base, index);
        if repairs.index_rebuilt && !last {
            segment.store_index();
        }
        Ok((segment, repairs))
    }

    /// Whether the file was only just created: records are written only once its header is durable.
    fn is_unfinished(file: &File, len: u64) -> io::Result<bool> {
        if len != HEADER {
            return Ok(len < HEADER);
        }
        let mut found = [0; MAGIC.len()];
        file.read_exact_at(&mut found, 0)?;
        // The length may have become durable before the bytes, which then read as zeros.
        Ok(found != *MAGIC && found.iter().zip(MAGIC).all(|(found, byte)| *found == 0 || found == byte))
    }

    fn scan(file: &mut File, base: u64, len: u64, last: bool, repairs: &mut Repairs) -> io::Result<Index> {
        let mut index = Index::new(base, HEADER);
        let mut frames = Frames::new(file, HEADER, len, base);
        loop {
            match frames.step()? {
                Step::Frame { at, head, .. } => index.push(&head, at),
                Step::Damage { from, to } if to == len && last => {
                    // Nothing sound follows: the end of an unfinished write, which was never acknowledged; or damage.
                    repairs.torn_bytes += to - from;
                    file.set_len(from)?;
                    file.sync_all()?;
                    break;
                }
                Step::Damage { from, to } => repairs.damaged_bytes += to - from,
                Step::End => break,
            }
        }
        if repairs.torn_bytes == 0 {
            index.len = len;
        }
        Ok(index)
    }

    /// The index of its durable records.
    pub(super) fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes durable frames visible to readers.
    pub(super) fn publish(&self, frames: &[(FrameHead, u64)]) {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        for (head, at) in frames {
            index.push(head, *at);
        }
    }

    /// Writes the index file. A failure only makes the next opening slower.
    pub(super) fn store_index(&self) {
        let path = self.path.with_extension("idx");
        if let Err(error) = self.index().store(&path) {
            tracing::warn!(path = %path.display(), %error, "index not written; the next start reads the segment instead");
        }
    }

    fn reading(&self) -> MutexGuard<'_, Reading> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file for reading; shared by all current readers. Not found once the segment has left the log.
    pub(super) fn file(&self) -> io::Result<Arc<File>> {
        let mut reading = self.reading();
        if let Some(file) = reading.file.upgrade() {
            return Ok(file);
        }
        if reading.is_replaced {
            return Err(io::ErrorKind::NotFound.into());
        }
        let file = Arc::new(File::open(&self.path)?);
        reading.file = Arc::downgrade(&file);
        Ok(file)
    }

    /// Moves `file` to the segment's path and calls `announce` to make it known. Concurrent readers of this segment still get its
    /// own file, which its index describes; later ones find none.
    pub(super) fn replace_file(&self, file: &Path, announce: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let own = self.file()?;
        fs::rename(file, &self.path)?;
        let announced = announce();
        self.reading().is_replaced = true;
        drop(own);
        announced
    }

    /// Deletes file and index. Current readers are unaffected.
    pub(super) fn delete(&self) -> io::Result<()> {
        let _ = fs::remove_file(self.path.with_extension("idx"));
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Makes a directory's entries durable.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
