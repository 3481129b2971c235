//! `detections` to `alerts`: one camera's analysis in one place, its state saved at an exact offset.
//!
//! Every `save_every` the states of the cameras that moved are published, and once they and all alerts before them are
//! durable, the offset they stand at is committed. So a restart, here or elsewhere, goes on as if nothing had happened:
//! records that a state has seen already are recognised by their epoch and sequence.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use vedette_alerts::cloudevents;
use vedette_bus::{BusError, Committer, Delivered, GroupEvent, Header, Record, SharedBus, StartAt};
use vedette_core::{Alert, CameraId, FrameDetections};
use vedette_track::TrackerSettings;
use vedette_wire::{AnalysisState, DeadLetterReason, decode_detections, decode_state, encode_alert, encode_state};

use crate::address_book::AddressBook;
use crate::analysis::{CameraAnalysis, STATE_FORMAT};
use crate::config::AnalyseSettings;
use crate::health::{Condition, Health};
use crate::latency::LatencyBook;
use crate::registry::Registry;
use crate::{bus_watch, clock, dead_letters, topics};

mod near_misses;

/// The consumer group of the stage.
pub const GROUP: &str = "analyse";
const STAGE: &str = "analyse";

/// What the stage needs.
#[derive(Clone)]
pub struct Analyse {
    /// Settings.
    pub settings: AnalyseSettings,
    /// Where detections come from and alerts go.
    pub bus: SharedBus,
    /// Cameras and policies.
    pub registry: Registry,
    /// Ground point to address, by capture time.
    pub addresses: AddressBook,
    /// Where it says how it is.
    pub health: Health,
    /// Where latencies are kept.
    pub latency: LatencyBook,
}

/// One partition in our hands.
#[derive(Default)]
struct Partition {
    cameras: BTreeMap<CameraId, CameraAnalysis>,
    dirty: HashSet<CameraId>,
    /// First record that was not taken yet.
    next: Option<u64>,
    committed: Option<u64>,
    /// Alerts and dead letters that are not known to be durable yet.
    pending: Vec<JoinHandle<Result<(), BusError>>>,
}

struct Running {
    stage: Analyse,
    committer: Committer,
    partitions: HashMap<u32, Partition>,
    /// States read from the bus, for cameras that did not appear yet.
    saved: HashMap<CameraId, AnalysisState>,
}

impl Analyse {
    /// Works until `stop`; states are then saved and committed.
    ///
    /// # Errors
    /// When the bus refuses for good.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut subscription =
            self.bus.subscribe(GROUP, &[topics::DETECTIONS]).await.context("joining group `analyse`")?;
        let mut save = tokio::time::interval(self.settings.save_every.to_std());
        let mut running = Running {
            committer: subscription.committer(),
            partitions: HashMap::new(),
            saved: HashMap::new(),
            stage: self,
        };
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = save.tick() => running.save().await?,
                event = subscription.next() => match event {
                    Ok(GroupEvent::Record(record)) => running.take(record).await?,
                    Ok(GroupEvent::Assigned(partitions)) => running.assigned(partitions.len()).await?,
                    Ok(GroupEvent::Revoked(revocation)) => {
                        let leaving: Vec<u32> = revocation.partitions.iter().map(|(_, number)| *number).collect();
                        running.give_up(&leaving).await;
                        revocation.done();
                    }
                    Err(BusError::Closed) => break,
                    Err(error @ BusError::Unreachable { .. }) => bus_watch::away(&running.stage.health, &error),
                    Err(error) => return Err(error.into()),
                },
            }
        }
        running.save().await
    }
}

impl Running {
    async fn assigned(&mut self, partitions: usize) -> anyhow::Result<()> {
        tracing::info!(stage = STAGE, partitions, "partitions assigned");
        self.saved = read_states(&self.stage.bus).await?;
        self.stage.health.set(STAGE, Condition::Running, "");
        Ok(())
    }

