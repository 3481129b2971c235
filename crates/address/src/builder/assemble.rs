//! From the draft to the file: everything sorted by code, so that the same records give the same bytes in whatever order they came.

mod ground;
mod tables;
mod units;

use std::collections::BTreeMap;

use indexmap::IndexSet;
use zerocopy::little_endian::{F32, I32, U32, U64};

use super::draft::Draft;
use super::geometry::Guess;
use super::names::ALWAYS;
use super::{BuildError, ImportReport, LikelySystem};
use crate::code::BuildingKey;
use crate::date::NO_END;
use crate::file::{
    BuildingRecord, CellsWriter, Footing, GridGround, Image, ImageWriter, Interner, NONE, PathRecord, PeriodRecord,
    PrefixRecord, Section, ShapeWriter, Steps, WHOLE_TEXT, build_tree,
};
use crate::layer::Layer;
use crate::meta::{Meta, Stats};
use ground::{CheckedBuilding, Grounds};
use units::CheckedUnit;

/// The base's bytes and the import report.
pub(super) fn finish(mut draft: Draft) -> Result<(Vec<u8>, ImportReport), BuildError> {
    if draft.synthetic > 0 && draft.real > 0 {
        return Err(BuildError::Mixed { synthetic: draft.synthetic, real: draft.real });
    }
    draft.close_votes();
    let buildings = ground::check_buildings(&mut draft);
    let units = units::check_units(&mut draft, &buildings);
    let steps = ground::steps(&draft, &buildings)?;
    let mut out = Output::new(steps);
    let grounds = out.grids(&draft);
    out.buildings(&draft, &buildings, &units, &grounds);
    let known = tables::Known::of(&draft, &buildings, &out.areas);
    out.names(&mut draft, &known);
    out.formers(&mut draft, &known);
    out.roads(&draft, &grounds);
    out.work_grids(&mut draft, &known);

    let counts = out.counts;
    let removed = draft.removed.len();
    let report = &mut draft.report;
    report.removed = removed;
    report.grids = counts.grids;
    report.buildings = counts.buildings;
    report.without_footprint = counts.buildings - counts.footprints;
    report.units = counts.units;
    report.roads = counts.roads;
    report.names = counts.names;
    report.former_codes = counts.former_codes;
    report.working_grid_members = out.members.len();
    report.accepted = [
        counts.grids,
        counts.buildings,
        counts.units,
        counts.roads,
        counts.names,
        counts.former_codes,
        report.working_grid_members,
        removed,
    ]
    .iter()
    .sum();
    let mut report = std::mem::take(report);
    report.likely_systems = likely_systems(&draft);
    if report.accepted == 0 {
        return Err(BuildError::Nothing(Box::new(report)));
    }
    let limit = draft.options.refused_share_limit;
    if report.refused_share() > limit {
        return Err(BuildError::TooManyRefused { limit, report: Box::new(report) });
    }
    let synthetic = draft.synthetic > 0;
    let change = draft.base.take().map(|base| (base, std::mem::take(&mut draft.removed)));
    drop(draft);
    let image = out.write(synthetic)?;
    let Some((base, removed)) = change else { return Ok((image, report)) };
    let failed = |error: String| BuildError::Write(error);
    let delta = crate::delta::write(base.version(), removed.into_iter().collect(), &image);
    let delta = delta.map_err(|error| failed(error.to_string()))?;
    // A size limit is reported here, not when the base is published.
    base.apply(&delta).map_err(|error| failed(error.to_string()))?;
    Ok((delta, report))
}

/// Of each table the system that most of its refused places fit.
fn likely_systems(draft: &Draft) -> Vec<LikelySystem> {
    let mut of_tables: BTreeMap<u16, (&Guess, usize)> = BTreeMap::new();
    for ((table, guess), records) in &draft.guesses {
        let best = of_tables.entry(*table).or_insert((guess, *records));
        if *records > best.1 {
            *best = (guess, *records);
        }
    }
    let likely = of_tables.into_iter().map(|(table, (guess, records))| LikelySystem {
        file: draft.file_of((table, 0)).to_string(),
        given: draft.crs((table, 0)).name().to_owned(),
        likely: guess.system.clone(),
        exchanged: guess.exchanged,
        records,
    });
    likely.collect()
}

/// A building's record has three bytes for its period.
const MOST_PERIODS: usize = 1 << 24;

