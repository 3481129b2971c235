//! Loads a camera's analysis, brings it up to a given record, and keeps it current with the registry.

use std::ops::Range;

use vedette_analysis::{CameraAnalysis, Outcome, SetupError, StateError, is_readable};
use vedette_bus::Delivered;
use vedette_core::{CameraId, CameraRecord};
use vedette_wire::{AnalysisState, DeadLetterReason};

use super::partition::{Known, Panicked};
use super::{Running, decision, recovery, states, step};
use crate::error::StageError;
use crate::metrics;
use crate::registry::Entry;

/// Outcome of loading a camera's state.
pub(super) enum Opened {
    Ready,
    /// It was removed from the registry; its last records still arrive.
    Retired,
    /// Its record is dead-lettered.
    Refused(DeadLetterReason, String),
}

impl Running {
    /// Ensures that the camera's analysis is ready for `record`.
    pub(super) async fn open(&mut self, record: &Delivered, frame: &CameraRecord) -> crate::Result<Opened> {
        let number = record.position.partition;
        let entry = loop {
            self.stage.worker.current().await;
            let Some(entry) = self.stage.registry.entry(&frame.camera) else {
                let detail = format!("camera {} is not in the registry", frame.camera);
                return Ok(Opened::Refused(DeadLetterReason::UnknownCamera, detail));
            };
            if let Some(hold) = entry.hold.as_ref().filter(|hold| frame.at.captured >= hold.from) {
                decision::wait(&self.stage, hold).await?;
                continue;
            }
            let known = self.partitions.entry(number).or_default().cameras.get(&frame.camera);
            let mut late = known.map(|known| known.late_under(&entry)).unwrap_or_default();
            // One that is not exact stays different.
            late.retain(|span| !self.stage.registry.is_noted(span));
            if late.is_empty() {
                break entry;
            }
            decision::record_late(&self.stage, late).await?;
        };
        if entry.setups.is_removed(frame.at.captured) {
            return Ok(Opened::Retired);
        }
        if let Some(known) = self.partitions.entry(number).or_default().cameras.get_mut(&frame.camera) {
            known.renew(entry);
            return Ok(Opened::Ready);
        }
        match self.begin(record, frame, entry).await? {
            Ok(known) => {
                self.partitions.entry(number).or_default().insert(known);
                Ok(Opened::Ready)
            }
            Err(refused) => Ok(Opened::Refused(DeadLetterReason::Invalid, refused.to_string())),
        }
    }

    /// A camera's first record: uses its checkpoint, a rebuilt state, or a new one.
    async fn begin(
        &mut self,
        record: &Delivered,
        frame: &CameraRecord,
        entry: Entry,
    ) -> crate::Result<Result<Known, SetupError>> {
        let id = &frame.camera;
        let saved = self.states.of(id).cloned();
        if let Some(saved) = &saved {
            match recovery::restore(&self.stage, &entry.setups, saved) {
                Ok(analysis) => return Ok(Ok(self.go_on_from(saved, analysis, record, frame, entry).await?)),
                Err(error) => {
                    metrics::ANALYSE_STATES_REFUSED.get().increment(1);
                    tracing::warn!(%error,
                        "the checkpoint is not used; the state is rebuilt from detections");
                }
            }
        }
        let new = match recovery::begin(&self.stage, &entry.setups, frame.at.captured) {
            Some(Ok(analysis)) => analysis,
            Some(Err(error)) => return Ok(Err(error)),
            None => return Err(StateError::NoCamera.into()),
        };
        if saved.is_some() || new.is_gap_before(frame) {
            self.rebuild(record, id).await?;
        }
        let partition = self.partitions.entry(record.position.partition).or_default();
        let mut known = match partition.cameras.remove(id) {
            Some(made_again) => *made_again,
            None => Known::new(id.clone(), entry, new, 0),
        };
        if let Some(saved) = saved {
            known.analysis.set_counts(saved.counts);
        }
        Ok(Ok(known))
    }

