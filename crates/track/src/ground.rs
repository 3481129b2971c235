use serde::{Deserialize, Serialize};

use crate::class_group::ClassGroup;
use crate::filter::{Covariance, Motion};

/// The ground position of a detection, in metres east and north of an origin that stays the same for the camera, and its
/// uncertainty. Far from a camera a position is known well across the line of sight and badly along it, which is what makes the
/// ground better than the picture for telling objects apart (UCMCTrack, Yi et al. 2024).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroundFix {
    /// Metres east of the origin.
    pub east_m: f32,
    /// Metres north of the origin.
    pub north_m: f32,
    /// Covariance of the position in square metres: east-east, east-north, north-north.
    pub covariance_m2: [f32; 3],
}

impl GroundFix {
    /// Whether it is usable: finite, and with a valid covariance.
    pub(crate) fn is_sound(&self) -> bool {
        let [ee, en, nn] = self.covariance_m2;
        [self.east_m, self.north_m, ee, en, nn].iter().all(|value| value.is_finite())
            && ee > 0.0
            && nn > 0.0
            && ee * nn > en * en
            && ee + nn < MOST_VARIANCE_M2
    }
}

/// A position known less precisely than within 100 m is worthless.
const MOST_VARIANCE_M2: f32 = 10_000.0;
/// Process noise of the velocity: variance per second, in square metres per second squared.
const UNREST_M2: f32 = 1.0;
/// Additional process noise of the position, variance per second: bodies sway, boxes shake.
const SWAY_M2: f32 = 0.05;

/// Constant-velocity Kalman filter of a ground position, metres and metres per second. The filter's own uncertainty is
/// kept as that of a circle; that of each fix is used as it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct GroundFilter {
    east: Motion,
    north: Motion,
    covariance: Covariance,
}

impl GroundFilter {
    pub(crate) fn new(fix: &GroundFix, group: ClassGroup) -> Self {
        let speed = match group {
            ClassGroup::Person | ClassGroup::Animal | ClassGroup::Thing => 1.5,
            ClassGroup::TwoWheeler => 5.0,
            ClassGroup::Vehicle => 10.0,
        };
        Self {
            east: Motion { at: fix.east_m, speed: 0.0 },
            north: Motion { at: fix.north_m, speed: 0.0 },
            covariance: Covariance { position: mean_variance(fix), mixed: 0.0, velocity: speed * speed },
        }
    }

    /// Predicts `dt` seconds ahead.
    pub(crate) fn predict(&mut self, dt: f32) {
        self.east.at += self.east.speed * dt;
        self.north.at += self.north.speed * dt;
        self.covariance.predict(dt, SWAY_M2, UNREST_M2);
    }

    /// Updates with a fix.
    pub(crate) fn correct(&mut self, fix: &GroundFix) {
        let gains = self.covariance.correct(mean_variance(fix));
        self.east.correct(fix.east_m, gains);
        self.north.correct(fix.north_m, gains);
    }

    /// The object is known to stand still.
    pub(crate) fn stop(&mut self) {
        self.east.speed = 0.0;
        self.north.speed = 0.0;
    }

    /// Squared Mahalanobis distance to a fix.
    pub(crate) fn distance2(&self, fix: &GroundFix) -> f32 {
        let [ee, en, nn] = fix.covariance_m2;
        let (ee, nn) = (ee + self.covariance.position, nn + self.covariance.position);
        let (east, north) = (fix.east_m - self.east.at, fix.north_m - self.north.at);
        (nn * east * east - 2.0 * en * east * north + ee * north * north) / (ee * nn - en * en)
    }
}

fn mean_variance(fix: &GroundFix) -> f32 {
    (fix.covariance_m2[0] + fix.covariance_m2[2]) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fix(east_m: f32, north_m: f32) -> GroundFix {
        GroundFix { east_m, north_m, covariance_m2: [0.04, 0.0, 4.0] }
    }

    #[test]
    fn distance_counts_across_the_line_of_sight_more_than_along_it() {
        let mut filter = GroundFilter::new(&fix(0.0, 20.0), ClassGroup::Person);
        for step in 1..=20 {
            filter.predict(0.1);
            filter.correct(&fix(step as f32 * 0.1, 20.0));
        }
        filter.predict(0.1);
        assert!(filter.distance2(&fix(2.1, 20.0)) < 0.5, "{filter:?}");
        assert!(filter.distance2(&fix(4.1, 20.0)) > 2.0 * filter.distance2(&fix(2.1, 22.0)));
    }

    #[test]
    fn a_fix_that_is_none_is_told() {
        assert!(fix(1.0, 2.0).is_sound());
        for covariance_m2 in [[0.0, 0.0, 1.0], [1.0, 2.0, 1.0], [f32::NAN, 0.0, 1.0], [1e9, 0.0, 1.0]] {
            assert!(!GroundFix { covariance_m2, ..fix(1.0, 2.0) }.is_sound());
        }
        assert!(!fix(f32::INFINITY, 0.0).is_sound());
    }
}
