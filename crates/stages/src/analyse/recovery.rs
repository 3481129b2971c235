//! Recovery of a camera's analysis: from its checkpoint and the detections since, or from the detections that the bus still
//! keeps when no checkpoint is usable.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use vedette_analysis::{CameraAnalysis, SetupError, Setups, StateError};
use vedette_bus::{BusError, Delivered, SharedBus, StartAt};
use vedette_core::{Alert, CameraId, CameraRecord, Timestamp};
use vedette_topics::During;
use vedette_topics::topics;
use vedette_wire::AnalysisState;

use super::{Analyse, step};
use crate::error::StageError;
use crate::metrics;
use crate::offset_by_time::{low_watermark, offset_at};
use crate::registry::Entry;

/// Restores a checkpoint.
pub(super) fn restore(stage: &Analyse, setups: &Setups, saved: &AnalysisState) -> Result<CameraAnalysis, StateError> {
    let mut analysis = CameraAnalysis::restore(setups, saved.format, &saved.state)?;
    analysis.set_sort_window(stage.settings.sort_window);
    analysis.set_tracker(&stage.settings.tracker);
    Ok(analysis)
}

/// Begins with a camera of which nothing is known, at a capture time; none when it does not exist.
pub(super) fn begin(
    stage: &Analyse,
    setups: &Setups,
    captured: Timestamp,
) -> Option<Result<CameraAnalysis, SetupError>> {
    let analysis = CameraAnalysis::at(setups, captured, &stage.settings.tracker)?;
    Some(analysis.map(|mut analysis| {
        analysis.set_sort_window(stage.settings.sort_window);
        analysis
    }))
}

/// A caught-up analysis, and the alerts that it raised meanwhile. They may have been published before; publishing them twice is
/// harmless.
pub(super) struct CaughtUp {
    pub(super) analysis: CameraAnalysis,
    pub(super) alerts: Vec<Alert>,
}

/// Replays the camera's records in `offsets` that `saved` does not include. A record at which the analysis panics was
/// dead-lettered the first time, and is skipped.
pub(super) async fn catch_up(
    stage: &Analyse,
    id: &CameraId,
    entry: &Entry,
    saved: Option<&AnalysisState>,
    partition: u32,
    offsets: Range<u64>,
) -> crate::Result<CaughtUp> {
    let (setups, from, before) = (&entry.setups, offsets.start, offsets.end);
    tracing::info!(from, before, "replaying the records since the checkpoint");
    metrics::ANALYSE_CATCH_UPS.get().increment(1);
    let mut frames = Vec::new();
    read(&stage.bus, partition, offsets, |_, frame| {
        if frame.camera == *id && !setups.is_removed(frame.at.captured) {
            frames.push(frame);
        }
    })
    .await?;
    let mut bad = BTreeSet::new();
    'again: loop {
        let mut analysis = match saved {
            Some(saved) => restore(stage, setups, saved)?,
            None => {
                let first = frames.first().map_or(Timestamp::default(), |frame| frame.at.captured);
                begin(stage, setups, first).ok_or(StateError::NoCamera)??
            }
        };
        let mut alerts = Vec::new();
        for (index, frame) in frames.iter().enumerate() {
            let frame = if bad.contains(&index) {
                Cow::Owned(step::dead_lettered(frame.clone()))
            } else {
                Cow::Borrowed(frame)
            };
            match step::run(|| stage.step(&mut analysis, setups, &frame)) {
                Ok(outcome) => alerts.extend(outcome.alerts),
                Err(_) if bad.insert(index) => continue 'again,
                Err(panic) => return Err(StageError::PanickedAgain { camera: id.clone(), panic }),
            }
        }
        return Ok(CaughtUp { analysis, alerts });
    }
}

/// Rebuilds the state of cameras without a usable checkpoint, from recent detections before `record`: of each camera up to
/// `end_of`, if any. Its alerts are not published: they were, under the lost checkpoint.
pub(super) async fn rebuild(
    stage: &Analyse,
    record: &Delivered,
    before: u64,
    end_of: &(dyn Fn(&CameraId) -> Option<u64> + Send + Sync),
) -> crate::Result<Vec<(CameraId, (Entry, CameraAnalysis))>> {
    let (partition, offset) = (record.position.partition, record.position.offset);
    let since = record.record.timestamp_ms - stage.settings.rebuild.as_micros() / 1_000;
    let from = offset_at(&stage.bus, topics::DETECTIONS.name(), partition, offset, since).await?;
    if from == before {
        return Ok(Vec::new());
    }
    tracing::info!(from, before, "rebuilding states from detections");
    let mut rebuilt: BTreeMap<CameraId, (Entry, CameraAnalysis)> = BTreeMap::new();
    read(&stage.bus, partition, from..before, |offset, frame| {
        if end_of(&frame.camera).is_none_or(|end| end <= offset) {
            return;
        }
        let begun = rebuilt.remove(&frame.camera).or_else(|| {
            let entry = stage.registry.entry(&frame.camera)?;
            let analysis = begin(stage, &entry.setups, frame.at.captured)?.ok()?;
            Some((entry, analysis))
        });
        let Some((entry, mut analysis)) = begun else { return };
        if entry.setups.is_removed(frame.at.captured) {
            rebuilt.insert(frame.camera, (entry, analysis));
            return;
        }
        // One that panics starts over with its next record.
        if step::run(|| stage.step(&mut analysis, &entry.setups, &frame)).is_ok() {
            rebuilt.insert(frame.camera, (entry, analysis));
        }
    })
    .await?;
    metrics::ANALYSE_STATES_REBUILT.get().increment(rebuilt.len() as u64);
    Ok(rebuilt.into_iter().collect())
}

/// Reads the retained records of one partition of `detections` in `offsets`.
async fn read(
    bus: &SharedBus,
    partition: u32,
    offsets: Range<u64>,
    mut take: impl FnMut(u64, CameraRecord),
) -> crate::Result<()> {
    let low = low_watermark(bus, topics::DETECTIONS.name(), partition).await?;
    if low.max(offsets.start) >= offsets.end {
        return Ok(());
    }
    if low > offsets.start {
        tracing::warn!(from = offsets.start, kept_from = low, "some detections are past their retention");
    }
    let start = StartAt::Offsets(vec![(partition, low.max(offsets.start))]);
    let mut reader = bus.read(topics::DETECTIONS.name(), start).await?;
    loop {
        let record = match reader.next().await {
            Ok(record) => record,
            Err(error @ BusError::Unreachable { .. }) => {
                tracing::warn!(%error, "catching up is blocked: the bus is unreachable");
                continue;
            }
            Err(error) => return Err(error).during("replaying detections").map_err(Into::into),
        };
        let offset = record.position.offset;
        if offset < offsets.end
            && let Ok(frame) = topics::DETECTIONS.read(&record)
        {
            take(offset, frame);
        }
        if offset + 1 >= offsets.end {
            return Ok(());
        }
    }
}
