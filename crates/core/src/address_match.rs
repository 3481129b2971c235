use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::address::{AddressCode, AddressLevel, cut};

/// One possible address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AddressCandidate {
    /// Its code, padded with `*` below its level.
    pub code: AddressCode,
    /// Its full text.
    pub text: String,
    /// Metres from the ground point to its footprint; 0 inside.
    pub distance_m: f32,
    /// Probability from the point's error, 0 to 1.
    pub confidence: f32,
}

/// The standard address of a ground point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AddressMatch {
    /// The likeliest one.
    pub best: AddressCandidate,
    /// Its level.
    pub level: AddressLevel,
    /// Other possible ones, likeliest first; empty when it is unambiguous.
    pub alternatives: Vec<AddressCandidate>,
    /// Whether another one is nearly as likely as the best.
    #[serde(default)]
    pub ambiguous: bool,
    /// The road nearest to a place outdoors.
    #[serde(default)]
    pub road: Option<NearbyRoad>,
    /// The door plate nearest to a place outdoors.
    #[serde(default)]
    pub plate: Option<NearbyPlate>,
    /// The units responsible for the place: the working grids that contain its basic grid, by kind and code. Several of one
    /// kind where working grids overlap.
    #[serde(default)]
    pub responsible: Vec<ResponsibleUnit>,
    /// Version of the address base.
    pub base_version: String,
    /// Whether the base holds synthetic addresses (demo, tests).
    pub synthetic: bool,
}

/// A road near a place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NearbyRoad {
    /// Its name.
    pub name: String,
    /// Metres from the ground point to its line.
    pub distance_m: f32,
}

/// A door plate near a place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NearbyPlate {
    /// Road and number.
    pub text: String,
    /// The building that bears it.
    pub code: AddressCode,
    /// Metres from the ground point to that building.
    pub distance_m: f32,
}

/// A working grid (police, fire ...): a union of basic grids for which one unit is responsible.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ResponsibleUnit {
    /// Its responsibility: a word such as `police`, `fire`, `community`, `city_management`.
    pub kind: String,
    /// The working grid's own code.
    pub code: String,
    /// Its display name; may be empty.
    pub name: String,
}

/// Most characters of a kind or code of a working grid.
const MOST_UNIT_CHARACTERS: usize = 64;
/// Most characters of its name.
const MOST_UNIT_NAME_CHARACTERS: usize = 200;

/// Why a text is not a kind, code or name of a responsible unit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {part} of a responsible unit is `{text}`; {rule}")]
pub struct ResponsibleUnitError {
    part: &'static str,
    text: String,
    rule: &'static str,
}

impl ResponsibleUnit {
    /// A unit whose parts can be written as `KIND:CODE` and listed with commas.
    ///
    /// # Errors
    /// When kind or code are empty, too long, or hold a space, a control character, `:` or `,`; when the name is too long
    /// or holds control characters.
    pub fn new(kind: &str, code: &str, name: &str) -> Result<Self, ResponsibleUnitError> {
        check_word("kind", kind)?;
        check_word("code", code)?;
        if name.chars().count() > MOST_UNIT_NAME_CHARACTERS || name.chars().any(char::is_control) {
            let rule = "it has at most 200 characters and no control characters";
            return Err(ResponsibleUnitError { part: "name", text: cut(name), rule });
        }
        Ok(Self { kind: kind.to_owned(), code: code.to_owned(), name: name.to_owned() })
    }
}

fn check_word(part: &'static str, text: &str) -> Result<(), ResponsibleUnitError> {
    let refused = |c: char| c.is_whitespace() || c.is_control() || c == ':' || c == ',';
    if text.is_empty() || text.chars().count() > MOST_UNIT_CHARACTERS || text.chars().any(refused) {
        let rule = "it has 1 to 64 characters, none of them a space, a control character, `:` or `,`";
        return Err(ResponsibleUnitError { part, text: cut(text), rule });
    }
    Ok(())
}

/// Selects responsible units by code, of one kind or of any.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ResponsibleRef {
    /// Only of this kind; of any when absent.
    pub kind: Option<String>,
    /// Their code.
    pub code: String,
}

impl ResponsibleRef {
    /// Whether it selects `unit`.
    #[must_use]
    pub fn names(&self, unit: &ResponsibleUnit) -> bool {
        self.code == unit.code && self.kind.as_ref().is_none_or(|kind| *kind == unit.kind)
    }
}

impl fmt::Display for ResponsibleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Some(kind) => write!(f, "{kind}:{}", self.code),
            None => f.write_str(&self.code),
        }
    }
}

impl FromStr for ResponsibleRef {
    type Err = ResponsibleUnitError;

    /// `KIND:CODE` or `CODE`.
    fn from_str(text: &str) -> Result<Self, ResponsibleUnitError> {
        let (kind, code) = match text.split_once(':') {
            Some((kind, code)) => (Some(kind), code),
            None => (None, text),
        };
        kind.map(|kind| check_word("kind", kind)).transpose()?;
        check_word("code", code)?;
        Ok(Self { kind: kind.map(str::to_owned), code: code.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: &str = "4403040010010100001000001";

    #[test]
    fn a_responsible_unit_is_named_by_kind_and_code_or_by_code_alone() {
        let unit = ResponsibleUnit::new("police", "P-0101", "合成派出所一组").unwrap();
        for (text, names) in [("police:P-0101", true), ("P-0101", true), ("fire:P-0101", false), ("P-0102", false)] {
            let reference: ResponsibleRef = text.parse().unwrap();
            assert_eq!((reference.names(&unit), reference.to_string().as_str()), (names, text));
        }
        for wrong in ["", ":", "police:", ":P-0101", "police:P:1", "P 1", "a,b", "\u{7}"] {
            assert!(wrong.parse::<ResponsibleRef>().is_err(), "{wrong}");
        }
        assert!(ResponsibleUnit::new("po lice", "1", "").unwrap_err().to_string().contains("kind"));
        assert!(ResponsibleUnit::new("police", &"1".repeat(65), "").unwrap_err().to_string().contains("1 to 64"));
        assert!(ResponsibleUnit::new("police", "1", "a\nb").unwrap_err().to_string().contains("name"));
    }

    #[test]
    fn a_match_written_before_there_were_units_reads() {
        let text = format!(
            r#"{{"best":{{"code":"{ROOM}","text":"x","distance_m":0.0,"confidence":1.0}},"level":"room","alternatives":[],"base_version":"v","synthetic":true}}"#
        );
        let found: AddressMatch = serde_json::from_str(&text).unwrap();
        assert!(!found.ambiguous && found.responsible.is_empty() && found.road.is_none() && found.plate.is_none());
    }
}
