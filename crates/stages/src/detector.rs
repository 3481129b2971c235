//! Builds the running detector from the settings: manifest, file, ONNX Runtime, batches.

use std::path::{Path, PathBuf};

use vedette_core::ModelRef;
use vedette_detect::{
    BatchSettings, DetectError, DetectHandle, DetectService, Detector, DetectorSettings, ModelStore, Provider, Runtime,
    RuntimeError, RuntimeSettings, StoreError, UnknownProvider, default_cache_dir,
};
use vedette_media::OutputSize;

use crate::detect::{DetectSettings, ModelBackend};

/// Why the detector cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DetectorError {
    /// No directory for downloads is known.
    #[error("no directory for downloads: set VEDETTE_CACHE or HOME")]
    NoCache,
    /// The model's files.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A provider that does not exist.
    #[error(transparent)]
    Provider(#[from] UnknownProvider),
    /// ONNX Runtime.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The model.
    #[error(transparent)]
    Model(#[from] DetectError),
    /// The detector's threads cannot be started.
    #[error("starting the detector's threads")]
    Threads(#[source] std::io::Error),
}

/// The shared detector of this process.
pub struct Detecting {
    /// Input for frames.
    pub handle: DetectHandle,
    /// The model.
    pub model: ModelRef,
    /// The size that frames are scaled to.
    pub input: OutputSize,
    /// Whether an explicitly requested provider could not start.
    pub degraded: bool,
    // Dropping it ends the workers.
    service: DetectService,
}

/// The directory of further manifests that `VEDETTE_MODELS` names.
#[must_use]
pub fn manifests() -> Option<PathBuf> {
    std::env::var_os("VEDETTE_MODELS").filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Name of the ONNX Runtime that is downloaded with the models.
pub const RUNTIME: &str = "onnxruntime";

/// The models whose manifests are built in, and those of the directory `models` if given.
///
/// # Errors
/// When no download directory is known.
pub fn store(models: Option<&Path>) -> Result<ModelStore, DetectorError> {
    let cache = default_cache_dir().ok_or(DetectorError::NoCache)?;
    let store = ModelStore::new(cache);
    Ok(match models {
        Some(models) => store.with_folder(models),
        None => store,
    })
}

/// The model store that the settings describe.
///
/// # Errors
/// As [`store`].
pub fn store_of(settings: &DetectSettings) -> Result<ModelStore, DetectorError> {
    store(settings.models.clone().or_else(manifests).as_deref())
}

/// The directory `models` in the working directory, when it holds manifests that are not built in and nothing refers to it. It
/// used to be read implicitly, so anyone relying on that is warned that it is not.
#[must_use]
pub fn unread_manifests(settings: &DetectSettings) -> Option<PathBuf> {
    unread_beside(settings.models.clone().or_else(manifests).as_deref())
}

/// The same, where `named` is the directory that the settings or the environment name.
#[must_use]
pub fn unread_beside(named: Option<&Path>) -> Option<PathBuf> {
    let folder = Path::new("models");
    if named.is_some() {
        return None;
    }
    let other = std::fs::read_dir(folder).ok()?.flatten().any(|entry| {
        let text = std::fs::read_to_string(entry.path().join("manifest.toml"));
        text.is_ok_and(|text| !ModelStore::is_shipped(&entry.file_name().to_string_lossy(), &text))
    });
    other.then(|| folder.to_path_buf())
}

impl Detecting {
    /// Loads the model of the settings and starts the workers.
    ///
    /// # Errors
    /// When the model or ONNX Runtime is missing, has a wrong checksum, or no provider starts.
    pub fn open(settings: &DetectSettings) -> Result<Self, DetectorError> {
        let store = store_of(settings)?;
        let manifest = store.manifest(&settings.model)?;
        let file = store.verify(&settings.model)?;
        let library = match &settings.runtime {
            Some(library) => library.clone(),
            None => store.runtime_library(RUNTIME)?,
        };
        let auto = settings.providers.iter().any(|name| name == "auto");
        let providers: Vec<Provider> = if auto {
            Vec::new()
        } else {
            settings.providers.iter().map(|name| name.parse()).collect::<Result<_, _>>()?
        };
        let wanted = providers.first().copied();
        let runtime =
            Runtime::load(&RuntimeSettings { library: Some(library), providers, intra_threads: settings.threads })?;
        let detector_settings = DetectorSettings { max_batch: settings.max_batch, ..DetectorSettings::default() };
        let detector = Detector::open(&runtime, &manifest, file, detector_settings)?;
        let chosen = detector.provider();
        for refusal in &detector.report().refused {
            tracing::info!(provider = %refusal.provider, reason = %refusal.reason, "execution provider not used");
        }
        let model = detector.model_ref();
        tracing::info!(model = %model.name, version = %model.version, provider = %chosen, "detector ready");
        let batches = BatchSettings {
            max_batch: settings.max_batch,
            max_wait: settings.max_wait.to_std(),
            ..BatchSettings::default()
        };
        let service = DetectService::start(vec![detector], batches).map_err(DetectorError::Threads)?;
        let handle = service.handle();
        let size = handle.input_size();
        Ok(Self {
            handle,
            model,
            input: OutputSize::Fit { width: size.width, height: size.height },
            degraded: wanted.is_some_and(|wanted| wanted != chosen),
            service,
        })
    }

    /// The detector as the `detect` stage uses it.
    #[must_use]
    pub fn backend(&self) -> ModelBackend {
        ModelBackend::new(self.handle.clone(), self.model.clone(), self.input, self.degraded)
    }

    /// Completes the pending requests and ends the workers.
    pub async fn shutdown(self) {
        self.service.shutdown().await;
    }
}
