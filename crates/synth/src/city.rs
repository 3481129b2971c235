//! Writes a city: areas and roads first, then grid by grid its buildings and their units.

use std::path::Path;

use crate::alias::{self, Aliases};
use crate::cut::{Cuts, RoadId, cut};
use crate::dice::{Dice, Stream};
use crate::division::Division;
use crate::error::SynthError;
use crate::mesh::Mesh;
use crate::names::Names;
use crate::plan::CityPlan;
use crate::plane::{Degrees, Plane};
use crate::readme;
use crate::settle::{Building, Settler};
use crate::share_out::Running;
use crate::table::{AddressRow, Buildings, JSON_END, JSON_HEAD, Notation, SOURCE, Table, Written, push_feature};
use crate::unit::Rooms;
use crate::units::Units;
use crate::work_grid;

pub(crate) const PROVINCE: &str = "广东省";
pub(crate) const CITY: &str = "深圳市";

/// The output of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Buildings.
    pub buildings: u64,
    /// Units.
    pub units: u64,
    /// Basic grids.
    pub grids: u64,
    /// Roads.
    pub roads: u64,
    /// Every file.
    pub files: Vec<Written>,
}

/// Writes the city of a plan as tables into `folder`, which is created if missing and must be empty or hold such a city, which is
/// replaced. `progress` is called after every grid with the number of buildings written, and the total.
///
/// # Errors
/// When the plan is impossible, the folder contains other files, a grid has no room for its buildings, or a file cannot be written.
pub fn write(plan: &CityPlan, folder: &Path, mut progress: impl FnMut(u64, u64)) -> Result<Summary, SynthError> {
    plan.check()?;
    readme::claim(folder)?;
    let mut names = Names::default();
    let division = Division::new(plan, &mut names);
    let cuts = cut(plan, &division, &mut names);
    let mesh = Mesh::new(&cuts, Plane::new(plan));
    let mut files = vec![
        readme::write(plan, folder)?,
        write_grids(&division, &cuts, &mesh, folder)?,
        write_roads(&cuts, &mesh, folder)?,
        work_grid::write(plan, &division, folder)?,
    ];
    let mut writer = Writer::new(plan, &division, &cuts, folder)?;
    let mut settler = Settler::new(plan.seed, &division, &cuts, &mesh, names);
    for grid in 0..division.grids.len() {
        for building in settler.settle(grid)? {
            writer.building(grid, &building, &settler)?;
        }
        progress(writer.count, u64::from(plan.buildings));
    }
    let (buildings, units) = (writer.count, writer.units.count());
    files.extend(writer.finish()?);
    Ok(Summary { buildings, units, grids: division.grids.len() as u64, roads: cuts.roads.len() as u64, files })
}

fn write_grids(division: &Division, cuts: &Cuts, mesh: &Mesh, folder: &Path) -> Result<Written, SynthError> {
    let mut table = Table::create(folder, "grids.geojson", JSON_HEAD)?;
    let codes = work_grid::work_codes(division);
    let mut out = Vec::with_capacity(2048);
    for (index, grid) in division.grids.iter().enumerate() {
        out.clear();
        let mut properties = vec![
            ("GRIDCODE", grid.code.as_str()),
            ("WORKCODE", &codes[index]),
            ("province", PROVINCE),
            ("city", CITY),
            ("district", &division.district_of(index).name),
            ("street", &division.street_of(index).name),
            ("community", &division.community_of(index).name),
        ];
        if let Some(former) = &grid.former {
            properties.extend([("former_code", former.code.as_str()), ("changed", former.changed)]);
        }
        properties.push(("source", SOURCE));
        push_feature(&mut out, index == 0, &properties);
        let corners = mesh.outline(&cuts.rects[index]).places;
        let ring: Vec<Degrees> = corners.into_iter().map(|corner| mesh.plane().degrees(corner)).collect();
        Notation::Json.geometry(&mut out, "Polygon", |out| Notation::Json.polygon(out, &[ring]));
        out.push(b'}');
        table.records(&out, 1)?;
    }
    table.text(JSON_END.as_bytes())?;
    table.finish()
}

fn write_roads(cuts: &Cuts, mesh: &Mesh, folder: &Path) -> Result<Written, SynthError> {
    let mut table = Table::create(folder, "roads.geojson", JSON_HEAD)?;
    let mut out = Vec::with_capacity(4096);
    for (index, road) in cuts.roads.iter().enumerate() {
        out.clear();
        push_feature(&mut out, index == 0, &[("road", road.name.as_str()), ("source", SOURCE)]);
        let line: Vec<Degrees> = mesh.road(road).into_iter().map(|corner| mesh.plane().degrees(corner)).collect();
        // Some long roads have two stretches, as where a tunnel or a bridge lies between.
        if line.len() > 12 && index % 7 == 0 {
            let (first, second) = (&line[..line.len() / 2], &line[line.len() / 2..]);
            Notation::Json.geometry(&mut out, "MultiLineString", |out| {
                Notation::Json.list(out, [first, second], |out, line| Notation::Json.line(out, line));
            });
        } else {
            Notation::Json.geometry(&mut out, "LineString", |out| Notation::Json.line(out, &line));
        }
        out.push(b'}');
        table.records(&out, 1)?;
    }
    table.text(JSON_END.as_bytes())?;
    table.finish()
}

