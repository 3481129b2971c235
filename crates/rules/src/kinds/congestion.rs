use serde::{Deserialize, Serialize};
use vedette_core::{
    ClassSet, Episode, EventCode, Measured, ObjectClass, Quantity, Span, Term, Timestamp, Track, ViolationInfo, Zone,
    violations,
};

use crate::crowd::MOST_NAMED;
use crate::definition::{Context, Gbt28181, Kind, KindInfo, Measure, Subject, text};
use crate::found::Found;
use crate::held::{Held, Now};
use crate::limits::{LONGEST_GAP, MOST_OBJECTS};
use crate::near_miss::Shortfall;
use crate::parameters::parameters;
use crate::state::State;
use crate::step::{LONGEST_FRAME, Step, decimal, middle};
use crate::trajectory::Trajectory;

violations! {
    pub(crate) enum CongestionRule {
        Vehicles = "congestion.classes": "congestion is about vehicles",
            "name vehicles, for example classes = [\"car\", \"bus\", \"truck\"]";
        ShareStay = "congestion.share-stay": "share_stay must not exceed share", "lower share_stay or raise share";
    }
}

parameters! {
    /// Most vehicles in the zone are slow or stand for some time (traffic jam). The fraction of slow vehicles, 0 while fewer than
    /// `at_least` are in the zone, is averaged over the last `over`. The alert begins when that mean reaches `share` and ends when
    /// it falls below `share_stay`. Vehicles tracked for less than half a second are ignored, and so is time without frames. One
    /// alert for the zone, naming the slow vehicles. `classes` must name vehicles, for example `["car", "bus", "truck"]`.
    pub(crate) struct Congestion {
        /// The zone.
        zone: Zone;
        /// Speed below which a vehicle is slow: metres per second on a calibrated camera, else box heights per second.
        below: f32 [0.05 => 50.0] = 1.0;
        /// Mean fraction of slow vehicles at which the alert begins, 0 to 1.
        share: f32 [0.05 => 1.0] = 0.7;
        /// Mean fraction below which it ends; at most `share`.
        share_stay: f32 [0.0 => 1.0] = 0.4;
        /// Least number of vehicles in the zone.
        at_least: u32 [1 => MOST_OBJECTS] = 3;
        /// The time over which the fraction is averaged.
        over: Span [Span::from_secs(1) => LONGEST_GAP] = Span::from_secs(10);
    }
}

const SHARE: Quantity = Quantity::named("share");
const VEHICLES: [ObjectClass; 7] = [
    ObjectClass::Bicycle,
    ObjectClass::Motorcycle,
    ObjectClass::Car,
    ObjectClass::Bus,
    ObjectClass::Truck,
    ObjectClass::Train,
    ObjectClass::Boat,
];
/// Number of slots of the window.
const SLOTS: i64 = 20;
/// A window with frames for less than this fraction of its time has no mean.
const WATCHED: f64 = 0.5;

impl Kind for Congestion {
    const VIOLATIONS: &'static [ViolationInfo] = CongestionRule::ALL;
    const INFO: KindInfo = KindInfo {
        subject: Subject::Zone,
        measures: &[Measure::at_least(SHARE, text("of the vehicles are slow", "的车辆缓行"))],
        stays: true,
        uses_ground: true,
        needs_history: true,
        gbt28181: Gbt28181::OTHER,
        event_code: Some(EventCode::constant(12)),
        ..KindInfo::new(
            "congestion",
            text("Congestion", "交通拥堵"),
            text("Most vehicles in the zone are slow or stand.", "区域内多数车辆缓行或停滞。"),
        )
    };
    type State = Box<Traffic>;

    fn check(&self, context: Context<'_>, found: &mut Found) {
        let vehicles: ClassSet = VEHICLES.into_iter().collect();
        if let Some(other) = context.rule.classes.iter().find(|class| !vehicles.contains(*class)) {
            found.add("classes", other.as_str(), CongestionRule::Vehicles);
        }
        if self.share_stay > self.share {
            let value = format!("{} above share {}", self.share_stay, self.share);
            found.add_when("share_stay", value, CongestionRule::ShareStay);
        }
    }

