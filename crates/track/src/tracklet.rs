use serde::{Deserialize, Serialize};
use vedette_core::{Detection, ObjectClass, PixelBox, Score, Timestamp, Track, TrackId};

use crate::TrackerSettings;
use crate::filter::BoxFilter;

/// Classes that a model may take for one another on the same object. A track stays in the group it began in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ClassGroup {
    Person,
    TwoWheeler,
    Vehicle,
    Animal,
    Thing,
}

impl ClassGroup {
    pub(crate) fn of(class: ObjectClass) -> Self {
        match class {
            ObjectClass::Person => Self::Person,
            ObjectClass::Bicycle | ObjectClass::Motorcycle => Self::TwoWheeler,
            ObjectClass::Car | ObjectClass::Bus | ObjectClass::Truck | ObjectClass::Train => Self::Vehicle,
            ObjectClass::Animal => Self::Animal,
            ObjectClass::Boat | ObjectClass::Bag | ObjectClass::Other => Self::Thing,
        }
    }

    /// The group's classes; the first wins a draw of votes.
    fn members(self) -> &'static [ObjectClass] {
        match self {
            Self::Person => &[ObjectClass::Person],
            Self::TwoWheeler => &[ObjectClass::Bicycle, ObjectClass::Motorcycle],
            Self::Vehicle => &[ObjectClass::Car, ObjectClass::Bus, ObjectClass::Truck, ObjectClass::Train],
            Self::Animal => &[ObjectClass::Animal],
            Self::Thing => &[ObjectClass::Other, ObjectClass::Bag, ObjectClass::Boat],
        }
    }
}

/// How often each class of the group was detected.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Votes([u16; 4]);

impl Votes {
    fn add(&mut self, group: ClassGroup, class: ObjectClass) {
        if let Some(index) = group.members().iter().position(|member| *member == class) {
            if self.0[index] == u16::MAX {
                self.0 = self.0.map(|votes| votes / 2);
            }
            self.0[index] += 1;
        }
    }

    fn winner(&self, group: ClassGroup) -> ObjectClass {
        let members = group.members();
        let mut best = 0;
        for index in 1..members.len() {
            if self.0[index] > self.0[best] {
                best = index;
            }
        }
        members[best]
    }
}

/// One object as the tracker follows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tracklet {
    /// Given when it is confirmed.
    pub(crate) id: Option<TrackId>,
    pub(crate) group: ClassGroup,
    votes: Votes,
    score: Score,
    pub(crate) filter: BoxFilter,
    pub(crate) first_seen: Timestamp,
    pub(crate) last_seen: Timestamp,
    pub(crate) hits: u32,
    /// Whether it was matched in the newest frame.
    pub(crate) seen: bool,
}

impl Tracklet {
    pub(crate) fn new(captured: Timestamp, detection: &Detection, settings: &TrackerSettings) -> Self {
        let group = ClassGroup::of(detection.class);
        let mut votes = Votes([0; 4]);
        votes.add(group, detection.class);
        Self {
            id: None,
            group,
            votes,
            score: detection.score,
            filter: BoxFilter::new(&detection.bbox, settings),
            first_seen: captured,
            last_seen: captured,
            hits: 1,
            seen: true,
        }
    }

    pub(crate) fn correct(&mut self, captured: Timestamp, detection: &Detection, settings: &TrackerSettings) {
        self.filter.correct(&detection.bbox, settings);
        self.votes.add(self.group, detection.class);
        self.score = detection.score;
        self.last_seen = captured;
        self.hits = self.hits.saturating_add(1);
        self.seen = true;
    }

    pub(crate) fn bbox(&self) -> PixelBox {
        self.filter.bbox()
    }

    /// The track as others see it, once confirmed.
    pub(crate) fn track(&self) -> Option<Track> {
        Some(Track {
            id: self.id?,
            class: self.votes.winner(self.group),
            score: self.score,
            bbox: self.bbox(),
            first_seen: self.first_seen,
            last_seen: self.last_seen,
            hits: self.hits,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_with_most_votes_wins() {
        let group = ClassGroup::of(ObjectClass::Bus);
        let mut votes = Votes([0; 4]);
        for class in [ObjectClass::Bus, ObjectClass::Truck, ObjectClass::Truck] {
            votes.add(group, class);
        }
        assert_eq!(votes.winner(group), ObjectClass::Truck);
        votes.add(group, ObjectClass::Bus);
        assert_eq!(votes.winner(group), ObjectClass::Bus, "a draw goes by the order of the group");
    }

    #[test]
    fn every_class_is_in_its_own_group() {
        for class in ObjectClass::ALL {
            assert!(ClassGroup::of(class).members().contains(&class), "{class}");
        }
    }
}
