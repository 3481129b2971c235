//! `detections` to `alerts`: each camera's analysis in one place, its state checkpointed at an exact offset.
//!
//! Every `save_every` the changed states are published while analysis continues, and once they and all earlier alerts are
//! durable, the offset they correspond to is committed. So a restart, here or elsewhere, resumes as if nothing had happened:
//! records that a checkpoint includes are recognised by their stream session and sequence, and records before the commit that
//! it does not include (a zombie member overwrote a newer checkpoint with an older one) are replayed.

mod counters;
mod decision;
mod near_misses;
mod opening;
mod partition;
mod published;
mod recovery;
mod save;
mod settings;
mod signal;
mod silence;
mod states;
mod step;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use vedette_analysis::{Admission, Outcome};
use vedette_bus::{BusError, Committer, Delivered, Delivery, SharedBus, Watermarks};
use vedette_core::{Alert, CameraId, CameraRecord, NearMiss};
use vedette_metrics::SharedString;
use vedette_runtime::Service;
use vedette_runtime::health::{Condition, Health};
use vedette_topics::During;
use vedette_topics::consumer::{self, Consumer, Effect, Offsets};
use vedette_topics::dead_letters::{self, Refusal};
use vedette_topics::topics;
use vedette_wire::DeadLetterReason;

use crate::address_book::AddressBook;
use crate::changes::Worker;
use crate::deps::Deps;
use crate::error::StageError;
use crate::heartbeats::Peers;
use crate::latency::LatencyBook;
use crate::metrics;
use crate::registry::Registry;
use crate::signals::Signals;
use counters::Counters;
use opening::Opened;
use partition::{Panicked, Partition};
use published::Published;
use save::{Saved, Saving};
pub use settings::AnalyseSettings;
use signal::OwnCameras;
use silence::Silence;
use states::States;

/// The consumer group of the stage.
const GROUP: &str = "analyse";
const STAGE: &str = "analyse";

/// Dependencies of the stage.
#[derive(Clone)]
pub struct Analyse {
    /// Settings.
    pub settings: AnalyseSettings,
    /// Source of detections and target of alerts.
    pub bus: SharedBus,
    /// Cameras and policies.
    pub registry: Registry,
    /// Ground point to address, by capture time.
    pub addresses: AddressBook,
    /// Where it reports its condition.
    pub health: Health,
    /// Where latencies are recorded.
    pub latency: LatencyBook,
    /// The cameras without signal, which it keeps current.
    pub signals: Signals,
    /// The processes that cameras depend on.
    pub peers: Peers,
    /// This process among the workers.
    pub worker: Worker,
}

struct Running {
    stage: Analyse,
    /// None until it has joined the group.
    committer: Option<Committer>,
    partitions: BTreeMap<u32, Partition>,
    /// Assigned partitions, including those without any record so far.
    assigned: BTreeSet<u32>,
    states: States,
    saving: Saving,
    /// A finished checkpoint run that was not processed yet.
    saved: Option<Saved>,
    save_every: Interval,
    /// Partitions that the checkpoint run in progress has not reached yet.
    to_save: Vec<u32>,
    counters: Counters,
    silence: Silence,
    cameras: OwnCameras,
    /// Whether it is time to look for cameras without signal.
    looks: bool,
}

impl AnalyseSettings {
    /// The services that analyse this process's share of the cameras, and follow the heartbeats of the stages before.
    #[must_use]
    pub fn services(&self, deps: &Deps) -> [Service; 3] {
        let Deps { bus, registry, signals, addresses, latency, health, .. } = deps.clone();
        let (peers, follower) = Peers::open(&bus);
        let worker = Worker::default();
        let reports = worker.service(&bus, &registry, &health);
        let stage =
            Analyse { settings: self.clone(), bus, registry, addresses, health, latency, signals, peers, worker };
        [follower.service(&deps.health), reports, Service::new(STAGE, move |stop| stage.clone().run(stop))]
    }
}

impl Analyse {
    /// Runs until `stop`; states are then checkpointed and committed.
    ///
    /// # Errors
    /// When the bus refuses for good.
    pub async fn run(self, stop: CancellationToken) -> crate::Result<()> {
        let (bus, health) = (self.bus.clone(), self.health.clone());
        let mut save_every = tokio::time::interval(self.settings.save_every.to_std());
        save_every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let running = Running {
            committer: None,
            partitions: BTreeMap::new(),
            assigned: BTreeSet::new(),
            states: States::default(),
            saving: Saving::default(),
            saved: None,
            save_every,
            to_save: Vec::new(),
            counters: Counters::new(),
            silence: Silence::new(self.peers.clone(), self.settings.timeout.to_std()),
            cameras: OwnCameras::default(),
            looks: false,
            stage: self,
        };
        consumer::run(running, bus, health, stop).await
    }
}

