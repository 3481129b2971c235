use geo::Coord;

/// Points of the sampled distribution.
pub(crate) const SAMPLES: usize = 192;

/// 95 % radius of a circular normal distribution of one sigma.
pub(crate) const R95_PER_SIGMA: f64 = 2.447_746_830_680_816;

/// Offsets that stand for a circular normal distribution of one sigma, each with equal weight: radii at the middles of
/// equal shares of probability, directions turned by the golden angle. The same on every call, so that the same point
/// always gets the same answer.
pub(crate) fn normal_samples() -> &'static [Coord<f64>] {
    static SET: std::sync::OnceLock<Vec<Coord<f64>>> = std::sync::OnceLock::new();
    SET.get_or_init(|| {
        let golden = std::f64::consts::PI * (3.0 - 5.0_f64.sqrt());
        (0..SAMPLES)
            .map(|index| {
                let share = (index as f64 + 0.5) / SAMPLES as f64;
                let radius = (-2.0 * (1.0 - share).ln()).sqrt();
                let (sin, cos) = (golden * index as f64).sin_cos();
                Coord { x: radius * cos, y: radius * sin }
            })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_planes_get_their_share_of_the_normal_distribution() {
        for (edge, wanted) in [(0.0, 0.5), (1.0, 0.8413), (-1.0, 0.1587), (1.645, 0.95), (2.0, 0.9772)] {
            for turn in 0..8 {
                let (sin, cos) = (f64::from(turn) * 0.785).sin_cos();
                let inside = normal_samples().iter().filter(|at| at.x * cos + at.y * sin < edge).count();
                let share = inside as f64 / SAMPLES as f64;
                assert!((share - wanted).abs() < 0.015, "{edge}, {turn}: {share}");
            }
        }
    }
}
