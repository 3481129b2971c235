use serde::{Deserialize, Serialize};
use vedette_core::{PixelPoint, Span, Timestamp};

use crate::geometry::distance;

/// Positions kept of one track, at most one each [`INTERVAL`]: about four seconds.
const MOST_POSITIONS: usize = 24;
const INTERVAL: Span = Span::from_millis(180);
/// Displacement is measured over this time.
const LOOK_BACK: Span = Span::from_secs(2);
/// Speed is measured over this time: a jittering box moves little within it.
const BASE: Span = Span::from_secs(1);
/// The shortest and the longest time over which speed is measured.
const SHORTEST: Span = Span::from_millis(500);
const LONGEST: Span = Span::from_secs(3);

/// The recent positions of a track.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct History {
    /// Oldest first.
    positions: Vec<Position>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Position {
    at: Timestamp,
    /// In pixels of the policy's frame.
    place: PixelPoint,
    /// Metres east and north.
    metres: Option<[f32; 2]>,
}

impl History {
    pub(crate) fn extend(&mut self, at: Timestamp, place: PixelPoint, metres: Option<[f32; 2]>) {
        if self.positions.last().is_some_and(|last| at.since(last.at) < INTERVAL) {
            return;
        }
        if self.positions.len() == MOST_POSITIONS {
            self.positions.remove(0);
        }
        self.positions.push(Position { at, place, metres });
    }

    /// Displacement over the last two seconds, up to `place`, in pixels.
    pub(crate) fn displacement(&self, at: Timestamp, place: PixelPoint) -> Option<[f32; 2]> {
        let from = self.positions.iter().find(|position| at.since(position.at) <= LOOK_BACK)?;
        Some([place.x - from.place.x, place.y - from.place.y])
    }

    /// Speed on the ground at `at`, in metres per second.
    pub(crate) fn speed(&self, at: Timestamp) -> Option<f32> {
        let (from, to) = self.base_of_speed(at)?;
        let ([x, y], [from_x, from_y]) = (to.metres?, from.metres?);
        Some((x - from_x).hypot(y - from_y) / to.at.since(from.at).as_secs_f64() as f32)
    }

    /// Speed in the picture at `at`, in pixels per second.
    pub(crate) fn pixel_speed(&self, at: Timestamp) -> Option<f32> {
        let (from, to) = self.base_of_speed(at)?;
        Some(distance(from.place, to.place) / to.at.since(from.at).as_secs_f64() as f32)
    }

    /// Increase of speed at `at` within two seconds, in metres per second.
    pub(crate) fn speed_gain(&self, at: Timestamp) -> Option<f32> {
        Some(self.speed(at)? - self.speed(at - LOOK_BACK)?)
    }

    /// The two positions from which the speed at `at` is measured.
    fn base_of_speed(&self, at: Timestamp) -> Option<(Position, Position)> {
        let until = self.positions.iter().rposition(|position| position.at <= at)?;
        let to = self.positions[until];
        let since = |position: &Position| to.at.since(position.at);
        let within = self.positions[..until].iter().position(|position| since(position) <= BASE);
        let from = match within.map(|index| &self.positions[index]) {
            Some(position) if since(position) >= SHORTEST => position,
            // A slow camera: only the previous position is available.
            _ => self.positions[..within.unwrap_or(until)].last()?,
        };
        let time = since(from);
        (SHORTEST..=LONGEST).contains(&time).then_some((*from, to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of `millis` each; `speed` returns the metres per second at a time in seconds.
    fn history(millis: i64, frames: i64, speed: impl Fn(f32) -> f32) -> (History, Timestamp) {
        let mut history = History::default();
        let (mut x, mut at) = (0.0, Timestamp::default());
        for frame in 0..frames {
            at = Timestamp::from_micros(frame * millis * 1000);
            history.extend(at, PixelPoint::new(10.0 * x, 5.0), Some([x, 0.0]));
            x += speed(at.as_micros() as f32 / 1e6) * millis as f32 / 1000.0;
        }
        (history, at)
    }

    #[test]
    fn speed_is_known_at_any_frame_rate() {
        for (millis, frames) in [(40, 100), (100, 40), (500, 8), (1000, 4), (2500, 3)] {
            let (history, at) = history(millis, frames, |_| 3.0);
            let speed = history.speed(at).unwrap();
            assert!((speed - 3.0).abs() < 0.01, "{speed} m/s with frames of {millis} ms");
            let pixels = history.pixel_speed(at).unwrap();
            assert!((pixels - 30.0).abs() < 0.1, "{pixels} pixels a second with frames of {millis} ms");
        }
        assert_eq!(history(4000, 3, |_| 3.0).0.speed(Timestamp::from_micros(8_000_000)), None, "frames too far apart");
    }

    #[test]
    fn who_starts_to_run_gains_speed_and_who_runs_on_does_not() {
        let (starts, at) = history(100, 50, |t| if t < 3.5 { 1.0 } else { 5.0 });
        assert!((starts.speed_gain(at).unwrap() - 4.0).abs() < 0.1, "{:?}", starts.speed_gain(at));
        let (runs, at) = history(100, 50, |_| 5.0);
        assert!(runs.speed_gain(at).unwrap().abs() < 0.1);
        let (new, at) = history(100, 15, |_| 5.0);
        assert_eq!(new.speed_gain(at), None, "nobody knows how fast it was");
    }
}
