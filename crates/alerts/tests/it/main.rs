//! Alerts, their formats and their store, from outside.

mod formats;
mod store;
mod support;
