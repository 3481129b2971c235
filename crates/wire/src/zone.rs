//! Zones on the bus.

use vedette_core::{Area, GroundPoint, PixelPoint, Zone};

use crate::pb::zone::{GroundRing, PixelRing};
use crate::{WireError, field, pb};

pub(crate) fn pb_zone(zone: &Zone) -> pb::Zone {
    let pixels = |ring: &[PixelPoint]| ring.iter().copied().map(field::pb_pixel_point).collect();
    let ground = |ring: &[GroundPoint]| ring.iter().map(field::pb_ground_point).collect();
    match zone {
        Zone::Pixels(area) => pb::Zone {
            pixels: pixels(&area.outline),
            pixel_holes: area.holes.iter().map(|ring| PixelRing { corners: pixels(ring) }).collect(),
            ..pb::Zone::default()
        },
        Zone::Ground(area) => pb::Zone {
            ground: ground(&area.outline),
            ground_holes: area.holes.iter().map(|ring| GroundRing { corners: ground(ring) }).collect(),
            ..pb::Zone::default()
        },
    }
}

pub(crate) fn zone(message: pb::Zone) -> Result<Zone, WireError> {
    let pb::Zone { pixels, pixel_holes, ground, ground_holes } = message;
    let pixel_ring = |ring: Vec<pb::PixelPoint>| -> Result<Vec<PixelPoint>, WireError> {
        ring.into_iter().map(|point| field::pixel_point("rules.zone", Some(point))).collect()
    };
    let ground_ring = |ring: Vec<pb::GroundPoint>| -> Result<Vec<GroundPoint>, WireError> {
        ring.into_iter().map(|point| field::ground_point("rules.zone", Some(point))).collect()
    };
    if ground.is_empty() {
        return Ok(Zone::Pixels(Area {
            outline: pixel_ring(pixels)?,
            holes: pixel_holes.into_iter().map(|ring| pixel_ring(ring.corners)).collect::<Result<_, _>>()?,
        }));
    }
    if !pixels.is_empty() {
        return Err(WireError::invalid(
            "rules.zone",
            "a zone lies in pixels or on the ground, this one has both".to_owned(),
        ));
    }
    Ok(Zone::Ground(Area {
        outline: ground_ring(ground)?,
        holes: ground_holes.into_iter().map(|ring| ground_ring(ring.corners)).collect::<Result<_, _>>()?,
    }))
}
