//! Texts of a layer's entities.

use zerocopy::little_endian::U32;

use super::Layer;
use crate::code::{building_text_of, grid_digits};
use crate::file::{BuildingRecord, GridRecord, NONE, Section, Strings, WHOLE_TEXT};

/// Text of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnitText<'a> {
    /// The suffix after its building's text.
    Own(&'a str),
    Whole(&'a str),
}

impl Layer {
    pub(crate) fn strings(&self) -> Strings<'_> {
        Strings { ends: self.image.records(Section::StringEnds), bytes: self.image.section(Section::StringBytes) }
    }

    pub(crate) fn text(&self, number: U32) -> &str {
        self.strings().get(number.get())
    }

    /// Current names of province, city, district, street and community.
    pub(crate) fn path(&self, number: U32) -> [&str; 5] {
        self.paths().get(number.get() as usize).map_or([""; 5], |path| path.parts.map(|part| self.text(part)))
    }

    pub(crate) fn building_text(&self, building: &BuildingRecord) -> String {
        self.building_text_and(building, "")
    }

    fn building_text_and(&self, building: &BuildingRecord, unit: &str) -> String {
        if building.text.get() != NONE {
            return [self.text(building.text), unit].concat();
        }
        let own = [building.road, building.road_number, building.village, building.name].map(|part| self.text(part));
        building_text_of(self.path(building.path), own, unit)
    }

    /// A unit's whole text.
    pub(crate) fn whole_text(&self, building: &BuildingRecord, own: UnitText<'_>) -> String {
        match own {
            UnitText::Own(own) => self.building_text_and(building, own),
            UnitText::Whole(whole) => whole.to_owned(),
        }
    }

    /// Prefetches the data of a building and the text of one of its units. The memory accesses then overlap instead of following
    /// each other: of a whole city hardly any of it is in the caches.
    #[inline]
    pub(crate) fn fetch(&self, building: &BuildingRecord, unit_text: u32) {
        let strings = self.strings();
        let parts = [building.road, building.road_number, building.village, building.name].map(U32::get);
        let first_bytes = parts.into_iter().chain([unit_text & !WHOLE_TEXT]).map(|number| strings.first_byte(number));
        let shape = self.shapes().get(building.shape.get() as usize).map_or(0, |word| word.get() as u8);
        std::hint::black_box(first_bytes.fold(shape, u8::wrapping_add));
    }

    /// Road and number; empty if absent.
    pub(crate) fn plate(&self, building: &BuildingRecord) -> String {
        format!("{}{}", self.text(building.road), self.text(building.road_number))
    }

    pub(crate) fn grid_text(&self, grid: &GridRecord) -> String {
        let digits = grid_digits(grid.code.get());
        format!("{}{}网格", self.path(grid.path).concat(), &digits[12..])
    }

    pub(crate) fn unit_text_number(&self, building: u32, nth: u32) -> u32 {
        let at = self.unit_range(building).start as usize + nth as usize;
        self.units().get(at).map_or(NONE, |text| text.get())
    }

    /// The suffix of a unit's text after its building's, or its whole text.
    pub(crate) fn unit_text(&self, building: u32, nth: u32) -> UnitText<'_> {
        let number = self.unit_text_number(building, nth);
        if number != NONE && number & WHOLE_TEXT != 0 {
            UnitText::Whole(self.strings().get(number & !WHOLE_TEXT))
        } else {
            UnitText::Own(self.strings().get(number))
        }
    }
}
