//! What a process of the product runs on: its clock, its tasks, and how each of them is.
//!
//! *In:* tasks, and what their errors do. *Out:* tasks that are started again when they fail, the condition of each, the time.
//! *Must not know:* the bus, what a task does.

pub mod blocking;
pub mod clock;
pub mod health;
pub mod supervise;
