//! Cross-camera correlation: the alerts of neighbouring cameras that show the same event.
//!
//! Decided by kind, place on the ground and time, and by nothing else: not by appearance, and without following anybody from
//! camera to camera. The result is a function of the set of alerts, whatever their order: [`leads`]. A store that maintains
//! it incrementally calls [`settle`] for each changed alert.

mod cell;
mod group;
mod near;
mod settings;
mod sighting;

pub use cell::{Crowd, cells_around};
pub use group::{Decided, Lead, Touched, leads, settle};
pub use settings::{OneEvent, OneEventError};
pub use sighting::Sighting;
