//! `detections` to `alerts`: one camera's analysis in one place, its state saved at an exact offset.
//!
//! Every `save_every` the states of the cameras that moved are published, and once they and all alerts before them are
//! durable, the offset they stand at is committed. So a restart, here or elsewhere, goes on as if nothing had happened:
//! records that a state has seen already are recognised by their epoch and sequence, and those that it has not seen although
//! they lie before the commit (a member that was thought dead wrote an older state over a newer one) are read again.

mod near_misses;
mod partition;
mod recovery;
mod states;
mod step;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use vedette_alerts::cloudevents;
use vedette_bus::{BusError, Committer, Delivered, GroupEvent, Header, Record, SharedBus};
use vedette_core::{Alert, Camera, CameraId, FrameDetections};
use vedette_wire::{AnalysisState, DeadLetterReason, decode_detections, encode_alert};

use crate::address_book::AddressBook;
use crate::analysis::{Admission, CameraAnalysis, Outcome, STATE_FORMAT, Serving, SetupError};
use crate::config::AnalyseSettings;
use crate::health::{Condition, Health};
use crate::latency::LatencyBook;
use crate::registry::Registry;
use crate::{bus_watch, clock, dead_letters, topics};
use partition::{Known, Partition};
use states::States;

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

struct Running {
    stage: Analyse,
    committer: Committer,
    partitions: BTreeMap<u32, Partition>,
    states: States,
    /// Whether the bus did not answer when it was last asked.
    is_away: bool,
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
        save.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut running = Running {
            committer: subscription.committer(),
            partitions: BTreeMap::new(),
            states: States::default(),
            is_away: false,
            stage: self,
        };
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = save.tick() => running.tick().await?,
                event = subscription.next() => match event {
                    Ok(GroupEvent::Record(record)) => running.take(record).await?,
                    Ok(GroupEvent::Assigned(partitions)) => {
                        let partitions: Vec<u32> = partitions.iter().map(|(_, number)| *number).collect();
                        running.assigned(&partitions).await?;
                    }
                    Ok(GroupEvent::Revoked(revocation)) => {
                        let leaving: Vec<u32> = revocation.partitions.iter().map(|(_, number)| *number).collect();
                        running.give_up(&leaving).await;
                        revocation.done();
                    }
                    Err(BusError::Closed) => break,
                    Err(error @ BusError::Unreachable { .. }) => running.away(&error),
                    Err(error) => return Err(error.into()),
                },
            }
        }
        running.save().await
    }
}

impl Running {
    async fn assigned(&mut self, partitions: &[u32]) -> anyhow::Result<()> {
        tracing::info!(stage = STAGE, ?partitions, "partitions assigned");
        let stands_at = partition::stands_at(&self.partitions);
        self.states.take_over(&self.stage.bus, partitions, &stands_at).await.context("taking partitions over")?;
        self.stage.health.set(STAGE, Condition::Running, "");
        self.is_away = false;
        Ok(())
    }

    fn away(&mut self, error: &BusError) {
        bus_watch::away(&self.stage.health, error);
        self.is_away = true;
    }

