//! Plots on a grid: upright rectangles in the grid's own frame, without overlaps and away from the grid's edge.

use crate::dice::Dice;
use crate::land::LandUse;
use crate::mesh::Outline;
use crate::plane::Metres;

/// The frame of a block: its origin, and the direction of its `u` axis.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    origin: Metres,
    axis: Metres,
}

impl Frame {
    pub(crate) fn to_plane(self, u: f64, v: f64) -> Metres {
        let Self { origin, axis } = self;
        Metres { x: origin.x + u * axis.x - v * axis.y, y: origin.y + u * axis.y + v * axis.x }
    }

    fn to_frame(self, place: Metres) -> Metres {
        let (dx, dy) = (place.x - self.origin.x, place.y - self.origin.y);
        Metres { x: dx * self.axis.x + dy * self.axis.y, y: dy * self.axis.x - dx * self.axis.y }
    }
}

/// Position of a building: its lower corner in the frame and its size, metres.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot {
    pub(crate) u: f64,
    pub(crate) v: f64,
    pub(crate) width: f64,
    pub(crate) depth: f64,
    /// Row, from 0.
    pub(crate) row: u32,
}

/// A grid's frame, its plots, and the bounds of the grid in the frame.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) frame: Frame,
    pub(crate) slots: Vec<Slot>,
    pub(crate) low: Metres,
    pub(crate) high: Metres,
}

/// Plots below this fraction of their usual size are not made.
const LEAST_SCALE: f64 = 0.3;

/// Plots for `count` buildings inside `outline`, `margins` metres from its west, south, east and north side; none when it is too
/// small. Plots shrink until all fit; if more fit than needed, the empty ones are spread among the others.
pub(crate) fn block(
    outline: &Outline,
    margins: [f64; 4],
    land: LandUse,
    count: usize,
    dice: &mut Dice,
) -> Option<Block> {
    let frame = frame(outline, dice);
    let ring: Vec<Metres> = outline.places.iter().map(|place| frame.to_frame(*place)).collect();
    let mut low = ring[0];
    let mut high = ring[0];
    for place in &ring {
        low = Metres { x: low.x.min(place.x), y: low.y.min(place.y) };
        high = Metres { x: high.x.max(place.x), y: high.y.max(place.y) };
    }
    let mut scale = 1.0;
    while scale > LEAST_SCALE {
        let layout = Layout {
            ring: &ring,
            sides: &outline.sides,
            margins: margins.map(|margin| margin * scale),
            low,
            high,
            land,
            scale,
        };
        let all = layout.slots(count, dice);
        if all.len() >= count {
            let slots = (0..count).map(|index| all[index * all.len() / count]).collect();
            return Some(Block { frame, slots, low, high });
        }
        scale *= 0.88;
    }
    None
}

/// Along the south side, sometimes turned a little.
fn frame(outline: &Outline, dice: &mut Dice) -> Frame {
    let n = outline.places.len() as f64;
    let sum = outline.places.iter().fold((0.0, 0.0), |sum, place| (sum.0 + place.x, sum.1 + place.y));
    let origin = Metres { x: sum.0 / n, y: sum.1 / n };
    let (from, to) = (outline.places[0], outline.places[outline.south_east]);
    let (mut dx, mut dy) = (to.x - from.x, to.y - from.y);
    if dice.chance(250) {
        let turn = dice.range(-0.12, 0.12);
        (dx, dy) = (dx - turn * dy, dy + turn * dx);
    }
    let length = (dx * dx + dy * dy).sqrt();
    Frame { origin, axis: Metres { x: dx / length, y: dy / length } }
}

struct Layout<'a> {
    ring: &'a [Metres],
    sides: &'a [usize],
    margins: [f64; 4],
    low: Metres,
    high: Metres,
    land: LandUse,
    scale: f64,
}

impl Layout<'_> {
    fn slots(&self, count: usize, dice: &mut Dice) -> Vec<Slot> {
        let plot = self.land.plot();
        let size = |dice: &mut Dice, (low, high): (f64, f64)| dice.range(low, high) * self.scale;
        let gap = |dice: &mut Dice, (low, high): (f64, f64)| (dice.range(low, high) * self.scale).max(1.0);
        let mut slots = Vec::with_capacity(count * 2);
        let mut v = self.low.y + 1.0;
        let mut row = 0;
        while v < self.high.y {
            let row_depth = size(dice, plot.depth);
            let mut u = self.low.x + 1.0;
            let before = slots.len();
            while u < self.high.x {
                let width = size(dice, plot.width);
                // Houses of a row differ a little in depth, within the row.
                let depth = row_depth * dice.range(0.88, 1.0);
                let slot = Slot { u, v, width, depth, row };
                if self.fits(&slot) {
                    slots.push(slot);
                    u += width + gap(dice, plot.gap);
                } else {
                    u += (width * 0.3).max(2.0);
                }
            }
            if slots.len() > before {
                row += 1;
                v += row_depth + gap(dice, if row % 2 == 0 { plot.lane } else { plot.row_gap });
            } else {
                v += row_depth * 0.3;
            }
        }
        slots
    }

    /// Inside the ring, with each edge's margin kept.
    fn fits(&self, slot: &Slot) -> bool {
        let (east, north) = (slot.u + slot.width, slot.v + slot.depth);
        let (x, y) = ((slot.u + east) / 2.0, (slot.v + north) / 2.0);
        let mut inside = false;
        for (index, from) in self.ring.iter().enumerate() {
            let to = self.ring[(index + 1) % self.ring.len()];
            let margin = self.margins[self.sides[index]];
            if crosses(*from, to, [slot.u - margin, slot.v - margin, east + margin, north + margin]) {
                return false;
            }
            if (from.y > y) != (to.y > y) && x < from.x + (y - from.y) / (to.y - from.y) * (to.x - from.x) {
                inside = !inside;
            }
        }
        inside
    }
}

/// Whether the line from `a` to `b` intersects the rectangle (west, south, east, north): Liang and Barsky's clipping.
fn crosses(a: Metres, b: Metres, [west, south, east, north]: [f64; 4]) -> bool {
    let (dx, dy) = (b.x - a.x, b.y - a.y);
    let (mut enter, mut leave) = (0.0_f64, 1.0_f64);
    for (step, room) in [(-dx, a.x - west), (dx, east - a.x), (-dy, a.y - south), (dy, north - a.y)] {
        if step == 0.0 {
            if room < 0.0 {
                return false;
            }
        } else if step < 0.0 {
            enter = enter.max(room / step);
        } else {
            leave = leave.min(room / step);
        }
    }
    enter <= leave
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECT: [f64; 4] = [0.0, 0.0, 4.0, 2.0];

    fn at(x: f64, y: f64) -> Metres {
        Metres { x, y }
    }

    #[test]
    fn a_line_through_a_rectangle_is_seen() {
        assert!(crosses(at(-1.0, 1.0), at(5.0, 1.0), RECT));
        assert!(crosses(at(1.0, 1.0), at(2.0, 1.5), RECT));
        assert!(crosses(at(3.0, -1.0), at(5.0, 1.0), RECT));
        assert!(!crosses(at(3.5, -1.0), at(6.0, 1.0), RECT));
        assert!(!crosses(at(-1.0, 3.0), at(5.0, 3.0), RECT));
        assert!(!crosses(at(5.0, -1.0), at(5.0, 5.0), RECT));
    }
}
