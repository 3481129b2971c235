//! Where recorded detections come from: a file, or the detection store of the site.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use vedette_analysis::record_line;
use vedette_core::{CameraId, CameraRecord, Span, Timestamp};
use vedette_detection_store::{DetectionStore, Part};
use vedette_tuning::{Source, Tracked};

use super::WindowArgs;
use crate::recorded_site::{self, RecordedSite};

/// The rules begin that long before the first alert in question, so that what had begun by then is raised.
const LEAD: Span = Span::from_secs(600);

/// The site, and the records of each camera.
pub(super) fn open(args: &WindowArgs) -> anyhow::Result<(Arc<RecordedSite>, BTreeMap<CameraId, Source>)> {
    match &args.detections {
        Some(path) => {
            let site = RecordedSite::open(&args.site)?;
            Ok((Arc::new(site), of_file(path, args.camera.as_ref())?))
        }
        None => {
            let (site, store) = RecordedSite::with_store(&args.site)?;
            Ok((Arc::new(site), of_store(&store, args)?))
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
    Ok(by_camera.into_iter().map(|(camera, records)| (camera, Source::Records(records))).collect())
}

fn of_store(store: &DetectionStore, args: &WindowArgs) -> anyhow::Result<BTreeMap<CameraId, Source>> {
    let cameras = match &args.camera {
        Some(camera) => vec![camera.clone()],
        None => store.cameras()?,
    };
    let mut by_camera = BTreeMap::new();
    for camera in cameras {
        let recorded = store.recorded(&camera)?;
        recorded.gaps.iter().for_each(|gap| crate::terminal::tell_line!("{gap}"));
        let source = window(recorded.parts, args.from, args.until);
        if source.is_empty() {
            continue;
        }
        if let (Some(from), Some((first, _))) = (args.from, source.span())
            && from < first
        {
            crate::terminal::tell_line!(
                "camera {camera}: the detections before {first} are gone, or were never stored"
            );
        }
        by_camera.insert(camera, source);
    }
    if by_camera.is_empty() {
        let whose = args.camera.as_ref().map_or(String::new(), |camera| format!(" of camera {camera}"));
        bail!("{} has no detections{whose} of that time", store.directory().display());
    }
    Ok(by_camera)
}

/// The parts up to a time, and which of them are analysed.
fn window(parts: Vec<Part>, from: Option<Timestamp>, until: Option<Timestamp>) -> Source {
    let mut parts = parts;
    parts.truncate(
        parts.iter().rposition(|part| until.is_none_or(|until| part.span().0 < until)).map_or(0, |at| at + 1),
    );
    let is_wanted = |part: &Part| from.is_none_or(|from| part.span().1 >= from - LEAD);
    let from = parts.iter().position(is_wanted).unwrap_or(parts.len());
    Source::Stored { parts, from }
}

/// What is said of the tracks and of the records.
pub(super) fn tell(camera: &CameraId, tracked: &Tracked) {
    let Tracked { reused, made, begins_anew, gaps, .. } = tracked;
    gaps.iter().for_each(|gap| crate::terminal::tell_line!("{gap}"));
    let begins = if *begins_anew { "; they are numbered from the beginning of the store" } else { "" };
    crate::terminal::tell_line!(
        "camera {camera}: tracks of {reused} hours were stored, those of {made} are made now{begins}"
    );
}
