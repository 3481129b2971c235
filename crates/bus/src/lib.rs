//! The message bus: topics, keys, partitions, offsets, groups, commits.
//!
//! *In:* records of bytes under a key. *Out:* the same records, in order per key, at least once, from a committed offset, an
//! offset or a time. *Must not know:* what a record means.
//!
//! One seam ([`Bus`]) and two adapters: [`embedded`] is a durable log inside the process, the default on one machine;
//! [`kafka`] is Apache Kafka through librdkafka. `tests/suite` holds both to the same promises, and so it does a third, which
//! is for tests only: `simulated` (feature of that name) is a bus in memory, in virtual time and from a seed.

pub mod embedded;
pub mod kafka;
#[cfg(feature = "simulated")]
pub mod simulated;

mod error;
mod queue;
mod record;
mod subscription;
mod topic;

use std::sync::Arc;

use async_trait::async_trait;

pub use error::BusError;
pub use record::{Delivered, Delivery, Header, Position, Record, Written};
pub use subscription::{Committer, GroupEvent, Reader, Revocation, Subscription};
pub use topic::{Retention, StartAt, TopicSpec, Watermarks, partition_of};

/// A bus, cheap to clone and share.
pub type SharedBus = Arc<dyn Bus>;

/// What every adapter promises.
///
/// * Records of one key go to one partition ([`partition_of`]: murmur2, as Kafka's own clients do) and keep their order.
/// * A record is durable when its [`Delivery`] resolves.
/// * A group sees each record at least once, from its committed offset on; nothing is committed that was not asked for.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Creates the topics that are missing. One that exists with fewer partitions or
    /// another kind of retention, or that cannot take records so large, is an error that says so.
    async fn ensure_topics(&self, topics: &[TopicSpec]) -> Result<(), BusError>;

    /// Hands over a record; calls made one after the other keep their order. Waits while the bounded send queue is full.
    /// The record is durable when the returned [`Delivery`] resolves.
    async fn send(&self, topic: &str, record: Record) -> Result<Delivery, BusError>;

    /// Joins `group` and gets a share of the partitions of `topics`.
    async fn subscribe(&self, group: &str, topics: &[&str]) -> Result<Subscription, BusError>;

    /// Reads every partition of `topic` from `start` on, outside any group: for registries, replay and live views.
    async fn read(&self, topic: &str, start: StartAt) -> Result<Reader, BusError>;

    /// The record at one position; `None` when retention or compaction has taken it, or it is not written yet.
    async fn fetch(&self, topic: &str, partition: u32, offset: u64) -> Result<Option<Delivered>, BusError>;

    /// First and next offset of every partition of `topic`.
    async fn watermarks(&self, topic: &str) -> Result<Vec<Watermarks>, BusError>;

    /// Waits until all that was sent is durable.
    async fn flush(&self) -> Result<(), BusError>;

    /// Takes nothing more, ends all subscriptions and readers, and waits until all that was sent is durable and the groups
    /// know, so that other members take over at once. Who ends without it is missed only after a while.
    async fn close(&self) -> Result<(), BusError>;
}
