//! An in-memory bus in virtual time, driven by a seed: the code above the seam meets crashes, pauses, rebalances, refusals and
//! lost answers here, thousands of times a minute, and each run is reproducible.
//!
//! A [`Cluster`] is the brokers; a [`Client`] is one process that talks to them, and is a [`crate::Bus`]. Everything runs on one
//! thread: create the cluster inside a current-thread tokio runtime whose clock is paused (`start_paused`).
//!
//! **Modelled**, as the Kafka adapter does it and with its timeouts:
//! * Requests and answers have a delay drawn from the seed. Records of one client to one partition keep their order; those
//!   to several do not, and nor do records of several partitions on their way to it.
//! * A record is acknowledged after it is written. One that cannot be sent waits for the cluster, up to
//!   `delivery_timeout`. The send queue is bounded, so are subscriptions and readers.
//! * Groups: members, heartbeats, sessions, sticky assignment, cooperative rebalancing. A partition that moves is assigned to
//!   its next owner when the previous one has finished with it ([`crate::Revocation::done`], `revoke_timeout`), left, or was
//!   expelled after a session timeout.
//! * Commits are sent within `commit_every`, and before a partition is released. The cluster refuses one that names a
//!   partition or an assignment the member no longer has; the member then learns that it was expelled, gets a revocation and
//!   rejoins. So a commit may be answered with success and be lost.
//! * A cluster that is down ([`Cluster::set_down`]): requests fail after `request_timeout`, subscriptions and readers report
//!   [`crate::BusError::Unreachable`] periodically and continue when it is back; members cut off for longer than their session
//!   lose their partitions. No acknowledged record is lost.
//! * A client that crashes ([`Client::crash`]): its unsent records are lost, its calls never return, its membership lasts
//!   until the session ends. A client that is paused ([`Client::set_silent`]) continues afterwards with stale knowledge; its
//!   pending records are then written, since the bus does not fence producers (a zombie).
//! * Retention, and compaction, which leaves some of the newest records untouched, like an active segment.
//!
//! **Not modelled:** several brokers and leaders (loss of records by the brokers is for tests with real ones), transactions,
//! throughput, and commits refused briefly only because a rebalance is in progress. Queued records of a silent
//! client's own subscription still come out of its queue; all its requests to the bus then wait.
//!
//! A run is reproducible only if the program above is deterministic as well: `tokio::select!` without `biased` and the order of
//! a `HashMap` are not.

mod brokers;
mod client;
mod cluster;
mod feed;
mod group;
mod lane;
mod log;
mod member;
mod membership;
mod process;
mod reader;
mod settings;
mod trace;

pub use client::Client;
pub use cluster::Cluster;
pub use settings::{Faults, Sabotage, Settings};
pub use trace::{TraceEvent, Traced};
