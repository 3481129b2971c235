use nalgebra::Vector2;

use crate::fit::{Fitted, Pair, homography};

/// From this number of points on, the others show which one is wrong.
const LEAST_POINTS: usize = 6;
/// Without the wrong point the squared residuals are smaller than without any other by this factor or more.
const DISTINCT: f64 = 3.0;

/// The control point that agrees least with the others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Odd {
    pub(crate) index: usize,
    /// Metres from where the others put it; none when that is beyond their horizon.
    pub(crate) off_m: Option<f64>,
    /// The same in sigmas of the stated errors, or of the residuals of the others where these are larger.
    pub(crate) sigmas: f64,
    /// Largest residual of the others, in metres.
    pub(crate) rest_m: f64,
    /// A point without which the others agree nearly as well.
    pub(crate) instead: Option<usize>,
}

/// Finds the point without which the others agree best, if it may be off by `least` sigmas; none with fewer than six points.
/// `chi_squared` is the sum of squares of all points, infinite when they have no common projection.
pub(crate) fn odd_one(pairs: &[Pair], chi_squared: f64, least: f64) -> Option<Odd> {
    // No point is farther off than all of them together, which saves a fit without each.
    if pairs.len() < LEAST_POINTS || chi_squared < least * least {
        return None;
    }
    let freedom = (2 * (pairs.len() - 1) - 8) as f64;
    let mut rests: Vec<_> = (0..pairs.len())
        .filter_map(|index| {
            let rest: Vec<Pair> =
                pairs.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, pair)| *pair).collect();
            Some((index, homography(&rest).ok()?))
        })
        .collect();
    rests.sort_by(|a, b| a.1.chi_squared.total_cmp(&b.1.chi_squared));
    let mut rests = rests.into_iter();
    let (index, best) = rests.next()?;
    let is_like = |second: &Fitted| second.chi_squared < DISTINCT * best.chi_squared.max(freedom);
    let instead = rests.next().filter(|(_, second)| is_like(second)).map(|(index, _)| index);
    let pair = pairs.get(index)?;
    let off_m = best.image(pair.pixel).map(|at: Vector2<f64>| (at - pair.metres).norm());
    let sigmas = ((chi_squared - best.chi_squared).max(0.0) / (best.chi_squared / freedom).max(1.0)).sqrt();
    let rest_m = best.residuals.iter().copied().fold(0.0, f64::max);
    Some(Odd { index, off_m, sigmas, rest_m, instead })
}
