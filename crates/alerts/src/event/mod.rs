//! One event, one entry: which alerts of neighbouring cameras show the same thing.
//!
//! Decided by what kind of thing it was, where on the ground and when, and by nothing else: not by how anybody looked, and
//! without following anybody from camera to camera. What comes out is a function of the set of alerts, whatever their order.

mod cell;
mod group;
mod near;
mod settings;
mod sighting;

pub(crate) use cell::{Crowd, cells_around};
pub(crate) use group::{Decided, Touched, settle};
pub use group::{Lead, leads};
pub use settings::{OneEvent, OneEventError};
pub(crate) use sighting::Sighting;
