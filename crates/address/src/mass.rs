//! How much of a circular normal distribution lies on a polygon, from its edges alone.
//!
//! In polar coordinates around the mean the mass of a polygon is one where it holds the mean, less
//! `1/2pi * integral h exp(-r^2/2) / r^2 ds` along each edge taken anticlockwise (`h`: signed distance from the mean to the
//! edge's line, `s`: way along it, `r^2 = h^2 + s^2`, all in sigmas). This is the line integral form of Owen's T function
//! (D. B. Owen, "Tables for computing bivariate normal probabilities", 1956). Edges more than 3.5 sigmas away count for
//! nothing, so that only near ones cost anything; the error stays below 0.3 %.

use std::f64::consts::TAU;

/// Beyond this many sigmas lies 0.2 % of the distribution.
pub(crate) const REACH_SIGMAS: f64 = 3.5;
/// Nearer lines are integrated in the form that has no peak at the foot of the perpendicular.
const NEAR: f64 = 0.8;
/// Nearer lines run through the mean.
const THROUGH: f64 = 1e-9;

/// Nodes and weights of Gauss-Legendre quadrature with 16 points on [-1, 1], the positive half (Abramowitz and Stegun,
/// table 25.4).
const NODES: [(f64, f64); 8] = [
    (0.095_012_509_837_637_44, 0.189_450_610_455_068_5),
    (0.281_603_550_779_258_9, 0.182_603_415_044_923_6),
    (0.458_016_777_657_227_4, 0.169_156_519_395_002_54),
    (0.617_876_244_402_643_7, 0.149_595_988_816_576_73),
    (0.755_404_408_355_003, 0.124_628_971_255_533_88),
    (0.865_631_202_387_831_8, 0.095_158_511_682_492_78),
    (0.944_575_023_073_232_6, 0.062_253_523_938_647_89),
    (0.989_400_934_991_649_9, 0.027_152_459_411_754_095),
];

fn integrate(from: f64, to: f64, f: &impl Fn(f64) -> f64) -> f64 {
    let (middle, half) = (0.5 * (from + to), 0.5 * (to - from));
    // 16 points are dense enough for four sigmas.
    if half > 2.0 {
        return integrate(from, middle, f) + integrate(middle, to, f);
    }
    half * NODES.iter().map(|(node, weight)| weight * (f(middle - half * node) + f(middle + half * node))).sum::<f64>()
}

/// What the edge from `a` to `b`, in sigmas around the mean, takes off; outer rings anticlockwise, holes clockwise. `inside`
/// says on which side the mean was found, for an edge that runs through it.
pub(crate) fn edge_loss(a: [f64; 2], b: [f64; 2], inside: bool) -> f64 {
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let length = dx.hypot(dy);
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
    let taken = if distance >= NEAR {
        integrate(from, to, &|s: f64| {
            let squared = h * h + s * s;
            distance * (-0.5 * squared).exp() / squared
        })
    } else {
        let smooth = |s: f64| {
            let squared = h * h + s * s;
            if squared < 1e-6 { 0.5 } else { -(-0.5 * squared).exp_m1() / squared }
        };
        (to / distance).atan() - (from / distance).atan() - distance * integrate(from, to, &smooth)
    };
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

    /// Share of a normal distribution below `x`, by the series of the error function.
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

    #[test]
    fn a_turned_ring_has_the_same_mass_and_a_hole_takes_its_own() {
        for turn in 0..16 {
            let (sin, cos) = (f64::from(turn) * 0.4).sin_cos();
            let turned = |ring: &[[f64; 2]; 4]| ring.map(|[x, y]| [x * cos - y * sin, x * sin + y * cos]);
            let outer = mass(&turned(&rectangle(-1.0, -0.6, 2.0, 1.1)), true);
            let wanted = (below(2.0) - below(-1.0)) * (below(1.1) - below(-0.6));
            assert!((outer - wanted).abs() < 0.003, "{turn}: {outer} {wanted}");
        }
        // On an edge half of it lies on either side, whichever side the mean is counted to.
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
