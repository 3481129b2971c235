//! The configuration: one TOML file of settings, one of cameras, one of policies; parsed and validated as a whole, with all
//! validation errors reported at once.

mod config_rule;
mod filling;
mod location;
mod metadata;
mod mistake;
mod registry_files;
pub(crate) mod secrets;
mod sections;
mod settings;
mod sinks;
mod stumble;
mod text_file;
mod toml_file;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::Value;
use vedette_core::{Camera, CameraId, CameraSource, Policy};
use vedette_stages::{IngestSettings, StoreSetting};

pub(crate) use config_rule::ConfigRule;
pub use mistake::{Mistake, Mistakes};
use registry_files::Known;
pub use settings::{OperationsSettings, Settings, SiteSettings};

/// A valid configuration. Its paths are resolved.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The settings.
    pub settings: Settings,
    /// The cameras of the site.
    pub cameras: Vec<Camera>,
    /// The policies of the site.
    pub policies: Vec<Policy>,
}

/// The readable part of a configuration, and all validation errors.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The settings file.
    pub file: PathBuf,
    /// With defaults for unreadable values.
    pub config: Config,
    /// The path of each camera in its file, as `camera[2] (gate)`.
    pub camera_paths: Vec<String>,
    /// The validation errors.
    pub mistakes: Vec<Mistake>,
    /// Whether the settings file could be read at all.
    settings_read: bool,
    /// Paths of the settings with a default or placeholder for an unreadable value.
    touched: Vec<String>,
}

impl Config {
    /// Reads and validates the settings file and the files named in it.
    ///
    /// # Errors
    /// All validation errors of all files.
    pub fn load(path: &Path) -> Result<Self, Mistakes> {
        let Reading { config, mistakes, .. } = Self::read(path);
        if mistakes.is_empty() { Ok(config) } else { Err(Mistakes(mistakes)) }
    }

    /// Reads as much as possible, whatever the number of errors.
    #[must_use]
    pub fn read(path: &Path) -> Reading {
        let mut mistakes = Vec::new();
        let (settings, touched) = read_settings(path, &mut mistakes);
        let settings_read = touched.is_some();
        let credentials = sound(&mistakes, "ingest.credentials") && settings_read;
        let ingest = credentials.then_some(&settings.ingest);
        let known = registry_files::cameras(&settings.site.cameras, ingest, &mut mistakes);
        let policies = registry_files::policies(&settings.site.policies, &known, &mut mistakes);
        let (file, entries) = (path.display().to_string(), &settings.metadata);
        let unread: Vec<String> =
            mistakes.iter().filter(|mistake| mistake.file == file).map(|mistake| mistake.error.path.clone()).collect();
        metadata::check(&file, entries, &settings.bus.kafka.prefix, &known, &unread, &mut mistakes);
        sinks::check(&file, &settings.sinks, &unread, &mut mistakes);
        let (mut cameras, camera_paths) = known.into_cameras();
        let mut settings = settings;
        settings.ingest.addresses = take_addresses(&mut cameras);
        let config = Self { settings, cameras, policies };
        let touched = touched.unwrap_or_default();
        Reading { file: path.to_owned(), config, camera_paths, mistakes, settings_read, touched }
    }
}

impl Reading {
    /// Whether the setting at `path`, and everything in it, is valid.
    #[must_use]
    pub fn is_sound(&self, path: &str) -> bool {
        let file = self.file.display().to_string();
        self.settings_read
            && !self.touched.iter().any(|touched| location::related(touched, path))
            && self.mistakes.iter().all(|mistake| mistake.file != file || !location::related(&mistake.error.path, path))
    }

    /// Whether this field of a camera's entry is valid.
    #[must_use]
    pub fn is_camera_sound(&self, index: usize, field: &str) -> bool {
        let file = self.config.settings.site.cameras.display().to_string();
        let Some(at) = self.camera_paths.get(index) else { return false };
        let path = format!("{at}.{field}");
        self.mistakes.iter().all(|mistake| mistake.file != file || !location::related(&mistake.error.path, &path))
    }
}

