//! Places buildings on a grid and assigns their addresses.

use crate::block::{Block, Slot, block};
use crate::cut::{Cuts, Rect, RoadId};
use crate::dice::{Dice, Stream};
use crate::division::Division;
use crate::error::SynthError;
use crate::footprint::{Footprint, footprint};
use crate::land::LandUse;
use crate::mesh::Mesh;
use crate::names::Names;
use crate::place_name::Place;

/// A building without its units.
#[derive(Debug)]
pub(crate) struct Building {
    /// 25 characters.
    pub(crate) code: String,
    pub(crate) road: RoadId,
    pub(crate) road_num: String,
    /// Its index in [`Settler::places`].
    pub(crate) place: usize,
    pub(crate) label: String,
    pub(crate) land: LandUse,
    pub(crate) width_m: f64,
    pub(crate) footprint: Footprint,
    pub(crate) valid_from: String,
    /// Empty while it exists.
    pub(crate) valid_to: String,
    /// Empty for most.
    pub(crate) former_code: String,
}

/// Processes the grids in order.
#[derive(Debug)]
pub(crate) struct Settler<'a> {
    seed: u64,
    division: &'a Division,
    cuts: &'a Cuts,
    mesh: &'a Mesh,
    names: Names,
    /// Villages, estates and parks so far.
    pub(crate) places: Vec<Place>,
    /// The village that the next grid of the same community may continue, for urban villages and for houses.
    open: [Option<(usize, usize, u32)>; 2],
}

/// Most grids of a village.
const VILLAGE_GRIDS: u32 = 6;
/// Most buildings of an estate.
const ESTATE_BUILDINGS: usize = 18;

impl<'a> Settler<'a> {
    pub(crate) fn new(seed: u64, division: &'a Division, cuts: &'a Cuts, mesh: &'a Mesh, names: Names) -> Self {
        Self { seed, division, cuts, mesh, names, places: Vec::new(), open: [None; 2] }
    }

    /// The buildings of the next grid.
    pub(crate) fn settle(&mut self, number: usize) -> Result<Vec<Building>, SynthError> {
        let grid = &self.division.grids[number];
        let count = grid.buildings as usize;
        if count == 0 {
            return Ok(Vec::new());
        }
        let dice = &mut Dice::new(self.seed, Stream::Block, number as u64);
        let rect = &self.cuts.rects[number];
        let outline = self.mesh.outline(rect);
        let margins = rect.roads.map(|road| self.cuts.roads[road].class.half_width_m());
        let Some(block) = block(&outline, margins, grid.land, count, dice) else {
            return Err(SynthError::Crowded { grid: grid.code.clone(), buildings: count });
        };
        let mut codes = Codes::new(dice);
        let mut buildings = Vec::with_capacity(count);
        let (mut place, mut shared) = (usize::MAX, None);
        for (index, slot) in block.slots.iter().enumerate() {
            if index == 0 || (index % ESTATE_BUILDINGS == 0 && grid.land == LandUse::Estate) {
                place = self.place(number, dice);
                self.places[place].begin_grid();
                shared = self.places[place].shares_plate(grid.land).then(|| self.plate(rect, &block, slot));
            }
            let (road, plate) = shared.unwrap_or_else(|| self.plate(rect, &block, slot));
            let own = &mut Dice::new(self.seed, Stream::Building, (number as u64) << 20 | index as u64);
            let label = self.places[place].label(slot.row, &mut self.names, own);
            let Identity { code, former_code, valid_from, valid_to } = codes.next(self.division, number, own);
            buildings.push(Building {
                code,
                road,
                road_num: format!("{plate}号"),
                place,
                label,
                land: grid.land,
                width_m: slot.width,
                footprint: footprint(slot, block.frame, grid.land, self.mesh.plane(), own),
                valid_from,
                valid_to,
                former_code,
            });
        }
        Ok(buildings)
    }

