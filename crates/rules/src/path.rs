use serde::{Deserialize, Serialize};
use vedette_core::{PixelPoint, Span, Timestamp};

/// Steps kept of one track, at most every [`STEP`]: about four seconds.
const MOST_STEPS: usize = 24;
const STEP: Span = Span::from_millis(180);
/// The way of the last so many seconds tells where an object goes.
const LOOK_BACK: Span = Span::from_secs(2);
/// A speed is the way of one second by its time: a shaking box moves little in so long.
const BASE: Span = Span::from_secs(1);
/// The shortest and the longest time that a speed is told from.
const SHORTEST: Span = Span::from_millis(500);
const LONGEST: Span = Span::from_secs(3);

/// The recent way of a track.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Path {
    /// Oldest first.
    steps: Vec<Step>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Step {
    at: Timestamp,
    /// In pixels of the policy's frame.
    place: PixelPoint,
    /// Metres east and north.
    metres: Option<[f32; 2]>,
}

impl Path {
    pub(crate) fn extend(&mut self, at: Timestamp, place: PixelPoint, metres: Option<[f32; 2]>) {
        if self.steps.last().is_some_and(|last| at.since(last.at) < STEP) {
            return;
        }
        if self.steps.len() == MOST_STEPS {
            self.steps.remove(0);
        }
        self.steps.push(Step { at, place, metres });
    }

    /// From where it was up to two seconds ago to `place`, in pixels.
    pub(crate) fn way(&self, at: Timestamp, place: PixelPoint) -> Option<[f32; 2]> {
        let from = self.steps.iter().find(|step| at.since(step.at) <= LOOK_BACK)?;
        Some([place.x - from.place.x, place.y - from.place.y])
    }

    /// Metres a second, up to `at`.
    pub(crate) fn speed(&self, at: Timestamp) -> Option<f32> {
        let until = self.steps.iter().rposition(|step| step.at <= at)?;
        let to = self.steps[until];
        let since = |step: &Step| to.at.since(step.at);
        let within = self.steps[..until].iter().position(|step| since(step) <= BASE);
        let from = match within.map(|index| &self.steps[index]) {
            Some(step) if since(step) >= SHORTEST => step,
            // A slow camera: the step before is all there is.
            _ => self.steps[..within.unwrap_or(until)].last()?,
        };
        let time = since(from);
        if time < SHORTEST || time > LONGEST {
            return None;
        }
        let ([x, y], [from_x, from_y]) = (to.metres?, from.metres?);
        Some((x - from_x).hypot(y - from_y) / time.as_secs_f64() as f32)
    }

    /// How much faster it is at `at` than it was two seconds before, in metres a second.
    pub(crate) fn rise(&self, at: Timestamp) -> Option<f32> {
        Some(self.speed(at)? - self.speed(at - LOOK_BACK)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of `millis` each, at metres per second that `speed` gives for the second.
    fn path(millis: i64, frames: i64, speed: impl Fn(f32) -> f32) -> (Path, Timestamp) {
        let mut path = Path::default();
        let (mut x, mut at) = (0.0, Timestamp::default());
        for frame in 0..frames {
            at = Timestamp::from_micros(frame * millis * 1000);
            path.extend(at, PixelPoint::new(10.0 * x, 5.0), Some([x, 0.0]));
            x += speed(at.as_micros() as f32 / 1e6) * millis as f32 / 1000.0;
        }
        (path, at)
    }

    #[test]
    fn speed_is_told_at_any_frame_rate() {
        for (millis, frames) in [(40, 100), (100, 40), (500, 8), (1000, 4), (2500, 3)] {
            let (path, at) = path(millis, frames, |_| 3.0);
            let speed = path.speed(at).unwrap();
            assert!((speed - 3.0).abs() < 0.01, "{speed} m/s with frames of {millis} ms");
        }
        assert_eq!(path(4000, 3, |_| 3.0).0.speed(Timestamp::from_micros(8_000_000)), None, "frames too far apart");
    }

    #[test]
    fn who_starts_to_run_gains_speed_and_who_runs_on_does_not() {
        let (starts, at) = path(100, 50, |t| if t < 3.5 { 1.0 } else { 5.0 });
        assert!((starts.rise(at).unwrap() - 4.0).abs() < 0.1, "{:?}", starts.rise(at));
        let (runs, at) = path(100, 50, |_| 5.0);
        assert!(runs.rise(at).unwrap().abs() < 0.1);
        let (new, at) = path(100, 15, |_| 5.0);
        assert_eq!(new.rise(at), None, "nobody knows how fast it was");
    }
}
