//! The usual picture of a camera, learned over minutes: shared by blurred and moved.

use serde::{Deserialize, Serialize};
use vedette_core::{PictureStats, Quantity, Span, Term, Timestamp};

use crate::camera::Reading;
use crate::near_miss::Shortfall;

/// Time constant of the mean of the usual values.
const USUAL: Span = Span::from_secs(300);
/// They are known after this time.
const LEARNED: Span = Span::from_secs(30);
/// A picture that is unusual for this long becomes the usual one: the camera was remounted on purpose.
const RELEARNED: Span = Span::from_secs(3_600);
/// A grid whose fields differ less than this many levels (standard deviation) has nothing to compare.
const LEAST_SPREAD: f32 = 3.0;
pub(crate) const GRID: usize = PictureStats::COLUMNS * PictureStats::ROWS;

/// The usual picture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Usual {
    since: Timestamp,
    at: Timestamp,
    /// Sharpness divided by contrast.
    pub(crate) detail: f32,
    pub(crate) grid: [f32; GRID],
    /// Since when it is unusual.
    unusual: Option<Timestamp>,
}

/// Compares a picture with the usual one, and learns from it. `compare` returns 1 for the usual picture and less for others; NaN if
/// undecided.
pub(crate) fn unusual(
    usual: &mut Option<Box<Usual>>,
    at: Timestamp,
    picture: &PictureStats,
    threshold: f32,
    compare: impl Fn(&Usual, f32, &[f32; GRID]) -> f32,
) -> Option<Reading> {
    let grid = picture.grid.map(f32::from);
    let detail = picture.sharpness / picture.contrast.max(1.0);
    let fresh = || Box::new(Usual { since: at, at, detail, grid, unusual: None });
    let known = usual.get_or_insert_with(fresh);
    let value = compare(known, detail, &grid);
    let is_learned = at.since(known.since) >= LEARNED;
    let is_unusual = is_learned && value < threshold;
    if !is_unusual {
        known.learn(at, detail, &grid);
        return Shortfall::of_usual(value, threshold).filter(|_| is_learned).map(Reading::Near);
    }
    let since = *known.unusual.get_or_insert(at);
    if at.since(since) >= RELEARNED {
        *known = fresh();
        return None;
    }
    Reading::below(Quantity::PART, Term::PART, value, threshold)
}

impl Usual {
    fn learn(&mut self, at: Timestamp, detail: f32, grid: &[f32; GRID]) {
        let passed = at.since(self.at).as_secs_f64() as f32;
        // A plain mean in the beginning, an exponential one later.
        let over = (at.since(self.since).as_secs_f64() as f32).min(USUAL.as_secs_f64() as f32);
        let weight = if over > 0.0 { (passed / over).clamp(0.0, 1.0) } else { 0.0 };
        self.detail += weight * (detail - self.detail);
        for (usual, now) in self.grid.iter_mut().zip(grid) {
            *usual += weight * (now - *usual);
        }
        (self.at, self.unusual) = (at, None);
    }
}

/// The correlation of two grids: 1 when they differ in brightness and contrast only. Not a number when one of them is uniform.
pub(crate) fn likeness(one: &[f32; GRID], other: &[f32; GRID]) -> f32 {
    let mean = |grid: &[f32; GRID]| grid.iter().sum::<f32>() / GRID as f32;
    let (mean_one, mean_other) = (mean(one), mean(other));
    let (mut both, mut of_one, mut of_other) = (0.0, 0.0, 0.0);
    for (a, b) in one.iter().zip(other) {
        let (a, b) = (a - mean_one, b - mean_other);
        both += a * b;
        of_one += a * a;
        of_other += b * b;
    }
    let spread = |sum: f32| (sum / GRID as f32).sqrt();
    if spread(of_one) < LEAST_SPREAD || spread(of_other) < LEAST_SPREAD {
        return f32::NAN;
    }
    both / (of_one.sqrt() * of_other.sqrt())
}