    async fn take(&mut self, record: Delivered) -> anyhow::Result<()> {
        self.stage.health.set(STAGE, Condition::Running, "");
        let (number, offset) = (record.position.partition, record.position.offset);
        let partition = self.partitions.entry(number).or_default();
        partition.next = Some(offset + 1);
        let frame = match decode_detections(record.record.value.clone().unwrap_or_default()) {
            Ok(frame) => frame,
            Err(error) => return self.put_aside(&record, DeadLetterReason::from(&error), &error.to_string()).await,
        };
        let Some(camera) = self.stage.registry.camera(&frame.camera) else {
            if self.stage.registry.is_retired(&frame.camera) {
                metrics::counter!("vedette_frames_shed_total", "stage" => STAGE, "reason" => "camera_retired")
                    .increment(1);
                return Ok(());
            }
            let detail = format!("camera {} is not in the registry", frame.camera);
            return self.put_aside(&record, DeadLetterReason::UnknownCamera, &detail).await;
        };
        if !partition.cameras.contains_key(&frame.camera) {
            let saved = self.saved.remove(&frame.camera);
            match open_camera(&self.stage, camera.clone(), saved) {
                Ok(analysis) => {
                    partition.cameras.insert(frame.camera.clone(), analysis);
                }
                Err(error) => return self.put_aside(&record, DeadLetterReason::Invalid, &error.to_string()).await,
            }
        }
        let Some(analysis) = partition.cameras.get_mut(&frame.camera) else { return Ok(()) };
        if let Err(error) = analysis.set_camera(camera.clone()) {
            tracing::error!(%error, "the camera's new version is refused; the old one stays");
        }
        let policy = self.stage.registry.policy(&camera);
        partition.dirty.insert(frame.camera.clone());
        let base = self.stage.addresses.at(frame.captured);
        let outcome = match analysis.take(&frame, policy.as_ref(), base.as_deref()) {
            Ok(outcome) => outcome,
            Err(error) => {
                metrics::counter!("vedette_analyse_policies_refused_total").increment(1);
                tracing::error!(%error, "the policy is refused; the old one stays");
                return Ok(());
            }
        };
        if outcome.duplicate {
            metrics::counter!("vedette_analyse_duplicates_total").increment(1);
            return Ok(());
        }
        metrics::counter!("vedette_analyse_frames_total").increment(1);
        if let Some(size) = analysis.policy_frame() {
            let stage = &self.stage;
            let sent = near_misses::publish(&stage.bus, &frame, size, &outcome.near_misses).await?;
            partition.pending.extend(sent);
        }
        for alert in outcome.alerts {
            self.publish(number, &frame, &alert).await?;
        }
        Ok(())
    }

    async fn publish(&mut self, number: u32, frame: &FrameDetections, alert: &Alert) -> anyhow::Result<()> {
        let status = if alert.ended.is_some() { "ended" } else { "raised" };
        metrics::counter!("vedette_alerts_total", "kind" => alert.kind.as_str(), "status" => status).increment(1);
        let headers = cloudevents::headers(alert);
        let headers = headers.into_iter().map(|(name, value)| Header { name, value: value.into() }).collect();
        let record = Record {
            key: Bytes::copy_from_slice(alert.camera.as_str().as_bytes()),
            value: Some(encode_alert(alert)),
            headers,
            timestamp_ms: frame.captured.as_millis(),
        };
        let delivery = self.stage.bus.send(topics::ALERTS, record).await?;
        let raised = alert.raised == frame.captured;
        let (book, latency, captured) = (self.stage.latency.clone(), frame.latency, frame.captured);
        let durable = tokio::spawn(async move {
            delivery.await?;
            if raised {
                book.note(captured, latency, clock::now());
            }
            Ok(())
        });
        self.partitions.entry(number).or_default().pending.push(durable);
        Ok(())
    }

