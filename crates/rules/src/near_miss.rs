//! The state of near-misses, separate from the rule's state.

use serde::{Deserialize, Serialize};
use vedette_core::{NearestFrame, PixelPoint, Rule, Span, Term, Timestamp, TrackId};

use crate::nearest::Nearest;
use crate::side::LineSide;
use crate::trajectory::Object;

/// A value that reaches this fraction of its threshold is near it.
pub(crate) const NEAR: f32 = 0.75;
/// One near-miss of a rule and term is emitted in this time; the others are counted.
const EVERY: Span = Span::from_secs(10);
/// The same for terms measured continuously on the camera: a camera whose usual value is near would otherwise emit without end.
const EVERY_OF_CAMERA: Span = Span::from_secs(600);
/// Most objects tracked per rule because they lack one requirement.
pub(crate) const MOST_LACKING: usize = 16;

/// The near-misses of a rule.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct NearMisses {
    /// Objects in the zone that lack one requirement.
    pub(crate) lacking: Vec<Lacking>,
    /// Objects near the line that do.
    pub(crate) sides: Vec<LineSide>,
    /// The shortfall of the whole zone or the camera.
    pub(crate) whole: Option<Nearly>,
    /// When a near-miss of each term was last emitted.
    emitted: Vec<(Term, Timestamp)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Lacking {
    pub(crate) track: TrackId,
    pub(crate) began: Timestamp,
    pub(crate) held: Timestamp,
    pub(crate) place: PixelPoint,
    pub(crate) shortfall: Shortfall,
    /// The frame in which the shortfall was least.
    #[serde(skip)]
    pub(crate) nearest: Nearest,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Nearly {
    pub(crate) began: Timestamp,
    pub(crate) held: Timestamp,
    pub(crate) place: PixelPoint,
    pub(crate) shortfall: Shortfall,
}

/// The subject of a near-miss, with time and place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About {
    pub(crate) subject: Option<TrackId>,
    /// When it began, and when it was last seen.
    pub(crate) times: (Timestamp, Timestamp),
    /// In pixels of the policy's frame.
    pub(crate) place: PixelPoint,
    /// The frame in which the subject came nearest to an alert.
    pub(crate) nearest: Option<NearestFrame>,
}

impl About {
    /// About a whole zone or the camera.
    pub(crate) const fn whole(times: (Timestamp, Timestamp), place: PixelPoint) -> Self {
        Self { subject: None, times, place, nearest: None }
    }

    /// About an object and a frame that was kept.
    pub(crate) fn object(
        subject: TrackId,
        times: (Timestamp, Timestamp),
        place: PixelPoint,
        nearest: &Nearest,
    ) -> Self {
        Self { subject: Some(subject), times, place, nearest: nearest.as_deref().copied() }
    }
}

/// A requirement that was almost met.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Shortfall {
    pub(crate) term: Term,
    pub(crate) value: f32,
    pub(crate) threshold: f32,
}

impl Shortfall {
    /// If `value` is near `threshold` from below.
    pub(crate) fn below(term: Term, value: f32, threshold: f32) -> Option<Self> {
        (value < threshold && value >= NEAR * threshold).then_some(Self { term, value, threshold })
    }

    /// If `value` is near `threshold` from above.
    pub(crate) fn above(term: Term, value: f32, threshold: f32) -> Option<Self> {
        (value >= threshold && value * NEAR <= threshold).then_some(Self { term, value, threshold })
    }

    /// If a fraction of the usual value, which is 1, has fallen most of the way to `threshold`.
    pub(crate) fn of_usual(value: f32, threshold: f32) -> Option<Self> {
        let near = value >= threshold && 1.0 - value >= NEAR * (1.0 - threshold);
        near.then_some(Self { term: Term::PART, value, threshold })
    }

    pub(crate) fn distance(&self) -> f32 {
        (self.value - self.threshold).abs()
    }

    /// The shortfall of an object of one of the rule's classes that does not count, when it lacks one requirement by little.
    pub(crate) fn of(object: &Object, rule: &Rule) -> Option<Self> {
        let enter = rule.score.enter.get();
        let (height, size) = (object.height_part, rule.size);
        let fits = size.is_none_or(|size| (size.min_height..=size.max_height).contains(&height));
        if !rule.classes.contains(object.track.class) {
            None
        } else if object.best < enter {
            Self::below(Term::SCORE, object.best, enter).filter(|_| fits)
        } else if object.track.score < rule.score.stay || fits {
            None
        } else {
            let size = size?;
            let above = height > size.max_height && height * NEAR <= size.max_height;
            let too_large = Self { term: Term::SIZE, value: height, threshold: size.max_height };
            Self::below(Term::SIZE, height, size.min_height).or_else(|| above.then_some(too_large))
        }
    }
}

impl NearMisses {
    /// Whether no object and no shortfall is tracked.
    pub(crate) fn is_resting(&self) -> bool {
        self.lacking.is_empty() && self.sides.is_empty() && self.whole.is_none()
    }

    /// Frees the memory of objects no longer tracked.
    pub(crate) fn shrink(&mut self) {
        self.lacking.shrink_to_fit();
        self.sides.shrink_to_fit();
        self.emitted.shrink_to_fit();
    }

    pub(crate) fn reassociate(&mut self, old: TrackId, new: TrackId) {
        for lacking in self.lacking.iter_mut().filter(|lacking| lacking.track == old) {
            lacking.track = new;
        }
        for side in self.sides.iter_mut().filter(|side| side.track == old) {
            side.track = new;
        }
        self.sides.sort_by_key(LineSide::key);
    }

    pub(crate) fn nearest<'a>(&'a self, places: &mut Vec<&'a Nearest>) {
        places.extend(self.lacking.iter().map(|lacking| &lacking.nearest));
    }

    pub(crate) fn nearest_mut<'a>(&'a mut self, places: &mut Vec<&'a mut Nearest>) {
        places.extend(self.lacking.iter_mut().map(|lacking| &mut lacking.nearest));
    }

    /// Whether a near-miss of this term may be emitted at `at`; if so, the next has to wait.
    pub(crate) fn may_emit(&mut self, term: Term, at: Timestamp) -> bool {
        match self.emitted.iter_mut().find(|(emitted, _)| *emitted == term) {
            Some((_, last)) if at.since(*last) < interval(term) => return false,
            Some((_, last)) => *last = at,
            None => self.emitted.push((term, at)),
        }
        true
    }
}

/// Minimum time between two near-misses of a term.
fn interval(term: Term) -> Span {
    match term {
        Term::FRAME_RATE | Term::LEVELS | Term::PART | Term::OFFSET => EVERY_OF_CAMERA,
        _ => EVERY,
    }
}
