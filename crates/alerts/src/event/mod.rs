//! One event, one entry: which alerts of neighbouring cameras show the same thing.
//!
//! Decided by what kind of thing it was, where on the ground and when, and by nothing else: not by how anybody looked, and
//! without following anybody from camera to camera. What comes out is a function of the set of alerts, whatever their order:
//! [`leads`]. A store that keeps it up as alerts come asks [`settle`] what one of them changes.

mod cell;
mod group;
mod near;
mod settings;
mod sighting;

pub use cell::{Crowd, cells_around};
pub use group::{Decided, Lead, Touched, leads, settle};
pub use settings::{OneEvent, OneEventError};
pub use sighting::Sighting;
