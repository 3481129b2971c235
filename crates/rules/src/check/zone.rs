use vedette_core::{Area, FrameSize, PixelPoint, Zone};

use crate::found::Found;
use crate::geometry;
use crate::ground::Ground;
use crate::limits::check_points;
use crate::policy_rule::PolicyRule;
use crate::shape::in_metres;

/// Most corners of one outline, and most holes.
const MOST_CORNERS: usize = 256;
const MOST_HOLES: usize = 32;
/// Zones smaller than this many square pixels or square metres are slips of the hand.
const LEAST_PIXELS: f64 = 4.0;
const LEAST_METRES: f64 = 0.25;
/// A corner farther from the camera than this is a mistake in its coordinates.
const FARTHEST_M: f32 = 5_000.0;
const KEY: &str = "when.zone";

pub(super) fn check(zone: &Zone, frame: FrameSize, ground: Option<&dyn Ground>, found: &mut Found) {
    match zone {
        Zone::Pixels(area) => {
            let inside = std::iter::once(&area.outline)
                .chain(&area.holes)
                .all(|ring| is_counted(ring.len(), found) && check_points(KEY, ring, frame, found));
            if inside {
                check_area(area, "square pixels", LEAST_PIXELS, found);
            }
        }
        Zone::Ground(area) => {
            let counted = std::iter::once(&area.outline).chain(&area.holes).all(|ring| is_counted(ring.len(), found));
            let Some(ground) = ground.filter(|_| counted) else { return };
            let area = in_metres(area, ground);
            if let Some(corner) = area.outline.iter().find(|corner| corner.x.hypot(corner.y) > FARTHEST_M) {
                let value = format!("a corner {:.0} m away", corner.x.hypot(corner.y));
                found.add(KEY, value, PolicyRule::FarZone);
            } else {
                check_area(&area, "square metres", LEAST_METRES, found);
            }
        }
    }
}

fn is_counted(corners: usize, found: &mut Found) -> bool {
    let counted = (3..=MOST_CORNERS).contains(&corners);
    if !counted {
        found.add(KEY, format!("{corners} corners"), PolicyRule::Corners);
    }
    counted
}

fn check_area(area: &Area<PixelPoint>, unit: &str, least: f64, found: &mut Found) {
    let Area { outline, holes } = area;
    if holes.len() > MOST_HOLES {
        found.add(KEY, format!("{} holes", holes.len()), PolicyRule::Holes);
        return;
    }
    for ring in std::iter::once(outline).chain(holes) {
        if let Some((first, second)) = geometry::self_crossing(ring) {
            let value = format!("the edges from corner {first} and from corner {second} meet");
            found.add(KEY, value, PolicyRule::SelfCrossing);
            return;
        }
    }
    if !holes_fit(outline, holes) {
        found.add(KEY, "a hole that meets or leaves it", PolicyRule::HoleOutside);
        return;
    }
    let left = geometry::Polygon::new(outline.clone(), holes.clone()).area();
    if left < least {
        found.add(KEY, format!("{left:.1} {unit}"), PolicyRule::SmallZone { least, unit: unit.to_owned() });
    }
}

fn holes_fit(outline: &[PixelPoint], holes: &[Vec<PixelPoint>]) -> bool {
    let whole = geometry::Polygon::new(outline.to_vec(), Vec::new());
    holes.iter().enumerate().all(|(index, hole)| {
        let apart = |other: &Vec<PixelPoint>| {
            let inside =
                |a: &[PixelPoint], b: &[PixelPoint]| geometry::Polygon::new(a.to_vec(), Vec::new()).contains(b[0]);
            geometry::crossing(hole, other).is_none() && !inside(hole, other) && !inside(other, hole)
        };
        geometry::crossing(outline, hole).is_none() && whole.contains(hole[0]) && holes[..index].iter().all(apart)
    })
}
