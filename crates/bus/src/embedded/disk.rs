//! The two calls that can find the disk full or broken; tests substitute a failing disk.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Writing and syncing of the log's bytes.
pub(super) trait Disk: Send + Sync + 'static {
    /// Writes all of `bytes` at `at`.
    fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()>;
    /// Returns when all that was written survives a power cut.
    fn sync(&self, file: &File) -> io::Result<()>;
}

/// The file system.
pub(super) struct FileSystem;

impl Disk for FileSystem {
    fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        file.write_all_at(bytes, at)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }
}
