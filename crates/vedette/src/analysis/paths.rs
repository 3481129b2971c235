use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use vedette_core::{PathPoint, Span, Timestamp, Track, TrackId};

/// Steps kept of one track.
const MOST_STEPS: usize = 32;
/// A step is kept at most this often, so that the steps span seconds.
const STEP: Span = Span::from_millis(250);
/// A track that was not seen for this long is forgotten.
const FORGET: Span = Span::from_secs(5);

/// The recent way of each track, for the evidence of an alert.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Paths {
    tracks: BTreeMap<TrackId, VecDeque<PathPoint>>,
}

impl Paths {
    pub(super) fn extend(&mut self, at: Timestamp, tracks: &[Track]) {
        if tracks.is_empty() && self.tracks.is_empty() {
            return;
        }
        for track in tracks {
            let steps = self.tracks.entry(track.id).or_default();
            if steps.back().is_some_and(|last| at.since(last.at) < STEP) {
                continue;
            }
            if steps.len() == MOST_STEPS {
                steps.pop_front();
            }
            steps.push_back(PathPoint { at, pixel: track.bbox.anchor() });
        }
        self.tracks.retain(|_, steps| steps.back().is_some_and(|last| at.since(last.at) < FORGET));
        if self.tracks.is_empty() {
            // An empty map keeps memory.
            self.clear();
        }
    }

    pub(super) fn of(&self, track: TrackId) -> Vec<PathPoint> {
        self.tracks.get(&track).map(|steps| steps.iter().copied().collect()).unwrap_or_default()
    }

    pub(super) fn clear(&mut self) {
        self.tracks = BTreeMap::new();
    }
}
