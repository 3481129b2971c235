use std::path::PathBuf;

use crate::provider::Provider;

/// Why an execution provider was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderRefusal {
    /// The provider.
    pub provider: Provider,
    /// What it said.
    pub reason: String,
}

/// Why ONNX Runtime could not be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuntimeError {
    /// The library does not load or is too old.
    #[error("ONNX Runtime does not load from `{library}`: {reason}; fetch it with `vedette models fetch onnxruntime`")]
    Load {
        /// The library's path.
        library: PathBuf,
        /// What the loader said.
        reason: String,
    },
    /// The process uses another library already; ONNX Runtime can be loaded once a process.
    #[error("ONNX Runtime is loaded from `{loaded}` already; it cannot be loaded from `{wanted}` too in one process")]
    OtherLibrary {
        /// The library in use.
        loaded: PathBuf,
        /// The library asked for.
        wanted: PathBuf,
    },
    /// The library loaded and then refused to start.
    #[error("ONNX Runtime from `{library}` does not start: {reason}")]
    Start {
        /// The library's path.
        library: PathBuf,
        /// What it said.
        reason: String,
    },
}

/// Why a picture was not answered or a detector not opened. It is cheap to clone: a failed batch fails each picture in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DetectError {
    /// No execution provider could start the model.
    #[error("no execution provider starts model `{model}`: {}", list(refusals))]
    NoProvider {
        /// Name of the manifest.
        model: String,
        /// Each provider tried, with what it said.
        refusals: Vec<ProviderRefusal>,
    },
    /// The file is not the model that the manifest describes.
    #[error("model `{model}` does not fit its manifest: {reason}; correct the manifest or the file")]
    Unfit {
        /// Name of the manifest.
        model: String,
        /// What differs.
        reason: String,
    },
    /// The picture cannot be the input of this model.
    #[error("a picture of {width}x{height} with {bytes} bytes is refused: {rule}")]
    Image {
        /// Its width in pixels.
        width: u32,
        /// Its height in pixels.
        height: u32,
        /// The length of its data.
        bytes: usize,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// The model failed while running.
    #[error("model `{model}` failed on {provider}: {reason}")]
    Run {
        /// Name of the manifest.
        model: String,
        /// Where it ran.
        provider: Provider,
        /// What the runtime said.
        reason: String,
    },
    /// The queue is full and [`WhenFull::Refuse`](crate::WhenFull::Refuse) is set.
    #[error("the detection queue is full ({capacity} pictures); lower the frame rate or add workers")]
    QueueFull {
        /// How many pictures may wait.
        capacity: usize,
    },
    /// The service shuts down or its workers are gone.
    #[error("the detection service takes no more pictures")]
    Closed,
}

fn list(refusals: &[ProviderRefusal]) -> String {
    let said: Vec<String> =
        refusals.iter().map(|refusal| format!("{}: {}", refusal.provider, refusal.reason)).collect();
    said.join("; ")
}
