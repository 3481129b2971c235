//! A group member's view of `states`: the checkpoints of its cameras, and whether those it wrote are still the newest.
//!
//! A fenced-off ("zombie") member may write after its successor: its older checkpoint then overwrites the newer one, and
//! compaction will remove that. So each member watches the writes of others to its partitions, and rewrites any newer checkpoint
//! that was overwritten. Offsets reveal them: a sole writer finds its records contiguous, and reads nothing.

use std::collections::{BTreeMap, BTreeSet};

use vedette_bus::{SharedBus, StartAt, Watermarks, Written, partition_of};
use vedette_core::{CameraId, Timestamp};
use vedette_topics::During;
use vedette_topics::{reading, topics};
use vedette_wire::AnalysisState;

use crate::metrics;

/// See the module.
#[derive(Default)]
pub(super) struct States {
    /// Assigned partitions of `detections`, and their total number.
    ours: BTreeSet<u32>,
    partitions: u32,
    /// Whether a camera's checkpoints and detections are in partitions of the same number.
    aligned: bool,
    /// The newest checkpoints of cameras that have not appeared yet.
    waiting: BTreeMap<CameraId, AnalysisState>,
    /// Per partition of `states` that may hold ours: the first record that was not examined.
    seen: BTreeMap<u32, u64>,
    /// Cameras whose newest checkpoint was overwritten by an older one.
    overwritten: BTreeSet<CameraId>,
}

impl States {
    /// Partitions of `detections` were assigned: reads the checkpoints of their cameras. `stands_at` as for [`Self::look`].
    pub(super) async fn assign(
        &mut self,
        bus: &SharedBus,
        partitions: &[u32],
        stands_at: &(dyn Fn(&CameraId) -> Option<u64> + Send + Sync),
    ) -> crate::Result<()> {
        let marks = bus.watermarks(topics::STATES.name()).await.during("reading the end offset of `states`")?;
        let of_states = u32::try_from(marks.len()).unwrap_or(u32::MAX);
        self.partitions = partition_count(bus, topics::DETECTIONS.name()).await?;
        self.ours.extend(partitions);
        // With equal partition counts, both topics map a key to the same partition.
        self.aligned = of_states == self.partitions;
        let wanted = if self.aligned { partitions.to_vec() } else { (0..of_states).collect() };
        self.seen.extend(wanted.into_iter().map(|partition| (partition, 0)));
        self.look(bus, &marks, stands_at).await
    }

    /// A partition was revoked.
    pub(super) fn revoke(&mut self, partition: u32) {
        self.ours.remove(&partition);
        let (ours, partitions) = (&self.ours, self.partitions);
        let is_ours = |camera: &CameraId| ours.contains(&partition_of(camera.as_str().as_bytes(), partitions));
        self.waiting.retain(|camera, _| is_ours(camera));
        self.overwritten.retain(is_ours);
        self.seen.retain(|number, _| if self.aligned { *number != partition } else { !ours.is_empty() });
    }

    /// Whether no partition is assigned.
    pub(super) fn have_no_partition(&self) -> bool {
        self.ours.is_empty()
    }

    /// The checkpoint of a camera that has not appeared yet.
    pub(super) fn of(&self, camera: &CameraId) -> Option<&AnalysisState> {
        self.waiting.get(camera)
    }

