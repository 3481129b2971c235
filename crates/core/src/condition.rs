use serde::{Deserialize, Serialize};

use crate::{PixelPoint, RuleId, RuleKind, Span, Zone};

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
        #[serde(default = "one")]
        reach: f32,
    },
    /// An object stands still in the zone for `duration` (illegal parking).
    Stopped {
        /// The zone.
        zone: Zone,
        /// How long is too long.
        duration: Span,
        /// How far it may shift and still stand, in heights.
        #[serde(default = "default_reach")]
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
        #[serde(default = "default_tolerance")]
        tolerance_deg: f32,
        /// How far it must have come against the arrow within two seconds, in heights.
        #[serde(default = "default_distance")]
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
        #[serde(default = "default_owner_reach")]
        owner_reach: f32,
    },
    /// A thing that stood in the zone is gone.
    RemovedObject {
        /// The zone.
        zone: Zone,
        /// How long it must have stood there to be missed.
        #[serde(default = "default_settled")]
        settled: Span,
        /// How long it must be missing, times at which somebody hides its place left out.
        #[serde(default = "default_missing")]
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
        #[serde(default = "default_run")]
        at_least_m_s: f32,
        /// How much faster than two seconds before, in metres a second.
        #[serde(default = "default_rise")]
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
        #[serde(default = "default_within")]
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
        #[serde(default = "default_after")]
        after: Span,
    },
    /// The camera gives fewer frames than it should.
    LowFrameRate {
        /// Frames a second.
        below_fps: f32,
        /// The time over which they are counted.
        #[serde(default = "default_over")]
        over: Span,
    },
    /// The camera's clock is off, against the time at which its frames arrive.
    ClockDrift {
        /// How much is too much.
        #[serde(default = "default_offset")]
        at_least: Span,
    },
    /// The picture stands still for `min_duration`: not even noise changes it.
    Frozen {
        /// Levels of brightness out of 255 that a picture may differ from the one before and still stand still.
        #[serde(default = "default_change")]
        change_below: f32,
    },
    /// The lens is covered, or there is no light, for `min_duration`.
    Covered {
        /// Standard deviation of the brightness, in levels out of 255.
        #[serde(default = "default_contrast")]
        contrast_below: f32,
    },
    /// The picture has lost its detail for `min_duration`.
    Blurred {
        /// Part of the camera's usual sharpness.
        #[serde(default = "default_part")]
        below_part: f32,
    },
    /// The camera looks elsewhere for `min_duration`.
    Moved {
        /// Likeness of the picture's grid to the usual one, 0 to 1.
        #[serde(default = "default_part")]
        similarity_below: f32,
    },
}

fn one() -> f32 {
    1.0
}

fn default_reach() -> f32 {
    0.3
}

fn default_tolerance() -> f32 {
    60.0
}

fn default_distance() -> f32 {
    0.5
}

fn default_owner_reach() -> f32 {
    1.5
}

fn default_settled() -> Span {
    Span::from_secs(30)
}

fn default_missing() -> Span {
    Span::from_secs(10)
}

fn default_run() -> f32 {
    3.5
}

fn default_rise() -> f32 {
    1.5
}

fn default_within() -> Span {
    Span::from_secs(2)
}

fn default_after() -> Span {
    Span::from_secs(30)
}

fn default_over() -> Span {
    Span::from_secs(10)
}

fn default_offset() -> Span {
    Span::from_secs(2)
}

fn default_change() -> f32 {
    0.02
}

fn default_contrast() -> f32 {
    8.0
}

fn default_part() -> f32 {
    0.5
}

