use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::oneshot;

use crate::queue::QueueReceiver;
use crate::{BusError, Delivered};

/// Events for a group member, in order.
#[derive(Debug)]
pub enum GroupEvent {
    /// These partitions were assigned; their records follow, from the committed offset on (from the oldest when none is).
    Assigned(Vec<(Arc<str>, u32)>),
    /// A record of an assigned partition.
    Record(Delivered),
    /// These partitions go to another member. Finish and commit records in flight, then drop or [`Revocation::done`] it: the
    /// rebalance waits for that (bounded by the adapter's time limit).
    Revoked(Revocation),
}

/// Partitions being revoked.
#[derive(Debug)]
pub struct Revocation {
    /// The partitions.
    pub partitions: Vec<(Arc<str>, u32)>,
    pub(crate) release: Option<oneshot::Sender<()>>,
}

impl Revocation {
    /// Signals that everything in flight is finished and committed.
    pub fn done(mut self) {
        if let Some(release) = self.release.take() {
            let _ = release.send(());
        }
    }
}

/// Membership of a group. Dropping it leaves the group.
pub struct Subscription {
    pub(crate) events: QueueReceiver<Result<GroupEvent, BusError>>,
    pub(crate) committer: Committer,
    /// Leaves the group when dropped.
    pub(crate) _leave: Box<dyn std::any::Any + Send + Sync>,
}

impl Subscription {
    /// The next event. Cancel-safe. A [`BusError::Unreachable`] error recovers by itself: keep calling.
    ///
    /// # Errors
    /// [`BusError::Closed`] when the bus has shut down; nothing follows it.
    pub async fn next(&mut self) -> Result<GroupEvent, BusError> {
        self.events.recv().await.unwrap_or(Err(BusError::Closed))
    }

    /// The next event if it is available. [`Self::next`] yields the others, and reports when the bus has shut down.
    pub fn at_hand(&mut self) -> Option<Result<GroupEvent, BusError>> {
        self.events.at_hand()
    }

    /// The handle to commit offsets; cheap to clone.
    #[must_use]
    pub fn committer(&self) -> Committer {
        self.committer.clone()
    }
}

/// Commits offsets of a group.
#[derive(Clone)]
pub struct Committer(pub(crate) Arc<dyn Commit>);

impl Committer {
    /// Commits `next`, the offset after the last record whose effects are durable. Committing for a revoked partition is an error
    /// without effect. The embedded log stores at once; Kafka within 200 ms and before the partition moves, so that after a crash
    /// the latest records may repeat.
    ///
    /// # Errors
    /// When the partition is not assigned or the bus refuses.
    pub async fn commit(&self, topic: &str, partition: u32, next: u64) -> Result<(), BusError> {
        self.0.commit(topic, partition, next).await
    }
}

/// An adapter's storage of offsets.
#[async_trait]
pub(crate) trait Commit: Send + Sync {
    async fn commit(&self, topic: &str, partition: u32, next: u64) -> Result<(), BusError>;
}

/// Reads partitions outside any group. Dropping it stops it.
pub struct Reader {
    pub(crate) records: QueueReceiver<Result<Delivered, BusError>>,
    /// For each partition the end offset at the time the reader was created.
    pub(crate) ends: Vec<(u32, u64)>,
}

impl Reader {
    /// The next record, in order per partition; waits for new ones. Cancel-safe.
    ///
    /// # Errors
    /// [`BusError::Closed`] when the bus has shut down.
    pub async fn next(&mut self) -> Result<Delivered, BusError> {
        self.records.recv().await.unwrap_or(Err(BusError::Closed))
    }

    /// For each partition the end offset at the time the reader was created: a consumer that has read up to these has caught up
    /// with the time of the call. Partitions without anything to read are left out.
    #[must_use]
    pub fn ends(&self) -> &[(u32, u64)] {
        &self.ends
    }
}