    /// A new place, or the village of the previous grids.
    fn place(&mut self, grid: usize, dice: &mut Dice) -> usize {
        let land = self.division.grids[grid].land;
        let community = self.division.grids[grid].community;
        let open = match land {
            LandUse::Village => Some(0),
            LandUse::Houses => Some(1),
            _ => None,
        };
        if let Some((of, place, left)) = open.and_then(|open| self.open[open].as_mut())
            && *of == community
            && *left > 0
        {
            *left -= 1;
            return *place;
        }
        let name = self.division.communities[community].name.trim_end_matches("社区");
        self.places.push(Place::new(land, name, &mut self.names, dice));
        let place = self.places.len() - 1;
        if let Some(open) = open {
            self.open[open] = Some((community, place, dice.below(VILLAGE_GRIDS)));
        }
        place
    }

    /// The road of the nearest side and the number there: odd on one side, even on the other, rising along the road.
    fn plate(&self, rect: &Rect, block: &Block, slot: &Slot) -> (RoadId, u64) {
        let part = |low: f64, high: f64, at: f64| ((at - low) / (high - low)).clamp(0.0, 1.0);
        let along_u = part(block.low.x, block.high.x, slot.u + slot.width / 2.0);
        let along_v = part(block.low.y, block.high.y, slot.v + slot.depth / 2.0);
        let (width, height) = (rect.x[1] - rect.x[0], rect.y[1] - rect.y[0]);
        let far = [along_u * width as f64, along_v * height as f64];
        let sides = [far[0], far[1], width as f64 - far[0], height as f64 - far[1]];
        let mut side = 0;
        for (index, distance) in sides.iter().enumerate() {
            if *distance < sides[side] {
                side = index;
            }
        }
        let road = rect.roads[side];
        let from = if self.cuts.roads[road].upright { rect.y[0] + far[1] as i64 } else { rect.x[0] + far[0] as i64 };
        let along = (from - self.cuts.roads[road].run[0]).max(0) as u64;
        /// A pair of numbers for each 16 metres of road.
        const PAIR_CM: u64 = 1_600;
        (road, 2 * (along / PAIR_CM) + if side < 2 { 1 } else { 2 })
    }
}

/// Numbers the buildings of a grid for their codes.
struct Codes {
    digits: u32,
    letters: u32,
    former: u32,
}

struct Identity {
    code: String,
    former_code: String,
    valid_from: String,
    valid_to: String,
}

impl Codes {
    fn new(dice: &mut Dice) -> Self {
        Self { digits: 0, letters: dice.below(400), former: 0 }
    }

    fn next(&mut self, division: &Division, grid: usize, dice: &mut Dice) -> Identity {
        let grid = &division.grids[grid];
        // Buildings older than the grid's new code keep the former one.
        let old = grid.former.as_ref().filter(|_| dice.chance(850));
        let prefix = old.map_or(&grid.code, |former| &former.code);
        let part = if dice.chance(40) {
            self.letters += 1;
            format!("T{:04}", self.letters)
        } else {
            self.digits += 1;
            format!("{:05}", self.digits)
        };
        let former_code = if dice.chance(4) {
            self.former += 1;
            format!("{prefix}F{:04}000000", self.former)
        } else {
            String::new()
        };
        let day = |dice: &mut Dice, from: u32, to: u32| {
            format!("{}-{:02}-{:02}", dice.between(from, to), dice.between(1, 12), dice.between(1, 28))
        };
        let valid_from = match (old, &grid.former) {
            (None, Some(_)) => day(dice, 2025, 2025),
            (None, None) if dice.chance(550) => day(dice, 2018, 2025),
            // The day on which the standard came into force.
            _ => "2018-01-01".to_owned(),
        };
        let valid_to = if dice.chance(2) { day(dice, 2026, 2026) } else { String::new() };
        Identity { code: format!("{prefix}{part}000000"), former_code, valid_from, valid_to }
    }
}
