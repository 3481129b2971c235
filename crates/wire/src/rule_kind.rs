//! Kinds of rules and quantities as numbers on the bus.

use vedette_core::{Quantity, RuleKind};

use crate::pb;

const KINDS: [(RuleKind, pb::RuleKind); RuleKind::ALL.len()] = [
    (RuleKind::Presence, pb::RuleKind::Presence),
    (RuleKind::LineCrossing, pb::RuleKind::LineCrossing),
    (RuleKind::Dwell, pb::RuleKind::Dwell),
    (RuleKind::Count, pb::RuleKind::Count),
    (RuleKind::Density, pb::RuleKind::Density),
    (RuleKind::Gathering, pb::RuleKind::Gathering),
    (RuleKind::Stopped, pb::RuleKind::Stopped),
    (RuleKind::WrongWay, pb::RuleKind::WrongWay),
    (RuleKind::ZoneEntry, pb::RuleKind::ZoneEntry),
    (RuleKind::ZoneExit, pb::RuleKind::ZoneExit),
    (RuleKind::LeftObject, pb::RuleKind::LeftObject),
    (RuleKind::RemovedObject, pb::RuleKind::RemovedObject),
    (RuleKind::Speed, pb::RuleKind::Speed),
    (RuleKind::Running, pb::RuleKind::Running),
    (RuleKind::Tailgating, pb::RuleKind::Tailgating),
    (RuleKind::Sequence, pb::RuleKind::Sequence),
    (RuleKind::Absence, pb::RuleKind::Absence),
    (RuleKind::Together, pb::RuleKind::Together),
    (RuleKind::Offline, pb::RuleKind::Offline),
    (RuleKind::LowFrameRate, pb::RuleKind::LowFrameRate),
    (RuleKind::ClockDrift, pb::RuleKind::ClockDrift),
    (RuleKind::Frozen, pb::RuleKind::Frozen),
    (RuleKind::Covered, pb::RuleKind::Covered),
    (RuleKind::Blurred, pb::RuleKind::Blurred),
    (RuleKind::Moved, pb::RuleKind::Moved),
];

const QUANTITIES: [(Quantity, pb::alert::Quantity); 11] = [
    (Quantity::DurationSeconds, pb::alert::Quantity::DurationSeconds),
    (Quantity::Objects, pb::alert::Quantity::Objects),
    (Quantity::Crossings, pb::alert::Quantity::Crossings),
    (Quantity::ObjectsPerSquareMetre, pb::alert::Quantity::ObjectsPerSquareMetre),
    (Quantity::MetresPerSecond, pb::alert::Quantity::MetresPerSecond),
    (Quantity::Heights, pb::alert::Quantity::Heights),
    (Quantity::GapSeconds, pb::alert::Quantity::GapSeconds),
    (Quantity::FramesPerSecond, pb::alert::Quantity::FramesPerSecond),
    (Quantity::OffsetSeconds, pb::alert::Quantity::OffsetSeconds),
    (Quantity::Levels, pb::alert::Quantity::Levels),
    (Quantity::Part, pb::alert::Quantity::Part),
];

pub(crate) fn kind_number(kind: RuleKind) -> i32 {
    KINDS.iter().find(|(ours, _)| *ours == kind).map_or(0, |(_, theirs)| *theirs as i32)
}

pub(crate) fn kind_of(number: i32) -> Option<RuleKind> {
    KINDS.iter().find(|(_, theirs)| *theirs as i32 == number).map(|(ours, _)| *ours)
}

pub(crate) fn quantity_number(quantity: Quantity) -> i32 {
    QUANTITIES.iter().find(|(ours, _)| *ours == quantity).map_or(0, |(_, theirs)| *theirs as i32)
}

pub(crate) fn quantity_of(number: i32) -> Option<Quantity> {
    QUANTITIES.iter().find(|(_, theirs)| *theirs as i32 == number).map(|(ours, _)| *ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_number_of_its_own() {
        for kind in RuleKind::ALL {
            assert_eq!(kind_of(kind_number(kind)), Some(kind));
        }
        assert_eq!((kind_of(0), quantity_of(0)), (None, None));
    }
}