    /// Resumes from a checkpoint; if it does not reach up to `record`, replays the missing records.
    async fn go_on_from(
        &mut self,
        saved: &AnalysisState,
        mut analysis: CameraAnalysis,
        record: &Delivered,
        frame: &CameraRecord,
        entry: Entry,
    ) -> crate::Result<Known> {
        let id = &frame.camera;
        self.states.remove(id);
        if analysis.is_gap_before(frame) {
            let offsets = saved.next_offset..record.position.offset;
            analysis = self.catch_up(id, &entry, Some(saved), record.position.partition, offsets).await?;
        }
        Ok(Known::new(id.clone(), entry, analysis, saved.next_offset))
    }

    /// Once per partition: rebuilds the state of cameras without a usable checkpoint.
    async fn rebuild(&mut self, record: &Delivered, wanted: &CameraId) -> crate::Result<()> {
        let partition = self.partitions.entry(record.position.partition).or_default();
        if std::mem::replace(&mut partition.rebuilt, true) {
            return Ok(());
        }
        let (cameras, saved) = (&partition.cameras, &self.states);
        let offset = record.position.offset;
        let of_other_format = |state: &&AnalysisState| !is_readable(state.format);
        // A checkpoint may be ahead of the commit: frames that it has counted are not counted again.
        let end_of = |id: &CameraId| match saved.of(id) {
            _ if cameras.contains_key(id) => None,
            Some(state) if is_readable(state.format) && id != wanted => None,
            state => Some(state.map_or(offset, |state| state.next_offset.max(offset))),
        };
        let here = saved.waiting().filter(|state| state.partition == record.position.partition);
        let ends = here.filter(of_other_format).map(|state| state.next_offset);
        let before = ends.fold(offset, u64::max);
        let rebuilt = recovery::rebuild(&self.stage, record, before, &end_of).await?;
        for (id, (entry, mut analysis)) in rebuilt {
            if let Some(saved) = self.states.remove(&id) {
                analysis.set_counts(saved.counts);
            }
            partition.insert(Known::new(id, entry, analysis, 0));
        }
        Ok(())
    }

    /// Dead-letters a record at which the analysis panicked: the camera continues from its previous state, without that frame.
    pub(super) async fn go_on_after(
        &mut self,
        panicked: Panicked,
        record: &Delivered,
        frame: &CameraRecord,
    ) -> crate::Result<Outcome> {
        let Panicked { words, entry } = panicked;
        self.dead_letter(record, DeadLetterReason::Panic, &words).await?;
        let mut known = self.before_panic(record, &frame.camera, entry).await?;
        let accounting = step::dead_lettered(frame.clone());
        let outcome = step::run(|| known.step(&self.stage, &accounting))
            .map_err(|panic| StageError::PanickedAgain { camera: frame.camera.clone(), panic })?;
        let partition = self.partitions.entry(record.position.partition).or_default();
        partition.insert(known);
        partition.touch(&frame.camera);
        Ok(outcome)
    }

    /// The analysis as it was before `record`, after the one that processed it panicked.
    async fn before_panic(&mut self, record: &Delivered, id: &CameraId, entry: Entry) -> crate::Result<Known> {
        let number = record.position.partition;
        self.finish_saving().await?;
        let saved = states::newest_of(&self.stage.bus, id).await?;
        let saved = saved.filter(|saved| is_readable(saved.format));
        let first = self.partitions.get(&number).and_then(|partition| partition.first).unwrap_or_default();
        let from = saved.as_ref().map_or(first, |saved| saved.next_offset);
        let analysis = self.catch_up(id, &entry, saved.as_ref(), number, from..record.position.offset).await?;
        Ok(Known::new(id.clone(), entry, analysis, saved.map_or(0, |saved| saved.next_offset)))
    }

    /// Replays the records in `offsets` that `saved` has not processed.
    async fn catch_up(
        &mut self,
        id: &CameraId,
        entry: &Entry,
        saved: Option<&AnalysisState>,
        number: u32,
        offsets: Range<u64>,
    ) -> crate::Result<CameraAnalysis> {
        let caught_up = recovery::catch_up(&self.stage, id, entry, saved, number, offsets).await?;
        for alert in &caught_up.alerts {
            self.publish(number, None, alert).await?;
        }
        Ok(caught_up.analysis)
    }
}
