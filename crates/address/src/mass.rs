//! Probability mass of a circular normal distribution on a polygon, computed from its edges.
//!
//! In polar coordinates around the mean the mass of a polygon is one if it contains the mean, less
//! `1/2pi * integral h exp(-r^2/2) / r^2 ds` along each edge taken anticlockwise (`h`: signed distance from the mean to the
//! edge's line, `s`: position along it, `r^2 = h^2 + s^2`, all in sigmas). This is the line integral form of Owen's T function
//! (D. B. Owen, "Tables for computing bivariate normal probabilities", 1956).
//!
//! The integral from the foot of the perpendicular is `atan(s/h) - G(h, s)`: the angle has the singularity at the mean, and
//! `G = h * integral_0^s (1 - exp(-r^2/2)) / r^2 ds` is smooth, so that a small table suffices. Edges more than 3.5 sigmas
//! away are ignored, so that only near ones cost time; the error stays below 0.3 %, nearly all of it from that cutoff.

use std::f64::consts::TAU;
use std::sync::LazyLock;

/// 0.2 % of the distribution lies beyond this many sigmas.
pub(crate) const REACH_SIGMAS: f64 = 3.5;
/// Nearer lines count as running through the mean.
const THROUGH: f64 = 1e-9;

/// Table values per sigma; linear interpolation between them errs by less than 0.000 02.
const PER_SIGMA: usize = 32;
/// Values in a row or column: from 0 to the cutoff, and one more as the last one's neighbour.
const SIDE: usize = (REACH_SIGMAS * PER_SIGMA as f64) as usize + 2;

/// `G` at multiples of `1 / PER_SIGMA`: a row for each distance, its columns the positions along the edge.
static SMOOTH: LazyLock<Box<[[f32; SIDE]; SIDE]>> = LazyLock::new(|| {
    let mut table = Box::new([[0.0; SIDE]; SIDE]);
    for (row, values) in table.iter_mut().enumerate() {
        let distance = at(row);
        let integrand = |s: f64| {
            let squared = distance * distance + s * s;
            if squared < 1e-6 { 0.5 } else { -(-0.5 * squared).exp_m1() / squared }
        };
        let mut sum = 0.0;
        for (column, value) in values.iter_mut().enumerate().skip(1) {
            sum += integrate(at(column - 1), at(column), &integrand);
            *value = (distance * sum) as f32;
        }
    }
    table
});

fn at(index: usize) -> f64 {
    index as f64 / PER_SIGMA as f64
}

/// Gauss-Legendre quadrature with 4 points (Abramowitz and Stegun, table 25.4): over a step of the table it is exact to the
/// last digit of an `f32`.
fn integrate(from: f64, to: f64, f: &impl Fn(f64) -> f64) -> f64 {
    const NODES: [(f64, f64); 2] =
        [(0.339_981_043_584_856_3, 0.652_145_154_862_546_1), (0.861_136_311_594_052_6, 0.347_854_845_137_453_9)];
    let (middle, half) = (0.5 * (from + to), 0.5 * (to - from));
    half * NODES.iter().map(|(node, weight)| weight * (f(middle - half * node) + f(middle + half * node))).sum::<f64>()
}

/// `G` for a distance and a position along the edge, neither beyond the cutoff; odd in the position.
#[inline]
fn smooth(table: &[[f32; SIDE]; SIDE], distance: f64, way: f64) -> f64 {
    let (x, y) = (way.abs() * PER_SIGMA as f64, distance * PER_SIGMA as f64);
    let (column, row) = ((x as usize).min(SIDE - 2), (y as usize).min(SIDE - 2));
    let (right, down) = (x - column as f64, y - row as f64);
    let along = |values: &[f32; SIDE]| {
        let (a, b) = (f64::from(values[column]), f64::from(values[column + 1]));
        a + right * (b - a)
    };
    let (upper, lower) = (along(&table[row]), along(&table[row + 1]));
    (upper + down * (lower - upper)).copysign(way)
}

