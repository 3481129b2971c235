use vedette_core::{Direction, Measured, PixelPoint, Quantity, Segment, Span, Term, Timestamp, TrackId};

use crate::definition::{Context, GAP, Gbt28181, Kind, KindInfo, text};
use crate::found::Found;
use crate::lazy_box::LazyBox;
use crate::limits::{self, SHORTEST};
use crate::line_crossing::{Crossing, Crossings, LineCrossed};
use crate::near_miss::Shortfall;
use crate::parameters::parameters;
use crate::step::Step;

parameters! {
    /// An object crosses a segment in the same direction as another less than `within` before. The measured value is the gap in
    /// seconds; the threshold is a maximum. A gap that is up to half too long is a near-miss. Crossings count as for
    /// `line_crossing`.
    pub(crate) struct Tailgating {
        /// One end.
        a: PixelPoint;
        /// The other end.
        b: PixelPoint;
        /// The direction that counts, as for `line_crossing`.
        direction: Direction = Direction::Both;
        /// Least gap that is no longer tailgating.
        within: Span [SHORTEST => Span::from_secs(60)] = Span::from_secs(2);
    }
}

/// A gap of up to this multiple of `within` is a near-miss.
const NEAR_GAP: f64 = 1.5;

impl Kind for Tailgating {
    const INFO: KindInfo = KindInfo {
        measures: &[GAP],
        instantaneous: true,
        onvif_topic: Some("RuleEngine/LineDetector/Crossed"),
        gbt28181: Gbt28181::video(5),
        ..KindInfo::new(
            "tailgating",
            text("Tailgating", "尾随"),
            text("An object crosses the line right behind another.", "目标紧随他人通过。"),
        )
    };
    type State = LazyBox<Crossings>;

    fn segments(&self) -> Vec<Segment> {
        vec![Segment { a: self.a, b: self.b, direction: self.direction }]
    }

    fn check(&self, context: Context<'_>, found: &mut Found) {
        limits::check_segments(&self.segments(), context.frame(), found);
    }

    fn step(&self, step: &mut Step<'_>, state: &mut LazyBox<Crossings>) {
        step.line_crossing(self, state);
    }
}

impl LineCrossed for Tailgating {
    fn measured(
        &self,
        step: &mut Step<'_>,
        crossing: &Crossing<'_>,
        last: &mut [Option<(Timestamp, TrackId)>; 2],
    ) -> Option<Measured> {
        let (at, object) = (step.frame.at, &crossing.object);
        let before = last[usize::from(crossing.direction == Direction::RightToLeft)].replace((at, object.id()));
        let (before, _) = before.filter(|(_, track)| *track != object.id())?;
        let (value, threshold) = (at.since(before).as_secs_f64(), self.within.as_secs_f64());
        if value <= threshold {
            return Some(Measured { quantity: Quantity::GAP, value, threshold });
        }
        if value <= NEAR_GAP * threshold {
            let gap = Shortfall { term: Term::GAP, value: value as f32, threshold: threshold as f32 };
            step.miss(step.about(crossing.subject, before, object), gap);
        }
        None
    }
}
