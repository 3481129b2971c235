use std::path::PathBuf;

use crate::provider::Provider;

/// Why an execution provider was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderRefusal {
    /// The provider.
    pub provider: Provider,
    /// Its message.
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
        /// The loader's message.
        reason: String,
    },
    /// The process already uses another library; ONNX Runtime can be loaded once per process.
    #[error("ONNX Runtime is loaded from `{loaded}` already; one process cannot load another one from `{wanted}`")]
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
        /// Its message.
        reason: String,
    },
}

/// Why a picture has no result or a detector was not opened. It is cheap to clone: a failed batch fails each of its pictures.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DetectError {
    /// No execution provider could start the model.
    #[error("no execution provider starts model `{model}`: {}", list(refusals))]
    NoProvider {
        /// Name of the manifest.
        model: String,
        /// Each provider tried, with its message.
        refusals: Vec<ProviderRefusal>,
    },
    /// The file is not the model that the manifest describes.
    #[error("model `{model}` does not match its manifest: {reason}; correct the manifest or the file")]
    Unfit {
        /// Name of the manifest.
        model: String,
        /// The difference.
        reason: String,
    },
    /// The picture is not a valid input of this model.
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
        /// Its execution provider.
        provider: Provider,
        /// The runtime's message.
        reason: String,
    },
    /// The queue is full and [`WhenFull::Refuse`](crate::WhenFull::Refuse) is set.
    #[error("the detection queue is full ({capacity} pictures); lower the frame rate or add workers")]
    QueueFull {
        /// The queue's capacity in pictures.
        capacity: usize,
    },
    /// The service shuts down or its workers are gone.
    #[error("the detection service accepts no more pictures")]
    Closed,
}

fn list(refusals: &[ProviderRefusal]) -> String {
    let said: Vec<String> =
        refusals.iter().map(|refusal| format!("{}: {}", refusal.provider, refusal.reason)).collect();
    said.join("; ")
}