    /// The checkpoints of cameras that have not appeared yet.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &AnalysisState> {
        self.waiting.values()
    }

    /// The camera has appeared: from now on its analysis knows the position of its checkpoint.
    pub(super) fn remove(&mut self, camera: &CameraId) -> Option<AnalysisState> {
        self.waiting.remove(camera)
    }

    /// This member wrote a checkpoint.
    pub(super) fn wrote(&mut self, written: &Written) {
        if let Some(seen) = self.seen.get_mut(&written.partition)
            && written.offset == Some(*seen)
        {
            *seen += 1;
        }
    }

    /// Examines the writes of others; `marks` are the end offsets of the topic. `stands_at` is the offset of the newest known
    /// checkpoint of a camera that has appeared; 0 when there is none.
    pub(super) async fn look(
        &mut self,
        bus: &SharedBus,
        marks: &[Watermarks],
        stands_at: &(dyn Fn(&CameraId) -> Option<u64> + Send + Sync),
    ) -> crate::Result<()> {
        let highs: BTreeMap<u32, u64> = marks.iter().map(|mark| (mark.partition, mark.high)).collect();
        let starts: Vec<(u32, u64)> = self
            .seen
            .iter()
            .filter(|(partition, seen)| highs.get(partition).is_some_and(|high| high > *seen))
            .map(|(partition, seen)| (*partition, *seen))
            .collect();
        if starts.is_empty() {
            return Ok(());
        }
        let mut reader =
            bus.read(topics::STATES.name(), StartAt::Offsets(starts.clone())).await.during("reading `states`")?;
        let read_to: BTreeMap<u32, u64> = reader.ends().iter().copied().collect();
        reading::to_end(bus, topics::STATES.name(), &mut reader, |record| {
            match record.record.value.is_some().then(|| topics::STATES.read(&record)) {
                None => {}
                Some(Ok(state)) => self.take(state, stands_at),
                Some(Err(error)) => tracing::warn!(%error, "a checkpoint cannot be decoded"),
            }
        })
        .await?;
        for (partition, start) in starts {
            let end = read_to.get(&partition).or_else(|| highs.get(&partition)).copied().unwrap_or(start);
            self.seen.insert(partition, end);
        }
        Ok(())
    }

    /// Records of one key arrive in the order of writing: the last one survives compaction.
    fn take(&mut self, state: AnalysisState, stands_at: &dyn Fn(&CameraId) -> Option<u64>) {
        let camera = state.camera.clone();
        if !self.ours.contains(&partition_of(camera.as_str().as_bytes(), self.partitions)) {
            return;
        }
        let known = stands_at(&camera);
        let newest = known.or_else(|| self.waiting.get(&camera).map(|state| state.next_offset));
        if newest.is_some_and(|newest| state.next_offset < newest) {
            self.overwritten.insert(camera);
            return;
        }
        self.overwritten.remove(&camera);
        if known.is_none() {
            self.waiting.insert(camera, state);
        }
    }

    /// Rewrites overwritten checkpoints of cameras that have not appeared yet; returns the others, which have.
    pub(super) async fn restore(&mut self, bus: &SharedBus) -> crate::Result<BTreeSet<CameraId>> {
        for camera in &self.overwritten {
            tracing::warn!(camera = %camera, "a zombie member overwrote the newest checkpoint with an older one; it is written again");
        }
        while let Some(state) = self.overwritten.iter().find_map(|camera| self.waiting.get(camera)) {
            let camera = state.camera.clone();
            let sent = topics::STATES.send(bus, state, Timestamp::default()).await?;
            self.wrote(&sent.await.during("publishing states")?);
            metrics::ANALYSE_STATES_OVERWRITTEN.get().increment(1);
            self.overwritten.remove(&camera);
        }
        let appeared = std::mem::take(&mut self.overwritten);
        metrics::ANALYSE_STATES_OVERWRITTEN.get().increment(appeared.len() as u64);
        Ok(appeared)
    }
}

/// The newest checkpoint of one camera: of several the most advanced.
pub(super) async fn newest_of(bus: &SharedBus, camera: &CameraId) -> crate::Result<Option<AnalysisState>> {
    let partition = partition_of(camera.as_str().as_bytes(), partition_count(bus, topics::STATES.name()).await?);
    let mut reader = bus.read(topics::STATES.name(), StartAt::Offsets(vec![(partition, 0)])).await?;
    let mut newest: Option<AnalysisState> = None;
    reading::to_end(bus, topics::STATES.name(), &mut reader, |record| {
        let Ok(state) = topics::STATES.read(&record) else { return };
        if state.camera == *camera && newest.as_ref().is_none_or(|known| known.next_offset <= state.next_offset) {
            newest = Some(state);
        }
    })
    .await?;
    Ok(newest)
}

async fn partition_count(bus: &SharedBus, topic: &str) -> crate::Result<u32> {
    let marks = bus.watermarks(topic).await.during(format!("reading the number of partitions of `{topic}`"))?;
    Ok(u32::try_from(marks.len()).unwrap_or(u32::MAX))
}
