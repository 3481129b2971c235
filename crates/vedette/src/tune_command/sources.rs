//! Where recorded detections come from: a file, or the detection store of the site.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use vedette_analysis::{Site, record_line};
use vedette_core::{CameraId, CameraRecord};
use vedette_detection_store::DetectionStore;
use vedette_stages::tuning::{KnownSite, recorded};
use vedette_tuning::{CameraTrial, Source, Tracked, lead};

use super::WindowArgs;
use crate::recorded_site::{self, RecordedSite};

/// The site, and the records of each camera.
pub(super) fn open(args: &WindowArgs) -> anyhow::Result<(RecordedSite, BTreeMap<CameraId, Source>)> {
    match &args.detections {
        Some(path) => {
            let site = RecordedSite::open(&args.site)?;
            Ok((site, of_file(path, args.camera.as_ref())?))
        }
        None => {
            let (site, store) = RecordedSite::with_store(&args.site)?;
            let sources = of_store(&site.known, &store, args)?;
            Ok((site, sources))
        }
    }
}

fn of_file(path: &Path, only: Option<&CameraId>) -> anyhow::Result<BTreeMap<CameraId, Source>> {
    let mut by_camera: BTreeMap<CameraId, Vec<CameraRecord>> = BTreeMap::new();
    for (number, line) in (1..).zip(recorded_site::lines(path)?) {
        let line = line.context("reading detections")?;
        if line.trim().is_empty() {
            continue;
        }
        let at = || format!("{}:{number}: not a record of detections", path.display());
        let record = record_line::from_line(&line).with_context(at)?;
        if only.is_none_or(|camera| *camera == record.camera) {
            by_camera.entry(record.camera.clone()).or_default().push(record);
        }
    }
    if by_camera.is_empty() {
        let whose = only.map_or(String::new(), |camera| format!(" of camera {camera}"));
        bail!("{} has no detections{whose}", path.display());
    }
    Ok(by_camera.into_iter().map(|(camera, records)| (camera, Source::from(records))).collect())
}

fn of_store(site: &KnownSite, store: &DetectionStore, args: &WindowArgs) -> anyhow::Result<BTreeMap<CameraId, Source>> {
    let cameras = match &args.camera {
        Some(camera) => vec![camera.clone()],
        None => store.cameras()?,
    };
    let window = args.window();
    let mut by_camera = BTreeMap::new();
    for camera in cameras {
        let setups = site.setups(&camera);
        let lead = lead(setups.iter().flat_map(|setups| setups.policies()));
        let recorded = recorded(store, &camera, window, lead)?;
        recorded.gaps.iter().for_each(|gap| crate::terminal::tell_line!("{gap}"));
        if recorded.source.is_empty() {
            continue;
        }
        if let Some(first) = recorded.begins {
            crate::terminal::tell_line!(
                "camera {camera}: the detections before {first} are gone, or were never stored"
            );
        }
        by_camera.insert(camera, recorded.source);
    }
    if by_camera.is_empty() {
        let whose = args.camera.as_ref().map_or(String::new(), |camera| format!(" of camera {camera}"));
        bail!("{} has no detections{whose} of that time", store.directory().display());
    }
    Ok(by_camera)
}

/// What is said of the tracks and of the records.
pub(super) fn tell(trial: &CameraTrial<'_>) {
    let Some(Tracked { reused, made, begins_anew, .. }) = trial.recording().tracked() else { return };
    trial.coverage().gaps.iter().for_each(|gap| crate::terminal::tell_line!("{gap}"));
    let begins = if *begins_anew { "; they are numbered from the beginning of the store" } else { "" };
    crate::terminal::tell_line!(
        "camera {}: tracks of {reused} hours were stored, those of {made} are made now{begins}",
        trial.id()
    );
}