    fn step(&self, step: &mut Step<'_>, state: &mut Box<Traffic>) {
        let vehicles: Vec<(Track, bool)> = step
            .inside()
            .filter_map(|vehicle| Some((vehicle.track(), self.speed(step, &vehicle)? < self.below)))
            .collect();
        let mean = state.watch(step, self.over, self.share_of(&vehicles));
        let continues = state.held.as_ref().is_some_and(|held| held.continues(step));
        let least = if continues { self.share_stay } else { self.share };
        let holds = step.frame.armed && mean >= f64::from(least) && (continues || !vehicles.is_empty());
        if holds {
            step.whole_met();
        } else {
            let near = Shortfall::below(Term::named("share"), mean as f32, self.share);
            let near = near.filter(|_| !continues && !vehicles.is_empty());
            let place = middle(&named(&vehicles)).rescaled(step.frame.size, step.frame.policy_frame);
            step.whole_lacks(near.map(|shortfall| (shortfall, place)));
        }
        state.peak = if continues { state.peak.max(mean) } else { mean };
        let measured = Measured { quantity: SHARE, value: state.peak, threshold: decimal(self.share) };
        let now = holds.then(|| Now { objects: named(&vehicles), measured: Some(measured) });
        step.hold(&mut state.held, now);
    }
}

impl Congestion {
    /// Speed in the unit of `below`.
    fn speed(&self, step: &Step<'_>, vehicle: &Trajectory<'_>) -> Option<f32> {
        if step.frame.ground.is_some() { vehicle.speed() } else { vehicle.heights_per_second() }
    }

    /// The fraction of slow vehicles in one frame.
    fn share_of(&self, vehicles: &[(Track, bool)]) -> f64 {
        if vehicles.len() < self.at_least as usize {
            return 0.0;
        }
        vehicles.iter().filter(|(_, slow)| *slow).count() as f64 / vehicles.len() as f64
    }
}

/// The slow vehicles, for the alert; all of them when none is slow right now.
fn named(vehicles: &[(Track, bool)]) -> Vec<Track> {
    let any_slow = vehicles.iter().any(|(_, slow)| *slow);
    let chosen = vehicles.iter().filter(|(_, slow)| *slow || !any_slow);
    chosen.map(|(track, _)| *track).take(MOST_NAMED).collect()
}

/// Moving average of the fraction of slow vehicles.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Traffic {
    /// Oldest first; none for times without slow vehicles.
    slots: Vec<Slot>,
    held: Option<Held>,
    /// The greatest mean of the episode.
    peak: f64,
}

/// A part of the window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Slot {
    began: Timestamp,
    ended: Timestamp,
    /// The fraction, weighted by its duration in seconds.
    slow: f64,
    /// Seconds without frames.
    missing: f64,
}

impl Traffic {
    /// Adds the fraction of a frame and returns the mean over the window.
    fn watch(&mut self, step: &Step<'_>, over: Span, share: f64) -> f64 {
        let at = step.frame.at;
        if let Some(previous) = step.frame.previous.filter(|_| share > 0.0 || !self.slots.is_empty()) {
            let passed = at.since(previous).as_secs_f64();
            let is_outage = at.since(previous) > LONGEST_FRAME;
            let (slow, missing) = if is_outage { (0.0, passed) } else { (share * passed, 0.0) };
            let full = |slot: &Slot| at.since(slot.began).as_micros() > over.as_micros() / SLOTS;
            match self.slots.last_mut().filter(|slot| !full(slot)) {
                Some(slot) => {
                    (slot.ended, slot.slow, slot.missing) = (at, slot.slow + slow, slot.missing + missing);
                }
                None => self.slots.push(Slot { began: previous, ended: at, slow, missing }),
            }
        }
        self.slots.retain(|slot| at.since(slot.ended) < over);
        if self.slots.iter().all(|slot| slot.slow == 0.0) {
            self.slots.clear();
        }
        let (mut slow, mut watched) = (0.0, over.as_secs_f64());
        for slot in &self.slots {
            // The oldest slot is partly outside the window.
            let length = slot.ended.since(slot.began).as_secs_f64();
            let outside = (at.since(slot.began).as_secs_f64() - over.as_secs_f64()).max(0.0);
            let part = if length > 0.0 { 1.0 - (outside / length).min(1.0) } else { 1.0 };
            slow += part * slot.slow;
            watched -= part * slot.missing;
        }
        if watched >= WATCHED * over.as_secs_f64() { slow / watched } else { 0.0 }
    }
}

impl State for Box<Traffic> {
    fn end(&mut self, not_after: Option<Timestamp>, ended: &mut Vec<Episode>) {
        ended.extend(std::mem::take(&mut **self).held.and_then(|held| held.end(not_after)));
    }

    fn is_open(&self) -> bool {
        self.held.as_ref().is_some_and(Held::is_open)
    }

    fn is_resting(&self, _scheduled: bool) -> bool {
        self.slots.is_empty() && self.held.is_none()
    }

    fn shrink(&mut self) {
        self.slots.shrink_to_fit();
    }
}
