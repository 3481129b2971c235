//! `detections` to `alerts`: one camera's analysis in one place, its state saved at an exact offset.
//!
//! Every `save_every` the states of the cameras that moved are published while analysis goes on, and once they and all alerts
//! before them are durable, the offset they stand at is committed. So a restart, here or elsewhere, goes on as if nothing had happened:
//! records that a state has seen already are recognised by their epoch and sequence, and those that it has not seen although
//! they lie before the commit (a member that was thought dead wrote an older state over a newer one) are read again.

mod counters;
mod near_misses;
mod opening;
mod partition;
mod published;
mod recovery;
mod save;
mod states;
mod step;

use std::collections::BTreeMap;
use std::future::ready;
use std::ops::ControlFlow;
use std::sync::Arc;

use anyhow::Context;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use vedette_bus::{BusError, Committer, Delivered, GroupEvent, SharedBus, Subscription, Watermarks};
use vedette_core::{Alert, CameraId, FrameDetections, NearMiss};
use vedette_rules::SharedPolicy;
use vedette_wire::DeadLetterReason;

use crate::address_book::AddressBook;
use crate::analysis::{CameraAnalysis, Outcome, Serving};
use crate::config::AnalyseSettings;
use crate::health::{Condition, Health};
use crate::latency::LatencyBook;
use crate::registry::Registry;
use crate::{bus_watch, dead_letters, topics};
use counters::Counters;
use opening::Opened;
use partition::{Panicked, Partition};
use published::Published;
use save::{Saved, Saving};
use states::States;

/// The consumer group of the stage.
pub const GROUP: &str = "analyse";
const STAGE: &str = "analyse";
/// Most events that are taken in one go.
const BURST: usize = 256;

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
    saving: Saving,
    /// Partitions that the save that goes on has not come to yet.
    to_save: Vec<u32>,
    counters: Counters,
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
            self.bus.subscribe(GROUP, &[topics::DETECTIONS.name()]).await.context("joining group `analyse`")?;
        let mut save = tokio::time::interval(self.settings.save_every.to_std());
        save.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut running = Running {
            committer: subscription.committer(),
            partitions: BTreeMap::new(),
            states: States::default(),
            saving: Saving::default(),
            to_save: Vec::new(),
            counters: Counters::new(),
            is_away: false,
            stage: self,
        };
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                error = partition::failure(&mut running.partitions) => return Err(error).context("publishing alerts"),
                saved = running.saving.next() => running.take_note(saved?).await,
                _ = save.tick() => running.begin_to_save(),
                event = subscription.next() => {
                    if running.handle_burst(event, &mut subscription).await?.is_break() {
                        break;
                    }
                }
                () = ready(()), if running.has_more_to_save() => {}
            }
            running.save_one()?;
        }
        running.finish_saving().await?;
        running.begin_to_save();
        while running.has_more_to_save() {
            running.save_one()?;
        }
        running.finish_saving().await
    }
}

impl Running {
    async fn assigned(&mut self, partitions: &[u32]) -> anyhow::Result<()> {
        tracing::info!(stage = STAGE, ?partitions, "partitions assigned");
        self.finish_saving().await?;
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

    /// An event of the subscription and what is at hand behind it, without asking for the time in between.
    async fn handle_burst(
        &mut self,
        first: Result<GroupEvent, BusError>,
        subscription: &mut Subscription,
    ) -> anyhow::Result<ControlFlow<()>> {
        let mut event = first;
        for _ in 1..BURST {
            if self.handle(event).await?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            event = match subscription.at_hand() {
                Some(event) => event,
                None => return Ok(ControlFlow::Continue(())),
            };
        }
        self.handle(event).await
    }

    /// An event of the subscription. Whether there are more to come.
    async fn handle(&mut self, event: Result<GroupEvent, BusError>) -> anyhow::Result<ControlFlow<()>> {
        match event {
            Ok(GroupEvent::Record(record)) => self.take(record).await?,
            Ok(GroupEvent::Assigned(partitions)) => {
                let partitions: Vec<u32> = partitions.iter().map(|(_, number)| *number).collect();
                self.assigned(&partitions).await?;
            }
            Ok(GroupEvent::Revoked(revocation)) => {
                let leaving: Vec<u32> = revocation.partitions.iter().map(|(_, number)| *number).collect();
                self.give_up(&leaving).await?;
                revocation.done();
            }
            Err(BusError::Closed) => return Ok(ControlFlow::Break(())),
            Err(error @ BusError::Unreachable { .. }) => self.away(&error),
            Err(error) => return Err(error.into()),
        }
        Ok(ControlFlow::Continue(()))
    }

    async fn take(&mut self, record: Delivered) -> anyhow::Result<()> {
        if std::mem::take(&mut self.is_away) {
            self.stage.health.set(STAGE, Condition::Running, "");
        }
        let number = record.position.partition;
        self.partitions.entry(number).or_default().advance(record.position.offset);
        let frame = match topics::DETECTIONS.read(&record) {
            Ok(frame) => frame,
            Err(error) => return self.put_aside(&record, DeadLetterReason::from(&error), &error.to_string()).await,
        };
        let outcome = loop {
            if let Some(outcome) = self.step(number, &frame) {
                break outcome;
            }
            match self.open(&record, &frame).await? {
                Opened::Ready => {}
                Opened::Retired => {
                    metrics::counter!("vedette_analyse_retired_cameras_frames_total").increment(1);
                    return Ok(());
                }
                Opened::Refused(reason, detail) => return self.put_aside(&record, reason, &detail).await,
            }
        };
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(panicked) => self.go_on_after(panicked, &record, &frame).await?,
        };
        self.counters.note(&outcome);
        if !outcome.near_misses.is_empty() {
            self.publish_near_misses(number, &frame.camera, &outcome.near_misses).await?;
        }
        for alert in outcome.alerts {
            self.publish(number, Some(&frame), &alert).await?;
        }
        Ok(())
    }

