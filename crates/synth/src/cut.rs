//! Cuts the city's rectangle into districts, those into streets, communities and grids; every cut is a road.

use std::ops::Range;

use crate::dice::{Dice, Stream};
use crate::division::Division;
use crate::names::{Names, RoadClass, road, stem};
use crate::plan::CityPlan;

/// Number of a road.
pub(crate) type RoadId = usize;

/// A rectangle of the plan, in centimetres, with the roads on its west, south, east and north side.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rect {
    pub(crate) x: [i64; 2],
    pub(crate) y: [i64; 2],
    pub(crate) roads: [RoadId; 4],
}

/// A road: a straight line of the plan, before bending.
#[derive(Debug)]
pub(crate) struct Road {
    pub(crate) name: String,
    pub(crate) class: RoadClass,
    /// From north to south; otherwise from west to east.
    pub(crate) upright: bool,
    /// Its easting when upright, else its northing, in centimetres.
    pub(crate) at: i64,
    /// Where it begins and ends along its axis.
    pub(crate) run: [i64; 2],
    stem: String,
}

/// Rectangles by grid, and all roads.
#[derive(Debug)]
pub(crate) struct Cuts {
    pub(crate) rects: Vec<Rect>,
    pub(crate) roads: Vec<Road>,
}

#[derive(Debug, Clone, Copy)]
enum Level {
    District,
    Street,
    Community,
    Grid,
}

struct Cutter<'a> {
    division: &'a Division,
    names: &'a mut Names,
    dice: Dice,
    /// Total area of the grids before each one.
    area_before: Vec<f64>,
    cuts: Cuts,
}

/// Least fraction of either half of a cut, to avoid slivers.
const LEAST_SHARE: f64 = 0.2;

pub(crate) fn cut(plan: &CityPlan, division: &Division, names: &mut Names) -> Cuts {
    let mut area_before = vec![0.0];
    let mut sum = 0.0;
    for grid in &division.grids {
        sum += grid.area;
        area_before.push(sum);
    }
    let cuts = Cuts { rects: vec![Rect::default(); division.grids.len()], roads: Vec::new() };
    let dice = Dice::new(plan.seed, Stream::Cuts, 0);
    let mut cutter = Cutter { division, names, dice, area_before, cuts };
    let (width, height) = (i64::from(plan.width_m) * 100, i64::from(plan.height_m) * 100);
    let mut rect = Rect { x: [0, width], y: [0, height], roads: [0; 4] };
    for side in 0..4 {
        let upright = side % 2 == 0;
        let (at, run) = match side {
            0 => (0, rect.y),
            1 => (0, rect.x),
            2 => (width, rect.y),
            _ => (height, rect.x),
        };
        rect.roads[side] = cutter.road(RoadClass::Boulevard, upright, at, run, None);
    }
    cutter.divide(Level::District, 0..division.districts.len(), rect);
    cutter.cuts
}

impl Cutter<'_> {
    fn divide(&mut self, level: Level, members: Range<usize>, rect: Rect) {
        if members.len() == 1 {
            return match self.inside(level, members.start) {
                Some((level, members)) => self.divide(level, members, rect),
                None => self.cuts.rects[members.start] = rect,
            };
        }
        let (middle, share) = self.halve(level, &members);
        let upright = rect.x[1] - rect.x[0] >= rect.y[1] - rect.y[0];
        let [from, to] = if upright { rect.x } else { rect.y };
        let at = from + ((to - from) as f64 * share).round() as i64;
        let class = self.class(level);
        // A road shares names with the one that it leaves.
        let kin = rect.roads[if upright { 1 } else { 0 }];
        let run = if upright { rect.y } else { rect.x };
        let road = self.road(class, upright, at, run, Some(kin));
        let (mut first, mut second) = (rect, rect);
        if upright {
            (first.x[1], second.x[0]) = (at, at);
            (first.roads[2], second.roads[0]) = (road, road);
        } else {
            (first.y[1], second.y[0]) = (at, at);
            (first.roads[3], second.roads[1]) = (road, road);
        }
        self.divide(level, members.start..middle, first);
        self.divide(level, middle..members.end, second);
    }

    /// The level below and its members; none in a grid.
    fn inside(&self, level: Level, member: usize) -> Option<(Level, Range<usize>)> {
        match level {
            Level::District => Some((Level::Street, self.division.districts[member].streets.clone())),
            Level::Street => Some((Level::Community, self.division.streets[member].communities.clone())),
            Level::Community => Some((Level::Grid, self.division.communities[member].grids.clone())),
            Level::Grid => None,
        }
    }

    /// The first grid of a member.
    fn first_grid(&self, level: Level, member: usize) -> usize {
        match self.inside(level, member) {
            Some((level, members)) => self.first_grid(level, members.start),
            None => member,
        }
    }

    fn grids(&self, level: Level, members: &Range<usize>) -> Range<usize> {
        let mut last = (level, members.end - 1);
        while let Some((level, members)) = self.inside(last.0, last.1) {
            last = (level, members.end - 1);
        }
        self.first_grid(level, members.start)..last.1 + 1
    }

    fn area(&self, level: Level, members: &Range<usize>) -> f64 {
        let grids = self.grids(level, members);
        self.area_before[grids.end] - self.area_before[grids.start]
    }

    /// The member that begins the second half, and the first half's share of the area.
    fn halve(&mut self, level: Level, members: &Range<usize>) -> (usize, f64) {
        let whole = self.area(level, members);
        let share = |middle: usize| self.area(level, &(members.start..middle)) / whole;
        let (mut best, mut best_share) = (members.start + 1, share(members.start + 1));
        for middle in members.start + 2..members.end {
            let here = share(middle);
            if (here - 0.5).abs() < (best_share - 0.5).abs() {
                (best, best_share) = (middle, here);
            }
        }
        (best, best_share.clamp(LEAST_SHARE, 1.0 - LEAST_SHARE))
    }

    fn class(&mut self, level: Level) -> RoadClass {
        match level {
            Level::District => RoadClass::Boulevard,
            Level::Street => RoadClass::Main,
            Level::Community => RoadClass::Local,
            Level::Grid => RoadClass::Lane,
        }
    }

    fn road(&mut self, class: RoadClass, upright: bool, at: i64, run: [i64; 2], kin: Option<RoadId>) -> RoadId {
        let dice = &mut self.dice;
        let own = stem(dice);
        let kin = kin.map(|road| self.cuts.roads[road].stem.clone());
        let name = self.names.unique(dice, |dice| road(dice, class, &own, kin.as_deref()));
        // The stem of a name is passed on to the roads that leave this one.
        let stem = kin.filter(|kin| name.starts_with(kin.as_str())).unwrap_or(own);
        self.cuts.roads.push(Road { name, class, upright, at, run, stem });
        self.cuts.roads.len() - 1
    }
}
