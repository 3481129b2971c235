//! One partition of `detections` in our hands: the cameras on it, and what is not durable yet.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use tokio::task::JoinHandle;
use vedette_bus::{BusError, Committer, SharedBus, Written};
use vedette_core::CameraId;
use vedette_wire::AnalysisState;

use super::states;
use crate::analysis::{CameraAnalysis, STATE_FORMAT};
use crate::topics;

/// A camera as the partition has it.
pub(super) struct Known {
    pub(super) analysis: CameraAnalysis,
    /// The state it was restored from, until the first record has shown whether it follows on.
    pub(super) unverified: Option<AnalysisState>,
    /// The offset of the newest state of it that is known to be on the bus; 0 when there is none.
    pub(super) stands_at: u64,
}

impl Known {
    /// An analysis of which the bus has no state, or none that can be used.
    pub(super) fn unsaved(analysis: CameraAnalysis) -> Self {
        Self { analysis, unverified: None, stands_at: 0 }
    }

    /// An analysis as `saved` has it.
    pub(super) fn restored(analysis: CameraAnalysis, saved: AnalysisState) -> Self {
        Self { analysis, stands_at: saved.next_offset, unverified: Some(saved) }
    }
}

/// Where the newest state on the bus stands of each camera that has appeared.
pub(super) fn stands_at(partitions: &BTreeMap<u32, Partition>) -> impl Fn(&CameraId) -> Option<u64> + Send + Sync {
    |camera| partitions.values().find_map(|partition| partition.cameras.get(camera)).map(|known| known.stands_at)
}

#[derive(Default)]
pub(super) struct Partition {
    pub(super) cameras: BTreeMap<CameraId, Known>,
    dirty: BTreeSet<CameraId>,
    /// First record that we were given.
    pub(super) first: Option<u64>,
    /// First record that was not taken yet.
    next: Option<u64>,
    committed: Option<u64>,
    /// Whether states that cannot be used were made again.
    pub(super) rebuilt: bool,
    /// Alerts and dead letters that are not known to be durable yet.
    pending: Vec<JoinHandle<Result<(), BusError>>>,
}

impl Partition {
    /// A record is taken.
    pub(super) fn advance(&mut self, offset: u64) {
        self.first.get_or_insert(offset);
        self.next = Some(offset + 1);
    }

    /// The camera's state has changed.
    pub(super) fn touch(&mut self, camera: &CameraId) {
        if !self.dirty.contains(camera) {
            self.dirty.insert(camera.clone());
        }
    }

    /// Nothing is committed before this is durable.
    pub(super) fn wait_for(&mut self, durable: JoinHandle<Result<(), BusError>>) {
        self.pending.push(durable);
    }

    /// Publishes the states that moved and, once they and all alerts are durable, commits the offset they stand at. Says what
    /// was written.
    pub(super) async fn save(
        &mut self,
        bus: &SharedBus,
        committer: &Committer,
        number: u32,
    ) -> anyhow::Result<Vec<Written>> {
        let Some(next) = self.next else { return Ok(Vec::new()) };
        for durable in std::mem::take(&mut self.pending) {
            durable.await?.context("publishing alerts")?;
        }
        let mut deliveries = Vec::new();
        for camera in std::mem::take(&mut self.dirty) {
            let Some(known) = self.cameras.get_mut(&camera) else { continue };
            let analysis = &known.analysis;
            let state = AnalysisState {
                camera,
                partition: number,
                next_offset: next,
                format: STATE_FORMAT,
                state: analysis.save()?.into(),
                counts: analysis.counts().clone(),
            };
            let record = states::record(&state, analysis.last_captured());
            deliveries.push(bus.send(topics::STATES, record).await?);
            known.stands_at = next;
        }
        let written = futures::future::try_join_all(deliveries).await.context("publishing states")?;
        if self.committed == Some(next) {
            return Ok(written);
        }
        self.committed = Some(next);
        match committer.commit(topics::DETECTIONS, number, next).await {
            // It went to another member meanwhile, whose word on offsets now counts; what we sent it recognises.
            Err(error @ BusError::Refused { .. }) => {
                tracing::warn!(stage = super::STAGE, partition = number, next, %error, "commit refused; the records may be seen again");
            }
            outcome => outcome.context("committing")?,
        }
        Ok(written)
    }
}
