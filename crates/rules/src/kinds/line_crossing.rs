use vedette_core::{Direction, EventCode, Measured, PixelPoint, Segment, Timestamp, TrackId};

use crate::definition::{CROSSINGS, Context, Gbt28181, Kind, KindInfo, text};
use crate::found::Found;
use crate::lazy_box::LazyBox;
use crate::limits;
use crate::line_crossing::{Crossing, Crossings, LineCrossed};
use crate::parameters::parameters;
use crate::step::{CROSSED, Step};

parameters! {
    /// An object crosses a segment of a line. A crossing counts once the object is on the other side for 100 ms; a band of half a
    /// percent of the picture on either side belongs to no side; the same track crosses in the same direction at most once in two
    /// seconds. Objects cut off by the left or right border of the picture do not cross. Up to 16 segments. `min_duration` has no
    /// effect.
    pub(crate) struct LineCrossing {
        /// One end.
        a: PixelPoint;
        /// The other end.
        b: PixelPoint;
        /// The direction that counts, seen from `a` towards `b` in the picture.
        direction: Direction = Direction::Both;
        /// Further segments, each with its own direction.
        also: Vec<Segment> = Vec::new();
    }
}

impl Kind for LineCrossing {
    const INFO: KindInfo = KindInfo {
        measures: &[CROSSINGS],
        instantaneous: true,
        onvif_topic: Some("RuleEngine/LineDetector/Crossed"),
        gbt28181: Gbt28181::video(5),
        event_code: Some(EventCode::constant(5)),
        ..KindInfo::new(
            "line_crossing",
            text("Line crossing", "越线"),
            text("An object crosses the line.", "目标越过警戒线。"),
        )
    };
    type State = LazyBox<Crossings>;

    fn segments(&self) -> Vec<Segment> {
        let first = Segment { a: self.a, b: self.b, direction: self.direction };
        std::iter::once(first).chain(self.also.iter().copied()).collect()
    }

    fn check(&self, context: Context<'_>, found: &mut Found) {
        limits::check_segments(&self.segments(), context.frame(), found);
    }

    fn step(&self, step: &mut Step<'_>, state: &mut LazyBox<Crossings>) {
        step.line_crossing(self, state);
    }
}

impl LineCrossed for LineCrossing {
    fn measured(
        &self,
        _step: &mut Step<'_>,
        _crossing: &Crossing<'_>,
        _last: &mut [Option<(Timestamp, TrackId)>; 2],
    ) -> Option<Measured> {
        Some(CROSSED)
    }
}