/// The sections while they are filled.
struct Output {
    steps: Steps,
    strings: Interner,
    /// Maps the number of a draft's string to its number in the file.
    string_numbers: Vec<u32>,
    path_numbers: Vec<u32>,
    paths: Vec<PathRecord>,
    shapes: ShapeWriter,
    areas: Vec<crate::file::AreaRecord>,
    grids: Vec<crate::file::GridRecord>,
    buildings: Vec<BuildingRecord>,
    prefixes: Vec<PrefixRecord>,
    units: Vec<U32>,
    rooms: Vec<U32>,
    /// Distinct periods of addresses; the first is "always".
    periods: IndexSet<(i32, i32)>,
    footings: Vec<Footing>,
    grid_grounds: Vec<GridGround>,
    roads: Vec<crate::file::RoadRecord>,
    segments: Vec<crate::file::SegmentRecord>,
    names: Vec<crate::file::NameRecord>,
    formers: Vec<crate::file::FormerRecord>,
    work_grids: Vec<crate::file::WorkGridRecord>,
    members: Vec<crate::file::MemberRecord>,
    trees: [Vec<u8>; 3],
    counts: Stats,
}

impl Output {
    fn new(steps: Steps) -> Self {
        let mut strings = Interner::default();
        strings.intern("");
        Self {
            steps,
            strings,
            string_numbers: Vec::new(),
            path_numbers: Vec::new(),
            paths: Vec::new(),
            shapes: ShapeWriter::default(),
            areas: Vec::new(),
            grids: Vec::new(),
            buildings: Vec::new(),
            prefixes: Vec::new(),
            units: Vec::new(),
            rooms: Vec::new(),
            periods: IndexSet::from([ALWAYS]),
            footings: Vec::new(),
            grid_grounds: Vec::new(),
            roads: Vec::new(),
            segments: Vec::new(),
            names: Vec::new(),
            formers: Vec::new(),
            work_grids: Vec::new(),
            members: Vec::new(),
            trees: [const { Vec::new() }; 3],
            counts: Stats::default(),
        }
    }

    /// The file's number of a draft's string.
    fn string(&mut self, draft: &Draft, number: u32) -> u32 {
        let at = number as usize;
        if at >= self.string_numbers.len() {
            self.string_numbers.resize(at + 1, NONE);
        }
        if self.string_numbers[at] == NONE {
            self.string_numbers[at] = self.strings.intern(draft.strings.get(number));
        }
        self.string_numbers[at]
    }

    fn text(&mut self, text: &str) -> U32 {
        U32::new(self.strings.intern(text))
    }

    /// The file's number of a draft's path.
    fn path(&mut self, draft: &Draft, number: u32) -> U32 {
        let at = number as usize;
        if at >= self.path_numbers.len() {
            self.path_numbers.resize(at + 1, NONE);
        }
        if self.path_numbers[at] == NONE {
            let parts = draft.paths.get_index(at).copied().unwrap_or_default();
            let parts = parts.map(|part| U32::new(self.string(draft, part)));
            self.path_numbers[at] = self.paths.len() as u32;
            self.paths.push(PathRecord { parts });
        }
        U32::new(self.path_numbers[at])
    }

    fn buildings(&mut self, draft: &Draft, all: &[CheckedBuilding], units: &[CheckedUnit], grounds: &Grounds) {
        let mut boxes = Vec::with_capacity(all.len());
        let mut units = units.iter().peekable();
        for (index, building) in (0_u32..).zip(all) {
            let BuildingKey { prefix, suffix } = building.key;
            if self.prefixes.last().is_none_or(|last| last.prefix.get() != prefix) {
                self.prefixes.push(PrefixRecord { prefix: U64::new(prefix), first_building: U32::new(index) });
            }
            let shape = match &building.shape {
                Some(shape) => self.shapes.add_building(building.key, shape, self.steps).unwrap_or(NONE),
                None => NONE,
            };
            let plate = self.steps.degrees_to_steps(building.plate).unwrap_or_default();
            let bounds = ground::bounds(building.shape.as_ref(), building.plate, self.steps);
            boxes.push(bounds);
            self.counts.footprints += usize::from(shape != NONE);
            let first_unit = self.units.len() as u32;
            let rooms = self.take_units(draft, index, &mut units);
            let (period, _) = self.periods.insert_full(building.valid);
            let ground_grid = grounds.grid_at(&self.grids, &self.shapes.words, self.steps, building.plate);
            self.footings.push(Footing {
                bounds,
                building: index,
                shape,
                area_m2: building.area_m2,
                ground_grid,
                has_end: building.valid.1 != NO_END,
            });
            let [road, road_number, village, name] = building.parts.map(|part| U32::new(self.string(draft, part)));
            let text = match building.composed {
                true => NONE,
                false => self.string(draft, building.text),
            };
            let path = self.path(draft, building.path);
            self.buildings.push(BuildingRecord {
                prefix: U64::new(prefix),
                suffix,
                period: [period as u8, (period >> 8) as u8, (period >> 16) as u8],
                path,
                road,
                road_number,
                village,
                name,
                text: U32::new(text),
                shape: U32::new(shape),
                x: I32::new(plate[0]),
                y: I32::new(plate[1]),
                area_m2: F32::new(building.area_m2),
                ground_grid: U32::new(ground_grid),
                first_unit: U32::new(first_unit),
                rooms: U32::new(rooms),
            });
        }
        self.counts.buildings = self.buildings.len();
        self.counts.units = self.units.len();
        self.trees[0] = build_tree(&boxes);
    }

