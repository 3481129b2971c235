use std::path::{Path, PathBuf};

use vedette_core::CameraId;

use crate::error::{FileError, at};
use crate::files;
use crate::layout;
use crate::recorded::Recorded;
use crate::retention::{self, Limits, Swept};
use crate::writer::CameraWriter;

/// The file with the versions of cameras and policies.
const HISTORY: &str = "history.jsonl";

/// The detections of many cameras in a folder. One process writes it; any number read it meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetectionStore {
    directory: PathBuf,
}

impl DetectionStore {
    /// A store to write to; the folder is created if there is none.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn create(directory: &Path) -> Result<Self, FileError> {
        files::create_folder(directory)?;
        Ok(Self::at(directory))
    }

    /// A store to read, whose folder may not exist yet.
    #[must_use]
    pub fn at(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// A store to read; none when the folder does not exist.
    #[must_use]
    pub fn open(directory: &Path) -> Option<Self> {
        directory.is_dir().then(|| Self::at(directory))
    }

    /// Its folder.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The cameras with detections, by id.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn cameras(&self) -> Result<Vec<CameraId>, FileError> {
        layout::cameras(&self.directory)
    }

    /// What is stored of a camera. Nothing of one that is not there.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn recorded(&self, camera: &CameraId) -> Result<Recorded, FileError> {
        Recorded::of(&layout::camera(&self.directory, camera), camera)
    }

    /// Appends to what is stored of a camera.
    ///
    /// # Errors
    /// When its folder cannot be created, or a file cannot be read.
    pub fn writer(&self, camera: &CameraId) -> Result<CameraWriter, FileError> {
        CameraWriter::open(layout::camera(&self.directory, camera), camera.clone())
    }

    /// Deletes what the limits do not allow, oldest first.
    ///
    /// # Errors
    /// When a folder cannot be listed, or a file cannot be deleted.
    pub fn sweep(&self, limits: &Limits) -> Result<Swept, FileError> {
        retention::sweep(&self.directory, limits)
    }

    /// The versions of cameras and policies that are stored beside the detections; none when they are not.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn history(&self) -> Result<Option<Vec<u8>>, FileError> {
        let path = self.history_path();
        match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some).map_err(at("reading", &path)),
        }
    }

    /// Stores the versions of cameras and policies.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn keep_history(&self, history: &[u8]) -> Result<(), FileError> {
        files::replace(&self.history_path(), history)
    }

    /// Where the versions of cameras and policies are.
    #[must_use]
    pub fn history_path(&self) -> PathBuf {
        self.directory.join(HISTORY)
    }
}
