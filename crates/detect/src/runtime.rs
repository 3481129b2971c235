use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;

use crate::error::{ProviderRefusal, RuntimeError};
use crate::provider::Provider;

/// The loader's default library.
const DEFAULT_LIBRARY: &str = "libonnxruntime.so";

/// Runtime settings of models.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RuntimeSettings {
    /// The ONNX Runtime library; if absent the loader looks for `libonnxruntime.so`.
    pub library: Option<PathBuf>,
    /// Execution providers in the order to try; empty means [`Provider::AUTO`].
    pub providers: Vec<Provider>,
    /// Threads that share one inference on the CPU; 0 means one per core.
    pub intra_threads: usize,
}

/// The execution provider of a model, and why those tried before were refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderReport {
    /// The one that runs it.
    pub chosen: Provider,
    /// Those that could not start, in the order tried.
    pub refused: Vec<ProviderRefusal>,
}

/// ONNX Runtime, loaded. Clones are cheap and share it.
#[derive(Debug, Clone)]
pub struct Runtime {
    pub(crate) environment: Environment,
    pub(crate) providers: Vec<Provider>,
    pub(crate) intra_threads: usize,
}

/// ONNX Runtime allows one library and one environment per process, for the life of the process; so this is process-wide.
static LOADED: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);

impl Runtime {
    /// Loads ONNX Runtime, or returns the one that this process has already loaded from the same library.
    ///
    /// # Errors
    /// When the library does not load, is too old, does not start, or another one is loaded already.
    pub fn load(settings: &RuntimeSettings) -> Result<Self, RuntimeError> {
        let library = settings.library.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_LIBRARY));
        let environment = environment(&library)?;
        let providers =
            if settings.providers.is_empty() { Provider::AUTO.to_vec() } else { settings.providers.clone() };
        Ok(Self { environment, providers, intra_threads: settings.intra_threads })
    }

    /// The runtime's own handle, for benches that compare with a bare run of the model.
    #[doc(hidden)]
    #[must_use]
    pub const fn environment(&self) -> &Environment {
        &self.environment
    }
}

fn environment(library: &Path) -> Result<Environment, RuntimeError> {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((from, environment)) = loaded.as_ref() {
        return if from == library {
            Ok(environment.clone())
        } else {
            Err(RuntimeError::OtherLibrary { loaded: from.clone(), wanted: library.to_owned() })
        };
    }
    let environment = ort::init_from(library)
        .map_err(|error| RuntimeError::Load { library: library.to_owned(), reason: error.to_string() })?
        .with_name("vedette")
        .with_telemetry(false)
        .build()
        .map_err(|error| RuntimeError::Start { library: library.to_owned(), reason: error.to_string() })?;
    tracing::info!(library = %library.display(), "loaded ONNX Runtime");
    *loaded = Some((library.to_owned(), environment.clone()));
    Ok(environment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_have_names_both_ways() {
        for provider in Provider::AUTO {
            assert_eq!(provider.as_str().parse::<Provider>().unwrap(), provider);
        }
        assert!("gpu".parse::<Provider>().unwrap_err().to_string().contains("tensorrt, cuda"));
    }

    #[test]
    fn a_library_that_is_missing_is_named_with_the_way_out() {
        let settings = RuntimeSettings { library: Some("/nowhere/libonnxruntime.so".into()), ..Default::default() };
        let error = Runtime::load(&settings).unwrap_err().to_string();
        assert!(error.contains("/nowhere/libonnxruntime.so") && error.contains("models fetch onnxruntime"), "{error}");
    }
}