/// The term of the edge from `a` to `b`, in sigmas around the mean; outer rings anticlockwise, holes clockwise. `inside` is the
/// side of the mean, for an edge that runs through it.
pub(crate) fn edge_loss(a: [f64; 2], b: [f64; 2], inside: bool) -> f64 {
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let length = (dx * dx + dy * dy).sqrt();
    if length == 0.0 {
        return 0.0;
    }
    let (ux, uy) = (dx / length, dy / length);
    // Positive when the mean lies to the left, so inside.
    let h = a[0] * uy - a[1] * ux;
    let h = match h.abs() < THROUGH {
        true if inside => THROUGH,
        true => -THROUGH,
        false => h,
    };
    let distance = h.abs();
    if distance >= REACH_SIGMAS {
        return 0.0;
    }
    let clip = (REACH_SIGMAS * REACH_SIGMAS - h * h).sqrt();
    let (from, to) = (a[0] * ux + a[1] * uy, b[0] * ux + b[1] * uy);
    let (from, to) = (from.max(-clip), to.min(clip));
    if from >= to {
        return 0.0;
    }
    // The angle between the two ends, seen from the mean.
    let angle = (distance * (to - from)).atan2(distance * distance + from * to);
    let table = &*SMOOTH;
    let taken = angle - smooth(table, distance, to) + smooth(table, distance, from);
    h.signum() * taken / TAU
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mass(ring: &[[f64; 2]], inside: bool) -> f64 {
        let edges = ring.iter().zip(ring.iter().cycle().skip(1));
        f64::from(u8::from(inside)) - edges.map(|(a, b)| edge_loss(*a, *b, inside)).sum::<f64>()
    }

    fn rectangle(west: f64, south: f64, east: f64, north: f64) -> [[f64; 2]; 4] {
        [[west, south], [east, south], [east, north], [west, north]]
    }

    /// Normal cumulative distribution at `x`, by the series of the error function.
    fn below(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= x * x / f64::from(2 * n + 1);
            sum += term;
        }
        0.5 + sum * (-0.5 * x * x).exp() / TAU.sqrt()
    }

    #[test]
    fn rectangles_get_the_product_of_their_sides() {
        for west in [-6.0, -2.0, -0.7, -0.01, 0.3, 1.5] {
            for width in [0.05, 0.4, 1.0, 3.0, 9.0] {
                for (south, north) in [(-8.0, 8.0), (-0.5, 0.5), (0.02, 2.0), (-3.0, -1.0)] {
                    let east = west + width;
                    let wanted = (below(east) - below(west)) * (below(north) - below(south));
                    let inside = west < 0.0 && east > 0.0 && south < 0.0 && north > 0.0;
                    let found = mass(&rectangle(west, south, east, north), inside);
                    assert!((found - wanted).abs() < 0.003, "{west} {east} {south} {north}: {found} {wanted}");
                }
            }
        }
    }

    /// The integral of the edge by the midpoint rule.
    fn in_steps(h: f64, from: f64, to: f64) -> f64 {
        const STEPS: u32 = 40_000;
        let width = (to - from) / f64::from(STEPS);
        let at = |step: u32| from + (f64::from(step) + 0.5) * width;
        let part = |s: f64| h * (-0.5 * (h * h + s * s)).exp() / (h * h + s * s);
        (0..STEPS).map(|step| part(at(step)) * width).sum::<f64>() / TAU
    }

    proptest::proptest! {
        #[test]
        fn an_edge_takes_what_its_integral_says(h in 0.02..3.4_f64, from in -3.0..3.0_f64, length in 0.0..4.0_f64) {
            let to = from + length;
            // The mass beyond the cutoff.
            let clip = (REACH_SIGMAS * REACH_SIGMAS - h * h).sqrt();
            let wanted = in_steps(h, from.clamp(-clip, clip), to.clamp(-clip, clip));
            // Horizontal, to the south, from west to east: the mean lies to its left.
            let found = edge_loss([from, -h], [to, -h], true);
            proptest::prop_assert!((found - wanted).abs() < 0.000_05, "{found} {wanted}");
        }
    }

    #[test]
    fn a_turned_ring_has_the_same_mass_and_a_hole_takes_its_own() {
        for turn in 0..16 {
            let (sin, cos) = (f64::from(turn) * 0.4).sin_cos();
            let turned = |ring: &[[f64; 2]; 4]| ring.map(|[x, y]| [x * cos - y * sin, x * sin + y * cos]);
            let outer = mass(&turned(&rectangle(-1.0, -0.6, 2.0, 1.1)), true);
            let wanted = (below(2.0) - below(-1.0)) * (below(1.1) - below(-0.6));
            assert!((outer - wanted).abs() < 0.003, "{turn}: {outer} {wanted}");
        }
        // On an edge half of the mass lies on either side, whichever side the mean is counted to.
        for inside in [true, false] {
            let half = mass(&rectangle(0.0, -9.0, 9.0, 9.0), inside);
            assert!((half - 0.5).abs() < 0.003, "{half}");
        }
        let mut hole = rectangle(0.2, 0.2, 0.9, 0.9);
        hole.reverse();
        let wanted = -(below(0.9) - below(0.2)).powi(2);
        assert!((mass(&hole, false) - wanted).abs() < 0.003);
    }
}
