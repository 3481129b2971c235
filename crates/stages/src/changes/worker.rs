//! This process as one of the workers that analyse: it reports its partitions, and checks changes before they are committed.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use vedette_bus::{SharedBus, partition_of};
use vedette_core::{Camera, CameraId, Change, ChangeId};
use vedette_runtime::health::{Condition, Health};
use vedette_runtime::{Service, clock};
use vedette_topics::{During, topics};
use vedette_wire::{WorkerAnswer, WorkerReport};

use super::analysed::Analysed;
use super::check::{MOST_NAMED, check};
use super::workers::PATIENCE;
use crate::error::StageError;
use crate::registry::Registry;

const NAME: &str = "worker_reports";
/// Interval between two reports.
pub(super) const EVERY: Duration = Duration::from_secs(1);

/// This process as a worker. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Worker {
    name: Arc<str>,
    /// Its partitions of `detections`.
    partitions: Arc<watch::Sender<BTreeSet<u32>>>,
    vote: Arc<watch::Sender<Vote>>,
    analysed: Analysed,
}

/// Whether a change can be committed without this worker.
#[derive(Debug, Clone, Copy)]
enum Vote {
    /// It does not report.
    None,
    /// Up to then it is live for every desk, which waits for its answer; and it has read `changes`.
    Until(Instant),
    /// It has waited too long for its reports, and goes on without.
    Lost,
}

impl Default for Worker {
    fn default() -> Self {
        let partitions = Arc::new(watch::channel(BTreeSet::new()).0);
        Self {
            name: format!("{:016x}", fastrand::u64(..)).into(),
            partitions,
            vote: Arc::new(watch::channel(Vote::None).0),
            analysed: Analysed::default(),
        }
    }
}

impl Worker {
    /// From now on it holds these partitions.
    pub(crate) fn hold(&self, partitions: &BTreeSet<u32>) {
        self.partitions.send_if_modified(|known| {
            let differs = known != partitions;
            known.clone_from(partitions);
            differs
        });
    }

    /// How far its cameras are analysed.
    pub(crate) const fn analysed(&self) -> &Analysed {
        &self.analysed
    }

    /// Whether no change can be committed that it does not know of.
    pub(crate) fn is_current(&self) -> bool {
        match *self.vote.borrow() {
            Vote::None | Vote::Lost => true,
            Vote::Until(until) => Instant::now() < until,
        }
    }

    /// Waits until it is current, which it is not after a pause; goes on without after a while, so that no camera is blind.
    pub(crate) async fn current(&self) {
        let mut votes = self.vote.subscribe();
        let current = votes.wait_for(|vote| !matches!(vote, Vote::Until(until) if *until <= Instant::now()));
        if tokio::time::timeout(PATIENCE + EVERY, current).await.is_err() {
            tracing::warn!(
                "the reports of this worker are late; the analysis goes on, and a change may come too late for it"
            );
            self.vote.send_replace(Vote::Lost);
        }
    }

    /// A report that was sent `began` is on the bus. Once this worker has read all changes from before it, it has a vote.
    async fn renew(self, bus: SharedBus, registry: Registry, began: Instant) {
        let Ok(marks) = bus.watermarks(topics::CHANGES.name()).await else { return };
        // Records past their retention need not be read.
        let kept = marks.iter().filter(|mark| mark.low < mark.high);
        let end = kept.map(|mark| mark.high).max().unwrap_or_default();
        let mut changes = registry.changes();
        while registry.changes_read() < end {
            if changes.changed().await.is_err() {
                return;
            }
        }
        self.vote.send_modify(|vote| {
            *vote = match *vote {
                Vote::Until(until) => Vote::Until(until.max(began + PATIENCE)),
                Vote::None | Vote::Lost => Vote::Until(began + PATIENCE),
            };
        });
    }

    /// Reports that it aborts a change.
    pub(crate) async fn overdue(&self, bus: &SharedBus, registry: &Registry, change: &ChangeId) {
        self.report(bus, registry, Some(WorkerAnswer::Overdue { change: change.clone() })).await;
    }

