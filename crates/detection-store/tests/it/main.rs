//! The store by its public interface, with files.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod damage;
mod records;
mod round_trip;
mod sweep;
