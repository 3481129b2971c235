//! The files of cameras and policies.

mod known;

use std::collections::HashSet;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::Value;
use vedette_analysis::ground;
use vedette_core::{Camera, CameraSource, FrameSize, Policy, ValidationError};
use vedette_locate::Locator;
use vedette_rules::RuleSet;
use vedette_stages::IngestSettings;
use vedette_stages::registry::camera_mistakes;

pub(super) use known::Known;

use super::location::{name_of, related};
use super::{ConfigRule, Mistake, text_file, toml_file};

const LARGEST_FRAME: FrameSize = FrameSize { width: 1 << 20, height: 1 << 20 };

/// An entry of a registry file.
pub(super) struct Entry<T> {
    /// Its path, as `camera[2] (gate)`.
    pub(super) at: String,
    pub(super) value: T,
    /// Paths in it with values that differ from the file, since that could not be parsed.
    touched: Vec<String>,
}

/// Reads `[[camera]]` entries. Relative paths of recordings are relative to the file's directory. Whether credentials are known is
/// checked when `ingest` is given.
pub(super) fn cameras(path: &Path, ingest: Option<&IngestSettings>, mistakes: &mut Vec<Mistake>) -> Known {
    let base = path.parent().unwrap_or(Path::new("."));
    let mut known = Known::default();
    let mut seen = HashSet::new();
    for mut entry in entries::<Camera>(path, "camera", mistakes, &mut known) {
        if let Some(CameraSource::File { path, .. }) = &mut entry.value.source {
            *path = base.join(&*path).display().to_string();
        }
        check_camera(path, &entry, ingest, &mut seen, mistakes);
        known.add(entry);
    }
    known
}

fn check_camera(
    path: &Path,
    entry: &Entry<Camera>,
    ingest: Option<&IngestSettings>,
    seen: &mut HashSet<String>,
    mistakes: &mut Vec<Mistake>,
) {
    let camera = &entry.value;
    let mut add = noting(path, entry, mistakes);
    if !entry.is_touched("id") && !seen.insert(camera.id.to_string()) {
        add(ValidationError::new("id", &camera.id, ConfigRule::SameId));
    }
    camera_mistakes(camera).into_iter().for_each(&mut add);
    if let Some(CameraSource::Rtsp { credential, .. }) = &camera.source {
        let unknown = |name: &&String| ingest.is_some_and(|ingest| !ingest.credentials.contains_key(*name));
        if let Some(name) = credential.as_ref().filter(unknown) {
            let rule = ConfigRule::UnknownCredential { name: name.clone() };
            add(ValidationError::new("source.credential", name, rule));
        }
    }
    vedette_rules::mask_mistakes(&camera.masks).into_iter().for_each(&mut add);
    if let Err(found) = Locator::new(camera) {
        found.into_iter().for_each(add);
    }
}

/// Reads `[[policy]]` entries with their `[[policy.rule]]`.
pub(super) fn policies(path: &Path, cameras: &Known, mistakes: &mut Vec<Mistake>) -> Vec<Policy> {
    let mut policies = Vec::new();
    let mut seen = HashSet::new();
    for mut entry in entries::<Policy>(path, "policy", mistakes, &mut Known::default()) {
        if entry.is_touched("frame") {
            // Without the frame size nothing is outside the frame.
            entry.value.frame = LARGEST_FRAME;
        }
        let policy = &entry.value;
        let mut add = noting(path, &entry, mistakes);
        let scope = vedette_wire::policy_key(&policy.applies_to);
        if !cameras.may_be_meant(&policy.applies_to) {
            add(ValidationError::new("applies_to", &scope, ConfigRule::NobodyMeant));
        }
        if !entry.is_touched("applies_to") && !seen.insert(scope.clone()) {
            add(ValidationError::new("applies_to", scope, ConfigRule::SameScope));
        }
        rule_mistakes(policy, cameras).into_iter().for_each(add);
        policies.push(RuleSet::complete(entry.value));
    }
    policies
}

/// Validation errors of the rules on each of their cameras, without duplicates. An error on only some of a group's
/// cameras names only the first of these.
fn rule_mistakes(policy: &Policy, cameras: &Known) -> Vec<ValidationError> {
    let mut judged = 0;
    let mut found: Vec<(ValidationError, &Camera, u32)> = Vec::new();
    for entry in cameras.meant(&policy.applies_to) {
        // An invalid place or calibration is reported above; rules on the camera's ground are validated once it is corrected.
        let Some(locator) = known::locator(entry) else { continue };
        let camera = &entry.value;
        judged += 1;
        for mistake in RuleSet::compile(policy, ground(&locator, policy.frame)).err().unwrap_or_default() {
            match found.iter_mut().find(|(known, _, _)| *known == mistake) {
                Some((_, _, times)) => *times += 1,
                None => found.push((mistake, camera, 1)),
            }
        }
    }
    if judged == 0 {
        return RuleSet::mistakes_anywhere(policy);
    }
    let named = |(mut mistake, camera, times): (ValidationError, &Camera, u32)| {
        if times < judged {
            mistake.value = format!("{} on camera {}", mistake.value, camera.id);
        }
        mistake
    };
    found.into_iter().map(named).collect()
}

impl<T> Entry<T> {
    /// Whether `field` differs, at least partly, from the file.
    fn is_touched(&self, field: &str) -> bool {
        let path = format!("{}.{field}", self.at);
        self.touched.iter().any(|touched| related(touched, &path))
    }
}

/// Records validation errors of the entry. An error of a field that failed to parse is consequential.
fn noting<'a, T>(
    path: &'a Path,
    entry: &'a Entry<T>,
    mistakes: &'a mut Vec<Mistake>,
) -> impl FnMut(ValidationError) + 'a {
    move |error| {
        if !entry.is_touched(&error.path) {
            mistakes.push(Mistake::in_section(&path.display().to_string(), &entry.at, error));
        }
    }
}

/// The entries of the one list of a registry file. Parse failures are reported to `known`.
fn entries<T: DeserializeOwned>(
    path: &Path,
    list: &str,
    mistakes: &mut Vec<Mistake>,
    known: &mut Known,
) -> Vec<Entry<T>> {
    let file = path.display().to_string();
    let Some(text) = text_file::read(path, mistakes) else {
        known.note_unreadable();
        return Vec::new();
    };
    let parsed = toml_file::parse(&file, &text);
    if !parsed.mistakes.is_empty() {
        known.note_unreadable();
        mistakes.extend(parsed.mistakes);
        return Vec::new();
    }
    let mut read = Vec::new();
    for (key, value) in parsed.table {
        let Some(values) = (key == list).then_some(&value).and_then(Value::as_array) else {
            known.note_unreadable();
            mistakes.push(Mistake::new(&file, key, "", ConfigRule::ForeignEntry { list: list.to_owned() }));
            continue;
        };
        for (index, value) in values.iter().enumerate() {
            let at = format!("{list}[{index}]{}", name_of(value));
            let reading = toml_file::read::<T>(&file, &at, value.clone());
            mistakes.extend(reading.mistakes);
            match reading.value {
                Some(value) => read.push(Entry { at, value, touched: reading.touched }),
                None => known.note_unread(value),
            }
        }
    }
    read
}
