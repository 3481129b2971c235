use vedette_core::{AddressCode, AddressLevel};

use crate::file::BuildingRecord;

/// The parts of a building's code: 14 digits and 5 letters or digits, in the order of the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct BuildingKey {
    pub(crate) prefix: u64,
    pub(crate) suffix: [u8; 5],
}

impl BuildingKey {
    /// From the first 19 characters of a code.
    pub(crate) fn parse(code: &str) -> Option<Self> {
        let (prefix, rest) = code.split_at_checked(AddressLevel::Grid.prefix_len())?;
        Some(Self { prefix: digits(prefix)?, suffix: rest.as_bytes().first_chunk().copied()? })
    }

    pub(crate) fn of(record: &BuildingRecord) -> Self {
        Self { prefix: record.prefix.get(), suffix: record.suffix }
    }

    /// Positions 15 to 19 as a number, where they are digits.
    #[inline]
    pub(crate) fn number(self) -> Option<usize> {
        let digit = |byte: u8| byte.is_ascii_digit().then(|| usize::from(byte - b'0'));
        self.suffix.into_iter().try_fold(0, |number, byte| Some(number * 10 + digit(byte)?))
    }

    /// The 25 characters of an element in the building but in no room.
    pub(crate) fn code(self) -> Option<AddressCode> {
        AddressCode::of_building(self.prefix, self.suffix)
    }

    pub(crate) fn room(self, room: u32) -> Option<AddressCode> {
        format!("{}{room:06}", self.text()).parse().ok()
    }

    pub(crate) fn text(self) -> String {
        format!("{}{}", grid_digits(self.prefix), String::from_utf8_lossy(&self.suffix))
    }
}

/// 14 digits as a number.
pub(crate) fn digits(text: &str) -> Option<u64> {
    let all_digits = text.len() == AddressLevel::Grid.prefix_len() && text.bytes().all(|byte| byte.is_ascii_digit());
    if all_digits { text.parse().ok() } else { None }
}

/// A number as the 14 digits of a grid.
pub(crate) fn grid_digits(number: u64) -> String {
    format!("{number:014}")
}

/// A building's text from its parts, followed by the suffix of a unit.
pub(crate) fn building_text_of(path: [&str; 5], own: [&str; 4], unit: &str) -> String {
    let ([province, city, district, street, community], [road, number, village, name]) = (path, own);
    [province, city, district, street, community, road, number, village, name, unit].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_key_prints_the_code_it_was_made_of(text in "[0-9]{14}[0-9A-Za-z]{5}", room in 0..1_000_000_u32) {
            let key = BuildingKey::parse(&text).unwrap();
            proptest::prop_assert_eq!(key.text(), text.clone());
            proptest::prop_assert_eq!(key.code().unwrap().to_string(), format!("{text}******"));
            proptest::prop_assert_eq!(key.room(room).unwrap().to_string(), format!("{text}{room:06}"));
        }
    }

    #[test]
    fn keys_sort_as_codes_do() {
        let mut codes = ["4403060096010200002", "44030600960102T0117", "4403050096010200002", "44030600960102000A1"];
        codes.sort_unstable();
        let keys: Vec<BuildingKey> = codes.iter().map(|code| BuildingKey::parse(code).unwrap()).collect();
        assert!(keys.is_sorted());
        let number = |code: &str| BuildingKey::parse(code).unwrap().number();
        assert_eq!((number(codes[0]), number("44030600960102T0117")), (Some(2), None));
        assert_eq!(BuildingKey::parse("4403"), None);
        assert_eq!(BuildingKey::parse("4403050096010+00002"), None);
    }
}
