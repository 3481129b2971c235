//! One partition of `detections` in our hands: the cameras on it, and what is not durable yet.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use bytes::Bytes;
use tokio::task::JoinHandle;
use vedette_bus::{BusError, Committer, Record, SharedBus};
use vedette_core::CameraId;
use vedette_wire::{AnalysisState, encode_state};

use crate::analysis::{CameraAnalysis, STATE_FORMAT};
use crate::topics;

/// A camera as the partition has it.
pub(super) struct Known {
    pub(super) analysis: CameraAnalysis,
    /// The state it was restored from, until the first record has shown whether it follows on.
    pub(super) unverified: Option<AnalysisState>,
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

    /// Publishes the states that moved and, once they and all alerts are durable, commits the offset they stand at.
    pub(super) async fn save(&mut self, bus: &SharedBus, committer: &Committer, number: u32) -> anyhow::Result<()> {
        let Some(next) = self.next.filter(|next| self.committed != Some(*next)) else { return Ok(()) };
        for durable in std::mem::take(&mut self.pending) {
            durable.await?.context("publishing alerts")?;
        }
        let mut deliveries = Vec::new();
        for camera in std::mem::take(&mut self.dirty) {
            let Some(Known { analysis, .. }) = self.cameras.get(&camera) else { continue };
            let state = AnalysisState {
                camera: camera.clone(),
                partition: number,
                next_offset: next,
                format: STATE_FORMAT,
                state: analysis.save()?.into(),
                counts: analysis.counts().clone(),
            };
            let timestamp_ms = analysis.last_captured().unwrap_or_default().as_millis();
            let key = Bytes::copy_from_slice(camera.as_str().as_bytes());
            let record = Record { key, value: Some(encode_state(&state)), headers: Vec::new(), timestamp_ms };
            deliveries.push(bus.send(topics::STATES, record).await?);
        }
        futures::future::try_join_all(deliveries).await.context("publishing states")?;
        self.committed = Some(next);
        match committer.commit(topics::DETECTIONS, number, next).await {
            // It went to another member meanwhile, whose word on offsets now counts; what we sent it recognises.
            Err(error @ BusError::Refused { .. }) => {
                tracing::warn!(stage = super::STAGE, partition = number, next, %error, "commit refused; the records may be seen again");
                Ok(())
            }
            outcome => outcome.context("committing"),
        }
    }
}
