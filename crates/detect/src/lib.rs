//! Object detection: model manifests and their files, execution providers, batching across cameras, post-processing.
//!
//! *In:* pictures as packed RGB pixels, already scaled, and manifests that describe a model's input and
//! output. *Out:* [`Detection`](vedette_core::Detection)s in pixels of the original frame, best score first, down to the
//! manifest's low floor score. *Must not know:* cameras, their URLs and epochs, capture time, the bus, policies.
//!
//! Path of a picture: [`DetectHandle::detect`] queues it; a worker thread of [`DetectService`] batches waiting pictures
//! of all cameras; [`Detector::detect_batch`] fills the input tensor, runs the model and decodes its output.

mod batch;
mod detector;
mod error;
mod geometry;
mod manifest;
mod metrics;
mod nms;
pub mod output;
mod preprocess;
mod provider;
mod queue;
mod runtime;
mod session;
mod settings;
mod store;

pub use batch::{BatchSettings, DetectHandle, DetectService, Detected, WhenFull};
pub use detector::Detector;
pub use error::{DetectError, ProviderRefusal, RuntimeError};
pub use geometry::InputImage;
pub use manifest::{ColourOrder, Convert, InputSpec, Manifest, ManifestError, ModelFile, Resize, Source};
pub use metrics::METRICS;
pub use output::OutputSpec;
pub use provider::{Provider, UnknownProvider};
pub use runtime::{ProviderReport, Runtime, RuntimeSettings};
pub use settings::DetectorSettings;
pub use store::{
    FetchError, ModelEntry, ModelStore, Progress, RuntimeBuild, RuntimePackage, Silent, StoreError, TerminalProgress,
    default_cache_dir,
};