/// The tables that grow with the buildings.
struct Writer<'a> {
    plan: &'a CityPlan,
    division: &'a Division,
    cuts: &'a Cuts,
    buildings: Buildings,
    units: Units,
    aliases: Aliases,
    former: Table,
    rooms: Running,
    count: u64,
}

impl<'a> Writer<'a> {
    fn new(plan: &'a CityPlan, division: &'a Division, cuts: &'a Cuts, folder: &Path) -> Result<Self, SynthError> {
        let buildings = Buildings::create(folder, plan.format)?;
        let units = Units::create(folder, u64::from(plan.buildings))?;
        let mut aliases = Aliases { table: Table::create(folder, "names.csv", alias::HEADER)? };
        aliases.areas(division, &mut Dice::new(plan.seed, Stream::Aliases, u64::MAX))?;
        let mut former = Table::create(folder, "former_codes.csv", "former_code,code,changed,source\n")?;
        for grid in &division.grids {
            if let Some(old) = &grid.former {
                former.records(format!("{},{},{},{SOURCE}\n", old.code, grid.code, old.changed).as_bytes(), 1)?;
            }
        }
        // The wanted number of rooms of each building is computed before any is written, so that the total is met.
        let lands = division.grids.iter().flat_map(|grid| std::iter::repeat_n(grid.land, grid.buildings as usize));
        let wishes = (0..).zip(lands).map(|(number, land)| wish(plan, number, land)).sum();
        let rooms = Running::new(u64::from(plan.units), wishes);
        Ok(Self { plan, division, cuts, buildings, units, aliases, former, rooms, count: 0 })
    }

    fn building(&mut self, grid: usize, building: &Building, settler: &Settler<'_>) -> Result<(), SynthError> {
        let number = self.count;
        self.count += 1;
        let place = &settler.places[building.place];
        let division = self.division;
        let areas = [
            PROVINCE,
            CITY,
            &division.district_of(grid).name,
            &division.street_of(grid).name,
            &division.community_of(grid).name,
        ];
        let road = &self.cuts.roads[building.road].name;
        let own = format!("{road}{}{}{}", building.road_num, place.name, building.label);
        let address = format!("{}{own}", areas.concat());
        let row = AddressRow {
            id: &(number + 1).to_string(),
            code: &building.code,
            areas,
            road,
            road_num: &building.road_num,
            village: &place.name,
            building: &building.label,
            address: &address,
            valid_from: &building.valid_from,
            valid_to: &building.valid_to,
            former_code: &building.former_code,
        };
        self.buildings.add(&row, &building.footprint)?;
        let dice = &mut Dice::new(self.plan.seed, Stream::Aliases, number);
        let crossing = format!("{road}与{}交汇处", self.crossing(grid, building.road));
        self.aliases.building(building, place, &format!("{CITY}{}{own}", areas[2]), &crossing, dice)?;
        if !building.former_code.is_empty() {
            let (old, new) = (&building.former_code[..19], &building.code[..19]);
            let changed = dice.between(2020, 2025);
            self.former.records(format!("{old},{new},{changed}-06-01,{SOURCE}\n").as_bytes(), 1)?;
        }
        let count = self.rooms.next(wish(self.plan, number, building.land)) as u32;
        let rooms = Rooms::new(count, building.land, building.width_m, dice);
        self.units.building(&row, count, &rooms, |code| self.aliases.shop(code, dice))
    }

    /// Another road at the grid.
    fn crossing(&self, grid: usize, road: RoadId) -> &str {
        let roads = self.cuts.rects[grid].roads;
        let side = roads.iter().position(|other| *other == road).unwrap_or(0);
        &self.cuts.roads[roads[(side + 1) % 4]].name
    }

    fn finish(self) -> Result<Vec<Written>, SynthError> {
        Ok(vec![self.buildings.finish()?, self.units.finish()?, self.aliases.table.finish()?, self.former.finish()?])
    }
}

/// Rooms of a building before they are scaled to the city's total.
fn wish(plan: &CityPlan, number: u64, land: crate::land::LandUse) -> u64 {
    u64::from(land.rooms(&mut Dice::new(plan.seed, Stream::Units, number)))
}
