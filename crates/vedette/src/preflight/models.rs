//! The model and ONNX Runtime.

use vedette_detect::{ModelStore, RuntimeError, RuntimeSettings, StoreError};
use vedette_stages::{DetectSettings, detector};

use super::{Ask, Finding, Level, apart};
use crate::roles::Role;

pub(super) async fn look(ask: &Ask<'_>) -> Vec<Finding> {
    if !ask.has(Role::Detect) {
        return Vec::new();
    }
    let settings = ask.reading.config.settings.detect.clone();
    let judged = |path: &str| ask.reading.is_sound(path);
    let (model, runtime) = (judged("detect.model") && judged("detect.models"), judged("detect.runtime"));
    let looked = apart(move || {
        let store = match detector::store_of(&settings) {
            Ok(store) => store,
            Err(error) => return vec![("detect.models", String::new(), error.to_string())],
        };
        let mut found = Vec::new();
        if model && let Err(error) = store.verify(&settings.model) {
            let about = matches!(error, StoreError::Io { .. }) && settings.models.is_some();
            found.push((
                if about { "detect.models" } else { "detect.model" },
                settings.model.clone(),
                error.to_string(),
            ));
        }
        if runtime && let Err((value, rule)) = runtime_of(&settings, &store) {
            found.push(("detect.runtime", value, rule));
        }
        found
    });
    let mut findings: Vec<Finding> = match looked.await {
        Some(found) => {
            found.into_iter().map(|(path, value, rule)| ask.settings(Level::Mistake, path, value, rule, "")).collect()
        }
        None => vec![ask.settings(Level::Warning, "detect.model", "", "reading the model took too long", "")],
    };
    if let Some(unread) = detector::unread_manifests(&ask.reading.config.settings.detect) {
        let fix = "name it as detect.models, or in VEDETTE_MODELS, if it is meant";
        let rule = "the directory `models` here holds manifests that are not those inside the program, and is not read by itself";
        findings.push(ask.settings(Level::Warning, "detect.models", unread.display().to_string(), rule, fix));
    }
    findings
}

/// Whether the library is there and unaltered since it was fetched; a user's own one is loaded to check it.
fn runtime_of(settings: &DetectSettings, store: &ModelStore) -> Result<(), (String, String)> {
    let Some(library) = &settings.runtime else {
        return store.runtime_library(detector::RUNTIME).map(drop).map_err(|error| (String::new(), error.to_string()));
    };
    let value = library.display().to_string();
    if !library.is_file() {
        let rule =
            "there is no such file; leave the setting out and run `vedette models fetch onnxruntime`, or correct it";
        return Err((value, rule.to_owned()));
    }
    let loaded =
        vedette_detect::Runtime::load(&RuntimeSettings { library: Some(library.clone()), ..Default::default() });
    loaded.map(drop).map_err(|error: RuntimeError| (value, error.to_string()))
}
