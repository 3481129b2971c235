use std::collections::BTreeMap;
use std::sync::Arc;

use geo::{Centroid, Coord, Intersects, MultiPolygon};
use vedette_core::{AddressCode, AddressCodeError, AddressLevel, AddressPrefix};

use super::geometry::{Ground, Placed, guess};
use super::{BuildError, BuilderOptions, ImportReport, Reason, Refusal, SourceCrs};
use crate::content::{AreaRecord, BuildingRecord, Content, GridRecord, UnitRecord};
use crate::format;
use crate::metric::Metric;
use crate::shape::StoredShape;

/// A building may stand this far outside its own grid, in metres, before its coordinates are doubted.
const GRID_TOLERANCE_M: f64 = 100.0;

/// Where a record came from.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) file: Arc<str>,
    pub(super) line: u64,
    pub(super) crs: SourceCrs,
}

/// The fields of a record, empty where it has none.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    pub(super) code: String,
    pub(super) building_id: String,
    pub(super) grid_code: String,
    work_code: String,
    /// Province, city, district, street, community.
    areas: [String; 5],
    plate: String,
    name: String,
    address: String,
    synthetic: bool,
}

impl Row {
    pub(super) fn new(field: impl Fn(&str) -> String) -> Self {
        Self {
            code: field("code"),
            building_id: field("building_id"),
            grid_code: field("gridcode"),
            work_code: field("workcode"),
            areas: ["province", "city", "district", "street", "community"].map(&field),
            plate: format!("{}{}", field("road"), field("road_num")),
            name: field("building"),
            address: field("address"),
            synthetic: field("source") == "synthetic",
        }
    }
}

#[derive(Debug)]
struct GridDraft {
    work_code: String,
    shape: MultiPolygon<f64>,
}

#[derive(Debug)]
struct BuildingDraft {
    source: Source,
    name: String,
    plate: String,
    text: String,
    placed: Option<Placed>,
}

#[derive(Debug)]
struct UnitDraft {
    source: Source,
    text: String,
}

/// Everything collected so far.
#[derive(Debug, Default)]
pub(super) struct Draft {
    grids: BTreeMap<String, GridDraft>,
    buildings: BTreeMap<String, BuildingDraft>,
    units: BTreeMap<String, UnitDraft>,
    /// How often a prefix had a text: rows disagree after districts were split.
    areas: BTreeMap<String, BTreeMap<String, usize>>,
    synthetic: usize,
    real: usize,
    report: ImportReport,
}

impl Draft {
    pub(super) fn refuse(&mut self, source: &Source, field: &str, value: &str, reason: Reason, rule: String) {
        let value = value.chars().take(80).collect();
        let (file, field) = (source.file.to_string(), field.to_owned());
        self.report.refuse(Refusal { file, line: source.line, field, value, rule, reason });
    }

    fn refuse_code(&mut self, source: &Source, field: &str, value: &str, error: &AddressCodeError) {
        let reason = match error {
            AddressCodeError::Length { .. } => Reason::CodeLength,
            AddressCodeError::Character { .. } => Reason::CodeCharacter,
        };
        self.refuse(source, field, value, reason, error.to_string());
    }

    pub(super) fn add_grid(&mut self, source: Source, row: Row, placed: Option<Placed>) {
        let prefix = match row.grid_code.parse::<AddressPrefix>() {
            Ok(prefix) if prefix.level() == AddressLevel::Grid => prefix,
            Ok(prefix) => {
                let rule = format!("a grid's code has 14 digits, this one names a {}", prefix.level().as_str());
                return self.refuse(&source, "GRIDCODE", &row.grid_code, Reason::CodeLength, rule);
            }
            Err(error) => return self.refuse_code(&source, "GRIDCODE", &row.grid_code, &error),
        };
        let Some(Placed { ground: Ground::Shape(shape), .. }) = placed else {
            let rule = "a grid has a polygon".to_owned();
            return self.refuse(&source, "geometry", &row.grid_code, Reason::NoGeometry, rule);
        };
        if self.grids.contains_key(prefix.as_str()) {
            let rule = "the grid was given before".to_owned();
            return self.refuse(&source, "GRIDCODE", &row.grid_code, Reason::DoubleCode, rule);
        }
        self.note(&row, prefix.as_str());
        self.grids.insert(prefix.as_str().to_owned(), GridDraft { work_code: row.work_code, shape });
    }

