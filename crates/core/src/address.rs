use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Levels of the standard address, outermost first (SZDB/Z 281-2017).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum AddressLevel {
    District,
    Street,
    Community,
    Grid,
    Building,
    Room,
}

impl AddressLevel {
    /// Every level, outermost first.
    pub const ALL: [Self; 6] = [Self::District, Self::Street, Self::Community, Self::Grid, Self::Building, Self::Room];

    /// Length of the code prefix of an entity of this level, in characters.
    #[must_use]
    pub const fn prefix_len(self) -> usize {
        match self {
            Self::District => 6,
            Self::Street => 9,
            Self::Community => 12,
            Self::Grid => 14,
            Self::Building => 19,
            Self::Room => 25,
        }
    }

    /// The name used in records and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::District => "district",
            Self::Street => "street",
            Self::Community => "community",
            Self::Grid => "grid",
            Self::Building => "building",
            Self::Room => "room",
        }
    }
}

const LEN: usize = 25;
const GRID_LEN: usize = 14;
const BUILDING_LEN: usize = 19;

/// A standard address code of 25 characters (SZDB/Z 281-2017). It has no check digit.
///
/// Positions 1-14 are digits (district 6, street 3, community 3, basic grid 2), 15-19 the building (digits or ASCII
/// letters, case kept), 20-25 the room (digits; `000000` is the building itself). An element located by an address pads
/// with `*`: outdoors positions 15-25, in a building but in no room positions 20-25.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AddressCode([u8; LEN]);

/// Why a text is not a standard address code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressCodeError {
    /// Not 25 characters, or for a prefix not the length of any level.
    #[error("`{text}` has {len} characters; {rule}")]
    Length {
        /// The text, shortened.
        text: String,
        /// Its length in characters.
        len: usize,
        /// The rule.
        rule: &'static str,
    },
    /// A character not allowed at its position.
    #[error("`{text}` has `{found}` at position {position}; {rule}")]
    Character {
        /// The text.
        text: String,
        /// The character.
        found: char,
        /// Position, counted from 1.
        position: usize,
        /// The rule.
        rule: &'static str,
    },
}

pub(crate) fn cut(text: &str) -> String {
    text.chars().take(40).collect()
}

fn check_characters(text: &str) -> Result<(), AddressCodeError> {
    let bytes = text.as_bytes();
    let refuse = |index: usize, rule| {
        Err(AddressCodeError::Character {
            text: cut(text),
            found: text[index..].chars().next().unwrap_or('?'),
            position: index + 1,
            rule,
        })
    };
    for (index, byte) in bytes.iter().enumerate() {
        if index < GRID_LEN && !byte.is_ascii_digit() {
            return refuse(index, "positions 1 to 14 are digits");
        }
        if (GRID_LEN..BUILDING_LEN).contains(&index) {
            let starts_padded = bytes[GRID_LEN] == b'*';
            if starts_padded != (*byte == b'*') {
                return refuse(index, "positions 15 to 19 are all `*` or hold none");
            }
            if !starts_padded && !byte.is_ascii_alphanumeric() {
                return refuse(index, "positions 15 to 19 are digits or letters, or all `*`");
            }
        }
        if index >= BUILDING_LEN {
            let starts_padded = bytes[BUILDING_LEN] == b'*';
            if starts_padded != (*byte == b'*') {
                return refuse(index, "positions 20 to 25 are all `*` or hold none");
            }
            if !starts_padded && (!byte.is_ascii_digit() || bytes[GRID_LEN] == b'*') {
                return refuse(index, "positions 20 to 25 are digits, or all `*`, and `*` where 15 to 19 are");
            }
        }
    }
    Ok(())
}

