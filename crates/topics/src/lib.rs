//! The topics of the product, and how stages read them.
//!
//! *In:* messages of each topic; a stage as a [`Consumer`](consumer::Consumer), a view of a topic as a
//! [`View`](reading::View). *Out:* records with their keys; messages, each decoded or dead-lettered, and offsets that are
//! committed once the effects of their records are durable. *Must not know:* what a stage does with a message.

mod bus_settings;
pub mod bus_watch;
pub mod consumer;
mod dead_letter_share;
pub mod dead_letters;
mod error;
pub mod in_order;
mod ledger;
mod metrics;
mod offsets;
mod open_bus;
pub mod reading;
mod span;
pub mod topics;

pub use bus_settings::{BusKind, BusSettings, GroupProtocol, KafkaSection};
pub use error::{During, TopicError};
pub use metrics::METRICS;
pub use open_bus::{kafka_settings, open_bus};

/// The definitions of the validation errors of `[bus]`.
#[must_use]
pub fn violations() -> &'static [vedette_core::ViolationInfo] {
    bus_settings::BusRule::ALL
}
