//! One open base file: typed access to its sections. A base with applied deltas has several.

mod near;
mod text;

use std::cmp::Ordering;
use std::fmt;
use std::sync::{Arc, OnceLock};

use geo::{Coord, MultiPolygon};
use vedette_core::{AddressCode, AddressLevel};
use zerocopy::little_endian::{I32, U32, U64};

use crate::code::BuildingKey;
use crate::file::{
    AreaRecord, BuildingRecord, FormerRecord, GridRecord, Image, MemberRecord, NONE, NameRecord, OpenError, PathRecord,
    PeriodRecord, PrefixRecord, RasterRecord, Ring, RoadRecord, Section, SegmentRecord, Steps, Tree, WorkGridRecord,
    key_before, rings, to_geometry,
};
use crate::meta::Meta;
use crate::text::TextIndex;

pub(crate) use text::UnitText;

#[derive(Clone)]
pub(crate) struct Layer {
    pub(crate) image: Arc<Image>,
    pub(crate) meta: Meta,
    pub(crate) steps: Steps,
    pub(crate) building_tree: Tree,
    pub(crate) grid_tree: Tree,
    pub(crate) segment_tree: Tree,
    /// Position of its raster; of size 0 if it has none.
    pub(crate) raster: RasterRecord,
    /// Kinds of working grids in it.
    pub(crate) kinds: Vec<String>,
    /// Buildings and grids of this layer that a later one replaces or removes, sorted.
    pub(crate) hidden_buildings: Vec<u32>,
    pub(crate) hidden_grids: Vec<u32>,
    /// For a delta's buildings that stand in a grid of a layer below: building, and that grid's code; sorted.
    pub(crate) grounds: Vec<(u32, u64)>,
    /// Opened on first use.
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
            return Err(wrong("the number of cells of its raster does not match its header"));
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

    /// The text index; none when it is damaged, or while the layer is being built.
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

    /// The building of that code, even if hidden.
    pub(crate) fn find_building(&self, key: BuildingKey) -> Option<u32> {
        let prefixes = self.prefixes();
        let at = prefixes.binary_search_by_key(&key.prefix, |record| record.prefix.get()).ok()?;
        let first = prefixes[at].first_building.get() as usize;
        let last = prefixes.get(at + 1).map_or(self.buildings().len(), |next| next.first_building.get() as usize);
        let buildings = self.buildings().get(first..last)?;
        // Most numbers are consecutive, from 00001.
        let in_turn = key.number().and_then(|number| number.checked_sub(1));
        let in_turn = in_turn.filter(|at| buildings.get(*at).is_some_and(|record| record.suffix == key.suffix));
        let found = match in_turn {
            Some(at) => at,
            None => buildings.binary_search_by(|record| record.suffix.cmp(&key.suffix)).ok()?,
        };
        u32::try_from(first + found).ok()
    }

    /// The grid of these 14 digits, even if hidden.
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

    /// Names of an area and of the areas that contain it, from the province to its own.
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

    /// Names of an entity and of entities in it, by code.
    pub(crate) fn names_within(&self, code: &str) -> &[NameRecord] {
        range_of(self.names(), |name| name.code[..code.len().min(25)].cmp(code.as_bytes()))
    }

    /// The code of a building: from the words before its shape, or from its record where it has none.
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

    /// The building's units: first, and one past the last; clamped to the existing units.
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

    /// Records of the sorted list with this code prefix.
    pub(crate) fn names_of(&self, code: &str) -> &[NameRecord] {
        let wanted = padded(code);
        range_of(self.names(), |name| name.code.cmp(&wanted))
    }

    /// Validity period of a building's address.
    #[inline]
    pub(crate) fn period(&self, building: &BuildingRecord) -> Option<&PeriodRecord> {
        self.periods().get(building.period())
    }

    /// Working grids that contain the basic grid of these digits.
    pub(crate) fn members_of(&self, digits: u64) -> &[MemberRecord] {
        let digits = U64::new(digits);
        range_of(self.members(), |member| member.grid.get().cmp(&digits.get()))
    }
}

/// The records of a sorted list that compare equal.
fn range_of<T>(all: &[T], order: impl Fn(&T) -> Ordering) -> &[T] {
    let from = all.partition_point(|record| order(record) == Ordering::Less);
    let length = all[from..].partition_point(|record| order(record) == Ordering::Equal);
    &all[from..from + length]
}

/// A prefix padded with zero bytes.
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

/// The level with a prefix of this length.
pub(crate) fn level_of(length: usize) -> Option<AddressLevel> {
    AddressLevel::ALL.into_iter().find(|level| level.prefix_len() == length)
}