    async fn take(&mut self, record: Delivered) -> anyhow::Result<()> {
        if std::mem::take(&mut self.is_away) {
            self.stage.health.set(STAGE, Condition::Running, "");
        }
        let number = record.position.partition;
        self.partitions.entry(number).or_default().advance(record.position.offset);
        let frame = match decode_detections(record.record.value.clone().unwrap_or_default()) {
            Ok(frame) => frame,
            Err(error) => return self.put_aside(&record, DeadLetterReason::from(&error), &error.to_string()).await,
        };
        let Some(camera) = self.stage.registry.camera(&frame.camera) else {
            if self.stage.registry.is_retired(&frame.camera) {
                metrics::counter!("vedette_analyse_retired_cameras_frames_total").increment(1);
                return Ok(());
            }
            let detail = format!("camera {} is not in the registry", frame.camera);
            return self.put_aside(&record, DeadLetterReason::UnknownCamera, &detail).await;
        };
        if let Err(error) = self.open(&record, &frame, &camera).await? {
            return self.put_aside(&record, DeadLetterReason::Invalid, &error.to_string()).await;
        }
        let outcome = match self.analyse(number, &frame, &camera)? {
            Ok(outcome) => outcome,
            Err(panic) => {
                self.put_aside(&record, DeadLetterReason::Panic, &panic).await?;
                let known = self.known_again(&record, &camera).await?;
                self.partitions.entry(number).or_default().cameras.insert(camera.id.clone(), known);
                let answering = step::put_aside(frame.clone());
                self.analyse(number, &answering, &camera)?.map_err(anyhow::Error::msg)?
            }
        };
        let partition = self.partitions.entry(number).or_default();
        partition.touch(&camera.id);
        note(&outcome);
        let policy_frame = partition.cameras.get(&camera.id).and_then(|known| known.analysis.policy_frame());
        if let Some(size) = policy_frame.filter(|_| !outcome.near_misses.is_empty()) {
            for sent in near_misses::publish(&self.stage.bus, &camera.id, size, &outcome.near_misses).await? {
                partition.wait_for(sent);
            }
        }
        for alert in outcome.alerts {
            self.publish(number, Some(&frame), &alert).await?;
        }
        Ok(())
    }

    /// A frame through its camera's analysis, which is here. One that panics is not to be used again; it says its last words.
    fn analyse(
        &mut self,
        number: u32,
        frame: &FrameDetections,
        camera: &Arc<Camera>,
    ) -> anyhow::Result<Result<Outcome, String>> {
        let cameras = &mut self.partitions.entry(number).or_default().cameras;
        let known = cameras.get_mut(&camera.id).context("a camera that is analysed is open")?;
        if let Err(error) = known.analysis.set_camera(camera.clone()) {
            tracing::error!(%error, "the camera's new version is refused; the old one stays");
        }
        let outcome = step::run(|| self.stage.step(&mut known.analysis, camera, frame));
        if outcome.is_err() {
            cameras.remove(&camera.id);
        }
        Ok(outcome)
    }

    /// Sees to it that the camera's analysis is here and has seen everything before `record`.
    async fn open(
        &mut self,
        record: &Delivered,
        frame: &FrameDetections,
        camera: &Arc<Camera>,
    ) -> anyhow::Result<Result<(), SetupError>> {
        let number = record.position.partition;
        let cameras = &mut self.partitions.entry(number).or_default().cameras;
        if cameras.get(&camera.id).is_some_and(|known| known.unverified.is_none()) {
            return Ok(Ok(()));
        }
        let mut known = match cameras.remove(&camera.id) {
            Some(known) => known,
            None => match self.begin(record, frame, camera).await? {
                Ok(known) => known,
                Err(refused) => return Ok(Err(refused)),
            },
        };
        if let Some(saved) = known.unverified.take()
            && known.analysis.is_gap_before(frame)
        {
            let offsets = saved.next_offset..record.position.offset;
            known.analysis = self.catch_up(camera, Some(&saved), number, offsets).await?;
        }
        self.partitions.entry(number).or_default().cameras.insert(camera.id.clone(), known);
        Ok(Ok(()))
    }

    /// A camera that appears for the first time: its saved state, or one that is made again, or a new one.
    async fn begin(
        &mut self,
        record: &Delivered,
        frame: &FrameDetections,
        camera: &Arc<Camera>,
    ) -> anyhow::Result<Result<Known, SetupError>> {
        let saved = self.states.of(&camera.id).cloned();
        let refused = match &saved {
            None => None,
            Some(saved) => match recovery::restore(&self.stage, camera, saved) {
                Ok(analysis) => {
                    self.states.remove(&camera.id);
                    return Ok(Ok(Known::restored(analysis, saved.clone())));
                }
                Err(error) => Some(error),
            },
        };
        if let Some(error) = refused {
            metrics::counter!("vedette_analyse_states_refused_total").increment(1);
            tracing::warn!(camera = %camera.id, %error, "the saved state is not used; it is made again from detections");
        }
        let new = match recovery::begin(&self.stage, camera) {
            Ok(analysis) => analysis,
            Err(error) => return Ok(Err(error)),
        };
        if saved.is_some() || new.is_gap_before(frame) {
            self.rebuild(record, &camera.id).await?;
        }
        let partition = self.partitions.entry(record.position.partition).or_default();
        let mut known = partition.cameras.remove(&camera.id).unwrap_or_else(|| Known::unsaved(new));
        if let Some(saved) = saved {
            known.analysis.set_counts(saved.counts);
        }
        Ok(Ok(known))
    }