    pub(super) fn add_address(&mut self, source: Source, row: Row, placed: Option<Placed>) {
        let whole = if row.code.is_empty() { format!("{}000000", row.building_id) } else { row.code.clone() };
        let field = if row.code.is_empty() { "building_id" } else { "code" };
        let code = match whole.parse::<AddressCode>() {
            Ok(code) => code,
            Err(error) => return self.refuse_code(&source, field, &whole, &error),
        };
        let Some(building) = code.prefix(AddressLevel::Building) else {
            let rule = "an address row names a building or a room, this one a grid".to_owned();
            return self.refuse(&source, "code", &whole, Reason::CodeMeaning, rule);
        };
        if !row.building_id.is_empty() && row.building_id != building.as_str() {
            let rule = format!("`building_id` is the first 19 characters of `code`, here {building}");
            return self.refuse(&source, "building_id", &row.building_id, Reason::CodeMeaning, rule);
        }
        if code.level() == AddressLevel::Room {
            self.add_unit(source, row, &code);
        } else {
            self.add_building(source, row, building.as_str(), placed);
        }
    }

    fn add_unit(&mut self, source: Source, row: Row, code: &AddressCode) {
        if row.address.is_empty() {
            let rule = "a room has an address text".to_owned();
            return self.refuse(&source, "address", "", Reason::Unreadable, rule);
        }
        if let Some(twin) = self.units.get(code.as_str()) {
            let rule = format!("the code was given before, in {}:{}", twin.source.file, twin.source.line);
            return self.refuse(&source, "code", code.as_str(), Reason::DoubleCode, rule);
        }
        self.note(&row, code.as_str());
        self.units.insert(code.as_str().to_owned(), UnitDraft { source, text: row.address });
    }

    /// A building's text and its place may come in two records; each may come once.
    fn add_building(&mut self, source: Source, row: Row, code: &str, placed: Option<Placed>) {
        self.note(&row, code);
        let Row { name, plate, address: text, .. } = row;
        let Some(known) = self.buildings.get_mut(code) else {
            self.buildings.insert(code.to_owned(), BuildingDraft { source, name, plate, text, placed });
            return;
        };
        let before = format!("in {}:{}", known.source.file, known.source.line);
        if !text.is_empty() && !known.text.is_empty() && known.text != text {
            let rule = format!("the code was given before with another text, {before}");
            return self.refuse(&source, "code", code, Reason::DoubleCode, rule);
        }
        match (&known.placed, &placed) {
            (Some(old), Some(new)) => match (&old.ground, &new.ground) {
                // A footprint says more than a point.
                (Ground::Point(_), Ground::Shape(_)) => (known.placed, known.source) = (placed, source),
                (Ground::Shape(_), Ground::Point(_)) => {}
                _ => {
                    let rule = format!("the building was given before with a place, {before}");
                    return self.refuse(&source, "code", code, Reason::DoubleCode, rule);
                }
            },
            (None, Some(_)) => (known.placed, known.source) = (placed, source),
            (_, None) => {}
        }
        for (field, value) in [(&mut known.text, text), (&mut known.name, name), (&mut known.plate, plate)] {
            if field.is_empty() {
                *field = value;
            }
        }
    }

    /// Counts whether a record is invented, and the texts of the areas it lies in.
    fn note(&mut self, row: &Row, code: &str) {
        if row.synthetic {
            self.synthetic += 1
        } else {
            self.real += 1
        }
        let mut text = format!("{}{}", row.areas[0], row.areas[1]);
        for (name, length) in row.areas[2..].iter().zip([6, 9, 12]) {
            if name.is_empty() {
                break;
            }
            text.push_str(name);
            *self.areas.entry(code[..length].to_owned()).or_default().entry(text.clone()).or_default() += 1;
        }
    }

    pub(super) fn finish(mut self, options: &BuilderOptions) -> Result<(Vec<u8>, ImportReport), BuildError> {
        if self.synthetic > 0 && self.real > 0 {
            return Err(BuildError::Mixed { synthetic: self.synthetic, real: self.real });
        }
        let areas = self.take_areas();
        let buildings = self.take_buildings(options);
        let units = self.take_units(&buildings);
        let grids = self.take_grids(&areas);
        let footprints = buildings.iter().filter(|building| building.point.is_none()).count();
        self.report.grids = grids.len();
        self.report.buildings = buildings.len();
        self.report.without_footprint = buildings.len() - footprints;
        self.report.units = units.len();
        self.report.accepted = grids.len() + buildings.len() + units.len();
        let report = self.report;
        if report.accepted == 0 {
            return Err(BuildError::Nothing(Box::new(report)));
        }
        let limit = options.refused_share_limit;
        if report.refused_share() > limit {
            return Err(BuildError::TooManyRefused { limit, report: Box::new(report) });
        }
        let content = Content { synthetic: self.synthetic > 0, areas, grids, buildings, units };
        let bytes = format::write(&content).map_err(|error| BuildError::Write(error.to_string()))?;
        Ok((bytes, report))
    }

