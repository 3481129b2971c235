//! Class names of other producers.

use std::collections::BTreeMap;

use serde::Deserialize;
use vedette_core::ObjectClass;

/// Meaning of a class name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// One of our classes.
    Known(ObjectClass),
    /// A face or number plate, which are not analysed.
    Identifying,
    /// Unknown.
    Unknown,
}

/// A site's class names, which take precedence over the built-in ones.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(from = "BTreeMap<String, ObjectClass>")]
pub struct ClassNames(BTreeMap<String, ObjectClass>);

impl From<BTreeMap<String, ObjectClass>> for ClassNames {
    fn from(names: BTreeMap<String, ObjectClass>) -> Self {
        Self(names.into_iter().map(|(name, class)| (folded(&name), class)).collect())
    }
}

impl ClassNames {
    pub(crate) fn meaning(&self, name: &str) -> Meaning {
        let name = folded(name);
        // A site cannot import faces and plates under another class name.
        match (usual(&name), self.0.get(&name)) {
            (Meaning::Identifying, _) => Meaning::Identifying,
            (_, Some(class)) => Meaning::Known(*class),
            (usual, None) => usual,
        }
    }
}

/// Without case, spaces and separators: `License_Plate` and `licensePlate` are one name.
fn folded(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Names used by producers of DeepStream, DL Streamer and ONVIF. A vehicle of unspecified kind counts as a car.
fn usual(name: &str) -> Meaning {
    use ObjectClass::{Animal, Bag, Bicycle, Boat, Bus, Car, Motorcycle, Person, Train, Truck};
    Meaning::Known(match name {
        "person" | "people" | "human" | "pedestrian" | "man" | "woman" | "child" => Person,
        "bicycle" | "bike" => Bicycle,
        "motorcycle" | "motorbike" | "scooter" => Motorcycle,
        "car" | "vehicle" | "automobile" | "van" | "suv" | "sedan" | "taxi" => Car,
        "bus" | "coach" => Bus,
        "truck" | "lorry" => Truck,
        "train" | "tram" => Train,
        "boat" | "ship" | "vessel" => Boat,
        "animal" | "dog" | "cat" | "bird" | "horse" | "sheep" | "cow" => Animal,
        "bag" | "backpack" | "handbag" | "suitcase" | "luggage" => Bag,
        "other" => ObjectClass::Other,
        "face" | "humanface" | "licenseplate" | "numberplate" | "plate" | "lpd" | "lp" => return Meaning::Identifying,
        _ => return Meaning::Unknown,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_whatever_their_spelling() {
        let names = ClassNames::from(BTreeMap::from([("Fork-Lift".to_owned(), ObjectClass::Truck)]));
        assert_eq!(names.meaning("fork lift"), Meaning::Known(ObjectClass::Truck));
        assert_eq!(names.meaning("Human"), Meaning::Known(ObjectClass::Person));
        assert_eq!(names.meaning("road_sign"), Meaning::Unknown);
    }

    #[test]
    fn a_face_is_not_taken_under_any_setting() {
        let names = ClassNames::from(BTreeMap::from([("face".to_owned(), ObjectClass::Person)]));
        for name in ["Face", "License_Plate", "licensePlate"] {
            assert_eq!(names.meaning(name), Meaning::Identifying, "{name}");
        }
    }

    #[test]
    fn our_own_names_mean_themselves() {
        for class in ObjectClass::ALL {
            assert_eq!(ClassNames::default().meaning(class.as_str()), Meaning::Known(class));
        }
    }
}
