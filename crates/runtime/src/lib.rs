//! The runtime of a process: its clock, its tasks, and their health.
//!
//! *In:* tasks, and the effects of their errors. *Out:* tasks that are restarted when they fail, the condition of each, the time.
//! *Must not know:* the bus, what a task does.

pub mod blocking;
pub mod clock;
pub mod health;
mod metrics;
pub mod supervise;

pub use metrics::METRICS;
