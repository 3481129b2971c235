use vedette_core::{ObjectClass, Rule, Span, TrackId, Zone};

use crate::definition::{Context, Gbt28181, Kind, KindInfo, text};
use crate::found::Found;
use crate::geometry::distance;
use crate::limits::{self, A_DAY, SHORTEST};
use crate::parameters::parameters;
use crate::step::Step;
use crate::trajectory::Trajectory;
use crate::zone_dwell::{Began, ObjectInZone, Verdict, ZoneDwells};

parameters! {
    /// An object stands in the zone for `duration` without its owner: the person nearest to it when it came, within `owner_reach`
    /// box heights of that person. Later passers-by do not matter, nor do occlusions of the owner of up to `gap_tolerance`. An
    /// object that nobody was near counts from the beginning. The alert ends when the object moves, disappears, or its owner
    /// returns. Objects that stood there when the camera was switched on count too. `classes` must name others than `person`;
    /// `duration` is not shorter than `gap_tolerance`.
    pub(crate) struct LeftObject {
        /// The zone.
        zone: Zone;
        /// Least duration for which the object is unattended.
        duration: Span [SHORTEST => A_DAY];
        /// Greatest distance between owner and object, in box heights of the person.
        owner_reach: f32 [0.1 => 20.0] = 1.5;
    }
}

/// Greatest displacement of a standing object, in box heights.
const STILL: f32 = 0.5;

impl Kind for LeftObject {
    const INFO: KindInfo = KindInfo {
        stays: true,
        onvif_topic: Some("RuleEngine/ObjectAbandoned"),
        gbt28181: Gbt28181::video(3),
        ..KindInfo::new(
            "left_object",
            text("Left object", "物品遗留"),
            text("An object stands without its person.", "物品遗留，无人看管。"),
        )
    };
    type State = ZoneDwells;

    fn check(&self, context: Context<'_>, found: &mut Found) {
        limits::check_no_person(context.rule, found);
        limits::check_gap_within(self.duration, context.rule, found);
    }

    fn step(&self, step: &mut Step<'_>, state: &mut ZoneDwells) {
        step.zone_dwell(self, state);
    }
}

impl ObjectInZone for LeftObject {
    fn needed(&self, _rule: &Rule) -> Span {
        self.duration
    }

    /// The nearest person within reach.
    fn owner(&self, step: &Step<'_>, object: &Trajectory<'_>) -> Option<TrackId> {
        let people = step.frame.trajectories().filter(|other| other.class() == ObjectClass::Person);
        let near = people.map(|person| (distance(person.place(), object.place()) / person.height(), person.id()));
        let near = near.filter(|(distance, _)| *distance <= self.owner_reach);
        near.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, id)| id)
    }

    fn verdict(&self, step: &Step<'_>, object: &Trajectory<'_>, began: Began) -> Verdict {
        if distance(object.place(), began.place) / object.height() > STILL {
            return Verdict::Moved;
        }
        let Some(owner) = began.owner else { return Verdict::Holds(0.0) };
        let attended = match step.frame.object(owner) {
            Some(person) => distance(person.place(), object.place()) <= self.owner_reach * person.height(),
            // A short occlusion does not count as a disappearance.
            None => {
                let gap = step.ready.rule.gap_tolerance;
                step.frame.last_seen(owner).is_some_and(|seen| step.frame.at.since(seen) <= gap)
            }
        };
        if attended { Verdict::Attended } else { Verdict::Holds(0.0) }
    }
}
