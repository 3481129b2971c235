//! An assigned partition of `detections`: its cameras, and its records in flight.

use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::task::Poll;

use vedette_analysis::{CameraAnalysis, Outcome, STATE_FORMAT};
use vedette_bus::BusError;
use vedette_core::{CameraId, CameraRecord, LateChange};
use vedette_topics::topics;
use vedette_wire::AnalysisState;

use super::published::{InFlight, Published};
use super::save::Share;
use super::silence::Heard;
use super::{Analyse, step};
use crate::changes::analysed::Mark;
use crate::registry::Entry;

/// A camera of the partition.
pub(super) struct Known {
    pub(super) id: CameraId,
    pub(super) analysis: CameraAnalysis,
    entry: Entry,
    /// The offset of its newest checkpoint, durable or in flight; 0 when there is none.
    stands_at: u64,
    /// Whether its state has changed since the last checkpoint.
    is_dirty: bool,
    /// How far it is analysed, as the worker tells.
    mark: Option<Mark>,
    /// Its last record; none when none has arrived since it was loaded or switched on.
    heard: Option<Heard>,
}

/// A record at which the analysis panicked; that analysis is discarded.
pub(super) struct Panicked {
    pub(super) words: String,
    pub(super) entry: Entry,
}

impl Known {
    pub(super) fn new(id: CameraId, entry: Entry, analysis: CameraAnalysis, stands_at: u64) -> Self {
        Self { id, analysis, entry, stands_at, is_dirty: false, mark: None, heard: None }
    }

    /// The spans in which the analysis came too late for what the registry says now.
    pub(super) fn late_under(&self, entry: &Entry) -> Vec<LateChange> {
        let last = self.analysis.last_captured();
        last.map(|last| entry.setups.late_since(&self.entry.setups, &self.id, last)).unwrap_or_default()
    }

    /// The registry has changed.
    pub(super) fn renew(&mut self, entry: Entry) {
        self.entry = entry;
    }

    pub(super) fn step(&mut self, stage: &Analyse, frame: &CameraRecord) -> Outcome {
        let outcome = stage.step(&mut self.analysis, &self.entry.setups, frame);
        if let Some(last) = self.analysis.last_captured() {
            self.mark.get_or_insert_with(|| stage.worker.analysed().mark(&self.id)).set(last);
        }
        outcome
    }
}

/// The offset of the newest checkpoint of each known camera.
pub(super) fn stands_at(partitions: &BTreeMap<u32, Partition>) -> impl Fn(&CameraId) -> Option<u64> + Send + Sync {
    |camera| partitions.values().find_map(|partition| partition.cameras.get(camera)).map(|known| known.stands_at)
}

/// Drops records that have become durable; returns only when one failed.
pub(super) async fn failure(partitions: &mut BTreeMap<u32, Partition>) -> BusError {
    poll_fn(|context| {
        let mut failures = partitions.values_mut().map(|partition| partition.in_flight.poll_failure(context));
        failures.find(Poll::is_ready).unwrap_or(Poll::Pending)
    })
    .await
}

#[derive(Default)]
pub(super) struct Partition {
    pub(super) cameras: HashMap<CameraId, Box<Known>>,
    dirty: Vec<CameraId>,
    /// First record that was delivered.
    pub(super) first: Option<u64>,
    /// First record that was not processed yet.
    next: Option<u64>,
    /// Its position at the last checkpoint.
    saved: Option<u64>,
    /// Whether unusable checkpoints were rebuilt.
    pub(super) rebuilt: bool,
    /// Alerts, near-misses and dead letters.
    in_flight: InFlight,
}

impl Partition {
    /// A record was processed.
    pub(super) fn advance(&mut self, offset: u64) {
        self.first.get_or_insert(offset);
        self.next = Some(offset + 1);
    }

    /// The offset of the first record that was not processed yet; none before the first one.
    pub(super) fn next(&self) -> Option<u64> {
        self.next
    }

    pub(super) fn insert(&mut self, known: Known) {
        self.cameras.insert(known.id.clone(), Box::new(known));
    }

    /// A frame through its camera's analysis; none when that is not loaded, its registry entry is outdated, the camera was removed
    /// before the frame, or the frame has to wait for a decision or for the worker's vote.
    pub(super) fn step(&mut self, stage: &Analyse, frame: &CameraRecord) -> Option<Result<Outcome, Panicked>> {
        let known = self.cameras.get_mut(&frame.camera)?;
        let waits =
            !stage.worker.is_current() || known.entry.hold.as_ref().is_some_and(|hold| frame.at.captured >= hold.from);
        if !stage.registry.is_current(&known.entry) || known.entry.setups.is_removed(frame.at.captured) || waits {
            return None;
        }
        known.heard = Heard::now(frame).or(known.heard);
        mark(known, &mut self.dirty);
        let outcome =
            step::run(|| known.step(stage, frame)).map_err(|words| Panicked { words, entry: known.entry.clone() });
        if outcome.is_err() {
            self.cameras.remove(&frame.camera);
        }
        Some(outcome)
    }

    /// The last record of a camera whose analysis is loaded.
    pub(super) fn heard(&self, camera: &CameraId) -> Option<Heard> {
        self.cameras.get(camera)?.heard
    }

    /// The camera is switched off: what it sent before does not count once it is on again.
    pub(super) fn forget_heard(&mut self, camera: &CameraId) {
        if let Some(known) = self.cameras.get_mut(camera) {
            known.heard = None;
        }
    }

    /// Marks the camera's state for the next checkpoint.
    pub(super) fn touch(&mut self, camera: &CameraId) {
        if let Some(known) = self.cameras.get_mut(camera) {
            mark(known, &mut self.dirty);
        }
    }

    /// Nothing is committed before this is durable.
    pub(super) fn wait_for(&mut self, published: Published) {
        self.in_flight.add(published);
    }

    /// The data to checkpoint now; none when nothing has changed since the last time. It counts as checkpointed from here on.
    pub(super) fn share(&mut self, number: u32) -> crate::Result<Option<Share>> {
        let Some(next) = self.next else { return Ok(None) };
        let mut dirty = std::mem::take(&mut self.dirty);
        let before = std::mem::take(&mut self.in_flight);
        if self.saved.replace(next) == Some(next) && dirty.is_empty() && before.is_empty() {
            return Ok(None);
        }
        dirty.sort_unstable();
        let mut records = Vec::with_capacity(dirty.len());
        for camera in dirty {
            let Some(known) = self.cameras.get_mut(&camera) else { continue };
            if !std::mem::take(&mut known.is_dirty) {
                continue;
            }
            let analysis = &known.analysis;
            let state = AnalysisState {
                camera,
                partition: number,
                next_offset: next,
                format: STATE_FORMAT,
                state: analysis.save()?.into(),
                counts: analysis.counts().clone(),
            };
            records.push(topics::STATES.record(&state, analysis.last_captured().unwrap_or_default()));
            known.stands_at = next;
        }
        Ok(Some(Share { partition: number, next, before, states: records }))
    }
}

/// Adds the camera to the next checkpoint, once.
fn mark(known: &mut Known, dirty: &mut Vec<CameraId>) {
    if !std::mem::replace(&mut known.is_dirty, true) {
        dirty.push(known.id.clone());
    }
}
