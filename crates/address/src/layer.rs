//! One base file, opened: typed access to its sections. A base that took deltas is several of them.

use std::cmp::Ordering;
use std::fmt;
use std::sync::{Arc, OnceLock};

use geo::{Coord, MultiPolygon};
use vedette_core::{AddressCode, AddressLevel};
use zerocopy::little_endian::{I32, U32, U64};

use crate::code::{BuildingKey, building_text_of, grid_digits};
use crate::date::NO_END;
use crate::file::{
    AreaRecord, Boxed, BuildingRecord, Cells, Footing, FormerRecord, GridRecord, GridsAt, Image, MemberRecord, NONE,
    NameRecord, OpenError, PathRecord, PeriodRecord, PrefixRecord, RasterRecord, Ring, RoadRecord, Section,
    SegmentRecord, Slot, Steps, Strings, Tree, WHOLE_TEXT, WorkGridRecord, key_before, rings, to_geometry,
};
use crate::meta::Meta;
use crate::text::TextIndex;

#[derive(Clone)]
pub(crate) struct Layer {
    pub(crate) image: Arc<Image>,
    pub(crate) meta: Meta,
    pub(crate) steps: Steps,
    pub(crate) building_tree: Tree,
    pub(crate) grid_tree: Tree,
    pub(crate) segment_tree: Tree,
    /// Where its raster lies; of size 0 where it has none.
    pub(crate) raster: RasterRecord,
    /// Kinds of working grids it knows.
    pub(crate) kinds: Vec<String>,
    /// Buildings and grids of this layer that a later one replaces or takes away, sorted.
    pub(crate) hidden_buildings: Vec<u32>,
    pub(crate) hidden_grids: Vec<u32>,
    /// Of a delta's buildings that stand in a grid of a layer below: building, and that grid's code; sorted.
    pub(crate) grounds: Vec<(u32, u64)>,
    /// Opened when it is first asked.
    text: Arc<OnceLock<Option<TextIndex>>>,
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layer")
            .field("version", &self.image.version())
            .field("meta", &self.meta)
            .finish_non_exhaustive()
    }
}

impl Layer {
    pub(crate) fn open(image: Image) -> Result<Self, OpenError> {
        let wrong = |what: &str| OpenError::Content(what.to_owned());
        let meta: Meta =
            serde_json::from_slice(image.section(Section::Meta)).map_err(|error| wrong(&error.to_string()))?;
        let tree = |section, count, name: &str| Tree::read(image.section(section), count).ok_or_else(|| wrong(name));
        let mut layer = Self {
            building_tree: tree(Section::BuildingTree, meta.counts.buildings, "tree of buildings")?,
            grid_tree: tree(Section::GridTree, meta.counts.grids, "tree of grids")?,
            segment_tree: tree(
                Section::SegmentTree,
                image.records::<SegmentRecord>(Section::Segments).len(),
                "tree of roads",
            )?,
            raster: image.records(Section::Raster).first().copied().unwrap_or_default(),
            steps: Steps { origin: meta.origin },
            meta,
            image: Arc::new(image),
            kinds: Vec::new(),
            hidden_buildings: Vec::new(),
            hidden_grids: Vec::new(),
            grounds: Vec::new(),
            text: Arc::default(),
        };
        if !layer.cells().is_whole() {
            return Err(wrong("its raster has another number of cells than it says"));
        }
        let counts = &layer.meta.counts;
        for (what, found, said) in [
            ("areas", layer.areas().len(), counts.areas),
            ("grids", layer.grids().len(), counts.grids),
            ("buildings", layer.buildings().len(), counts.buildings),
            ("units", layer.units().len(), counts.units),
            ("roads", layer.roads().len(), counts.roads),
            ("names", layer.names().len(), counts.names),
            ("former codes", layer.formers().len(), counts.former_codes),
            ("working grids", layer.work_grids().len(), counts.working_grids),
        ] {
            if found != said {
                return Err(OpenError::Content(format!("{found} {what} instead of {said}")));
            }
        }
        let mut kinds: Vec<String> = layer.work_grids().iter().map(|grid| layer.text(grid.kind).to_owned()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        layer.kinds = kinds;
        Ok(layer)
    }

    /// The same layer with these buildings and grids hidden; its bytes are shared.
    pub(crate) fn hiding(&self, hidden_buildings: Vec<u32>, hidden_grids: Vec<u32>) -> Self {
        Self { hidden_buildings, hidden_grids, ..self.clone() }
    }

    /// The text index; none when it is damaged, or the layer is only being built.
    pub(crate) fn text_index(&self) -> Option<&TextIndex> {
        self.text.get_or_init(|| TextIndex::open(self.image.shared(Section::Text)).ok()).as_ref()
    }

    pub(crate) fn areas(&self) -> &[AreaRecord] {
        self.image.records(Section::Areas)
    }
    pub(crate) fn paths(&self) -> &[PathRecord] {
        self.image.records(Section::Paths)
    }
    #[inline]
    pub(crate) fn grids(&self) -> &[GridRecord] {
        self.image.records(Section::Grids)
    }
    #[inline]
    pub(crate) fn buildings(&self) -> &[BuildingRecord] {
        self.image.records(Section::Buildings)
    }
    pub(crate) fn prefixes(&self) -> &[PrefixRecord] {
        self.image.records(Section::Prefixes)
    }
    pub(crate) fn units(&self) -> &[U32] {
        self.image.records(Section::Units)
    }
    pub(crate) fn rooms(&self) -> &[U32] {
        self.image.records(Section::Rooms)
    }
    #[inline]
    pub(crate) fn shapes(&self) -> &[I32] {
        self.image.records(Section::Shapes)
    }
    pub(crate) fn roads(&self) -> &[RoadRecord] {
        self.image.records(Section::Roads)
    }
    pub(crate) fn segments(&self) -> &[SegmentRecord] {
        self.image.records(Section::Segments)
    }
    pub(crate) fn names(&self) -> &[NameRecord] {
        self.image.records(Section::Names)
    }
    pub(crate) fn formers(&self) -> &[FormerRecord] {
        self.image.records(Section::Formers)
    }
    pub(crate) fn work_grids(&self) -> &[WorkGridRecord] {
        self.image.records(Section::WorkGrids)
    }
    pub(crate) fn members(&self) -> &[MemberRecord] {
        self.image.records(Section::Members)
    }
    pub(crate) fn periods(&self) -> &[PeriodRecord] {
        self.image.records(Section::Periods)
    }

    pub(crate) fn strings(&self) -> Strings<'_> {
        Strings { ends: self.image.records(Section::StringEnds), bytes: self.image.section(Section::StringBytes) }
    }