impl Consumer for Running {
    const CHECKPOINTS: bool = true;
    type Error = StageError;
    type Message = CameraRecord;

    fn group(&self) -> String {
        GROUP.to_owned()
    }

    fn stage(&self) -> &'static str {
        STAGE
    }

    fn topics(&self) -> Vec<String> {
        vec![topics::DETECTIONS.name().to_owned()]
    }

    fn joined(&mut self, committer: Committer) {
        self.committer = Some(committer);
    }

    fn read(&self, record: &Delivered) -> Result<CameraRecord, Refusal> {
        Ok(topics::DETECTIONS.read(record)?)
    }

    async fn take(&mut self, record: Delivered, frame: CameraRecord, _: &mut Offsets) -> crate::Result<Effect> {
        let number = record.position.partition;
        self.partitions.entry(number).or_default().advance(record.position.offset);
        self.silence.hear(&frame);
        let outcome = loop {
            if let Some(outcome) = self.step(number, &frame) {
                break outcome;
            }
            match self.open(&record, &frame).await? {
                Opened::Ready => {}
                Opened::Retired => {
                    self.silence.hear_unloaded(&frame);
                    metrics::ANALYSE_RETIRED_CAMERAS_FRAMES.get().increment(1);
                    return Ok(Effect::Durable);
                }
                Opened::Refused(reason, detail) => {
                    self.silence.hear_unloaded(&frame);
                    self.dead_letter(&record, reason, &detail).await?;
                    return Ok(Effect::Durable);
                }
            }
        };
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(panicked) => self.go_on_after(panicked, &record, &frame).await?,
        };
        self.counters.note(&outcome);
        if outcome.admission == Admission::New {
            self.note_signal(number, &frame).await?;
        }
        if !outcome.near_misses.is_empty() {
            self.publish_near_misses(number, &frame.camera, &outcome.near_misses).await?;
        }
        for alert in outcome.alerts {
            self.publish(number, Some(&frame), &alert).await?;
        }
        Ok(Effect::Durable)
    }

    fn dead_lettered(&mut self, record: &Delivered, delivery: Delivery) -> Effect {
        metrics::FRAMES_DEAD_LETTERED.with([STAGE]).increment(1);
        let partition = self.partitions.entry(record.position.partition).or_default();
        partition.advance(record.position.offset);
        partition.wait_for(Published::new(delivery));
        Effect::Durable
    }

    async fn work(&mut self) -> crate::Result<()> {
        tokio::select! {
            biased;
            error = partition::failure(&mut self.partitions) => Err(error).during("publishing alerts").map_err(Into::into),
            saved = self.saving.next() => {
                self.saved = Some(saved?);
                Ok(())
            }
            _ = self.save_every.tick() => {
                self.begin_to_save();
                Ok(())
            }
            () = self.silence.due() => {
                self.looks = true;
                Ok(())
            }
        }
    }

    async fn background_step(&mut self) -> crate::Result<()> {
        if let Some(saved) = self.saved.take() {
            self.take_note(saved).await;
        }
        if std::mem::take(&mut self.looks) {
            self.look_for_silence().await?;
        }
        self.save_one()
    }

    fn is_idle(&self) -> bool {
        !self.has_more_to_save()
    }

    fn condition(&self) -> (Condition, String) {
        (Condition::Running, format!("{} partitions", self.assigned.len()))
    }

    async fn assigned(&mut self, partitions: &[(Arc<str>, u32)]) -> crate::Result<()> {
        let numbers: Vec<u32> = partitions.iter().map(|(_, number)| *number).collect();
        self.finish_saving().await?;
        self.silence.begin_anew();
        let stands_at = partition::stands_at(&self.partitions);
        self.states.assign(&self.stage.bus, &numbers, &stands_at).await?;
        self.assigned.extend(numbers);
        self.stage.worker.hold(&self.assigned);
        Ok(())
    }

    /// Checkpoints the revoked partitions.
    async fn revoked(&mut self, partitions: &[(Arc<str>, u32)]) -> crate::Result<()> {
        self.finish_saving().await?;
        let mut shares = Vec::new();
        for (_, number) in partitions {
            self.assigned.remove(number);
            self.states.revoke(*number);
            if let Some(mut left) = self.partitions.remove(number) {
                shares.extend(left.share(*number)?);
            }
        }
        self.stage.worker.hold(&self.assigned);
        if let Some(committer) = &self.committer {
            save::write_on_leaving(shares, &self.stage.bus, committer).await;
        }
        Ok(())
    }

    async fn ending(&mut self, after_error: bool) -> crate::Result<()> {
        if after_error {
            return Ok(());
        }
        self.finish_saving().await?;
        self.begin_to_save();
        while self.has_more_to_save() {
            self.save_one()?;
        }
        self.finish_saving().await
    }
}

