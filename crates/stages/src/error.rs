use std::io;
use std::path::{Path, PathBuf};

use vedette_alert_store::StoreError;
use vedette_analysis::{SetupError, StateError};
use vedette_bus::BusError;
use vedette_core::CameraId;
use vedette_topics::TopicError;

use crate::detect::LaneEnded;

/// The error that ends a stage; its supervisor starts it again.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The bus refused something.
    #[error(transparent)]
    Bus(#[from] TopicError),
    /// The store of alerts refused something that is not about the alert or near-miss itself.
    #[error("writing to the alert store")]
    Store(#[source] StoreError),
    /// A file of the detection store cannot be used.
    #[error(transparent)]
    Detections(#[from] vedette_detection_store::FileError),
    /// A checkpoint cannot be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// A camera or its policy cannot be analysed.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// A camera's lane of `detect` ended before its work.
    #[error(transparent)]
    Lane(#[from] LaneEnded),
    /// A panic at a record that was dead-lettered because of a panic before.
    #[error("camera {camera}: {panic}, at a record that was dead-lettered")]
    PanickedAgain {
        /// Its camera.
        camera: CameraId,
        /// The message of the panic.
        panic: String,
    },
    /// A panic in a task of the stage.
    #[error("a task of the stage panicked")]
    Task(#[from] tokio::task::JoinError),
    /// GStreamer is missing or incomplete.
    #[error("video intake")]
    Media(#[source] vedette_media::MediaError),
    /// The registry, which lives as long as the process, is gone.
    #[error("the registry ended")]
    RegistryEnded,
    /// A file of the inbox.
    #[error("{operation} {}", path.display())]
    File {
        /// The operation, for example "writing".
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The error.
        source: io::Error,
    },
}

impl StageError {
    /// An error of a file.
    pub(crate) fn file(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { operation, path, source }
    }
}

impl From<BusError> for StageError {
    fn from(error: BusError) -> Self {
        Self::Bus(error.into())
    }
}

/// A result of a stage.
pub type Result<T, E = StageError> = std::result::Result<T, E>;