    /// Adds the units of a building; returns where its room numbers begin, `NONE` when they are 1, 2, 3 ...
    fn take_units<'a>(
        &mut self,
        draft: &Draft,
        building: u32,
        units: &mut std::iter::Peekable<impl Iterator<Item = &'a CheckedUnit>>,
    ) -> u32 {
        let first_room = self.rooms.len();
        let mut in_order = true;
        let mut nth = 0;
        while let Some(unit) = units.next_if(|unit| unit.building == building) {
            nth += 1;
            in_order &= unit.room == nth;
            let text = self.string(draft, unit.text);
            self.units.push(U32::new(if unit.whole { text | WHOLE_TEXT } else { text }));
            self.rooms.push(U32::new(unit.room));
        }
        if in_order {
            self.rooms.truncate(first_room);
            return NONE;
        }
        first_room as u32
    }

    fn write(self, synthetic: bool) -> Result<Vec<u8>, BuildError> {
        let failed = |what: String| BuildError::Write(what);
        if self.strings.bytes().len() as u64 >= u64::from(WHOLE_TEXT) {
            return Err(failed("its texts take more than 2 GiB".to_owned()));
        }
        if self.periods.len() >= MOST_PERIODS {
            return Err(failed("its addresses hold in more than 16 million different periods".to_owned()));
        }
        let meta = Meta { synthetic, origin: self.steps.origin, counts: self.counts };
        let meta = serde_json::to_vec(&meta).map_err(|error| failed(error.to_string()))?;
        let mut writer = ImageWriter::default();
        writer.section(Section::Meta, meta);
        writer.records(Section::StringEnds, &self.strings.ends());
        writer.section(Section::StringBytes, self.strings.bytes().to_vec());
        drop(self.strings);
        writer.records(Section::Areas, &self.areas);
        writer.records(Section::Paths, &self.paths);
        writer.records(Section::Grids, &self.grids);
        writer.records(Section::Buildings, &self.buildings);
        writer.records(Section::Prefixes, &self.prefixes);
        writer.records(Section::Units, &self.units);
        writer.records(Section::Rooms, &self.rooms);
        writer.records(Section::Shapes, &self.shapes.words);
        let [buildings, grids, segments] = self.trees;
        writer.section(Section::BuildingTree, buildings);
        writer.section(Section::GridTree, grids);
        writer.section(Section::SegmentTree, segments);
        writer.records(Section::Roads, &self.roads);
        writer.records(Section::Segments, &self.segments);
        writer.records(Section::Names, &self.names);
        writer.records(Section::Formers, &self.formers);
        writer.records(Section::WorkGrids, &self.work_grids);
        writer.records(Section::Members, &self.members);
        let period = |(from, to): &(i32, i32)| PeriodRecord { from: I32::new(*from), to: I32::new(*to) };
        writer.records(Section::Periods, &self.periods.iter().map(period).collect::<Vec<_>>());
        let cells = CellsWriter::new(&self.footings, &self.grid_grounds, &self.shapes.words);
        writer.records(Section::Raster, &[cells.raster]);
        writer.records(Section::CellStarts, &cells.starts);
        writer.records(Section::CellSlots, &cells.slots);
        drop(cells);
        // The text index is built from the base as a reader sees it.
        let image = Image::owned(writer.finish()).map_err(|error| failed(error.to_string()))?;
        let layer = Layer::open(image).map_err(|error| failed(error.to_string()))?;
        let text = crate::search::index(&layer).map_err(failed)?;
        drop(layer);
        writer.section(Section::Text, text);
        Ok(writer.finish())
    }
}
