//! The masks of a camera when a frame was captured.

use vedette_core::{CameraId, Mask, Timestamp};

use crate::registry::Registry;

/// None of a camera that is not known, or was not at that time: no picture of it may be made, since it may have masks.
pub(crate) fn masks_at(registry: &Registry, camera: &CameraId, captured: Timestamp) -> Option<Vec<Mask>> {
    let entry = registry.entry(camera)?;
    Some(entry.setups.camera(captured)?.masks.clone())
}