    async fn put_aside(&mut self, record: &Delivered, reason: DeadLetterReason, detail: &str) -> anyhow::Result<()> {
        metrics::counter!("vedette_frames_dead_lettered_total", "stage" => STAGE).increment(1);
        let delivery = dead_letters::send(&self.stage.bus, STAGE, record, reason, detail).await?;
        let durable = tokio::spawn(async move { delivery.await.map(|_| ()) });
        self.partitions.entry(record.position.partition).or_default().pending.push(durable);
        Ok(())
    }

    /// Saves the partitions that another member takes over. What cannot be saved it makes again from the last commit.
    async fn give_up(&mut self, leaving: &[u32]) {
        for number in leaving {
            let Some(mut partition) = self.partitions.remove(number) else { continue };
            if let Err(error) = partition.save(&self.stage.bus, &self.committer, *number).await {
                tracing::warn!(
                    stage = STAGE,
                    partition = number,
                    error = format!("{error:#}"),
                    "not saved on leaving; the next owner repeats what came since the last commit"
                );
            }
        }
    }

    /// Saves every partition that moved.
    async fn save(&mut self) -> anyhow::Result<()> {
        for (number, partition) in &mut self.partitions {
            partition.save(&self.stage.bus, &self.committer, *number).await?;
        }
        Ok(())
    }
}

impl Partition {
    /// Publishes the states that moved and, once they and all alerts are durable, commits the offset they stand at.
    async fn save(&mut self, bus: &SharedBus, committer: &Committer, number: u32) -> anyhow::Result<()> {
        let Some(next) = self.next.filter(|next| self.committed != Some(*next)) else { return Ok(()) };
        for durable in std::mem::take(&mut self.pending) {
            durable.await?.context("publishing alerts")?;
        }
        let mut deliveries = Vec::new();
        for camera in self.dirty.drain() {
            let Some(analysis) = self.cameras.get(&camera) else { continue };
            let state = AnalysisState {
                camera: camera.clone(),
                partition: number,
                next_offset: next,
                format: STATE_FORMAT,
                state: analysis.save()?.into(),
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
                tracing::warn!(stage = STAGE, partition = number, next, %error, "commit refused; the records may be seen again");
                Ok(())
            }
            outcome => outcome.context("committing"),
        }
    }
}

fn open_camera(
    stage: &Analyse,
    camera: Arc<vedette_core::Camera>,
    saved: Option<AnalysisState>,
) -> Result<CameraAnalysis, crate::analysis::SetupError> {
    let tracker: &TrackerSettings = &stage.settings.tracker;
    if let Some(saved) = saved {
        match CameraAnalysis::restore(camera.clone(), saved.format, &saved.state) {
            Ok(analysis) => return Ok(analysis),
            Err(error) => {
                metrics::counter!("vedette_analyse_states_refused_total").increment(1);
                tracing::warn!(camera = %camera.id, %error, "the saved state is not used; the camera starts anew");
            }
        }
    }
    CameraAnalysis::new(camera, tracker)
}

/// The state of every camera that has seen most. Not simply the last one: a member that lost its partitions while the bus was
/// away may have written after their next owner did.
async fn read_states(bus: &SharedBus) -> anyhow::Result<HashMap<CameraId, AnalysisState>> {
    let mut states: HashMap<CameraId, (i64, AnalysisState)> = HashMap::new();
    let mut reader = bus.read(topics::STATES, StartAt::Earliest).await?;
    crate::registry::read_to_end(bus, topics::STATES, &mut reader, |record| {
        let Some(value) = record.record.value.clone() else { return };
        match decode_state(value) {
            Ok(state) => {
                let seen_until = record.record.timestamp_ms;
                if states.get(&state.camera).is_none_or(|(known, _)| *known <= seen_until) {
                    states.insert(state.camera.clone(), (seen_until, state));
                }
            }
            Err(error) => tracing::warn!(%error, "a saved state cannot be read"),
        }
    })
    .await?;
    Ok(states.into_iter().map(|(camera, (_, state))| (camera, state)).collect())
}