    /// Once for a partition: makes the states again of those cameras that have none which can be used.
    async fn rebuild(&mut self, record: &Delivered, wanted: &CameraId) -> anyhow::Result<()> {
        let partition = self.partitions.entry(record.position.partition).or_default();
        if std::mem::replace(&mut partition.rebuilt, true) {
            return Ok(());
        }
        let (cameras, saved) = (&partition.cameras, &self.states);
        let offset = record.position.offset;
        let of_other_format = |state: &&AnalysisState| state.format != STATE_FORMAT;
        // A state may lie ahead of the commit: what it has counted is not to be counted again.
        let end_of = |id: &CameraId| match saved.of(id) {
            _ if cameras.contains_key(id) => None,
            Some(state) if state.format == STATE_FORMAT && id != wanted => None,
            state => Some(state.map_or(offset, |state| state.next_offset.max(offset))),
        };
        let here = saved.waiting().filter(|state| state.partition == record.position.partition);
        let ends = here.filter(of_other_format).map(|state| state.next_offset);
        let before = ends.fold(offset, u64::max);
        let rebuilt = recovery::rebuild(&self.stage, record, before, &end_of).await?;
        for (id, mut analysis) in rebuilt {
            if let Some(saved) = self.states.remove(&id) {
                analysis.set_counts(saved.counts);
            }
            partition.cameras.insert(id, Known::unsaved(analysis));
        }
        Ok(())
    }

    /// The analysis as it was before `record`, after one that saw it panicked.
    async fn known_again(&mut self, record: &Delivered, camera: &Arc<Camera>) -> anyhow::Result<Known> {
        let number = record.position.partition;
        let saved = states::newest_of(&self.stage.bus, &camera.id).await?;
        let saved = saved.filter(|saved| saved.format == STATE_FORMAT);
        let first = self.partitions.get(&number).and_then(|partition| partition.first).unwrap_or_default();
        let from = saved.as_ref().map_or(first, |saved| saved.next_offset);
        let analysis = self.catch_up(camera, saved.as_ref(), number, from..record.position.offset).await?;
        let stands_at = saved.map_or(0, |saved| saved.next_offset);
        Ok(Known { analysis, unverified: None, stands_at })
    }

    /// Takes the records in `offsets` that `saved` has not seen.
    async fn catch_up(
        &mut self,
        camera: &Arc<Camera>,
        saved: Option<&AnalysisState>,
        number: u32,
        offsets: Range<u64>,
    ) -> anyhow::Result<CameraAnalysis> {
        let caught_up = recovery::catch_up(&self.stage, camera, saved, number, offsets).await?;
        for alert in &caught_up.alerts {
            self.publish(number, None, alert).await?;
        }
        Ok(caught_up.analysis)
    }