impl AddressCode {
    /// The code of an element in a building but in no room: the 14 digits of the code as a number, and positions 15 to 19.
    /// None when the number has more digits, or the building holds other characters than digits and letters.
    #[must_use]
    pub fn of_building(grid: u64, building: [u8; 5]) -> Option<Self> {
        let mut code = Self::of_grid(grid)?;
        if !building.iter().all(u8::is_ascii_alphanumeric) {
            return None;
        }
        code.0[GRID_LEN..BUILDING_LEN].copy_from_slice(&building);
        Some(code)
    }

    /// The code of an element outdoors in a grid: its 14 digits as a number. None when the number has more digits.
    #[must_use]
    pub fn of_grid(grid: u64) -> Option<Self> {
        let mut code = [b'*'; LEN];
        let mut rest = grid;
        for digit in code[..GRID_LEN].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        (rest == 0).then_some(Self(code))
    }

    /// The code as text, 25 ASCII characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("made from ASCII only")
    }

    /// The innermost level of the code: room, building (room `000000` or `*`) or grid (building `*`).
    #[must_use]
    pub fn level(&self) -> AddressLevel {
        if self.0[GRID_LEN] == b'*' {
            AddressLevel::Grid
        } else if self.0[BUILDING_LEN] == b'*' || self.0[BUILDING_LEN..] == *b"000000" {
            AddressLevel::Building
        } else {
            AddressLevel::Room
        }
    }

    /// The prefix of the entity of `level`; none when the code is padded there.
    #[must_use]
    pub fn prefix(&self, level: AddressLevel) -> Option<AddressPrefix> {
        let text = &self.as_str()[..level.prefix_len()];
        if text.ends_with('*') { None } else { Some(AddressPrefix(text.to_owned())) }
    }

    /// The code of an element outdoors in this code's grid: 14 digits and 11 `*`.
    #[must_use]
    pub fn outdoors(&self) -> Self {
        let mut code = self.0;
        code[GRID_LEN..].fill(b'*');
        Self(code)
    }

    /// The code of an element in this code's building but in no room: positions 20-25 are `*`.
    #[must_use]
    pub fn in_building(&self) -> Self {
        let mut code = self.0;
        code[BUILDING_LEN..].fill(b'*');
        Self(code)
    }
}

impl FromStr for AddressCode {
    type Err = AddressCodeError;

