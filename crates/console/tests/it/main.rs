//! The console on a real port, with a real store.

mod api;
mod described;
mod page;
mod stream;
mod support;
