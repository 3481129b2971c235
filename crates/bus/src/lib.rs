//! The message bus: topics, keys, partitions, offsets, groups, commits.
//!
//! *In:* records of bytes under a key. *Out:* the same records, in order per key, at least once, from a committed offset, an
//! offset or a time. *Must not know:* what a record means.
//!
//! One seam ([`Bus`]) and two adapters: [`embedded`] is a durable log inside the process, the default on one machine;
//! [`kafka`] is Apache Kafka through librdkafka. `tests/suite` holds both to the same contract, and a third that is for tests
//! only: `simulated` (feature of that name) is an in-memory bus in virtual time, driven by a seed.

pub mod embedded;
pub mod kafka;
#[cfg(feature = "simulated")]
pub mod simulated;

mod error;
mod metrics;
mod queue;
mod record;
mod subscription;
mod topic;

use std::sync::Arc;

use async_trait::async_trait;

pub use error::BusError;
pub use metrics::METRICS;
pub use record::{Delivered, Delivery, Header, Position, Record, Written};
pub use subscription::{Committer, GroupEvent, Reader, Revocation, Subscription};
pub use topic::{Retention, StartAt, TopicSpec, Watermarks, partition_of};

/// A bus, cheap to clone and share.
pub type SharedBus = Arc<dyn Bus>;

/// The contract of every adapter.
///
/// * Records of one key go to one partition ([`partition_of`]: murmur2, as Kafka's own clients do) and keep their order.
/// * A record is durable when its [`Delivery`] resolves.
/// * A group sees each record at least once, from its committed offset on; only requested offsets are committed.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Creates missing topics. An existing one with fewer partitions or
    /// another kind of retention, or with too small a record limit, is an error.
    async fn ensure_topics(&self, topics: &[TopicSpec]) -> Result<(), BusError>;

    /// Sends a record; sequential calls keep their order. Waits while the bounded send queue is full.
    /// The record is durable when the returned [`Delivery`] resolves.
    async fn send(&self, topic: &str, record: Record) -> Result<Delivery, BusError>;

    /// Joins `group` and is assigned a part of the partitions of `topics`.
    async fn subscribe(&self, group: &str, topics: &[&str]) -> Result<Subscription, BusError>;

    /// Reads every partition of `topic` from `start` on, outside any group: for registries, replay and live views.
    async fn read(&self, topic: &str, start: StartAt) -> Result<Reader, BusError>;

    /// The record at one position; `None` when retention or compaction has removed it, or it is not written yet.
    async fn fetch(&self, topic: &str, partition: u32, offset: u64) -> Result<Option<Delivered>, BusError>;

    /// First and next offset of every partition of `topic`.
    async fn watermarks(&self, topic: &str) -> Result<Vec<Watermarks>, BusError>;

    /// The committed offsets of `group` in `topic`, as (partition, offset); partitions without one are left out. An adapter that
    /// cannot tell knows none.
    async fn committed(&self, group: &str, topic: &str) -> Result<Vec<(u32, u64)>, BusError> {
        let _ = (group, topic);
        Ok(Vec::new())
    }

    /// What the bus is known to have lost, for people; an adapter that cannot tell knows of nothing.
    fn damage(&self) -> Option<String> {
        None
    }

    /// Waits until all sent records are durable.
    async fn flush(&self) -> Result<(), BusError>;

    /// Refuses new records, ends all subscriptions and readers, and waits until all sent records are durable and the groups
    /// have been left, so that other members are assigned at once. A member that exits without it is detected only by timeout.
    async fn close(&self) -> Result<(), BusError>;
}