    fn from_str(text: &str) -> Result<Self, AddressCodeError> {
        let Ok(bytes) = <[u8; LEN]>::try_from(text.as_bytes()) else {
            return Err(AddressCodeError::Length {
                text: cut(text),
                len: text.chars().count(),
                rule: "a standard address code has 25",
            });
        };
        check_characters(text)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for AddressCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for AddressCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<String> for AddressCode {
    type Error = AddressCodeError;
    fn try_from(text: String) -> Result<Self, AddressCodeError> {
        text.parse()
    }
}

impl From<AddressCode> for String {
    fn from(code: AddressCode) -> String {
        code.as_str().to_owned()
    }
}

/// The prefix of a code that identifies one entity: 6, 9, 12, 14, 19 or 25 characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AddressPrefix(String);

impl AddressPrefix {
    /// The prefix as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The level of its entity.
    #[must_use]
    pub fn level(&self) -> AddressLevel {
        AddressLevel::ALL
            .into_iter()
            .find(|level| level.prefix_len() == self.0.len())
            .expect("the length was checked when it was made")
    }

    /// Whether `code` is this entity or inside it.
    #[must_use]
    pub fn contains(&self, code: &AddressCode) -> bool {
        code.as_str().starts_with(&self.0)
    }
}

impl fmt::Display for AddressPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for AddressPrefix {
    type Err = AddressCodeError;

    fn from_str(text: &str) -> Result<Self, AddressCodeError> {
        if !AddressLevel::ALL.into_iter().any(|level| level.prefix_len() == text.len()) {
            return Err(AddressCodeError::Length {
                text: cut(text),
                len: text.chars().count(),
                rule: "a prefix has 6 (district), 9 (street), 12 (community), 14 (grid), 19 (building) or 25 (room)",
            });
        }
        check_characters(text)?;
        if let Some(index) = text.find('*') {
            return Err(AddressCodeError::Character {
                text: cut(text),
                found: '*',
                position: index + 1,
                rule: "a prefix names an entity and holds no `*`",
            });
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for AddressPrefix {
    type Error = AddressCodeError;
    fn try_from(text: String) -> Result<Self, AddressCodeError> {
        text.parse()
    }
}

impl From<AddressPrefix> for String {
    fn from(prefix: AddressPrefix) -> String {
        prefix.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: &str = "4403040010010100001000001";

    #[test]
    fn levels_follow_the_padding() {
        let room: AddressCode = ROOM.parse().unwrap();
        assert_eq!(room.level(), AddressLevel::Room);
        assert_eq!(room.in_building().to_string(), "4403040010010100001******");
        assert_eq!(room.in_building().level(), AddressLevel::Building);
        assert_eq!(room.outdoors().to_string(), "44030400100101***********");
        assert_eq!(room.outdoors().level(), AddressLevel::Grid);
        assert_eq!(room.outdoors().prefix(AddressLevel::Building), None);
        assert_eq!("4403040010010100001000000".parse::<AddressCode>().unwrap().level(), AddressLevel::Building);
    }

    #[test]
    fn letters_are_allowed_in_the_building_only() {
        for real in ["44030600960102T0117000001", "44030600800448T0041******", "44030601000335T0003000000"] {
            assert_eq!(real.parse::<AddressCode>().unwrap().to_string(), real);
        }
        for (wrong, position) in [
            ("A403040010010100001000001", 1),
            ("4403040010010100001A00001", 20),
            ("4403040010010*00010000001", 14),
            ("44030400100101*0001000001", 16),
            ("44030400100101*****000001", 20),
            ("440304001001010000100000*", 25),
            ("44030400100101-0001000001", 15),
        ] {
            match wrong.parse::<AddressCode>() {
                Err(AddressCodeError::Character { position: at, .. }) => assert_eq!(at, position, "{wrong}"),
                other => panic!("{wrong}: {other:?}"),
            }
        }
        assert!("44030400100101000010".parse::<AddressCode>().unwrap_err().to_string().contains("20 characters"));
        assert!("四四0304001001010000100001".parse::<AddressCode>().is_err());
    }

    #[test]
    fn a_prefix_contains_what_lies_inside_it() {
        let room: AddressCode = ROOM.parse().unwrap();
        for level in AddressLevel::ALL {
            let prefix = room.prefix(level).unwrap();
            assert_eq!(prefix.level(), level);
            assert!(prefix.contains(&room));
        }
        assert!("4403".parse::<AddressPrefix>().is_err());
        assert!("44030400100101*****".parse::<AddressPrefix>().is_err());
    }

    proptest::proptest! {
        #[test]
        fn a_code_made_of_its_parts_is_the_code_that_is_read(grid in 0..200_000_000_000_000_u64, building in "[ -~]{5}") {
            let bytes: [u8; 5] = building.as_bytes().try_into().unwrap();
            let read = format!("{grid:014}{building}******").parse::<AddressCode>().ok();
            let read = read.filter(|code| code.level() == AddressLevel::Building);
            proptest::prop_assert_eq!(AddressCode::of_building(grid, bytes), read);
            let outdoors = format!("{grid:014}***********").parse::<AddressCode>().ok();
            proptest::prop_assert_eq!(AddressCode::of_grid(grid), outdoors);
        }

        #[test]
        fn any_text_is_refused_or_prints_back(text in "\\PC{0,30}") {
            if let Ok(code) = text.parse::<AddressCode>() {
                proptest::prop_assert_eq!(code.to_string(), text);
            }
        }

        #[test]
        fn every_wellformed_code_prints_back(text in "[0-9]{14}([0-9A-Za-z]{5}([0-9]{6}|\\*{6})|\\*{11})") {
            proptest::prop_assert_eq!(text.parse::<AddressCode>().unwrap().to_string(), text);
        }
    }
}
