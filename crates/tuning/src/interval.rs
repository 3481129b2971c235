use serde::Serialize;
use statrs::distribution::{Beta, ContinuousCDF, DiscreteCDF, Hypergeometric, Normal};
use utoipa::ToSchema;

/// A 95 % interval of a share.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// The Wilson score interval of `some` of `all`; none of nothing.
#[must_use]
pub fn wilson(some: usize, all: usize) -> Option<Interval> {
    if all == 0 {
        return None;
    }
    let z = Normal::standard().inverse_cdf(0.975);
    let (n, share) = (all as f64, some as f64 / all as f64);
    let middle = (share + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    Some(Interval { low: (middle - half).max(0.0), high: (middle + half).min(1.0) })
}

/// The exact (Clopper and Pearson 1934) one-sided upper 95 % bound of a share of which `some` of `all` were seen: 0 of 59 is at most 5 %.
#[must_use]
pub fn exact_upper(some: usize, all: usize) -> f64 {
    if some >= all {
        return 1.0;
    }
    Beta::new(some as f64 + 1.0, (all - some) as f64).map_or(1.0, |beta| beta.inverse_cdf(0.95))
}

/// Probability of at least `hits` of `draws` among `marked` of `all`, if draws do not know what is marked (Fisher's exact test, one-sided).
pub(crate) fn chance(hits: usize, draws: usize, marked: usize, all: usize) -> f64 {
    if hits == 0 {
        return 1.0;
    }
    let distribution = Hypergeometric::new(all as u64, marked as u64, draws as u64);
    distribution.map_or(1.0, |distribution| distribution.sf(hits as u64 - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_the_tables() {
        let Interval { low, high } = wilson(41, 52).unwrap();
        assert!((low - 0.66).abs() < 0.005 && (high - 0.88).abs() < 0.005, "{low} {high}");
        assert_eq!(wilson(0, 0), None);
        for (some, all, bound) in [(0, 59, 0.05), (0, 299, 0.01), (0, 18, 0.1533), (1, 20, 0.2161), (3, 3, 1.0)] {
            assert!((exact_upper(some, all) - bound).abs() < 6e-4, "{some} of {all}: {}", exact_upper(some, all));
        }
    }

    #[test]
    fn intervals_cover_the_truth_as_often_as_they_say() {
        let mut chance = fastrand::Rng::with_seed(3);
        for (share, all) in [(0.1, 40), (0.5, 25), (0.79, 52), (0.95, 120)] {
            let draws = 4_000;
            let (mut within, mut below) = (0, 0);
            for _ in 0..draws {
                let some = (0..all).filter(|_| chance.f64() < share).count();
                let Interval { low, high } = wilson(some, all).unwrap();
                within += u32::from((low..=high).contains(&share));
                below += u32::from(share <= exact_upper(some, all));
            }
            let (within, below) = (f64::from(within) / f64::from(draws), f64::from(below) / f64::from(draws));
            assert!((0.92..0.98).contains(&within), "{share} of {all}: {within}");
            assert!(below >= 0.94, "{share} of {all}: {below}");
        }
    }

    #[test]
    fn chance_is_that_of_drawing_blindly() {
        // Two cards, both aces of four in 52.
        assert!((chance(2, 2, 4, 52) - 4.0 * 3.0 / (52.0 * 51.0)).abs() < 1e-9);
        assert!((chance(0, 5, 3, 9) - 1.0).abs() < 1e-9);
    }
}
