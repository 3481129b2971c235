use serde::{Deserialize, Serialize};
use vedette_core::ObjectClass;

/// Classes that a model may confuse on the same object. A track stays in the group it began in.
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

    /// The group's classes; the first wins a tie.
    pub(crate) fn members(self) -> &'static [ObjectClass] {
        match self {
            Self::Person => &[ObjectClass::Person],
            Self::TwoWheeler => &[ObjectClass::Bicycle, ObjectClass::Motorcycle],
            Self::Vehicle => &[ObjectClass::Car, ObjectClass::Bus, ObjectClass::Truck, ObjectClass::Train],
            Self::Animal => &[ObjectClass::Animal],
            Self::Thing => &[ObjectClass::Other, ObjectClass::Bag, ObjectClass::Boat],
        }
    }
}
