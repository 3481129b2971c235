use std::io;
use std::path::{Path, PathBuf};

/// Why bytes are not what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// They end too early.
    #[error("it ends too early")]
    Short,
    /// The checksum is of other bytes.
    #[error("its checksum does not match")]
    Checksum,
    /// They are not of this format.
    #[error("it has an unknown format")]
    Format,
    /// They cannot be decompressed.
    #[error("it cannot be decompressed")]
    Compression,
    /// A value breaks its rule.
    #[error("its {0} is not valid")]
    Value(&'static str),
}

/// A file of the store cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{operation} {}", path.display())]
pub struct FileError {
    /// The operation, for example "writing".
    pub operation: &'static str,
    /// The file.
    pub path: PathBuf,
    /// The error.
    pub source: io::Error,
}

/// Names operation and file of an error.
pub(crate) fn at(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError { operation, path, source }
}
