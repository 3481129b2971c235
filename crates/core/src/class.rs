use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Class of an object, in the product's own vocabulary. A model's manifest maps the model's classes to these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
#[repr(u8)]
#[expect(missing_docs, reason = "the names say it")]
pub enum ObjectClass {
    Person = 1,
    Bicycle = 2,
    Motorcycle = 3,
    Car = 4,
    Bus = 5,
    Truck = 6,
    Train = 7,
    Boat = 8,
    Animal = 9,
    Bag = 10,
    Other = 11,
}

/// The class name is not in the vocabulary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid object class; known are {known}", known = ObjectClass::names())]
pub struct UnknownClass(pub String);

impl ObjectClass {
    /// Every class, in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::Person,
        Self::Bicycle,
        Self::Motorcycle,
        Self::Car,
        Self::Bus,
        Self::Truck,
        Self::Train,
        Self::Boat,
        Self::Animal,
        Self::Bag,
        Self::Other,
    ];

    /// The name used in configuration, records and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Bicycle => "bicycle",
            Self::Motorcycle => "motorcycle",
            Self::Car => "car",
            Self::Bus => "bus",
            Self::Truck => "truck",
            Self::Train => "train",
            Self::Boat => "boat",
            Self::Animal => "animal",
            Self::Bag => "bag",
            Self::Other => "other",
        }
    }

    /// The number used on the bus (`vedette.v1.ObjectClass`).
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The class with that number.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        Self::ALL.get(index).copied()
    }

    fn names() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }
}

impl fmt::Display for ObjectClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ObjectClass {
    type Err = UnknownClass;
    fn from_str(text: &str) -> Result<Self, UnknownClass> {
        Self::ALL.into_iter().find(|class| class.as_str() == text).ok_or_else(|| UnknownClass(text.to_owned()))
    }
}

impl TryFrom<String> for ObjectClass {
    type Error = UnknownClass;
    fn try_from(text: String) -> Result<Self, UnknownClass> {
        text.parse()
    }
}

impl From<ObjectClass> for &'static str {
    fn from(class: ObjectClass) -> Self {
        class.as_str()
    }
}

/// A set of object classes; in configuration a list of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Vec<ObjectClass>", into = "Vec<ObjectClass>")]
pub struct ClassSet(u16);

impl ClassSet {
    /// Whether `class` is in the set.
    #[must_use]
    pub fn contains(self, class: ObjectClass) -> bool {
        self.0 & (1 << class.number()) != 0
    }

    /// Whether the set is empty.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The classes of the set, in the order of their numbers.
    pub fn iter(self) -> impl Iterator<Item = ObjectClass> {
        ObjectClass::ALL.into_iter().filter(move |class| self.contains(*class))
    }
}

impl FromIterator<ObjectClass> for ClassSet {
    fn from_iter<I: IntoIterator<Item = ObjectClass>>(classes: I) -> Self {
        Self(classes.into_iter().fold(0, |bits, class| bits | (1 << class.number())))
    }
}

impl From<Vec<ObjectClass>> for ClassSet {
    fn from(classes: Vec<ObjectClass>) -> Self {
        classes.into_iter().collect()
    }
}

impl From<ClassSet> for Vec<ObjectClass> {
    fn from(set: ClassSet) -> Self {
        set.iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_go_both_ways() {
        for class in ObjectClass::ALL {
            assert_eq!(ObjectClass::from_number(u32::from(class.number())), Some(class));
            assert_eq!(class.as_str().parse::<ObjectClass>().unwrap(), class);
        }
        assert_eq!(ObjectClass::from_number(0), None);
        assert!("wolf".parse::<ObjectClass>().unwrap_err().to_string().contains("person, bicycle"));
    }
}
