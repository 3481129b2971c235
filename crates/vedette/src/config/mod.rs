//! The configuration: one TOML file of settings, one of cameras, one of policies; read and checked as a whole, with every
//! mistake said at once.

mod console;
mod metadata;
mod mistake;
mod registry_files;
mod settings;
mod share;
mod toml_file;

use std::path::{Path, PathBuf};

use toml::Value;
use vedette_core::{Camera, Policy, Span};

pub use console::{ConsoleSettings, OneEventSettings, StoreSetting};
pub use metadata::{MetadataSettings, TimeSource};
pub use mistake::{Mistake, Mistakes};
pub use settings::{
    AnalyseSettings, BusKind, BusSettings, CredentialSection, DetectSettings, GroupProtocol, IngestSettings,
    KafkaSection, OperationsSettings, Settings, ShedAfter, SiteSettings,
};
pub use share::{NoShare, Share};

/// A configuration that passed every check. Its paths are ready to use.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The settings.
    pub settings: Settings,
    /// The cameras of the site.
    pub cameras: Vec<Camera>,
    /// The policies of the site.
    pub policies: Vec<Policy>,
}

impl Config {
    /// Reads and checks the settings file and the files it names.
    ///
    /// # Errors
    /// Everything that is wrong in any of the files.
    pub fn load(path: &Path) -> Result<Self, Mistakes> {
        let mut mistakes = Vec::new();
        let settings = load_settings(path, &mut mistakes);
        let mut cameras = Vec::new();
        let mut policies = Vec::new();
        if let Some(settings) = &settings {
            cameras = registry_files::cameras(&settings.site.cameras, &settings.ingest, &mut mistakes);
            policies = registry_files::policies(&settings.site.policies, &cameras, &mut mistakes);
            metadata::check(path, &settings.metadata, &cameras, &mut mistakes);
        }
        match settings {
            Some(settings) if mistakes.is_empty() => Ok(Self { settings, cameras, policies }),
            _ => Err(Mistakes(mistakes)),
        }
    }
}

/// Reads and checks a file of cameras.
///
/// # Errors
/// Everything that is wrong in it.
pub fn load_cameras(path: &Path) -> Result<Vec<Camera>, Mistakes> {
    let mut mistakes = Vec::new();
    let cameras = registry_files::cameras(path, &IngestSettings::default(), &mut mistakes);
    if mistakes.is_empty() { Ok(cameras) } else { Err(Mistakes(mistakes)) }
}

/// Reads and checks a file of policies for `cameras`.
///
/// # Errors
/// Everything that is wrong in it.
pub fn load_policies(path: &Path, cameras: &[Camera]) -> Result<Vec<Policy>, Mistakes> {
    let mut mistakes = Vec::new();
    let policies = registry_files::policies(path, cameras, &mut mistakes);
    if mistakes.is_empty() { Ok(policies) } else { Err(Mistakes(mistakes)) }
}

/// A file's text, or the mistake that it cannot be read.
fn read_text(path: &Path, mistakes: &mut Vec<Mistake>) -> Option<String> {
    match std::fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) => {
            mistakes.push(Mistake {
                file: path.display().to_string(),
                path: "the file".into(),
                value: String::new(),
                rule: format!("it cannot be read: {error}"),
                fix: "give the path of an existing TOML file; paths in a file are relative to that file".into(),
            });
            None
        }
    }
}

fn load_settings(path: &Path, mistakes: &mut Vec<Mistake>) -> Option<Settings> {
    let file = path.display().to_string();
    let text = read_text(path, mistakes)?;
    let table = toml_file::parse(&file, &text).map_err(|mistake| mistakes.push(mistake)).ok()?;
    let reading = toml_file::read::<Settings>(&file, "", Value::Table(table));
    mistakes.extend(reading.mistakes);
    let mut settings = reading.value?;
    let base = path.parent().unwrap_or(Path::new("."));
    anchor_paths(&mut settings, base);
    settings.bus.foreign_topics = settings.metadata.iter().map(|entry| entry.topic.clone()).collect();
    check_ranges(&file, &settings, mistakes);
    console::check(&file, &settings.console, mistakes);
    Some(settings)
}

