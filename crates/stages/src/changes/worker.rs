//! This process as one of the workers that analyse: it reports its partitions, and checks changes before they are committed.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use vedette_bus::{SharedBus, partition_of};
use vedette_core::{Camera, Change, ChangeId};
use vedette_runtime::health::{Condition, Health};
use vedette_runtime::{Service, clock};
use vedette_topics::{During, topics};
use vedette_wire::{WorkerAnswer, WorkerReport};

use super::check::check;
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
}

impl Default for Worker {
    fn default() -> Self {
        let partitions = Arc::new(watch::channel(BTreeSet::new()).0);
        Self { name: format!("{:016x}", fastrand::u64(..)).into(), partitions }
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

    /// Reports that it goes on without a change.
    pub(crate) async fn overdue(&self, bus: &SharedBus, change: &ChangeId) {
        self.report(bus, Some(WorkerAnswer::Overdue { change: change.clone() })).await;
    }

    /// The service that reports while the process runs.
    pub(crate) fn service(&self, bus: &SharedBus, registry: &Registry, health: &Health) -> Service {
        let (worker, bus, registry, health) = (self.clone(), bus.clone(), registry.clone(), health.clone());
        Service::new(NAME, move |stop| {
            health.set(NAME, Condition::Running, "");
            worker.clone().run(bus.clone(), registry.clone(), stop)
        })
    }

    pub(super) async fn run(
        self,
        bus: SharedBus,
        registry: Registry,
        stop: CancellationToken,
    ) -> Result<(), StageError> {
        let (mut changes, mut partitions) = (registry.changes(), self.partitions.subscribe());
        let mut every = tokio::time::interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut answered: HashSet<ChangeId> = HashSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = every.tick() => { self.report(&bus, None).await; }
                changed = changes.changed() => changed.map_err(|_| StageError::RegistryEnded)?,
                changed = partitions.changed() => {
                    changed.map_err(|_| StageError::RegistryEnded)?;
                    // For its new cameras it has not answered.
                    answered.clear();
                    self.report(&bus, None).await;
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
        let (held, registry, change) = (self.partitions.borrow().clone(), registry.clone(), change.clone());
        let id = change.id.clone();
        let checked = tokio::task::spawn_blocking(move || {
            let is_own = |camera: &Arc<Camera>| held.contains(&partition_of(camera.id.as_str().as_bytes(), of));
            check(&registry, &change, registry.cameras().into_iter().filter(is_own))
        });
        let checked = checked.await?;
        let answer = if checked.refusals.is_empty() {
            WorkerAnswer::Ready { change: id, cameras: checked.cameras }
        } else {
            WorkerAnswer::Refused { change: id, refusals: checked.refusals, more: checked.more }
        };
        Ok(self.report(bus, Some(answer)).await)
    }

    /// Without waiting until it is durable: the next one follows soon.
    async fn report(&self, bus: &SharedBus, answer: Option<WorkerAnswer>) -> bool {
        let partitions = self.partitions.borrow().iter().copied().collect();
        let report = WorkerReport { worker: self.name.to_string(), partitions, answer };
        let sent = topics::WORKERS.send(bus, &report, clock::now()).await;
        if let Err(error) = &sent {
            tracing::debug!(%error, "a worker's report was not sent");
        }
        sent.is_ok()
    }
}
