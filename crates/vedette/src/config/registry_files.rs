//! The files of cameras and policies.

use std::collections::HashSet;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::Value;
use vedette_core::{Camera, CameraSource, Policy, PolicyScope};
use vedette_locate::Locator;
use vedette_rules::{PolicyMistake, RuleSet};

use crate::analysis::ground;

use super::{IngestSettings, Mistake, read_text, toml_file};

/// Reads `[[camera]]` entries. Relative paths of recordings are taken from the file's own directory.
pub(super) fn cameras(path: &Path, ingest: &IngestSettings, mistakes: &mut Vec<Mistake>) -> Vec<Camera> {
    let base = path.parent().unwrap_or(Path::new("."));
    let mut cameras = Vec::new();
    let mut seen = HashSet::new();
    for (at, mut camera) in entries::<Camera>(path, "camera", mistakes) {
        if let Some(CameraSource::File { path, .. }) = &mut camera.source {
            *path = base.join(&*path).display().to_string();
        }
        let mut add = noting(path, &at, mistakes);
        if !seen.insert(camera.id.clone()) {
            add("id", camera.id.to_string(), "another camera has this id".into(), String::new());
        }
        if camera.purpose.trim().is_empty() {
            let fix = "say why this camera may be analysed";
            add("purpose", String::new(), "a camera needs a purpose".into(), fix.into());
        }
        if let Some(CameraSource::Rtsp { url, credential }) = &camera.source {
            check_url(url, &mut add);
            if let Some(name) = credential.as_ref().filter(|name| !ingest.credentials.contains_key(*name)) {
                let fix = format!("add [ingest.credentials.{name}] to the settings file");
                add("source.credential", name.clone(), "no credential has this name".into(), fix);
            }
        }
        if let Err(found) = Locator::new(&camera) {
            for mistake in found {
                add(&mistake.path, mistake.value, mistake.rule, mistake.fix);
            }
        }
        cameras.push(camera);
    }
    cameras
}

fn check_url(url: &str, add: &mut impl FnMut(&str, String, String, String)) {
    match url::Url::parse(url) {
        Ok(parsed) if !parsed.username().is_empty() || parsed.password().is_some() => {
            // The value is not repeated: it holds a secret.
            let fix = "take user and password out and name a credential: source.credential = \"NAME\"";
            add("source.url", String::new(), "a camera's address holds no credentials".into(), fix.into());
        }
        Ok(parsed) if parsed.scheme() == "rtsp" && parsed.has_host() => {}
        _ => add("source.url", url.to_owned(), "this is no rtsp://host/path".into(), String::new()),
    }
}

/// Reads `[[policy]]` entries with their `[[policy.rule]]`.
pub(super) fn policies(path: &Path, cameras: &[Camera], mistakes: &mut Vec<Mistake>) -> Vec<Policy> {
    let mut policies = Vec::new();
    let mut seen = HashSet::new();
    for (at, policy) in entries::<Policy>(path, "policy", mistakes) {
        let mut add = noting(path, &at, mistakes);
        let known = match &policy.applies_to {
            PolicyScope::Camera(id) => cameras.iter().any(|camera| camera.id == *id),
            PolicyScope::Group(group) => cameras.iter().any(|camera| camera.groups.contains(group)),
        };
        let scope = vedette_wire::policy_key(&policy.applies_to);
        if !known {
            let fix = "name a camera of the camera file, or a group that one of them is in";
            add("applies_to", scope.clone(), "no camera is meant by this".into(), fix.into());
        }
        if !seen.insert(scope.clone()) {
            add("applies_to", scope, "another policy already applies to it".into(), "put their rules together".into());
        }
        for mistake in rule_mistakes(&policy, cameras) {
            add(&mistake.path, mistake.value, mistake.rule, mistake.fix);
        }
        policies.push(policy);
    }
    policies
}

/// What is wrong with the rules on any of the cameras that they are for, each mistake once. What is wrong on some of a group's
/// cameras only names the first of these.
fn rule_mistakes(policy: &Policy, cameras: &[Camera]) -> Vec<PolicyMistake> {
    let meant = |camera: &&Camera| match &policy.applies_to {
        PolicyScope::Camera(id) => camera.id == *id,
        PolicyScope::Group(group) => camera.groups.contains(group),
    };
    let mut judged = 0;
    let mut found: Vec<(PolicyMistake, &Camera, u32)> = Vec::new();
    for camera in cameras.iter().filter(meant) {
        // A camera whose calibration is broken is told so above; its rules are judged once it is mended.
        let Ok(locator) = Locator::new(camera) else { continue };
        judged += 1;
        for mistake in RuleSet::compile(policy, ground(&locator, policy.frame)).err().unwrap_or_default() {
            match found.iter_mut().find(|(known, _, _)| *known == mistake) {
                Some((_, _, times)) => *times += 1,
                None => found.push((mistake, camera, 1)),
            }
        }
    }
    let named = |(mut mistake, camera, times): (PolicyMistake, &Camera, u32)| {
        if times < judged {
            mistake.value = format!("{} on camera {}", mistake.value, camera.id);
        }
        mistake
    };
    found.into_iter().map(named).collect()
}

/// Notes mistakes of the entry at `at`: field, value, rule, way out.
fn noting<'a>(
    path: &'a Path,
    at: &'a str,
    mistakes: &'a mut Vec<Mistake>,
) -> impl FnMut(&str, String, String, String) + 'a {
    move |field, value, rule, fix| {
        let (file, path) = (path.display().to_string(), format!("{at}.{field}"));
        mistakes.push(Mistake { file, path, value, rule, fix });
    }
}

/// The entries of the one list that a registry file holds, each with its path.
fn entries<T: DeserializeOwned>(path: &Path, list: &str, mistakes: &mut Vec<Mistake>) -> Vec<(String, T)> {
    let file = path.display().to_string();
    let Some(text) = read_text(path, mistakes) else { return Vec::new() };
    let table = match toml_file::parse(&file, &text) {
        Ok(table) => table,
        Err(mistake) => {
            mistakes.push(mistake);
            return Vec::new();
        }
    };
    let mut read = Vec::new();
    for (key, value) in table {
        let Some(values) = (key == list).then_some(&value).and_then(Value::as_array) else {
            mistakes.push(Mistake {
                file: file.clone(),
                path: key,
                value: String::new(),
                rule: format!("this file holds [[{list}]] entries only"),
                fix: String::new(),
            });
            continue;
        };
        for (index, value) in values.iter().enumerate() {
            let at = format!("{list}[{index}]");
            let reading = toml_file::read::<T>(&file, &at, value.clone());
            mistakes.extend(reading.mistakes);
            read.extend(reading.value.map(|entry| (at, entry)));
        }
    }
    read
}
