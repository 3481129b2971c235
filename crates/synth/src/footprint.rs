//! Shapes of buildings on their plots.

use crate::block::{Frame, Slot};
use crate::dice::Dice;
use crate::land::LandUse;
use crate::plane::{Degrees, Plane};

/// Outer ring, then holes; the first point is not repeated, outer counter-clockwise, holes clockwise.
pub(crate) type Polygon = Vec<Vec<Degrees>>;

/// A footprint: one polygon, rarely more.
pub(crate) type Footprint = Vec<Polygon>;

/// A ring in fractions of the plot: 0 to 1 along width and depth.
type Ring = Vec<(f64, f64)>;

fn rect(left: f64, low: f64, right: f64, high: f64) -> Ring {
    vec![(left, low), (right, low), (right, high), (left, high)]
}

fn shape(slot: &Slot, land: LandUse, dice: &mut Dice) -> Vec<Vec<Ring>> {
    let whole = || vec![vec![rect(0.0, 0.0, 1.0, 1.0)]];
    let part = |dice: &mut Dice| dice.range(0.35, 0.6);
    // Plain, L, U, T, cross, courtyard, two parts.
    let weights = match land {
        LandUse::Village => [92, 6, 0, 1, 0, 0, 1],
        LandUse::Houses => [74, 17, 2, 4, 0, 0, 3],
        LandUse::Estate => [42, 12, 8, 16, 20, 0, 2],
        LandUse::Industry => [44, 20, 14, 6, 0, 12, 4],
        LandUse::Commerce => [44, 16, 10, 10, 8, 10, 2],
        LandUse::Green => [80, 20, 0, 0, 0, 0, 0],
    };
    match dice.weighted::<7>(&weights) {
        1 => {
            let (x, y) = (part(dice), part(dice));
            vec![vec![vec![(0.0, 0.0), (1.0, 0.0), (1.0, y), (x, y), (x, 1.0), (0.0, 1.0)]]]
        }
        2 => {
            let (left, right, low) = (dice.range(0.2, 0.35), dice.range(0.65, 0.8), dice.range(0.3, 0.5));
            let ring =
                [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (right, 1.0), (right, low), (left, low), (left, 1.0), (0.0, 1.0)];
            vec![vec![ring.to_vec()]]
        }
        3 => {
            let (left, right, low) = (dice.range(0.2, 0.35), dice.range(0.65, 0.8), part(dice));
            let ring =
                [(left, 0.0), (right, 0.0), (right, low), (1.0, low), (1.0, 1.0), (0.0, 1.0), (0.0, low), (left, low)];
            vec![vec![ring.to_vec()]]
        }
        4 => {
            let (x, y) = (dice.range(0.18, 0.32), dice.range(0.18, 0.32));
            let (far_x, far_y) = (1.0 - x, 1.0 - y);
            let ring = [
                (x, 0.0),
                (far_x, 0.0),
                (far_x, y),
                (1.0, y),
                (1.0, far_y),
                (far_x, far_y),
                (far_x, 1.0),
                (x, 1.0),
                (x, far_y),
                (0.0, far_y),
                (0.0, y),
                (x, y),
            ];
            vec![vec![ring.to_vec()]]
        }
        5 if slot.width > 18.0 && slot.depth > 18.0 => {
            let (x, y) = (dice.range(0.22, 0.32), dice.range(0.22, 0.32));
            let mut hole = rect(x, y, 1.0 - x, 1.0 - y);
            hole.reverse();
            vec![vec![rect(0.0, 0.0, 1.0, 1.0), hole]]
        }
        6 if slot.width > 9.0 => {
            let split = dice.range(0.5, 0.65);
            vec![vec![rect(0.0, 0.0, split, 1.0)], vec![rect(split + 1.5 / slot.width, 0.0, 1.0, dice.range(0.5, 1.0))]]
        }
        _ => whole(),
    }
}

/// A shape on the plot, in any of four rotations.
pub(crate) fn footprint(slot: &Slot, frame: Frame, land: LandUse, plane: &Plane, dice: &mut Dice) -> Footprint {
    let polygons = shape(slot, land, dice);
    let (mirror_u, mirror_v) = (dice.chance(500), dice.chance(500));
    let place = |(x, y): (f64, f64)| {
        let x = if mirror_u { 1.0 - x } else { x };
        let y = if mirror_v { 1.0 - y } else { y };
        plane.degrees(frame.to_plane(slot.u + x * slot.width, slot.v + y * slot.depth))
    };
    let ring = |ring: Ring| {
        let mut ring: Vec<Degrees> = ring.into_iter().map(place).collect();
        // One mirroring reverses a ring's direction, two keep it.
        if mirror_u != mirror_v {
            ring.reverse();
        }
        ring
    };
    polygons.into_iter().map(|rings| rings.into_iter().map(ring).collect()).collect()
}