fn anchor_paths(settings: &mut Settings, base: &Path) {
    let anchor = |path: &mut PathBuf| *path = base.join(&path);
    anchor(&mut settings.site.cameras);
    anchor(&mut settings.site.policies);
    anchor(&mut settings.site.address_bases);
    anchor(&mut settings.bus.directory);
    if let StoreSetting::File(path) = &mut settings.console.store {
        anchor(path);
    }
    let optional = [&mut settings.site.address_base, &mut settings.detect.models, &mut settings.detect.runtime];
    optional.into_iter().flatten().for_each(anchor);
}

fn check_ranges(file: &str, settings: &Settings, mistakes: &mut Vec<Mistake>) {
    let mut check = |holds: bool, path: &str, value: String, rule: &str| {
        if !holds {
            mistakes.push(Mistake {
                file: file.to_owned(),
                path: path.to_owned(),
                value,
                rule: rule.to_owned(),
                fix: String::new(),
            });
        }
    };
    let Settings { bus, ingest, detect, analyse, site, console, .. } = settings;
    check((1..=1024).contains(&bus.partitions), "bus.partitions", bus.partitions.to_string(), "give 1 to 1024");
    check(
        bus.kind == BusKind::Embedded || !bus.kafka.brokers.is_empty(),
        "bus.kafka.brokers",
        "[]".into(),
        "name at least one broker as \"host:port\"",
    );
    check(
        (1..=16).contains(&bus.kafka.replication),
        "bus.kafka.replication",
        bus.kafka.replication.to_string(),
        "give 1 to 16, and no more than there are brokers",
    );
    check(
        (1..=bus.kafka.replication).contains(&bus.kafka.min_insync_replicas),
        "bus.kafka.min_insync_replicas",
        bus.kafka.min_insync_replicas.to_string(),
        "give 1 to bus.kafka.replication",
    );
    let spans = [
        ("bus.keep_video", bus.keep_video, Span::from_secs(10), Span::from_secs(86_400)),
        ("ingest.chunk", ingest.chunk, Span::from_millis(40), Span::from_secs(1)),
        ("ingest.timeout", ingest.timeout, Span::from_millis(100), Span::from_secs(300)),
        ("ingest.retry_min", ingest.retry_min, Span::from_millis(50), ingest.retry_max),
        ("detect.max_wait", detect.max_wait, Span::ZERO, Span::from_secs(1)),
        ("detect.shed_after.low", detect.shed_after.low, Span::from_secs(1), detect.shed_after.normal),
        ("detect.shed_after.normal", detect.shed_after.normal, Span::from_secs(1), detect.shed_after.high),
        ("detect.shed_after.high", detect.shed_after.high, Span::from_secs(1), Span::from_secs(86_400)),
        ("analyse.save_every", analyse.save_every, Span::from_millis(100), Span::from_secs(600)),
        ("analyse.sort_window", analyse.sort_window, Span::ZERO, Span::from_secs(60)),
        ("analyse.rebuild", analyse.rebuild, Span::ZERO, Span::from_secs(86_400)),
        ("console.stale_after", console.stale_after, Span::from_secs(5), Span::from_secs(86_400)),
    ];
    for (path, value, least, most) in spans {
        let rule = format!("give {least} to {most}");
        check((least..=most).contains(&value), path, value.to_string(), &rule);
    }
    check((1..=256).contains(&detect.max_batch), "detect.max_batch", detect.max_batch.to_string(), "give 1 to 256");
    check(
        detect.max_fps.is_none_or(|fps| fps > 0.0 && fps <= 240.0),
        "detect.max_fps",
        format!("{:?}", detect.max_fps.unwrap_or_default()),
        "give more than 0 and at most 240 frames a second, or leave it out",
    );
    for name in &detect.providers {
        check(
            name == "auto" || name.parse::<vedette_detect::Provider>().is_ok(),
            "detect.providers",
            format!("\"{name}\""),
            "known are auto, tensorrt, cuda, openvino, cpu",
        );
    }
    if let Some(base) = &site.address_base {
        check(
            base.is_file(),
            "site.address_base",
            base.display().to_string(),
            "this file does not exist; `vedette address build` makes it",
        );
    }
}
