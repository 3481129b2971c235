//! The state of an engine in format 6 of the checkpoint, written by release 8dbab3e, and its conversion to the current format, so
//! that an upgraded site keeps its tracks, open episodes and cooldowns. Pending near-misses are dropped.

use std::sync::Arc;

use serde::Deserialize;
use vedette_core::{
    Direction, Episode, EpisodePhase, Measured, PixelPoint, Quantity, RuleId, RuleKind, Severity, Timestamp, Track,
    TrackId,
};

use crate::camera::CameraState;
use crate::combination::{Combination, Fired};
use crate::cooldown::Cooldown;
use crate::crowd::Crowd;
use crate::engine_state::{EngineState, RuleState};
use crate::held::Held;
use crate::kinds::low_frame_rate::Window;
use crate::kinds::removed_object::Stationaries;
use crate::kinds::{AnyKind, AnyState};
use crate::lazy_box::LazyBox;
use crate::line_crossing::Crossings;
use crate::ready::Watched;
use crate::ruleset::{CompiledRule, RuleSet};
use crate::side::LineSide;
use crate::trajectory::Remembered;
use crate::usual::Usual;
use crate::zone_border::BorderSides;
use crate::zone_dwell::ZoneDwell;

/// The rule kinds by their number in the format.
const KINDS: [&str; 25] = [
    "presence",
    "line_crossing",
    "dwell",
    "count",
    "density",
    "gathering",
    "stopped",
    "wrong_way",
    "zone_entry",
    "zone_exit",
    "left_object",
    "removed_object",
    "speed",
    "running",
    "tailgating",
    "sequence",
    "absence",
    "together",
    "offline",
    "low_frame_rate",
    "clock_drift",
    "frozen",
    "covered",
    "blurred",
    "moved",
];

/// The quantities by their number in the format.
const QUANTITIES: [&str; 11] = [
    "duration_seconds",
    "objects",
    "crossings",
    "objects_per_square_metre",
    "metres_per_second",
    "heights",
    "gap_seconds",
    "frames_per_second",
    "offset_seconds",
    "levels",
    "part",
];

/// The engine's state in format 6.
#[derive(Deserialize)]
pub struct EngineState6 {
    newest: Option<Timestamp>,
    known: Vec<Remembered>,
    rules: Vec<Rule6>,
    due: Vec<Episode6>,
}

#[derive(Deserialize)]
struct Rule6 {
    watched: Watched,
    cooldown: Cooldown,
    #[expect(dead_code, reason = "read to pass over it")]
    near: Near6,
    progress: Progress6,
}

#[derive(Deserialize)]
enum Progress6 {
    Visits(Vec<Visit6>),
    Passages(LazyBox<Crossings>),
    Borders(BorderSides),
    Crowd(Option<Box<Crowd6>>),
    Things(Stationaries),
    Combination(Box<Combination6>),
    Health(Box<Health6>),
}

#[derive(Deserialize)]
struct Visit6 {
    track: TrackId,
    subject: TrackId,
    began: Timestamp,
    held: Timestamp,
    place: PixelPoint,
    owner: Option<TrackId>,
    peak: f32,
    open: Option<Box<Episode6>>,
}

#[derive(Deserialize)]
struct Crowd6 {
    began: Timestamp,
    held: Timestamp,
    full: Timestamp,
    most: u32,
    open: Option<Box<Episode6>>,
}

#[derive(Deserialize)]
struct Combination6 {
    waiting: Vec<Fired>,
    last: Vec<Option<Fired>>,
    held: Option<Held6>,
}

#[derive(Deserialize)]
struct Health6 {
    held: Option<Held6>,
    window: Option<Window>,
    usual: Option<Box<Usual>>,
}

#[derive(Deserialize)]
struct Held6 {
    began: Timestamp,
    held: Timestamp,
    place: PixelPoint,
    worst: f64,
    open: Option<Box<Episode6>>,
}

#[derive(Deserialize)]
struct Episode6 {
    rule: RuleId,
    kind: u32,
    severity: Severity,
    policy_version: u32,
    phase: EpisodePhase,
    subject: Option<TrackId>,
    started: Timestamp,
    raised: Timestamp,
    ended: Option<Timestamp>,
    objects: Vec<Track>,
    anchor: PixelPoint,
    direction: Option<Direction>,
    measured: (u32, f64, f64),
}

/// A term, a value and a threshold.
type Shortfall6 = (u32, f32, f32);

#[derive(Deserialize)]
#[expect(dead_code, reason = "read to pass over it")]
struct Near6 {
    lacking: Vec<(TrackId, Timestamp, Timestamp, PixelPoint, Shortfall6)>,
    passages: Vec<LineSide>,
    whole: Option<(Timestamp, Timestamp, PixelPoint, Shortfall6)>,
    told: Vec<(u32, Timestamp)>,
}

impl EngineState6 {
    /// The current state, under the rules of the stored one; none when it does not match them.
    #[must_use]
    pub fn upgraded(self, rules: &RuleSet) -> Option<EngineState> {
        let fits = self.rules.len() == rules.rules.len();
        let states = self.rules.into_iter().zip(&rules.rules).map(|(state, rule)| state.upgraded(rule));
        Some(EngineState {
            newest: self.newest,
            known: self.known,
            rules: states.collect::<Option<_>>().filter(|_| fits)?,
            due: self.due.into_iter().map(Episode6::upgraded).collect::<Option<_>>()?,
        })
    }
}

