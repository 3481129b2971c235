//! Recordings in memory and in the detection store, with files.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod explain;
mod tracked;
