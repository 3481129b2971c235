use std::collections::HashSet;

use toml::Value;
use vedette_core::{Camera, PolicyScope};
use vedette_locate::Locator;

use super::Entry;

/// The cameras of a file, including the little that is known of unreadable ones: a reference to them is no error.
#[derive(Default)]
pub(in crate::config) struct Known {
    cameras: Vec<Entry<Camera>>,
    ids: HashSet<String>,
    groups: HashSet<String>,
    /// Whether ids or groups may be missing above.
    incomplete: bool,
}

impl Known {
    /// A camera file of which every entry was read.
    pub(in crate::config) fn of(cameras: &[Camera]) -> Self {
        let mut known = Self::default();
        for camera in cameras {
            known.add(Entry { at: camera.id.to_string(), value: camera.clone(), touched: Vec::new() });
        }
        known
    }

    pub(super) fn add(&mut self, entry: Entry<Camera>) {
        self.incomplete |= entry.is_touched("id") || entry.is_touched("groups");
        self.ids.insert(entry.value.id.to_string());
        self.groups.extend(entry.value.groups.iter().cloned());
        self.cameras.push(entry);
    }

    /// Nothing is known about the contents of the file.
    pub(super) fn note_unreadable(&mut self) {
        self.incomplete = true;
    }

    /// An unreadable entry counts by the names in it.
    pub(super) fn note_unread(&mut self, entry: &Value) {
        match entry.get("id").and_then(Value::as_str) {
            Some(id) => _ = self.ids.insert(id.to_owned()),
            None => self.incomplete = true,
        }
        let groups = entry.get("groups").map(|groups| groups.as_array().cloned().unwrap_or_default());
        for group in groups.into_iter().flatten() {
            match group.as_str() {
                Some(group) => _ = self.groups.insert(group.to_owned()),
                None => self.incomplete = true,
            }
        }
    }

    /// Whether a camera matches, or an unreadable one may.
    pub(super) fn may_be_meant(&self, scope: &PolicyScope) -> bool {
        self.incomplete
            || match scope {
                PolicyScope::Camera(id) => self.ids.contains(id.as_str()),
                PolicyScope::Group(group) => self.groups.contains(group),
            }
    }

    /// Whether there is a camera of that id, or may be an unreadable one.
    pub(in crate::config) fn may_have(&self, id: &vedette_core::CameraId) -> bool {
        self.incomplete || self.ids.contains(id.as_str())
    }

    /// The camera of that id, if readable, with its source in the file.
    pub(in crate::config) fn with_source(&self, id: &vedette_core::CameraId) -> bool {
        self.cameras
            .iter()
            .any(|entry| entry.value.id == *id && entry.value.source.is_some() && !entry.is_touched("id"))
    }

    pub(super) fn meant(&self, scope: &PolicyScope) -> impl Iterator<Item = &Entry<Camera>> {
        let is_sound = |entry: &Entry<Camera>| matches!(scope, PolicyScope::Group(_)) || !entry.is_touched("id");
        self.cameras.iter().filter(move |entry| entry.value.is_in(scope) && is_sound(entry))
    }

    /// The entries as cameras, each with its path.
    pub(in crate::config) fn into_cameras(self) -> (Vec<Camera>, Vec<String>) {
        self.cameras.into_iter().map(|entry| (entry.value, entry.at)).unzip()
    }
}

/// The camera's view; none when unreadable or invalid.
pub(super) fn locator(entry: &Entry<Camera>) -> Option<Locator> {
    if entry.is_touched("position") || entry.is_touched("calibration") {
        return None;
    }
    Locator::new(&entry.value).ok()
}