    /// The service that reports while the process runs.
    pub(crate) fn service(&self, bus: &SharedBus, registry: &Registry, health: &Health) -> Service {
        let (worker, bus, registry, health) = (self.clone(), bus.clone(), registry.clone(), health.clone());
        Service::new(NAME, move |stop| {
            health.set(NAME, Condition::Running, "");
            worker.clone().run(bus.clone(), registry.clone(), stop)
        })
    }

    /// Reports, and answers changes, until `stop`.
    ///
    /// # Errors
    /// When the bus or the registry ends.
    pub async fn run(self, bus: SharedBus, registry: Registry, stop: CancellationToken) -> Result<(), StageError> {
        let (mut changes, mut partitions) = (registry.changes(), self.partitions.subscribe());
        self.vote.send_modify(|vote| {
            if matches!(vote, Vote::None) {
                *vote = Vote::Until(Instant::now());
            }
        });
        let mut every = tokio::time::interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut answered: HashSet<ChangeId> = HashSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = every.tick() => { self.report(&bus, &registry, None).await; }
                changed = changes.changed() => changed.map_err(|_| StageError::RegistryEnded)?,
                changed = partitions.changed() => {
                    changed.map_err(|_| StageError::RegistryEnded)?;
                    // For its new cameras it has not answered.
                    answered.clear();
                    self.report(&bus, &registry, None).await;
                }
            }
            let undecided = registry.undecided();
            answered.retain(|id| undecided.iter().any(|change| change.id == *id));
            for change in undecided {
                if !answered.contains(&change.id) && self.answer(&bus, &registry, &change).await? {
                    answered.insert(change.id.clone());
                }
            }
        }
    }

    /// Checks a change on its cameras; returns whether the answer was sent.
    async fn answer(&self, bus: &SharedBus, registry: &Registry, change: &Arc<Change>) -> Result<bool, StageError> {
        let marks = bus.watermarks(topics::DETECTIONS.name()).await;
        let of = u32::try_from(marks.during("counting the partitions of `detections`")?.len()).unwrap_or(u32::MAX);
        let (held, known, change) = (self.partitions.borrow().clone(), registry.clone(), change.clone());
        let id = change.id.clone();
        let checked = tokio::task::spawn_blocking(move || {
            let is_own = |camera: &Arc<Camera>| held.contains(&partition_of(camera.id.as_str().as_bytes(), of));
            check(&known, &change, known.cameras().into_iter().filter(is_own), MOST_NAMED)
        });
        let checked = checked.await?;
        let answer = if checked.refusals.is_empty() {
            let last = |camera: CameraId| self.analysed.last(&camera).map(|last| (camera, last));
            let analysed = checked.concerned.into_iter().filter_map(last).max_by_key(|(_, last)| *last);
            WorkerAnswer::Ready { change: id, cameras: checked.cameras, analysed }
        } else {
            WorkerAnswer::Refused { change: id, refusals: checked.refusals, more: checked.more }
        };
        Ok(self.report(bus, registry, Some(answer)).await)
    }

    /// Without waiting until it is durable: the next one follows soon.
    async fn report(&self, bus: &SharedBus, registry: &Registry, answer: Option<WorkerAnswer>) -> bool {
        let partitions = self.partitions.borrow().iter().copied().collect();
        let report = WorkerReport { worker: self.name.to_string(), partitions, answer };
        let began = Instant::now();
        match topics::WORKERS.send(bus, &report, clock::now()).await {
            Ok(delivery) => {
                let (worker, bus, registry) = (self.clone(), bus.clone(), registry.clone());
                tokio::spawn(async move {
                    if delivery.await.is_ok() {
                        // A later report renews it otherwise.
                        let _ = tokio::time::timeout(PATIENCE, worker.renew(bus, registry, began)).await;
                    }
                });
                true
            }
            Err(error) => {
                tracing::debug!(%error, "a worker's report was not sent");
                false
            }
        }
    }
}
