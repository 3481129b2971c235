//! The model and ONNX Runtime.

use vedette_detect::{ModelStore, RuntimeError, RuntimeSettings, StoreError};
use vedette_stages::{DetectSettings, detector};

use super::{Ask, Finding, Level, PreflightRule, apart};
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
            Err(error) => {
                let rule = PreflightRule::Model { reason: error.to_string() };
                return vec![("detect.models", String::new(), rule)];
            }
        };
        let mut found = Vec::new();
        if model && let Err(error) = store.verify(&settings.model) {
            let about = matches!(error, StoreError::Io { .. }) && settings.models.is_some();
            let path = if about { "detect.models" } else { "detect.model" };
            found.push((path, settings.model.clone(), PreflightRule::Model { reason: error.to_string() }));
        }
        if runtime && let Err((value, rule)) = runtime_of(&settings, &store) {
            found.push(("detect.runtime", value, rule));
        }
        found
    });
    let mut findings: Vec<Finding> = match looked.await {
        Some(found) => {
            found.into_iter().map(|(path, value, rule)| ask.settings(Level::Mistake, path, value, rule)).collect()
        }
        None => vec![ask.settings(Level::Warning, "detect.model", "", PreflightRule::ModelSlow)],
    };
    if let Some(unread) = detector::unread_manifests(&ask.reading.config.settings.detect) {
        findings.push(ask.settings(Level::Warning, "detect.models", unread.display(), PreflightRule::Manifests));
    }
    findings
}

/// Whether the library is there and unaltered since it was fetched; a user's own one is loaded to check it.
fn runtime_of(settings: &DetectSettings, store: &ModelStore) -> Result<(), (String, PreflightRule)> {
    let Some(library) = &settings.runtime else {
        let found = store.runtime_library(detector::RUNTIME).map(drop);
        return found.map_err(|error| (String::new(), PreflightRule::Model { reason: error.to_string() }));
    };
    let value = library.display().to_string();
    if !library.is_file() {
        return Err((value, PreflightRule::NoRuntime));
    }
    let loaded =
        vedette_detect::Runtime::load(&RuntimeSettings { library: Some(library.clone()), ..Default::default() });
    let rule = |error: RuntimeError| PreflightRule::Model { reason: error.to_string() };
    loaded.map(drop).map_err(|error| (value, rule(error)))
}
