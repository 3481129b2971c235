//! One partition of `detections` in our hands: the cameras on it, and what is not durable yet.

use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::task::Poll;

use vedette_analysis::{CameraAnalysis, Outcome, STATE_FORMAT};
use vedette_bus::BusError;
use vedette_core::{CameraId, CameraRecord};
use vedette_topics::topics;
use vedette_wire::AnalysisState;

use super::published::{OnTheirWay, Published};
use super::save::Share;
use super::{Analyse, step};
use crate::registry::Entry;

/// A camera as the partition has it.
pub(super) struct Known {
    pub(super) analysis: CameraAnalysis,
    entry: Entry,
    /// The offset of the newest state of it that is on the bus or on its way there; 0 when there is none.
    stands_at: u64,
    /// Whether its state has changed since it was saved.
    is_dirty: bool,
}

/// A record at which the analysis panicked, which is then gone.
pub(super) struct Panicked {
    pub(super) words: String,
    pub(super) entry: Entry,
}

impl Known {
    pub(super) fn new(entry: Entry, analysis: CameraAnalysis, stands_at: u64) -> Self {
        Self { analysis, entry, stands_at, is_dirty: false }
    }

    /// The registry has changed.
    pub(super) fn renew(&mut self, entry: Entry) {
        if let Err(error) = self.analysis.set_camera(entry.camera.clone()) {
            tracing::error!(%error, "the camera's new version is refused; the old one stays");
        }
        self.entry = entry;
    }

    pub(super) fn step(&mut self, stage: &Analyse, frame: &CameraRecord) -> Outcome {
        stage.step(&mut self.analysis, self.entry.policy.as_ref(), frame)
    }
}

/// Where the newest state on the bus stands of each camera that has appeared.
pub(super) fn stands_at(partitions: &BTreeMap<u32, Partition>) -> impl Fn(&CameraId) -> Option<u64> + Send + Sync {
    |camera| partitions.values().find_map(|partition| partition.cameras.get(camera)).map(|known| known.stands_at)
}

/// Lets go of what has become durable; comes back only when something has not.
pub(super) async fn failure(partitions: &mut BTreeMap<u32, Partition>) -> BusError {
    poll_fn(|context| {
        let mut failures = partitions.values_mut().map(|partition| partition.on_their_way.poll_failure(context));
        failures.find(Poll::is_ready).unwrap_or(Poll::Pending)
    })
    .await
}

#[derive(Default)]
pub(super) struct Partition {
    pub(super) cameras: HashMap<CameraId, Box<Known>>,
    dirty: Vec<CameraId>,
    /// First record that we were given.
    pub(super) first: Option<u64>,
    /// First record that was not taken yet.
    next: Option<u64>,
    /// Where it stood when it was saved last.
    saved: Option<u64>,
    /// Whether states that cannot be used were made again.
    pub(super) rebuilt: bool,
    /// Alerts, near misses and dead letters.
    on_their_way: OnTheirWay,
}

impl Partition {
    /// A record is taken.
    pub(super) fn advance(&mut self, offset: u64) {
        self.first.get_or_insert(offset);
        self.next = Some(offset + 1);
    }

    pub(super) fn insert(&mut self, known: Known) {
        self.cameras.insert(known.entry.camera.id.clone(), Box::new(known));
    }

    /// A frame through its camera's analysis; none when that is not here, or what it knows of the camera is not current.
    pub(super) fn step(&mut self, stage: &Analyse, frame: &CameraRecord) -> Option<Result<Outcome, Panicked>> {
        let known = self.cameras.get_mut(&frame.camera)?;
        if !stage.registry.is_current(&known.entry) {
            return None;
        }
        mark(known, &mut self.dirty);
        let outcome =
            step::run(|| known.step(stage, frame)).map_err(|words| Panicked { words, entry: known.entry.clone() });
        if outcome.is_err() {
            self.cameras.remove(&frame.camera);
        }
        Some(outcome)
    }

    /// The camera's state is to be saved.
    pub(super) fn touch(&mut self, camera: &CameraId) {
        if let Some(known) = self.cameras.get_mut(camera) {
            mark(known, &mut self.dirty);
        }
    }

    /// Nothing is committed before this is durable.
    pub(super) fn wait_for(&mut self, published: Published) {
        self.on_their_way.add(published);
    }

    /// What is to be saved now; none when nothing has moved since the last time. What it holds counts as saved from here on.
    pub(super) fn share(&mut self, number: u32) -> anyhow::Result<Option<Share>> {
        let Some(next) = self.next else { return Ok(None) };
        let mut dirty = std::mem::take(&mut self.dirty);
        let before = std::mem::take(&mut self.on_their_way);
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

/// The camera's state is among those to be saved, once.
fn mark(known: &mut Known, dirty: &mut Vec<CameraId>) {
    if !std::mem::replace(&mut known.is_dirty, true) {
        dirty.push(known.entry.camera.id.clone());
    }
}
