//! The workers that analyse, as their reports tell.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::time::Instant;
use vedette_bus::{Delivered, SharedBus, StartAt};
use vedette_core::ChangeId;
use vedette_topics::dead_letters::Refusal;
use vedette_topics::reading::{Follower, View};
use vedette_topics::topics;
use vedette_wire::WorkerAnswer;

const NAME: &str = "workers";
/// A worker is live for this long after a report.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
/// A worker is forgotten after this time.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// A worker that analyses.
#[derive(Debug, Clone)]
pub(super) struct Member {
    /// Its partitions of `detections`.
    pub(super) partitions: Vec<u32>,
    /// When it was heard last.
    heard: Instant,
    /// Its answers, and when they came.
    pub(super) answers: BTreeMap<ChangeId, (WorkerAnswer, Instant)>,
}

impl Member {
    pub(super) fn is_live(&self) -> bool {
        self.heard.elapsed() <= PATIENCE
    }
}

/// All workers, by name. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Workers {
    members: Arc<Mutex<BTreeMap<String, Member>>>,
    /// The offset of the next report.
    next: Arc<watch::Sender<u64>>,
    /// Since when it hears reports.
    began: Instant,
}

impl Workers {
    /// Nobody yet, and the follower that hears them while it runs.
    pub(super) fn open(bus: &SharedBus) -> (Self, Arc<Follower>) {
        let workers = Self { members: Arc::default(), next: Arc::new(watch::channel(0).0), began: Instant::now() };
        let follower = Follower::new(bus, NAME, topics::WORKERS.name(), StartAt::Latest, workers.clone());
        (workers, follower)
    }

    pub(super) fn members(&self) -> MutexGuard<'_, BTreeMap<String, Member>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The offset of the next report.
    pub(super) fn reports(&self) -> watch::Receiver<u64> {
        self.next.subscribe()
    }

    /// Whether every live worker has been heard.
    pub(super) fn are_known(&self) -> bool {
        self.began.elapsed() > PATIENCE
    }

    /// The partitions that live workers hold.
    pub(super) fn held(&self) -> BTreeSet<u32> {
        let members = self.members();
        members.values().filter(|member| member.is_live()).flat_map(|member| member.partitions.clone()).collect()
    }
}

#[async_trait]
impl View for Workers {
    async fn take(&self, record: &Delivered) -> Result<(), Refusal> {
        let report = topics::WORKERS.read(record)?;
        let now = Instant::now();
        {
            let mut members = self.members();
            let fresh = || Member { partitions: Vec::new(), heard: now, answers: BTreeMap::new() };
            let member = members.entry(report.worker).or_insert_with(fresh);
            member.partitions = report.partitions;
            member.heard = now;
            if let Some(answer) = report.answer {
                let change = match &answer {
                    WorkerAnswer::Ready { change, .. }
                    | WorkerAnswer::Refused { change, .. }
                    | WorkerAnswer::Overdue { change } => change.clone(),
                };
                member.answers.insert(change, (answer, now));
            }
        }
        self.next.send_replace(record.position.offset + 1);
        Ok(())
    }

    async fn tick(&self) {
        let mut members = self.members();
        members.retain(|_, member| member.heard.elapsed() <= FORGOTTEN);
        for member in members.values_mut() {
            member.answers.retain(|_, (_, at)| at.elapsed() <= FORGOTTEN);
        }
    }
}