    /// Publishes an alert. `frame` is the record that brought it about now, when its way here was just measured.
    async fn publish(&mut self, number: u32, frame: Option<&FrameDetections>, alert: &Alert) -> anyhow::Result<()> {
        let status = if alert.ended.is_some() { "ended" } else { "raised" };
        metrics::counter!("vedette_alerts_total", "kind" => alert.kind.as_str(), "status" => status).increment(1);
        let headers = cloudevents::headers(alert);
        let headers = headers.into_iter().map(|(name, value)| Header { name, value: value.into() }).collect();
        let record = Record {
            key: Bytes::copy_from_slice(alert.camera.as_str().as_bytes()),
            value: Some(encode_alert(alert)),
            headers,
            timestamp_ms: alert.ended.unwrap_or(alert.raised).as_millis(),
        };
        let delivery = self.stage.bus.send(topics::ALERTS, record).await?;
        let measured = frame.filter(|frame| alert.raised == frame.captured);
        let measured = measured.map(|frame| (self.stage.latency.clone(), frame.captured, frame.latency));
        let durable = tokio::spawn(async move {
            delivery.await?;
            if let Some((book, captured, latency)) = measured {
                book.note(captured, latency, clock::now());
            }
            Ok(())
        });
        self.partitions.entry(number).or_default().wait_for(durable);
        Ok(())
    }

    async fn put_aside(&mut self, record: &Delivered, reason: DeadLetterReason, detail: &str) -> anyhow::Result<()> {
        metrics::counter!("vedette_frames_dead_lettered_total", "stage" => STAGE).increment(1);
        let delivery = dead_letters::send(&self.stage.bus, STAGE, record, reason, detail).await?;
        let durable = tokio::spawn(async move { delivery.await.map(|_| ()) });
        self.partitions.entry(record.position.partition).or_default().wait_for(durable);
        Ok(())
    }

    /// Saves the partitions that another member takes over. What cannot be saved it makes again from the last commit.
    async fn give_up(&mut self, leaving: &[u32]) {
        for number in leaving {
            self.states.give_up(*number);
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

    /// What is done every now and then: states that were written over are written again, and every partition is saved.
    async fn tick(&mut self) -> anyhow::Result<()> {
        if !self.is_away
            && let Err(error) = self.look_after_states().await
        {
            tracing::warn!(
                stage = STAGE,
                error = format!("{error:#}"),
                "not looked at what others wrote; trying again"
            );
        }
        self.save().await
    }

    async fn look_after_states(&mut self) -> anyhow::Result<()> {
        self.states.look(&self.stage.bus, &partition::stands_at(&self.partitions)).await?;
        for camera in self.states.restore(&self.stage.bus).await? {
            let owner = self.partitions.values_mut().find(|partition| partition.cameras.contains_key(&camera));
            if let Some(partition) = owner {
                partition.touch(&camera);
            }
        }
        Ok(())
    }

    /// Saves every partition that moved.
    async fn save(&mut self) -> anyhow::Result<()> {
        for (number, partition) in &mut self.partitions {
            for written in partition.save(&self.stage.bus, &self.committer, *number).await? {
                self.states.wrote(&written);
            }
        }
        Ok(())
    }
}

impl Analyse {
    /// One record through a camera's analysis.
    fn step(&self, analysis: &mut CameraAnalysis, camera: &Camera, frame: &FrameDetections) -> Outcome {
        let policy = self.registry.policy(camera);
        analysis.take(frame, Serving { policy: policy.as_ref(), base: &|at| self.addresses.at(at) })
    }
}

fn note(outcome: &Outcome) {
    match outcome.admission {
        Admission::New => {}
        Admission::Repeated => metrics::counter!("vedette_analyse_duplicates_total").increment(1),
        Admission::Late => metrics::counter!("vedette_analyse_late_total").increment(1),
    }
    metrics::counter!("vedette_analyse_frames_total").increment(u64::from(outcome.analysed));
    let rules = &outcome.rules;
    let left_out = [("no_box", rules.rejected), ("too_many", rules.limited), ("near_miss", rules.near_misses_left_out)];
    for (what, count) in left_out.into_iter().filter(|(_, count)| *count > 0) {
        metrics::counter!("vedette_rules_left_out_total", "what" => what).increment(u64::from(count));
    }
    if let Some(error) = &outcome.refused {
        metrics::counter!("vedette_analyse_policies_refused_total").increment(1);
        tracing::error!(%error, "the policy is refused; the old one stays");
    }
}
