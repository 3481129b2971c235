use serde::{Deserialize, Serialize};
use vedette_core::PixelBox;

use crate::TrackerSettings;

/// Covariance of a position and its velocity. The two coordinates of a pair (centre, size) are measured together and
/// with the same noise, so they share one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Covariance {
    pub(crate) position: f32,
    pub(crate) mixed: f32,
    pub(crate) velocity: f32,
}

impl Covariance {
    /// Predicts `dt` seconds ahead; `position` and `velocity` are the process noise variances per second.
    pub(crate) fn predict(&mut self, dt: f32, position: f32, velocity: f32) {
        self.position += dt * (2.0 * self.mixed + dt * self.velocity) + position * dt + velocity * dt * dt * dt / 3.0;
        self.mixed += dt * self.velocity + velocity * dt * dt / 2.0;
        self.velocity += velocity * dt;
    }

    /// Updates with a measurement of variance `noise`; returns the gains for position and velocity.
    pub(crate) fn correct(&mut self, noise: f32) -> (f32, f32) {
        let total = self.position + noise;
        let (position, velocity) = (self.position / total, self.mixed / total);
        self.velocity -= velocity * self.mixed;
        self.mixed *= 1.0 - position;
        self.position *= 1.0 - position;
        (position, velocity)
    }
}

/// One coordinate and its velocity per second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Motion {
    pub(crate) at: f32,
    pub(crate) speed: f32,
}

impl Motion {
    pub(crate) fn correct(&mut self, measured: f32, (position, velocity): (f32, f32)) {
        let surprise = measured - self.at;
        self.at += position * surprise;
        self.speed += velocity * surprise;
    }
}

/// Constant-velocity Kalman filter of a box: centre, width and height in pixels, velocities in pixels per second. All noise is
/// proportional to the box height, as in SORT's descendants.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct BoxFilter {
    x: Motion,
    y: Motion,
    width: Motion,
    height: Motion,
    centre: Covariance,
    size: Covariance,
}

/// Decay per second of the estimated change of size while the object is unseen.
const SIZE_SPEED_DECAY: f32 = 4.0;
/// The same for the velocity of the centre: objects that vanish are mostly occluded.
const SPEED_DECAY: f32 = 0.5;
/// The size has less process noise than the centre.
const SIZE_STEADINESS: f32 = 0.25;

impl BoxFilter {
    pub(crate) fn new(measured: &PixelBox, settings: &TrackerSettings) -> Self {
        let noise = measured.height * settings.measurement_noise;
        let speed = measured.height * settings.velocity_noise;
        let still = |at| Motion { at, speed: 0.0 };
        let start = |speed: f32| Covariance { position: noise * noise, mixed: 0.0, velocity: speed * speed };
        Self {
            x: still(measured.x + measured.width / 2.0),
            y: still(measured.y + measured.height / 2.0),
            width: still(measured.width),
            height: still(measured.height),
            centre: start(speed),
            size: start(speed * SIZE_STEADINESS),
        }
    }

    /// Predicts `dt` seconds ahead. `seen` says whether the object was matched in the last frame.
    pub(crate) fn predict(&mut self, dt: f32, seen: bool, settings: &TrackerSettings) {
        if !seen {
            let size = 1.0 / (1.0 + dt * SIZE_SPEED_DECAY);
            self.width.speed *= size;
            self.height.speed *= size;
            let centre = 1.0 / (1.0 + dt * SPEED_DECAY);
            self.x.speed *= centre;
            self.y.speed *= centre;
        }
        for motion in [&mut self.x, &mut self.y] {
            motion.at += motion.speed * dt;
        }
        for motion in [&mut self.width, &mut self.height] {
            // However fast a size seems to change, it changes by at most a half between two frames.
            motion.at = (motion.at + motion.speed * dt).clamp(motion.at * 0.5, motion.at * 1.5);
        }
        let height = self.height.at;
        let (position, velocity) = (height * settings.position_noise, height * settings.velocity_noise);
        self.centre.predict(dt, position * position, velocity * velocity);
        let (position, velocity) = (position * SIZE_STEADINESS, velocity * SIZE_STEADINESS);
        self.size.predict(dt, position * position, velocity * velocity);
    }

    /// Updates with a detected box.
    pub(crate) fn correct(&mut self, measured: &PixelBox, settings: &TrackerSettings) {
        let noise = measured.height * settings.measurement_noise;
        let gains = self.centre.correct(noise * noise);
        self.x.correct(measured.x + measured.width / 2.0, gains);
        self.y.correct(measured.y + measured.height / 2.0, gains);
        let gains = self.size.correct(noise * noise);
        self.width.correct(measured.width, gains);
        self.height.correct(measured.height, gains);
        self.width.at = self.width.at.max(1e-3);
        self.height.at = self.height.at.max(1e-3);
    }

    /// Compensates a shift of the whole picture, in pixels.
    pub(crate) fn shift(&mut self, x: f32, y: f32) {
        self.x.at += x;
        self.y.at += y;
    }

    /// The object is known to stand still.
    pub(crate) fn stop(&mut self) {
        for motion in [&mut self.x, &mut self.y, &mut self.width, &mut self.height] {
            motion.speed = 0.0;
        }
    }

    /// The current box estimate.
    pub(crate) fn bbox(&self) -> PixelBox {
        PixelBox::new(self.x.at - self.width.at / 2.0, self.y.at - self.height.at / 2.0, self.width.at, self.height.at)
    }

    /// Whether every number is finite; boxes near the limits of `f32` can overflow.
    pub(crate) fn is_finite(&self) -> bool {
        [self.x, self.y, self.width, self.height].iter().all(|m| m.at.is_finite() && m.speed.is_finite())
            && [self.centre, self.size].iter().all(|c| (c.position + c.mixed + c.velocity).is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(times: &[f32]) -> BoxFilter {
        let settings = TrackerSettings::default();
        let at = |t: f32| PixelBox::new(100.0 + 60.0 * t, 50.0, 40.0, 100.0);
        let mut filter = BoxFilter::new(&at(times[0]), &settings);
        for pair in times.windows(2) {
            filter.predict(pair[1] - pair[0], true, &settings);
            filter.correct(&at(pair[1]), &settings);
        }
        filter
    }

    #[test]
    fn steady_walk_is_predicted_at_any_frame_rate() {
        let even: Vec<f32> = (0..50).map(|i| i as f32 * 0.04).collect();
        let uneven: Vec<f32> = (0..20).map(|i| i as f32 * 0.1 + if i % 3 == 0 { 0.05 } else { 0.0 }).collect();
        for times in [even, uneven] {
            let mut filter = walk(&times);
            filter.predict(0.5, true, &TrackerSettings::default());
            let expected = 100.0 + 60.0 * (times[times.len() - 1] + 0.5);
            assert!((filter.bbox().x - expected).abs() < 6.0, "{:?} against {expected}", filter.bbox());
        }
    }

    #[test]
    fn long_unseen_box_stays_a_box() {
        let mut filter = walk(&[0.0, 0.1, 0.2]);
        for _ in 0..100 {
            filter.predict(1.0, false, &TrackerSettings::default());
        }
        assert!(filter.is_finite() && filter.bbox().width > 0.0 && filter.bbox().height > 0.0);
    }
}
