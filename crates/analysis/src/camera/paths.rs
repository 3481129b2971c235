use std::collections::{BTreeMap, VecDeque};
use std::iter;

use serde::{Deserialize, Serialize, Serializer};
use vedette_core::{PathPoint, PixelPoint, Span, Timestamp, Track, TrackId};

/// Steps kept of one track.
const MOST_STEPS: usize = 32;
/// A step is kept at most this often, so that the steps span seconds.
const STEP: Span = Span::from_millis(250);
/// A track unseen for this long is forgotten.
const FORGET: Span = Span::from_secs(5);

/// The recent trajectory of each track, for the evidence of an alert.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Paths {
    tracks: BTreeMap<TrackId, Steps>,
}

/// Oldest first. Stored as the time since the previous step, a third of the bytes of a timestamp.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "Vec<SavedStep>")]
struct Steps(#[serde(serialize_with = "save")] VecDeque<PathPoint>);

/// Microseconds and position.
type SavedStep = (i64, PixelPoint);

fn save<S: Serializer>(steps: &VecDeque<PathPoint>, serializer: S) -> Result<S::Ok, S::Error> {
    let before = iter::once(Timestamp::default()).chain(steps.iter().map(|step| step.at));
    serializer
        .collect_seq(steps.iter().zip(before).map(|(step, before)| (step.at.since(before).as_micros(), step.pixel)))
}

impl From<Vec<SavedStep>> for Steps {
    fn from(saved: Vec<SavedStep>) -> Self {
        let mut at = Timestamp::default();
        let step = |(micros, pixel)| {
            at = at + Span::from_micros(micros);
            PathPoint { at, pixel }
        };
        Self(saved.into_iter().map(step).collect())
    }
}

impl Paths {
    pub(super) fn extend(&mut self, at: Timestamp, tracks: &[Track]) {
        if tracks.is_empty() && self.tracks.is_empty() {
            return;
        }
        for track in tracks {
            let Steps(steps) = self.tracks.entry(track.id).or_default();
            if steps.back().is_some_and(|last| at.since(last.at) < STEP) {
                continue;
            }
            if steps.len() == MOST_STEPS {
                steps.pop_front();
            }
            steps.push_back(PathPoint { at, pixel: track.bbox.anchor() });
        }
        self.tracks.retain(|_, steps| steps.0.back().is_some_and(|last| at.since(last.at) < FORGET));
        if self.tracks.is_empty() {
            // An empty map keeps its allocation.
            self.clear();
        }
    }

    pub(super) fn of(&self, track: TrackId) -> Vec<PathPoint> {
        self.tracks.get(&track).map(|steps| steps.0.iter().copied().collect()).unwrap_or_default()
    }

    pub(super) fn clear(&mut self) {
        self.tracks = BTreeMap::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_saved_in_few_bytes_and_come_back_as_they_were() {
        let step = |n: i64| PathPoint {
            at: Timestamp::from_micros(1_764_000_000_000_000 + 250_000 * n),
            pixel: PixelPoint { x: 0.1 * n as f32, y: 7.3 },
        };
        let steps = Steps((0..32).map(step).collect());
        let paths = Paths { tracks: [(TrackId(3), steps), (TrackId(9), Steps::default())].into() };
        let saved = postcard::to_stdvec(&paths).unwrap();
        assert!(saved.len() < 32 * 12 + 16, "{} bytes", saved.len());
        assert_eq!(postcard::from_bytes::<Paths>(&saved).unwrap(), paths);
    }
}