impl Rule6 {
    /// The fingerprint of a rule is computed differently today; the rules are those of the policy in the same state.
    fn upgraded(self, rule: &CompiledRule) -> Option<RuleState> {
        let state = self.progress.upgraded(&rule.kind)?;
        let watched = &rule.ready.watched;
        (self.watched.id == watched.id).then(|| RuleState {
            watched: Arc::clone(watched),
            cooldown: self.cooldown,
            near: LazyBox::default(),
            state,
        })
    }
}

impl Progress6 {
    fn upgraded(self, kind: &AnyKind) -> Option<AnyState> {
        Some(match (self, kind) {
            (Self::Visits(visits), kind) => {
                let dwells = visits.into_iter().map(Visit6::upgraded).collect::<Option<_>>()?;
                match kind {
                    AnyKind::Presence(_) => AnyState::Presence(dwells),
                    AnyKind::Dwell(_) => AnyState::Dwell(dwells),
                    AnyKind::Stopped(_) => AnyState::Stopped(dwells),
                    AnyKind::WrongWay(_) => AnyState::WrongWay(dwells),
                    AnyKind::LeftObject(_) => AnyState::LeftObject(dwells),
                    AnyKind::Speed(_) => AnyState::Speed(dwells),
                    AnyKind::Running(_) => AnyState::Running(dwells),
                    _ => return None,
                }
            }
            (Self::Passages(crossings), AnyKind::LineCrossing(_)) => AnyState::LineCrossing(crossings),
            (Self::Passages(crossings), AnyKind::Tailgating(_)) => AnyState::Tailgating(crossings),
            (Self::Borders(sides), AnyKind::ZoneEntry(_)) => AnyState::ZoneEntry(sides),
            (Self::Borders(sides), AnyKind::ZoneExit(_)) => AnyState::ZoneExit(sides),
            (Self::Crowd(crowd), kind) => {
                let crowd = upgraded(crowd, Crowd6::upgraded)?;
                match kind {
                    AnyKind::Count(_) => AnyState::Count(crowd),
                    AnyKind::Density(_) => AnyState::Density(crowd),
                    AnyKind::Gathering(_) => AnyState::Gathering(crowd),
                    _ => return None,
                }
            }
            (Self::Things(things), AnyKind::RemovedObject(_)) => AnyState::RemovedObject(things),
            (Self::Combination(combination), kind) => {
                let Combination6 { waiting, last, held } = *combination;
                let combination = Box::new(Combination { waiting, last, held: held_upgraded(held)? });
                match kind {
                    AnyKind::Sequence(_) => AnyState::Sequence(combination),
                    AnyKind::Absence(_) => AnyState::Absence(combination),
                    AnyKind::Together(_) => AnyState::Together(combination),
                    _ => return None,
                }
            }
            (Self::Health(health), kind) => health.upgraded(kind)?,
            _ => return None,
        })
    }
}

impl Health6 {
    fn upgraded(self, kind: &AnyKind) -> Option<AnyState> {
        let held = held_upgraded(self.held)?;
        Some(match kind {
            AnyKind::Offline(_) => AnyState::Offline(Box::new(CameraState { held, memory: () })),
            AnyKind::ClockDrift(_) => AnyState::ClockDrift(Box::new(CameraState { held, memory: () })),
            AnyKind::Frozen(_) => AnyState::Frozen(Box::new(CameraState { held, memory: () })),
            AnyKind::Covered(_) => AnyState::Covered(Box::new(CameraState { held, memory: () })),
            AnyKind::LowFrameRate(_) => AnyState::LowFrameRate(Box::new(CameraState { held, memory: self.window })),
            AnyKind::Blurred(_) => AnyState::Blurred(Box::new(CameraState { held, memory: self.usual })),
            AnyKind::Moved(_) => AnyState::Moved(Box::new(CameraState { held, memory: self.usual })),
            _ => return None,
        })
    }
}

impl Visit6 {
    fn upgraded(self) -> Option<ZoneDwell> {
        let Self { track, subject, began, held, place, owner, peak, open } = self;
        let open = upgraded(open, Episode6::upgraded)?;
        Some(ZoneDwell { track, subject, began, held, place, owner, peak, open, nearest: None })
    }
}

impl Crowd6 {
    fn upgraded(self) -> Option<Crowd> {
        let Self { began, held, full, most, open } = self;
        Some(Crowd { began, held, full, most, open: upgraded(open, Episode6::upgraded)? })
    }
}

fn held_upgraded(held: Option<Held6>) -> Option<Option<Held>> {
    let Some(Held6 { began, held, place, worst, open }) = held else { return Some(None) };
    Some(Some(Held { began, held, place, worst, open: upgraded(open, Episode6::upgraded)? }))
}

impl Episode6 {
    fn upgraded(self) -> Option<Episode> {
        let (quantity, value, threshold) = self.measured;
        let name = |names: &[&'static str], number: u32| names.get(usize::try_from(number).ok()?).copied();
        Some(Episode {
            rule: self.rule,
            kind: RuleKind::named(name(&KINDS, self.kind)?),
            severity: self.severity,
            policy_version: self.policy_version,
            phase: self.phase,
            subject: self.subject,
            started: self.started,
            raised: self.raised,
            ended: self.ended,
            objects: self.objects,
            anchor: self.anchor,
            direction: self.direction,
            measured: Measured { quantity: Quantity::named(name(&QUANTITIES, quantity)?), value, threshold },
        })
    }
}

/// The converted value, if there is one; none when the conversion fails.
fn upgraded<A, B>(there: Option<Box<A>>, upgrade: impl FnOnce(A) -> Option<B>) -> Option<Option<Box<B>>> {
    match there {
        None => Some(None),
        Some(there) => upgrade(*there).map(|made| Some(Box::new(made))),
    }
}