    /// A frame through its camera's analysis; none when that is not here, or what it knows of the camera is not current.
    fn step(&mut self, number: u32, frame: &FrameDetections) -> Option<Result<Outcome, Panicked>> {
        self.partitions.get_mut(&number)?.step(&self.stage, frame)
    }

    async fn publish_near_misses(&mut self, number: u32, camera: &CameraId, misses: &[NearMiss]) -> anyhow::Result<()> {
        let partition = self.partitions.entry(number).or_default();
        let Some(frame) = partition.cameras.get(camera).and_then(|known| known.analysis.policy_frame()) else {
            return Ok(());
        };
        for sent in near_misses::publish(&self.stage.bus, camera, frame, misses).await? {
            partition.wait_for(sent);
        }
        Ok(())
    }

    /// Publishes an alert. `frame` is the record that brought it about now, when its way here was just measured.
    async fn publish(&mut self, number: u32, frame: Option<&FrameDetections>, alert: &Alert) -> anyhow::Result<()> {
        let status = if alert.ended.is_some() { "ended" } else { "raised" };
        metrics::counter!("vedette_alerts_total", "kind" => alert.kind.as_str(), "status" => status).increment(1);
        let stated = alert.ended.unwrap_or(alert.raised);
        let mut published = Published::new(topics::ALERTS.send(&self.stage.bus, alert, stated).await?);
        if let Some(frame) = frame.filter(|frame| alert.raised == frame.captured) {
            published = published.measured(self.stage.latency.clone(), frame.captured, frame.latency);
        }
        self.partitions.entry(number).or_default().wait_for(published);
        Ok(())
    }

    async fn put_aside(&mut self, record: &Delivered, reason: DeadLetterReason, detail: &str) -> anyhow::Result<()> {
        metrics::counter!("vedette_frames_dead_lettered_total", "stage" => STAGE).increment(1);
        let delivery = dead_letters::send(&self.stage.bus, STAGE, record, reason, detail).await?;
        self.partitions.entry(record.position.partition).or_default().wait_for(Published::new(delivery));
        Ok(())
    }

    /// Saves the partitions that another member takes over.
    async fn give_up(&mut self, leaving: &[u32]) -> anyhow::Result<()> {
        self.finish_saving().await?;
        let mut shares = Vec::new();
        for number in leaving {
            self.states.give_up(*number);
            if let Some(mut left) = self.partitions.remove(number) {
                shares.extend(left.share(*number)?);
            }
        }
        save::write_on_leaving(shares, &self.stage.bus, &self.committer).await;
        Ok(())
    }

    /// Begins to save every partition that moved, unless that goes on already.
    fn begin_to_save(&mut self) {
        if self.saving.is_going_on() || self.states.have_no_partition() {
            return;
        }
        // The last is next: what the save before did not come to.
        let left_out = std::mem::take(&mut self.to_save);
        let others = self.partitions.keys().filter(|number| !left_out.contains(number)).copied();
        self.to_save = others.chain(left_out.iter().copied()).collect();
        self.saving.begin(self.stage.bus.clone(), self.committer.clone());
    }

    fn has_more_to_save(&self) -> bool {
        self.saving.is_going_on() && !self.to_save.is_empty()
    }

    /// Takes the states of one more partition into the save that goes on, if one does. No record is in hand meanwhile.
    fn save_one(&mut self) -> anyhow::Result<()> {
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

    /// Waits for the save that goes on, if one does, without the partitions that it has not come to.
    async fn finish_saving(&mut self) -> anyhow::Result<()> {
        if let Some(saved) = self.saving.end().await? {
            self.take_note(saved).await;
        }
        Ok(())
    }

    /// A save is over. States that others wrote over meanwhile are written again, now or with the next one.
    async fn take_note(&mut self, Saved { written, marks }: Saved) {
        written.iter().for_each(|written| self.states.wrote(written));
        if let Err(error) = self.look_after_states(marks).await
            && !self.is_away
        {
            tracing::warn!(
                stage = STAGE,
                error = format!("{error:#}"),
                "not looked at what others wrote; trying again"
            );
        }
    }

    async fn look_after_states(&mut self, marks: Result<Vec<Watermarks>, BusError>) -> anyhow::Result<()> {
        let marks = marks.context("asking how far `states` goes")?;
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

impl Analyse {
    /// One record through a camera's analysis.
    fn step(
        &self,
        analysis: &mut CameraAnalysis,
        policy: Option<&Arc<SharedPolicy>>,
        frame: &FrameDetections,
    ) -> Outcome {
        analysis.take(frame, Serving { policy, base: &|at| self.addresses.at(at) })
    }
}
