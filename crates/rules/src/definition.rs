//! The definition of a rule kind.

use vedette_core::{EventCode, FrameSize, Policy, Quantity, Rule, RuleKind, Segment, ViolationInfo};

use crate::found::Found;
use crate::ground::Ground;
use crate::parameters::Parameters;
use crate::state::State;
use crate::step::Step;

/// A text in the two languages of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// English.
    pub en: &'static str,
    /// Chinese, simplified.
    pub zh: &'static str,
}

/// A text in English and Chinese.
pub(crate) const fn text(en: &'static str, zh: &'static str) -> Text {
    Text { en, zh }
}

/// The subject of a rule's episodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Each object has its own episode.
    Object,
    /// One episode for all objects in the zone.
    Zone,
    /// Other rules.
    Rules,
    /// The camera itself.
    Camera,
}

/// A measured quantity of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measure {
    /// Its name in alerts.
    pub quantity: Quantity,
    /// The unit, to follow the number.
    pub unit: Text,
    /// Whether the threshold is an upper bound.
    pub at_most: bool,
}

/// An alarm of GB/T 28181: method 5 is a video alarm, whose types are 3 left object, 4 removed object, 5 tripwire, 6 intrusion, 7
/// wrong way, 8 loitering, 10 density, 11 video abnormal, 12 fast motion; 2 is an alarm of the device, 7 any other, both without
/// type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gbt28181 {
    /// Alarm method.
    pub method: u8,
    /// Alarm type within the method.
    pub alarm_type: Option<u8>,
}

impl Gbt28181 {
    pub(crate) const DEVICE: Self = Self { method: 2, alarm_type: None };
    pub(crate) const OTHER: Self = Self { method: 7, alarm_type: None };

    pub(crate) const fn video(alarm_type: u8) -> Self {
        Self { method: 5, alarm_type: Some(alarm_type) }
    }
}

/// The facts about a kind of rule that are the same for every rule of it.
#[derive(Debug, Clone, Copy)]
pub struct KindInfo {
    /// Its name in policies, alerts and filters.
    pub name: RuleKind,
    /// Its title for people.
    pub title: Text,
    /// One sentence that says when it raises.
    pub sentence: Text,
    /// The subject of its episodes.
    pub subject: Subject,
    /// The quantities that its alerts may carry.
    pub measures: &'static [Measure],
    /// Whether its episodes are instantaneous: they are raised with `ended` set.
    pub instantaneous: bool,
    /// Whether its subject stays in place, so that alerts of several cameras about it may be hours apart.
    pub stays: bool,
    /// Whether it requires a calibrated camera, also with a zone in pixels.
    pub needs_ground: bool,
    /// Whether it measures in metres if the camera is calibrated, and otherwise in box heights.
    pub uses_ground: bool,
    /// Whether it reads the recent positions of objects.
    pub(crate) needs_history: bool,
    /// Whether it evaluates signal losses.
    pub(crate) takes_signal_loss: bool,
    /// The ONVIF event topic of the same meaning (ONVIF Analytics Service Specification, annex on rules), below `tns1:`; none where
    /// ONVIF has none.
    pub onvif_topic: Option<&'static str>,
    /// The GB/T 28181 alarm.
    pub gbt28181: Gbt28181,
    /// The event type of GA/T 2000.254-2019 of the same meaning; none where it is not confirmed.
    pub event_code: Option<EventCode>,
}

impl KindInfo {
    /// A kind about single objects. Each kind overrides the facts in which it differs.
    pub(crate) const fn new(name: &str, title: Text, sentence: Text) -> Self {
        Self {
            name: RuleKind::named(name),
            title,
            sentence,
            subject: Subject::Object,
            measures: &[SECONDS],
            instantaneous: false,
            stays: false,
            needs_ground: false,
            uses_ground: false,
            needs_history: false,
            takes_signal_loss: false,
            onvif_topic: None,
            gbt28181: Gbt28181::OTHER,
            event_code: None,
        }
    }
}

impl Measure {
    pub(crate) const fn at_least(quantity: Quantity, unit: Text) -> Self {
        Self { quantity, unit, at_most: false }
    }

    pub(crate) const fn at_most(quantity: Quantity, unit: Text) -> Self {
        Self { quantity, unit, at_most: true }
    }
}

pub(crate) const SECONDS: Measure = Measure::at_least(Quantity::DURATION, text("s", "秒"));
pub(crate) const OBJECTS: Measure = Measure::at_least(Quantity::OBJECTS, text("objects at once", "个目标"));
pub(crate) const CROSSINGS: Measure = Measure::at_least(Quantity::CROSSINGS, text("crossing", "次穿越"));
pub(crate) const GAP: Measure = Measure::at_most(Quantity::GAP, text("s apart", "秒间隔"));
pub(crate) const SPEED: Measure = Measure::at_least(Quantity::SPEED, text("m/s", "米/秒"));
pub(crate) const LEVELS: Measure = Measure::at_most(Quantity::LEVELS, text("levels of brightness", "级亮度"));
pub(crate) const PART: Measure = Measure::at_most(Quantity::PART, text("of the usual value", "（与平常之比）"));

/// The camera that a policy is validated on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum On<'a> {
    /// Its ground; none for a camera without calibration.
    Camera(Option<&'a dyn Ground>),
    /// No camera: camera-dependent rules are not checked.
    Any,
}

impl<'a> On<'a> {
    pub(crate) fn ground(self) -> Option<&'a dyn Ground> {
        match self {
            Self::Camera(ground) => ground,
            Self::Any => None,
        }
    }
}

/// A rule and the policy that it is part of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) rule: &'a Rule,
    pub(crate) policy: &'a Policy,
    /// For each rule of the policy, the facts of its kind; none for an unknown kind.
    pub(crate) kinds: &'a [Option<&'static KindInfo>],
}

impl Context<'_> {
    pub(crate) fn frame(&self) -> FrameSize {
        self.policy.frame
    }
}

/// A kind of rule: its facts, its parameters, its state and its step. One file each in `kinds`.
pub(crate) trait Kind: Parameters {
    /// Its facts.
    const INFO: KindInfo;
    /// The validation rules that only this kind has.
    const VIOLATIONS: &'static [ViolationInfo] = &[];
    /// Its state between two frames.
    type State: State;

    /// The segments of its line, if it has one.
    fn segments(&self) -> Vec<Segment> {
        Vec::new()
    }

    /// Records validation errors beyond zone, line and limits.
    fn check(&self, _context: Context<'_>, _found: &mut Found) {}

    /// Evaluates a frame.
    fn step(&self, step: &mut Step<'_>, state: &mut Self::State);
}