impl Condition {
    /// The kind of rule it is.
    #[must_use]
    pub const fn kind(&self) -> RuleKind {
        match self {
            Self::Presence { .. } => RuleKind::Presence,
            Self::LineCrossing { .. } => RuleKind::LineCrossing,
            Self::Dwell { .. } => RuleKind::Dwell,
            Self::Count { .. } => RuleKind::Count,
            Self::Density { .. } => RuleKind::Density,
            Self::Gathering { .. } => RuleKind::Gathering,
            Self::Stopped { .. } => RuleKind::Stopped,
            Self::WrongWay { .. } => RuleKind::WrongWay,
            Self::ZoneEntry { .. } => RuleKind::ZoneEntry,
            Self::ZoneExit { .. } => RuleKind::ZoneExit,
            Self::LeftObject { .. } => RuleKind::LeftObject,
            Self::RemovedObject { .. } => RuleKind::RemovedObject,
            Self::Speed { .. } => RuleKind::Speed,
            Self::Running { .. } => RuleKind::Running,
            Self::Tailgating { .. } => RuleKind::Tailgating,
            Self::Sequence { .. } => RuleKind::Sequence,
            Self::Absence { .. } => RuleKind::Absence,
            Self::Together { .. } => RuleKind::Together,
            Self::Offline { .. } => RuleKind::Offline,
            Self::LowFrameRate { .. } => RuleKind::LowFrameRate,
            Self::ClockDrift { .. } => RuleKind::ClockDrift,
            Self::Frozen { .. } => RuleKind::Frozen,
            Self::Covered { .. } => RuleKind::Covered,
            Self::Blurred { .. } => RuleKind::Blurred,
            Self::Moved { .. } => RuleKind::Moved,
        }
    }

    /// The zone it looks at, if it looks at one.
    #[must_use]
    pub const fn zone(&self) -> Option<&Zone> {
        match self {
            Self::Presence { zone }
            | Self::Dwell { zone, .. }
            | Self::Count { zone, .. }
            | Self::Density { zone, .. }
            | Self::Gathering { zone, .. }
            | Self::Stopped { zone, .. }
            | Self::WrongWay { zone, .. }
            | Self::ZoneEntry { zone }
            | Self::ZoneExit { zone }
            | Self::LeftObject { zone, .. }
            | Self::RemovedObject { zone, .. }
            | Self::Speed { zone, .. }
            | Self::Running { zone, .. } => Some(zone),
            Self::LineCrossing { .. }
            | Self::Tailgating { .. }
            | Self::Sequence { .. }
            | Self::Absence { .. }
            | Self::Together { .. }
            | Self::Offline { .. }
            | Self::LowFrameRate { .. }
            | Self::ClockDrift { .. }
            | Self::Frozen { .. }
            | Self::Covered { .. }
            | Self::Blurred { .. }
            | Self::Moved { .. } => None,
        }
    }

    /// The line it looks at, segment by segment; empty for a condition without one.
    #[must_use]
    pub fn segments(&self) -> Vec<Segment> {
        match self {
            Self::LineCrossing { a, b, direction, also } => {
                std::iter::once(Segment { a: *a, b: *b, direction: *direction }).chain(also.iter().copied()).collect()
            }
            Self::Tailgating { a, b, direction, .. } => vec![Segment { a: *a, b: *b, direction: *direction }],
            _ => Vec::new(),
        }
    }

    /// The rules that a combination is made of; empty for any other condition.
    #[must_use]
    pub fn terms(&self) -> Vec<&RuleId> {
        match self {
            Self::Sequence { first, then, .. } => vec![first, then],
            Self::Absence { first, without, .. } => vec![first, without],
            Self::Together { of, .. } => of.iter().collect(),
            _ => Vec::new(),
        }
    }

    /// Whether it is true in a moment and lasts no time.
    #[must_use]
    pub const fn is_moment(&self) -> bool {
        matches!(
            self,
            Self::LineCrossing { .. }
                | Self::Tailgating { .. }
                | Self::ZoneEntry { .. }
                | Self::ZoneExit { .. }
                | Self::RemovedObject { .. }
                | Self::Sequence { .. }
                | Self::Absence { .. }
                | Self::Offline { .. }
        )
    }

    /// Whether it can be told only where pixels are tied to the ground.
    #[must_use]
    pub fn needs_ground(&self) -> bool {
        matches!(self, Self::Density { .. } | Self::Speed { .. } | Self::Running { .. })
            || self.zone().is_some_and(Zone::is_on_ground)
    }
}