impl Running {
    /// A frame through its camera's analysis; none when that has to be opened first.
    fn step(&mut self, number: u32, frame: &CameraRecord) -> Option<Result<Outcome, Panicked>> {
        self.partitions.get_mut(&number)?.step(&self.stage, frame)
    }

    async fn publish_near_misses(&mut self, number: u32, camera: &CameraId, misses: &[NearMiss]) -> crate::Result<()> {
        let partition = self.partitions.entry(number).or_default();
        let Some(frame) = partition.cameras.get(camera).and_then(|known| known.analysis.policy_frame()) else {
            return Ok(());
        };
        for sent in near_misses::publish(&self.stage.bus, camera, frame, misses).await? {
            partition.wait_for(sent);
        }
        Ok(())
    }

    /// Publishes an alert. `frame` is the record that triggered it now, when its latency was just measured.
    async fn publish(&mut self, number: u32, frame: Option<&CameraRecord>, alert: &Alert) -> crate::Result<()> {
        let status = if alert.ended.is_some() { "ended" } else { "raised" };
        metrics::ALERTS.with([SharedString::from(alert.kind.to_string()), status.into()]).increment(1);
        let stated = alert.ended.unwrap_or(alert.raised);
        let mut published = Published::new(topics::ALERTS.send(&self.stage.bus, alert, stated).await?);
        if let Some(frame) = frame.filter(|frame| alert.raised == frame.at.captured) {
            let latency = frame.processed().and_then(|frame| frame.latency);
            published = published.measured(self.stage.latency.clone(), frame.at.captured, latency);
        }
        self.partitions.entry(number).or_default().wait_for(published);
        Ok(())
    }

    async fn dead_letter(&mut self, record: &Delivered, reason: DeadLetterReason, detail: &str) -> crate::Result<()> {
        metrics::FRAMES_DEAD_LETTERED.with([STAGE]).increment(1);
        let delivery = dead_letters::send(&self.stage.bus, STAGE, record, reason, detail).await?;
        self.partitions.entry(record.position.partition).or_default().wait_for(Published::new(delivery));
        Ok(())
    }

    /// Begins to checkpoint every changed partition, unless a run is in progress.
    fn begin_to_save(&mut self) {
        if self.saving.is_going_on() || self.states.have_no_partition() {
            return;
        }
        // Popped from the end: the partitions that the previous run did not reach.
        let left_out = std::mem::take(&mut self.to_save);
        let others = self.partitions.keys().filter(|number| !left_out.contains(number)).copied();
        self.to_save = others.chain(left_out.iter().copied()).collect();
        if let Some(committer) = self.committer.clone() {
            self.saving.begin(self.stage.bus.clone(), committer);
        }
    }

    fn has_more_to_save(&self) -> bool {
        self.saving.is_going_on() && !self.to_save.is_empty()
    }

    /// Adds the states of one more partition to the run in progress, if any. No record is in process meanwhile.
    fn save_one(&mut self) -> crate::Result<()> {
        if self.has_more_to_save()
            && let Some(number) = self.to_save.pop()
            && let Some(partition) = self.partitions.get_mut(&number)
            && let Some(share) = partition.share(number)?
        {
            self.saving.add(share);
        }
        if !self.has_more_to_save() {
            self.saving.close();
        }
        Ok(())
    }

    /// Waits for the run in progress, if any, without the partitions it has not reached.
    async fn finish_saving(&mut self) -> crate::Result<()> {
        if let Some(saved) = self.saving.end().await? {
            self.take_note(saved).await;
        }
        Ok(())
    }

    /// Processes a finished run. Checkpoints that others overwrote meanwhile are rewritten, now or with the next run.
    async fn take_note(&mut self, Saved { written, marks }: Saved) {
        written.iter().for_each(|written| self.states.wrote(written));
        if let Err(error) = self.restore_overwritten(marks).await {
            let error = format!("{error:#}");
            tracing::warn!(stage = STAGE, error, "checkpoints of other members not read; retrying");
        }
    }

    async fn restore_overwritten(&mut self, marks: Result<Vec<Watermarks>, BusError>) -> crate::Result<()> {
        let marks = marks.during("reading the end offset of `states`")?;
        self.states.look(&self.stage.bus, &marks, &partition::stands_at(&self.partitions)).await?;
        for camera in self.states.restore(&self.stage.bus).await? {
            let owner = self.partitions.values_mut().find(|partition| partition.cameras.contains_key(&camera));
            if let Some(partition) = owner {
                partition.touch(&camera);
            }
        }
        Ok(())
    }
}
