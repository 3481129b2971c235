//! A bus in memory, in virtual time and from a seed: what stands above the seam meets crashes, pauses, rebalances, refusals and
//! lost answers here, thousands of times a minute, and each run can be had again.
//!
//! A [`Cluster`] is the brokers; a [`Client`] is one process that talks to them, and is a [`crate::Bus`]. Everything runs on one
//! thread: make the cluster inside a current-thread tokio runtime whose clock is paused (`start_paused`).
//!
//! **Modelled**, as the Kafka adapter does it and with its times:
//! * Requests and answers take a time drawn from the seed. What one client sends to one partition keeps its order; what it sends
//!   to several does not, and nor do records of several partitions on their way to it.
//! * A record is acknowledged after it is written. One that cannot be handed over waits for the cluster, up to
//!   `delivery_timeout`. The send queue is bounded, so are subscriptions and readers.
//! * Groups: members, heartbeats, sessions, sticky assignment, cooperative rebalancing. A partition that moves is given to
//!   its next owner when the one before has finished with it ([`crate::Revocation::done`], `revoke_timeout`), left, or was
//!   expelled after a session of silence.
//! * Commits are sent within `commit_every`, and before a partition is given back. The cluster refuses one that names a
//!   partition or an assignment the member no longer has; the member then learns that it was expelled, gets a revocation and
//!   joins anew. So a commit may be answered with success and forgotten.
//! * A cluster that is away ([`Cluster::set_down`]): requests fail after `request_timeout`, subscriptions and readers report
//!   [`crate::BusError::Unreachable`] now and then and go on when it is back; members away for longer than their session lose
//!   what they had. Nothing that was acknowledged is lost.
//! * A client that crashes ([`Client::crash`]): what it did not hand over is gone, its calls never return, its membership stays
//!   until the session ends. A client that is paused ([`Client::set_silent`]) goes on afterwards with what it believed; what it had to publish
//!   then is written, since the bus does not fence producers.
//! * Retention, and compaction, which leaves some of the newest records as they are, as a segment that is written to.
//!
//! **Not modelled:** several brokers and leaders (records that the brokers lose belong to tests with real ones), transactions,
//! throughput, and commits that are refused for a moment only because a rebalance is going on. Kept records of a silent
//! client's own subscription still come out of its queue; whatever it wants of the bus then waits.
//!
//! A run is the same again only if the program above is deterministic as well: `tokio::select!` without `biased` and the order of
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
