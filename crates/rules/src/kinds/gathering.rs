use vedette_core::{EventCode, Zone};

use crate::crowd::{ManyInZone, MaybeCrowd, Member};
use crate::definition::{Gbt28181, Kind, KindInfo, OBJECTS, Subject, text};
use crate::geometry::distance;
use crate::limits::MOST_OBJECTS;
use crate::parameters::parameters;
use crate::step::Step;

parameters! {
    /// At least `at_least` objects of the zone stand together for `min_duration`: each is within `reach` of the next. Of up to 256
    /// objects the largest group counts. One alert for the zone, naming the group. Two people who stand behind each other in the
    /// picture count as together.
    pub(crate) struct Gathering {
        /// The zone.
        zone: Zone;
        /// Number of objects that stand together.
        at_least: u32 [2 => MOST_OBJECTS];
        /// Greatest distance of two that stand together, in box heights of the higher one.
        reach: f32 [0.1 => 10.0] = 1.0;
    }
}

/// Most objects of one zone that are compared.
const MOST_TOGETHER: usize = 256;

impl Kind for Gathering {
    const INFO: KindInfo = KindInfo {
        subject: Subject::Zone,
        measures: &[OBJECTS],
        stays: true,
        onvif_topic: Some("RuleEngine/CountAggregation/Counter"),
        gbt28181: Gbt28181::video(10),
        event_code: Some(EventCode::constant(11)),
        ..KindInfo::new(
            "gathering",
            text("Gathering", "人员聚集"),
            text("Objects come together and stay together.", "多个目标聚集。"),
        )
    };
    type State = MaybeCrowd;

    fn step(&self, step: &mut Step<'_>, state: &mut MaybeCrowd) {
        step.crowd(self, state);
    }
}

impl ManyInZone for Gathering {
    fn needed(&self, _step: &Step<'_>) -> Option<u32> {
        Some(self.at_least)
    }

    fn choose(&self, step: &mut Step<'_>, mut members: Vec<Member>) -> Vec<Member> {
        step.stats.limited += u32::try_from(members.len().saturating_sub(MOST_TOGETHER)).unwrap_or(u32::MAX);
        members.truncate(MOST_TOGETHER);
        largest_group(&members, self.reach)
    }
}

/// The largest group connected by steps of at most `reach` box heights; on a tie the earliest.
fn largest_group(members: &[Member], reach: f32) -> Vec<Member> {
    let mut group = vec![usize::MAX; members.len()];
    let mut largest: Vec<usize> = Vec::new();
    for start in 0..members.len() {
        if group[start] != usize::MAX {
            continue;
        }
        let mut found = vec![start];
        group[start] = start;
        let mut next = 0;
        while next < found.len() {
            let one = members[found[next]];
            next += 1;
            for (index, other) in members.iter().enumerate() {
                let near = || distance(one.place, other.place) <= reach * one.height.max(other.height);
                if group[index] == usize::MAX && near() {
                    group[index] = start;
                    found.push(index);
                }
            }
        }
        if found.len() > largest.len() {
            largest = found;
        }
    }
    largest.sort_unstable();
    largest.into_iter().map(|index| members[index]).collect()
}