    pub(crate) fn text(&self, number: U32) -> &str {
        self.strings().get(number.get())
    }

    #[inline]
    pub(crate) fn building(&self, index: u32) -> Option<&BuildingRecord> {
        self.buildings().get(index as usize)
    }

    #[inline]
    pub(crate) fn grid(&self, index: u32) -> Option<&GridRecord> {
        self.grids().get(index as usize)
    }

    #[inline]
    pub(crate) fn shows_building(&self, index: u32) -> bool {
        self.hidden_buildings.is_empty() || self.hidden_buildings.binary_search(&index).is_err()
    }

    #[inline]
    pub(crate) fn shows_grid(&self, index: u32) -> bool {
        self.hidden_grids.is_empty() || self.hidden_grids.binary_search(&index).is_err()
    }

    #[inline]
    pub(crate) fn cells(&self) -> Cells<'_> {
        let [columns, rows] = self.raster.size.map(U32::get);
        let has_cells = columns > 0 && rows > 0;
        Cells {
            raster: self.raster,
            starts: if has_cells { self.image.records::<U32>(Section::CellStarts) } else { &[] },
            slots: self.image.records::<Slot>(Section::CellSlots),
        }
    }

    /// Gives `found` each building whose box meets the square, from its cells or from the tree; but none that is hidden, or
    /// whose address has ended before the day.
    #[inline]
    pub(crate) fn buildings_in(&self, square: Boxed, day: i32, mut found: impl FnMut(Footing)) {
        let mut shown = |footing: Footing| {
            let ended = footing.has_end && self.has_ended(footing.building, day);
            if self.shows_building(footing.building) && !ended {
                found(footing);
            }
        };
        if self.cells().search(square, &mut shown) {
            return;
        }
        self.building_tree.search(self.image.section(Section::BuildingTree), square, |index, bounds| {
            if let Some(record) = self.building(index) {
                shown(self.footing(index, record, bounds));
            }
            true
        });
    }

    /// Whether a building's address has ended before the day.
    fn has_ended(&self, building: u32, day: i32) -> bool {
        let period = self.building(building).and_then(|record| self.period(record));
        period.is_some_and(|period| period.to.get() < day)
    }

    pub(crate) fn footing(&self, index: u32, record: &BuildingRecord, bounds: Boxed) -> Footing {
        Footing {
            bounds,
            building: index,
            shape: record.shape.get(),
            area_m2: record.area_m2.get(),
            ground_grid: record.ground_grid.get(),
            has_end: self.period(record).is_some_and(|period| period.to.get() != NO_END),
        }
    }

    /// The grids that are not hidden and may meet the square, from its cells or from the tree.
    #[inline]
    pub(crate) fn grids_in(&self, square: Boxed) -> GridsAt {
        match self.cells().grids_at(square) {
            Some(GridsAt::Whole(grid)) if self.shows_grid(grid) => GridsAt::Whole(grid),
            // No other grid touches what a hidden one has for itself.
            Some(GridsAt::Whole(_)) => GridsAt::Some(Default::default()),
            Some(GridsAt::Some(mut grids)) => {
                grids.retain(|grid| self.shows_grid(*grid));
                GridsAt::Some(grids)
            }
            None => {
                let mut grids = smallvec::SmallVec::new();
                self.grid_tree.search(self.image.section(Section::GridTree), square, |index, _| {
                    grids.extend(Some(index).filter(|index| self.shows_grid(*index)));
                    true
                });
                grids.sort_unstable();
                GridsAt::Some(grids)
            }
        }
    }

    /// The building of that code, also a hidden one.
    pub(crate) fn find_building(&self, key: BuildingKey) -> Option<u32> {
        let prefixes = self.prefixes();
        let at = prefixes.binary_search_by_key(&key.prefix, |record| record.prefix.get()).ok()?;
        let first = prefixes[at].first_building.get() as usize;
        let last = prefixes.get(at + 1).map_or(self.buildings().len(), |next| next.first_building.get() as usize);
        let buildings = self.buildings().get(first..last)?;
        // Most numbers are given in turn, from 00001.
        let in_turn = key.number().and_then(|number| number.checked_sub(1));
        let in_turn = in_turn.filter(|at| buildings.get(*at).is_some_and(|record| record.suffix == key.suffix));
        let found = match in_turn {
            Some(at) => at,
            None => buildings.binary_search_by(|record| record.suffix.cmp(&key.suffix)).ok()?,
        };
        u32::try_from(first + found).ok()
    }

    /// The grid of these 14 digits, also a hidden one.
    pub(crate) fn find_grid(&self, digits: u64) -> Option<u32> {
        let found = self.grids().binary_search_by_key(&digits, |grid| grid.code.get()).ok()?;
        u32::try_from(found).ok()
    }

    pub(crate) fn find_area(&self, code: &str) -> Option<&AreaRecord> {
        let mut wanted = [0; 12];
        wanted.get_mut(..code.len())?.copy_from_slice(code.as_bytes());
        let areas = self.areas();
        areas.binary_search_by(|area| area.code.cmp(&wanted)).ok().map(|at| &areas[at])
    }

    /// Names of an area and of those it lies in, from the province to its own.
    pub(crate) fn area_names(&self, area: &AreaRecord) -> smallvec::SmallVec<[&str; 5]> {
        let own = match area.code {
            [.., 0, 0, 0, 0, 0, 0] => 3,
            [.., 0, 0, 0] => 4,
            _ => 5,
        };
        self.path(area.path).into_iter().take(own).collect()
    }

    /// The prefix of an area.
    pub(crate) fn area_code<'a>(&self, area: &'a AreaRecord) -> &'a str {
        let end = area.code.iter().position(|byte| *byte == 0).unwrap_or(area.code.len());
        std::str::from_utf8(&area.code[..end]).unwrap_or_default()
    }

    /// Names of an entity and of what lies in it, by code.
    pub(crate) fn names_within(&self, code: &str) -> &[NameRecord] {
        range_of(self.names(), |name| name.code[..code.len().min(25)].cmp(code.as_bytes()))
    }

    /// Province, city, district, street and community, as they are called today.
    pub(crate) fn path(&self, number: U32) -> [&str; 5] {
        self.paths().get(number.get() as usize).map_or([""; 5], |path| path.parts.map(|part| self.text(part)))
    }

    /// The code of a building by what is known of it: from before its shape, or from its record where it has none.
    #[inline]
    pub(crate) fn building_key(&self, building: u32, shape: u32) -> Option<BuildingKey> {
        match shape {
            NONE => self.building(building).map(BuildingKey::of),
            _ => key_before(self.shapes(), shape),
        }
    }

    pub(crate) fn building_code(&self, building: &BuildingRecord) -> Option<AddressCode> {
        BuildingKey::of(building).code()
    }

    pub(crate) fn grid_code(&self, grid: &GridRecord) -> Option<AddressCode> {
        AddressCode::of_grid(grid.code.get())
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

    /// Touches all places that a building is told from, and the text of one of its units. Memory is asked for them at once
    /// so, not for one after the other: of a whole city hardly any are in the caches.
    #[inline]
    pub(crate) fn fetch(&self, building: &BuildingRecord, unit_text: u32) {
        let strings = self.strings();
        let parts = [building.road, building.road_number, building.village, building.name].map(U32::get);
        let first_bytes = parts.into_iter().chain([unit_text & !WHOLE_TEXT]).map(|number| strings.first_byte(number));
        let shape = self.shapes().get(building.shape.get() as usize).map_or(0, |word| word.get() as u8);
        std::hint::black_box(first_bytes.fold(shape, u8::wrapping_add));
    }

    /// Road and number; empty where it has none.
    pub(crate) fn plate(&self, building: &BuildingRecord) -> String {
        format!("{}{}", self.text(building.road), self.text(building.road_number))
    }

    pub(crate) fn grid_text(&self, grid: &GridRecord) -> String {
        let digits = grid_digits(grid.code.get());
        format!("{}{}网格", self.path(grid.path).concat(), &digits[12..])
    }

    /// The building's units: first, and one past the last; both among the units there are.
    pub(crate) fn unit_range(&self, building: u32) -> std::ops::Range<u32> {
        let all = self.units().len() as u32;
        let first = |index: Option<u32>| self.building(index?).map(|record| record.first_unit.get().min(all));
        let from = first(Some(building)).unwrap_or(0);
        from..first(building.checked_add(1)).unwrap_or(all).max(from)
    }

    /// Room number of the unit, counted from 0 in its building.
    pub(crate) fn room(&self, building: &BuildingRecord, nth: u32) -> u32 {
        match building.rooms.get() {
            NONE => nth + 1,
            rooms => self.rooms().get(rooms as usize + nth as usize).map_or(0, |room| room.get()),
        }
    }

    /// The unit with this room number, counted from 0 in its building.
    pub(crate) fn find_room(&self, building: u32, room: u32) -> Option<u32> {
        let record = self.building(building)?;
        let range = self.unit_range(building);
        let count = range.end - range.start;
        match record.rooms.get() {
            NONE => room.checked_sub(1).filter(|nth| *nth < count),
            rooms => {
                let rooms = self.rooms().get(rooms as usize..rooms as usize + count as usize)?;
                rooms.binary_search_by(|found| found.get().cmp(&room)).ok().map(|nth| nth as u32)
            }
        }
    }

    pub(crate) fn unit_text_number(&self, building: u32, nth: u32) -> u32 {
        let at = self.unit_range(building).start as usize + nth as usize;
        self.units().get(at).map_or(NONE, |text| text.get())
    }

    /// What a unit's text adds to its building's, or its whole text.
    pub(crate) fn unit_text(&self, building: u32, nth: u32) -> UnitText<'_> {
        let number = self.unit_text_number(building, nth);
        if number != NONE && number & WHOLE_TEXT != 0 {
            UnitText::Whole(self.strings().get(number & !WHOLE_TEXT))
        } else {
            UnitText::Own(self.strings().get(number))
        }
    }

    #[inline]
    pub(crate) fn rings(&self, shape: u32) -> impl Iterator<Item = Ring<'_>> {
        rings(self.shapes(), shape)
    }

    pub(crate) fn geometry(&self, shape: U32) -> Option<MultiPolygon<f64>> {
        (shape.get() != NONE).then(|| to_geometry(self.shapes(), shape.get(), self.steps))
    }

    pub(crate) fn plate_point(&self, building: &BuildingRecord) -> Coord<f64> {
        self.steps.to_degrees([building.x.get(), building.y.get()])
    }

    /// Records of the sorted list whose code is the prefix.
    pub(crate) fn names_of(&self, code: &str) -> &[NameRecord] {
        let wanted = padded(code);
        range_of(self.names(), |name| name.code.cmp(&wanted))
    }

    /// When a building's address holds.
    #[inline]
    pub(crate) fn period(&self, building: &BuildingRecord) -> Option<&PeriodRecord> {
        self.periods().get(building.period())
    }

    /// Working grids that hold the basic grid of these digits.
    pub(crate) fn members_of(&self, digits: u64) -> &[MemberRecord] {
        let digits = U64::new(digits);
        range_of(self.members(), |member| member.grid.get().cmp(&digits.get()))
    }
}

/// Text of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnitText<'a> {
    /// What follows its building's text.
    Own(&'a str),
    Whole(&'a str),
}

/// The records of a sorted list that compare equal.
fn range_of<T>(all: &[T], order: impl Fn(&T) -> Ordering) -> &[T] {
    let from = all.partition_point(|record| order(record) == Ordering::Less);
    let length = all[from..].partition_point(|record| order(record) == Ordering::Equal);
    &all[from..from + length]
}

/// A prefix with zero bytes behind it.
pub(crate) fn padded(code: &str) -> [u8; 25] {
    let mut padded = [0; 25];
    for (to, from) in padded.iter_mut().zip(code.bytes()) {
        *to = from;
    }
    padded
}

/// The text of a padded prefix.
pub(crate) fn unpadded(code: &[u8; 25]) -> &str {
    let end = code.iter().position(|byte| *byte == 0).unwrap_or(code.len());
    std::str::from_utf8(&code[..end]).unwrap_or_default()
}

/// The level whose prefix is this long.
pub(crate) fn level_of(length: usize) -> Option<AddressLevel> {
    AddressLevel::ALL.into_iter().find(|level| level.prefix_len() == length)
}
