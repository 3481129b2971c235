mod defaults;
mod facts;

use serde::{Deserialize, Serialize};

use crate::{PixelPoint, RuleId, Span, Zone};

/// Which way over a line counts, seen while standing at `a` and looking towards `b` in the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the left side to the right side.
    LeftToRight,
    /// From the right side to the left side.
    RightToLeft,
    /// Both ways; the alert says which.
    #[default]
    Both,
}

/// A straight line in the picture that can be crossed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// One end.
    pub a: PixelPoint,
    /// The other end.
    pub b: PixelPoint,
    /// Which way counts.
    #[serde(default)]
    pub direction: Direction,
}

/// What a rule watches for. An object is where its anchor is, the middle of the bottom edge of its box. A "height" is that of
/// the object's own box, so that near and far objects are measured alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Condition {
    /// An object is in the zone for `min_duration` (intrusion).
    Presence {
        /// The zone.
        zone: Zone,
    },
    /// An object crosses a line, of one segment or several.
    LineCrossing {
        /// One end.
        a: PixelPoint,
        /// The other end.
        b: PixelPoint,
        /// Which way counts.
        #[serde(default)]
        direction: Direction,
        /// Further segments, each with its own direction.
        #[serde(default)]
        also: Vec<Segment>,
    },
    /// One object stays in the zone for `duration` (loitering).
    Dwell {
        /// The zone.
        zone: Zone,
        /// How long is too long.
        duration: Span,
    },
    /// At least `at_least` objects are in the zone at once for `min_duration` (crowd).
    Count {
        /// The zone.
        zone: Zone,
        /// How many are too many.
        at_least: u32,
    },
    /// Objects stand too closely in a zone on the ground for `min_duration` (crowd density). Calibrated cameras.
    Density {
        /// The zone, on the ground.
        zone: Zone,
        /// Objects per square metre.
        at_least_per_m2: f32,
    },
    /// Objects come together in the zone and stay so for `min_duration`.
    Gathering {
        /// The zone.
        zone: Zone,
        /// How many together are too many.
        at_least: u32,
        /// How far a neighbour may stand away, in heights of the higher of the two.
        #[serde(default = "defaults::neighbour_reach")]
        reach: f32,
    },
    /// An object stands still in the zone for `duration` (illegal parking).
    Stopped {
        /// The zone.
        zone: Zone,
        /// How long is too long.
        duration: Span,
        /// How far it may shift and still stand, in heights.
        #[serde(default = "defaults::reach")]
        reach: f32,
    },
    /// An object moves against the allowed way through the zone.
    WrongWay {
        /// The zone.
        zone: Zone,
        /// Where the arrow of the allowed way begins.
        from: PixelPoint,
        /// Where it ends.
        to: PixelPoint,
        /// How far from straight against the arrow still counts, in degrees.
        #[serde(default = "defaults::tolerance")]
        tolerance_deg: f32,
        /// How far it must have come against the arrow within two seconds, in heights.
        #[serde(default = "defaults::distance")]
        distance: f32,
    },
    /// An object comes into the zone from outside and stays there for `min_duration`.
    ZoneEntry {
        /// The zone.
        zone: Zone,
    },
    /// An object that was in the zone is seen outside for `min_duration`.
    ZoneExit {
        /// The zone.
        zone: Zone,
    },
    /// A thing stands in the zone for `duration` without the person who was with it.
    LeftObject {
        /// The zone.
        zone: Zone,
        /// How long is too long.
        duration: Span,
        /// How near its person must be to be with it, in heights of the person.
        #[serde(default = "defaults::owner_reach")]
        owner_reach: f32,
    },
    /// A thing that stood in the zone is gone.
    RemovedObject {
        /// The zone.
        zone: Zone,
        /// How long it must have stood there to be missed.
        #[serde(default = "defaults::settled")]
        settled: Span,
        /// How long it must be missing, times at which somebody hides its place left out.
        #[serde(default = "defaults::missing")]
        missing: Span,
    },
    /// An object is faster than allowed for `min_duration`. Calibrated cameras.
    Speed {
        /// The zone.
        zone: Zone,
        /// Metres a second.
        at_least_m_s: f32,
    },
    /// An object that was slow breaks into a run. Calibrated cameras.
    Running {
        /// The zone.
        zone: Zone,
        /// Metres a second.
        #[serde(default = "defaults::run")]
        at_least_m_s: f32,
        /// How much faster than two seconds before, in metres a second.
        #[serde(default = "defaults::rise")]
        rise_m_s: f32,
    },
    /// An object crosses a line the same way as another less than `within` before it.
    Tailgating {
        /// One end.
        a: PixelPoint,
        /// The other end.
        b: PixelPoint,
        /// Which way counts.
        #[serde(default)]
        direction: Direction,
        /// How close in time is too close.
        #[serde(default = "defaults::within")]
        within: Span,
    },
    /// One rule fires, and another at most `within` later.
    Sequence {
        /// The rule that fires first.
        first: RuleId,
        /// The rule that fires then.
        then: RuleId,
        /// How much later at most.
        within: Span,
        /// Whether both have to be about the same object.
        #[serde(default)]
        same_object: bool,
    },
    /// One rule fires, and another does not within the time that follows.
    Absence {
        /// The rule that fires.
        first: RuleId,
        /// The rule that should have followed.
        without: RuleId,
        /// How long it is waited for.
        within: Span,
        /// Whether both have to be about the same object.
        #[serde(default)]
        same_object: bool,
    },
    /// Several rules hold at once, or fired within the same time, for `min_duration`.
    Together {
        /// The rules.
        of: Vec<RuleId>,
        /// How long ago one may have fired or held last.
        #[serde(default)]
        within: Span,
    },
    /// The camera gave no frame for `after`.
    Offline {
        /// How long is too long.
        #[serde(default = "defaults::after")]
        after: Span,
    },
    /// The camera gives fewer frames than it should.
    LowFrameRate {
        /// Frames a second.
        below_fps: f32,
        /// The time over which they are counted.
        #[serde(default = "defaults::over")]
        over: Span,
    },
    /// The camera's clock is off, against the time at which its frames arrive.
    ClockDrift {
        /// How much is too much.
        #[serde(default = "defaults::offset")]
        at_least: Span,
    },
    /// The picture stands still for `min_duration`: not even noise changes it.
    Frozen {
        /// Levels of brightness out of 255 that a picture may differ from the one before and still stand still.
        #[serde(default = "defaults::change")]
        change_below: f32,
    },
    /// The lens is covered, or there is no light, for `min_duration`.
    Covered {
        /// Standard deviation of the brightness, in levels out of 255.
        #[serde(default = "defaults::contrast")]
        contrast_below: f32,
    },
    /// The picture has lost its detail for `min_duration`.
    Blurred {
        /// Part of the camera's usual sharpness.
        #[serde(default = "defaults::part")]
        below_part: f32,
    },
    /// The camera looks elsewhere for `min_duration`.
    Moved {
        /// Likeness of the picture's grid to the usual one, 0 to 1.
        #[serde(default = "defaults::part")]
        similarity_below: f32,
    },
}