    fn take_areas(&mut self) -> Vec<AreaRecord> {
        std::mem::take(&mut self.areas)
            .into_iter()
            .filter_map(|(code, texts)| {
                let (text, _) = texts.into_iter().max_by(|a, b| a.1.cmp(&b.1).then_with(|| b.0.cmp(&a.0)))?;
                Some(AreaRecord { code, text })
            })
            .collect()
    }

    fn take_grids(&mut self, areas: &[AreaRecord]) -> Vec<GridRecord> {
        std::mem::take(&mut self.grids)
            .into_iter()
            .map(|(code, grid)| {
                let community = areas.binary_search_by(|area| area.code.as_str().cmp(&code[..12])).ok();
                let place = community.map_or("", |at| areas[at].text.as_str());
                let text = format!("{place}{}网格", &code[12..]);
                GridRecord { work_code: grid.work_code, text, shape: StoredShape::from_geometry(&grid.shape), code }
            })
            .collect()
    }

    fn take_buildings(&mut self, options: &BuilderOptions) -> Vec<BuildingRecord> {
        let mut records = Vec::with_capacity(self.buildings.len());
        for (code, draft) in std::mem::take(&mut self.buildings) {
            let BuildingDraft { source, name, plate, text, placed } = draft;
            let Some(placed) = placed else {
                let rule = "a building has a footprint (or at least a point) in one of the files".to_owned();
                self.refuse(&source, "geometry", &code, Reason::NoGeometry, rule);
                continue;
            };
            if text.is_empty() {
                let rule = "a building has an address text in one of the files".to_owned();
                self.refuse(&source, "address", &code, Reason::Unreadable, rule);
                continue;
            }
            if let Some(rule) = self.outside_its_grid(&code, &placed, &source.crs, options) {
                let value = format!("{}, {}", placed.raw.x, placed.raw.y);
                self.refuse(&source, "geometry", &value, Reason::Coordinates, rule);
                continue;
            }
            let (shape, point) = match placed.ground {
                Ground::Shape(shape) => (StoredShape::from_geometry(&shape), None),
                Ground::Point(at) => {
                    (StoredShape::default(), Some(((at.x * 1e8).round() as i64, (at.y * 1e8).round() as i64)))
                }
            };
            records.push(BuildingRecord { code, name, plate, text, shape, point });
        }
        records
    }

    /// What is wrong when a building stands far outside the grid that its code names; none when it does not, or the
    /// grid is not in the base.
    fn outside_its_grid(
        &self,
        code: &str,
        placed: &Placed,
        crs: &SourceCrs,
        options: &BuilderOptions,
    ) -> Option<String> {
        let grid = self.grids.get(&code[..AddressLevel::Grid.prefix_len()])?;
        let at = match &placed.ground {
            Ground::Point(at) => *at,
            Ground::Shape(shape) => shape.centroid()?.0,
        };
        let distance = |at: Coord<f64>| {
            let inside = grid.shape.intersects(&at);
            if inside { 0.0 } else { Metric::around(at.y, at.x).edge_distance(&grid.shape) }
        };
        let off = distance(at);
        if off <= GRID_TOLERANCE_M {
            return None;
        }
        let likely = guess(placed.raw, crs, options, |x, y| distance(Coord { x, y }) == 0.0);
        let likely = likely.unwrap_or_else(|| "no known system puts it inside; check its code".to_owned());
        Some(format!("it stands {off:.0} m outside the grid of its code when taken as {}; {likely}", crs.name()))
    }

    fn take_units(&mut self, buildings: &[BuildingRecord]) -> Vec<UnitRecord> {
        let mut records = Vec::with_capacity(self.units.len());
        for (code, unit) in std::mem::take(&mut self.units) {
            let (outer, room) = code.split_at(AddressLevel::Building.prefix_len());
            let Ok(index) = buildings.binary_search_by(|building| building.code.as_str().cmp(outer)) else {
                let rule = format!("its building {outer} is not in the base, or was refused");
                self.refuse(&unit.source, "code", &code, Reason::UnitWithoutBuilding, rule);
                continue;
            };
            let whole = &buildings[index].text;
            let shared: usize = whole
                .chars()
                .zip(unit.text.chars())
                .take_while(|(a, b)| a == b)
                .map(|(letter, _)| letter.len_utf8())
                .sum();
            // Both bounds fit: a text is far shorter than 4 GiB and a base holds far fewer buildings.
            let (Ok(building), Ok(bytes)) = (u32::try_from(index), u32::try_from(shared)) else { continue };
            let rest = unit.text[shared..].to_owned();
            records.push(UnitRecord { building, room: room.to_owned(), shared: bytes, rest });
        }
        records
    }
}
