//! The runtime of a process: its clock, its tasks, and their health.
//!
//! *In:* services. *Out:* their tasks, restarted when they fail, the condition of each, the time.
//! *Must not know:* the bus, what a task does.

pub mod blocking;
pub mod clock;
pub mod health;
mod metrics;
mod service;
pub mod supervise;

pub use metrics::METRICS;
pub use service::{OnError, Service, TaskError, report};
