//! `detections` to `alerts`: one camera's analysis in one place, its state saved at an exact offset.
//!
//! Every `save_every` the states of the cameras that moved are published, and once they and all alerts before them are
//! durable, the offset they stand at is committed. So a restart, here or elsewhere, goes on as if nothing had happened.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use vedette_address::AddressBase;
use vedette_alerts::cloudevents;
use vedette_bus::{BusError, Committer, Delivered, GroupEvent, Header, Record, SharedBus, StartAt};
use vedette_core::{Alert, CameraId, FrameDetections};
use vedette_track::TrackerSettings;
use vedette_wire::{AnalysisState, DeadLetterReason, decode_detections, decode_state, encode_alert, encode_state};

use crate::analysis::{CameraAnalysis, STATE_FORMAT};
use crate::config::AnalyseSettings;
use crate::health::{Condition, Health};
use crate::latency::LatencyBook;
use crate::registry::Registry;
use crate::{clock, dead_letters, topics};

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
    /// Ground point to address.
    pub address: Option<Arc<AddressBase>>,
    /// Where it says how it is.
    pub health: Health,
    /// Where latencies are kept.
    pub latency: LatencyBook,
}

/// One partition in our hands.
#[derive(Default)]
struct Partition {
    cameras: BTreeMap<CameraId, Held>,
    dirty: HashSet<CameraId>,
    /// First record that was not taken yet.
    next: Option<u64>,
    committed: Option<u64>,
    /// Alerts and dead letters that are not known to be durable yet.
    pending: Vec<JoinHandle<Result<(), BusError>>>,
}

struct Held {
    analysis: CameraAnalysis,
    /// Records before this one are in the state already.
    from: u64,
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
                _ = save.tick() => running.save(None).await?,
                event = subscription.next() => match event {
                    Ok(GroupEvent::Record(record)) => running.take(record).await?,
                    Ok(GroupEvent::Assigned(partitions)) => running.assigned(partitions.len()).await?,
                    Ok(GroupEvent::Revoked(revocation)) => {
                        let leaving: Vec<u32> = revocation.partitions.iter().map(|(_, number)| *number).collect();
                        running.save(Some(&leaving)).await?;
                        running.partitions.retain(|number, _| !leaving.contains(number));
                        revocation.done();
                    }
                    Err(BusError::Closed) => break,
                    Err(error @ BusError::Unreachable { .. }) => {
                        running.stage.health.set(STAGE, Condition::Degraded, error.to_string());
                    }
                    Err(error) => return Err(error.into()),
                },
            }
        }
        running.save(None).await
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
            let detail = format!("camera {} is not in the registry", frame.camera);
            return self.put_aside(&record, DeadLetterReason::UnknownCamera, &detail).await;
        };
        if !partition.cameras.contains_key(&frame.camera) {
            let saved = self.saved.remove(&frame.camera);
            match open_camera(&self.stage, camera.clone(), saved) {
                Ok(held) => {
                    partition.cameras.insert(frame.camera.clone(), held);
                }
                Err(error) => return self.put_aside(&record, DeadLetterReason::Invalid, &error.to_string()).await,
            }
        }
        let Some(held) = partition.cameras.get_mut(&frame.camera) else { return Ok(()) };
        if offset < held.from {
            return Ok(());
        }
        if let Err(error) = held.analysis.set_camera(camera.clone()) {
            tracing::error!(%error, "the camera's new version is refused; the old one stays");
        }
        let policy = self.stage.registry.policy(&camera);
        partition.dirty.insert(frame.camera.clone());
        let outcome = match held.analysis.take(&frame, policy.as_ref()) {
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

    /// Publishes the states that moved and commits the offsets they stand at; of all partitions, or of `only` these.
    async fn save(&mut self, only: Option<&[u32]>) -> anyhow::Result<()> {
        for (number, partition) in &mut self.partitions {
            if only.is_some_and(|only| !only.contains(number)) {
                continue;
            }
            let Some(next) = partition.next.filter(|next| partition.committed != Some(*next)) else { continue };
            for durable in std::mem::take(&mut partition.pending) {
                durable.await?.context("publishing alerts")?;
            }
            let mut deliveries = Vec::new();
            for camera in partition.dirty.drain() {
                let Some(held) = partition.cameras.get(&camera) else { continue };
                let state = AnalysisState {
                    camera: camera.clone(),
                    partition: *number,
                    next_offset: next,
                    format: STATE_FORMAT,
                    state: held.analysis.save()?.into(),
                };
                let timestamp_ms = held.analysis.last_captured().unwrap_or_default().as_millis();
                let key = Bytes::copy_from_slice(camera.as_str().as_bytes());
                let record = Record { key, value: Some(encode_state(&state)), headers: Vec::new(), timestamp_ms };
                deliveries.push(self.stage.bus.send(topics::STATES, record).await?);
            }
            futures::future::try_join_all(deliveries).await.context("publishing states")?;
            self.committer.commit(topics::DETECTIONS, *number, next).await?;
            partition.committed = Some(next);
        }
        Ok(())
    }
}

fn open_camera(
    stage: &Analyse,
    camera: Arc<vedette_core::Camera>,
    saved: Option<AnalysisState>,
) -> Result<Held, crate::analysis::SetupError> {
    let tracker: &TrackerSettings = &stage.settings.tracker;
    if let Some(saved) = saved {
        match CameraAnalysis::restore(camera.clone(), stage.address.clone(), saved.format, &saved.state) {
            Ok(analysis) => return Ok(Held { analysis, from: saved.next_offset }),
            Err(error) => {
                metrics::counter!("vedette_analyse_states_refused_total").increment(1);
                tracing::warn!(camera = %camera.id, %error, "the saved state is not used; the camera starts anew");
            }
        }
    }
    let analysis = CameraAnalysis::new(camera, tracker, stage.address.clone())?;
    Ok(Held { analysis, from: 0 })
}

/// The last state of every camera.
async fn read_states(bus: &SharedBus) -> anyhow::Result<HashMap<CameraId, AnalysisState>> {
    let mut states = HashMap::new();
    let mut reader = bus.read(topics::STATES, StartAt::Earliest).await?;
    crate::registry::read_to_end(bus, topics::STATES, &mut reader, |record| {
        let Some(value) = record.record.value.clone() else { return };
        match decode_state(value) {
            Ok(state) => {
                states.insert(state.camera.clone(), state);
            }
            Err(error) => tracing::warn!(%error, "a saved state cannot be read"),
        }
    })
    .await?;
    Ok(states)
}
