//! What the stage says of cameras without signal: on `detections`, of those of which nothing is told, and on `signals`.

use std::collections::BTreeSet;
use std::sync::Arc;

use vedette_bus::partition_of;
use vedette_core::{Camera, CameraId, CameraRecord};
use vedette_topics::During;
use vedette_topics::topics;

use super::published::Published;
use super::{Running, silence};
use crate::metrics;
use crate::registry::Registry;

/// A partition with more unread records than this is being caught up with: its cameras are not silent.
const MOST_UNREAD: u64 = 1_000;

/// The cameras of the assigned partitions, from a registry of all.
#[derive(Default)]
pub(super) struct OwnCameras {
    /// The state of the registry, the partitions and their number, for which they hold.
    of: Option<(u64, BTreeSet<u32>, u32)>,
    cameras: Vec<(Arc<Camera>, u32)>,
}

impl OwnCameras {
    /// Each with its partition among `of`.
    fn of_partitions(&mut self, registry: &Registry, partitions: &BTreeSet<u32>, of: u32) -> &[(Arc<Camera>, u32)] {
        let state = *registry.changes().borrow();
        if self.of.as_ref().is_none_or(|known| (known.0, &known.1, known.2) != (state, partitions, of)) {
            let with_partition = |camera: Arc<Camera>| {
                let partition = partition_of(camera.id.as_str().as_bytes(), of);
                (camera, partition)
            };
            let all = registry.cameras().into_iter().map(with_partition);
            self.cameras = all.filter(|(_, partition)| partitions.contains(partition)).collect();
            self.of = Some((state, partitions.clone(), of));
        }
        &self.cameras
    }
}

impl Running {
    /// Publishes what a record means for its camera's signal.
    pub(super) async fn note_signal(&mut self, number: u32, record: &CameraRecord) -> crate::Result<()> {
        let noted = self.stage.signals.note(&self.stage.bus, record).await;
        if let Some(delivery) = noted.during("publishing a camera's signal")? {
            self.partitions.entry(number).or_default().wait_for(Published::new(delivery));
        }
        Ok(())
    }

    /// Publishes the signal losses of cameras of which nothing is told any more. Reading them again, here or in a replay, has the same
    /// effect as reading those of other stages.
    pub(super) async fn look_for_silence(&mut self) -> crate::Result<()> {
        self.forget_removed().await?;
        let Some(coverage) = self.silence.coverage(self.assigned.iter().copied(), &self.stage.health) else {
            return Ok(());
        };
        let marks = self.stage.bus.watermarks(topics::DETECTIONS.name()).await;
        let marks = marks.during("reading the end offsets of `detections`")?;
        let read: BTreeSet<u32> = marks
            .iter()
            .filter(|mark| self.assigned.contains(&mark.partition))
            .filter(|mark| {
                let next = self.partitions.get(&mark.partition).and_then(super::partition::Partition::next);
                next.is_none_or(|next| mark.high.saturating_sub(next) <= MOST_UNREAD)
            })
            .map(|mark| mark.partition)
            .collect();
        let of = u32::try_from(marks.len()).unwrap_or(u32::MAX);
        let cameras = self.cameras.of_partitions(&self.stage.registry, &self.assigned, of);
        for (camera, number) in cameras.iter().filter(|(camera, _)| !silence::is_watched(camera)) {
            if let Some(partition) = self.partitions.get_mut(number) {
                partition.forget_heard(&camera.id);
            }
        }
        let loaded = |camera: &CameraId, number| self.partitions.get(&number)?.heard(camera);
        for (loss, number) in self.silence.losses(&coverage, cameras, &read, loaded) {
            let reason = loss.reason;
            let record = CameraRecord::signal_loss(loss, self.silence.model());
            let sent = topics::DETECTIONS.send(&self.stage.bus, &record, record.at.captured).await;
            let delivery = sent.during("publishing a signal loss")?;
            self.partitions.entry(number).or_default().wait_for(Published::new(delivery));
            metrics::ANALYSE_SIGNAL_LOSSES.with([reason.as_str()]).increment(1);
        }
        Ok(())
    }

    /// A camera that was removed or switched off is not without signal.
    async fn forget_removed(&mut self) -> crate::Result<()> {
        let registry = &self.stage.registry;
        let is_watched = |camera: &_| registry.camera(camera).is_some_and(|camera| camera.enabled);
        self.silence.forget(is_watched);
        let gone: Vec<_> = self.stage.signals.cameras().into_iter().filter(|camera| !is_watched(camera)).collect();
        for camera in gone {
            let sent = self.stage.signals.restored(&self.stage.bus, &camera).await;
            drop(sent.during("publishing a camera's signal")?);
        }
        Ok(())
    }
}
