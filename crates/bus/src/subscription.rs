use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::oneshot;

use crate::queue::QueueReceiver;
use crate::{BusError, Delivered};

/// What a member of a group is told, in order.
#[derive(Debug)]
pub enum GroupEvent {
    /// These partitions are now ours; their records follow, from the committed offset on (from the oldest when none is).
    Assigned(Vec<(Arc<str>, u32)>),
    /// A record of one of our partitions.
    Record(Delivered),
    /// These partitions go to another member. Finish and commit what is in hand, then drop or [`Revocation::done`] it: the
    /// rebalance waits for that (bounded by the adapter's time limit).
    Revoked(Revocation),
}

/// Partitions that are being taken away.
#[derive(Debug)]
pub struct Revocation {
    /// Which.
    pub partitions: Vec<(Arc<str>, u32)>,
    pub(crate) release: Option<oneshot::Sender<()>>,
}

impl Revocation {
    /// Says that all that was in hand is finished and committed.
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
    /// Leaves the group when it is dropped.
    pub(crate) _leave: Box<dyn std::any::Any + Send + Sync>,
}

impl Subscription {
    /// The next event. Safe to cancel. An error that is [`BusError::Unreachable`] heals by itself: go on calling.
    ///
    /// # Errors
    /// [`BusError::Closed`] when the bus has shut down; nothing follows it.
    pub async fn next(&mut self) -> Result<GroupEvent, BusError> {
        self.events.recv().await.unwrap_or(Err(BusError::Closed))
    }

    /// The next event if it is here already. [`Self::next`] has the others, and says when the bus has shut down.
    pub fn at_hand(&mut self) -> Option<Result<GroupEvent, BusError>> {
        self.events.at_hand()
    }

    /// The way to commit; cheap to clone.
    #[must_use]
    pub fn committer(&self) -> Committer {
        self.committer.clone()
    }
}

/// Stores how far a group has come.
#[derive(Clone)]
pub struct Committer(pub(crate) Arc<dyn Commit>);

impl Committer {
    /// Stores `next`, the offset after the last record whose effects are durable. Committing for a partition that is no
    /// longer ours is an error and changes nothing. The embedded log stores at once; Kafka within 200 ms and before the
    /// partition moves, so that after a crash the last moments may repeat.
    ///
    /// # Errors
    /// When the partition is not ours or the bus refuses.
    pub async fn commit(&self, topic: &str, partition: u32, next: u64) -> Result<(), BusError> {
        self.0.commit(topic, partition, next).await
    }
}

/// How an adapter stores offsets.
#[async_trait]
pub(crate) trait Commit: Send + Sync {
    async fn commit(&self, topic: &str, partition: u32, next: u64) -> Result<(), BusError>;
}

/// Reads partitions outside any group. Dropping it stops it.
pub struct Reader {
    pub(crate) records: QueueReceiver<Result<Delivered, BusError>>,
    /// For each partition the offset at which the records end that were there when the reader was made.
    pub(crate) ends: Vec<(u32, u64)>,
}

impl Reader {
    /// The next record, in order per partition; waits for new ones. Safe to cancel.
    ///
    /// # Errors
    /// [`BusError::Closed`] when the bus has shut down.
    pub async fn next(&mut self) -> Result<Delivered, BusError> {
        self.records.recv().await.unwrap_or(Err(BusError::Closed))
    }

    /// For each partition the offset at which the records end that were there when the reader was made: who has read up to
    /// these has caught up with the time of the call. Partitions that had nothing to read are left out.
    #[must_use]
    pub fn ends(&self) -> &[(u32, u64)] {
        &self.ends
    }
}