fn sound(mistakes: &[Mistake], path: &str) -> bool {
    mistakes.iter().all(|mistake| !location::related(&mistake.error.path, path))
}

/// The addresses with secrets in path or query, by camera. They stay on this machine: the cameras themselves, which are published and
/// shown, keep an address without.
fn take_addresses(cameras: &mut [Camera]) -> BTreeMap<CameraId, String> {
    let mut taken = BTreeMap::new();
    for camera in cameras {
        if let Some(CameraSource::Rtsp { url, .. }) = &mut camera.source
            && let Some(shown) = secrets::without_parameters(url)
        {
            taken.insert(camera.id.clone(), std::mem::replace(url, shown));
        }
    }
    taken
}

/// Reads and validates a file of cameras.
///
/// # Errors
/// All validation errors.
pub fn load_cameras(path: &Path) -> Result<Vec<Camera>, Mistakes> {
    let mut mistakes = Vec::new();
    let (cameras, _) = registry_files::cameras(path, Some(&IngestSettings::default()), &mut mistakes).into_cameras();
    if mistakes.is_empty() { Ok(cameras) } else { Err(Mistakes(mistakes)) }
}

/// Reads and validates a file of policies for `cameras`.
///
/// # Errors
/// All validation errors.
pub fn load_policies(path: &Path, cameras: &[Camera]) -> Result<Vec<Policy>, Mistakes> {
    let mut mistakes = Vec::new();
    let policies = registry_files::policies(path, &Known::of(cameras), &mut mistakes);
    if mistakes.is_empty() { Ok(policies) } else { Err(Mistakes(mistakes)) }
}

/// The settings, with defaults for unreadable values, and the paths of these; none when the file cannot be read at all. Of a file
/// with a syntax error only the paths of the other files are used.
fn read_settings(path: &Path, mistakes: &mut Vec<Mistake>) -> (Settings, Option<Vec<String>>) {
    let base = path.parent().unwrap_or(Path::new("."));
    let file = path.display().to_string();
    let Some(text) = text_file::read(path, mistakes) else { return (anchored(Settings::default(), base), None) };
    let parsed = toml_file::parse(&file, &text);
    let reading = toml_file::read::<Settings>(&file, "", Value::Table(parsed.table));
    let mut settings = anchored(reading.value.unwrap_or_default(), base);
    if !parsed.mistakes.is_empty() {
        mistakes.extend(parsed.mistakes);
        return (settings, None);
    }
    mistakes.extend(reading.mistakes);
    settings.bus.foreign_topics = settings.metadata.iter().map(|entry| entry.topic.clone()).collect();
    let mut found = Vec::new();
    sections::check(&file, &settings, &mut found);
    let touched = reading.touched;
    mistakes.extend(
        found.into_iter().filter(|mistake| !touched.iter().any(|path| location::related(path, &mistake.error.path))),
    );
    (settings, Some(touched))
}

fn anchored(mut settings: Settings, base: &Path) -> Settings {
    anchor_paths(&mut settings, base);
    settings
}

fn anchor_paths(settings: &mut Settings, base: &Path) {
    let anchor = |path: &mut PathBuf| *path = base.join(&path);
    anchor(&mut settings.site.cameras);
    anchor(&mut settings.site.policies);
    anchor(&mut settings.site.address_bases);
    anchor(&mut settings.bus.directory);
    anchor(&mut settings.tuning.directory);
    if let StoreSetting::File(path) = &mut settings.console.store {
        anchor(path);
    }
    let optional = [
        &mut settings.site.address_base,
        &mut settings.site.public_key,
        &mut settings.ingest.key_file,
        &mut settings.detect.models,
        &mut settings.detect.runtime,
    ];
    let authorities = settings.console.access.single_sign_on.as_mut().and_then(|sign_on| sign_on.ca_file.as_mut());
    authorities.into_iter().for_each(anchor);
    optional.into_iter().flatten().for_each(anchor);
}
