//! The hierarchy: districts, streets, communities and grids with their names, codes and land use.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::dice::{Dice, Stream};
use crate::land::{LandUse, Profile, USES};
use crate::names::{Names, stem};
use crate::plan::CityPlan;
use crate::share_out::share_out;

/// Name, code, land use, and the district to which it once belonged. Former districts come before their parts, so that small cities
/// have such a pair too.
const DISTRICTS: [(&str, u32, Profile, Option<usize>); 10] = [
    ("宝安区", 440_306, Profile::Outer, None),
    ("龙华区", 440_309, Profile::Outer, Some(0)),
    ("福田区", 440_304, Profile::Core, None),
    ("龙岗区", 440_307, Profile::Outer, None),
    ("坪山区", 440_310, Profile::Edge, Some(3)),
    ("南山区", 440_305, Profile::Core, None),
    ("罗湖区", 440_303, Profile::Core, None),
    ("光明区", 440_311, Profile::Edge, Some(0)),
    ("盐田区", 440_308, Profile::Edge, None),
    ("大鹏新区", 440_312, Profile::Edge, Some(3)),
];
/// Their fractions of the buildings.
const SHARES: [u64; 10] = [150, 90, 60, 150, 40, 60, 40, 40, 15, 15];

#[derive(Debug)]
pub(crate) struct District {
    pub(crate) name: String,
    pub(crate) code: String,
    pub(crate) former: Option<usize>,
    profile: Profile,
    pub(crate) streets: Range<usize>,
}

#[derive(Debug)]
pub(crate) struct Street {
    pub(crate) name: String,
    pub(crate) code: String,
    pub(crate) district: usize,
    pub(crate) communities: Range<usize>,
    /// Its codes are still those of the district to which it belonged.
    pub(crate) kept_code: bool,
}

#[derive(Debug)]
pub(crate) struct Community {
    pub(crate) name: String,
    pub(crate) code: String,
    pub(crate) street: usize,
    pub(crate) grids: Range<usize>,
}

/// A former code of a grid, and the day of the change. Buildings of that time keep it.
#[derive(Debug, Clone)]
pub(crate) struct Former {
    pub(crate) code: String,
    pub(crate) changed: &'static str,
}

#[derive(Debug)]
pub(crate) struct Grid {
    pub(crate) code: String,
    pub(crate) community: usize,
    pub(crate) land: LandUse,
    pub(crate) buildings: u32,
    pub(crate) former: Option<Former>,
    /// Its planned area in square metres.
    pub(crate) area: f64,
}

/// Everything but positions. Each level lists its members in the order of the level above.
#[derive(Debug)]
pub(crate) struct Division {
    pub(crate) districts: Vec<District>,
    pub(crate) streets: Vec<Street>,
    pub(crate) communities: Vec<Community>,
    pub(crate) grids: Vec<Grid>,
}

fn ranges(counts: &[u64]) -> Vec<Range<usize>> {
    let mut end = 0;
    counts
        .iter()
        .map(|count| {
            let start = end;
            end += *count as usize;
            start..end
        })
        .collect()
}

/// Distributes `total` among members, by the weights of their parents, made uneven.
fn spread(dice: &mut Dice, total: u32, parents: &[u64], most: u64) -> Vec<Range<usize>> {
    let weights: Vec<u64> = parents.iter().map(|weight| weight * u64::from(dice.between(60, 140))).collect();
    ranges(&share_out(u64::from(total), &weights, 1, most))
}

impl Division {
    pub(crate) fn new(plan: &CityPlan, names: &mut Names) -> Self {
        let dice = &mut Dice::new(plan.seed, Stream::Division, 0);
        let mut districts = districts(plan, dice, names);
        let shares: Vec<u64> = (0..districts.len()).map(|index| *SHARES.get(index).unwrap_or(&30)).collect();
        let of_district = spread(dice, plan.streets, &shares, 100);
        let each = |parents: &[u64], ranges: &[Range<usize>]| -> Vec<u64> {
            let members = ranges.iter().zip(parents);
            members.flat_map(|(range, share)| vec![1 + share * 1000 / range.len() as u64; range.len()]).collect()
        };
        let street_shares = each(&shares, &of_district);
        let of_street = spread(dice, plan.communities, &street_shares, 400);
        let community_shares = each(&street_shares, &of_street);
        let of_community = spread(dice, plan.grids, &community_shares, 99);
        for (district, streets) in districts.iter_mut().zip(of_district) {
            district.streets = streets;
        }
        let streets = streets(&districts, of_street, dice, names);
        let communities = communities(&streets, of_community, dice, names);
        let grids = grids(plan, &districts, &streets, &communities, dice);
        Self { districts, streets, communities, grids }
    }

    pub(crate) fn district_of(&self, grid: usize) -> &District {
        &self.districts[self.street_of(grid).district]
    }

    pub(crate) fn street_of(&self, grid: usize) -> &Street {
        &self.streets[self.community_of(grid).street]
    }

    pub(crate) fn community_of(&self, grid: usize) -> &Community {
        &self.communities[self.grids[grid].community]
    }
}

fn districts(plan: &CityPlan, dice: &mut Dice, names: &mut Names) -> Vec<District> {
    (0..plan.districts as usize)
        .map(|index| match DISTRICTS.get(index) {
            Some((name, code, profile, former)) => District {
                name: (*name).to_owned(),
                code: code.to_string(),
                former: *former,
                profile: *profile,
                streets: 0..0,
            },
            None => District {
                name: names.unique(dice, |dice| format!("{}区", stem(dice))),
                code: (440_303 + index).to_string(),
                former: None,
                profile: dice.pick(&[Profile::Core, Profile::Outer, Profile::Edge]),
                streets: 0..0,
            },
        })
        .collect()
}

fn streets(districts: &[District], ranges: Vec<Range<usize>>, dice: &mut Dice, names: &mut Names) -> Vec<Street> {
    let mut next: BTreeMap<String, u32> = BTreeMap::new();
    let mut streets = Vec::with_capacity(ranges.len());
    let mut ranges = ranges.into_iter();
    for (number, district) in districts.iter().enumerate() {
        for (place, communities) in district.streets.clone().zip(&mut ranges) {
            // The first street of a new district got new codes, two of three others kept the old ones.
            let kept = district.former.filter(|_| place > district.streets.start && dice.chance(667));
            let prefix = &districts[kept.unwrap_or(number)].code;
            let count = next.entry(prefix.clone()).or_default();
            *count += 1;
            streets.push(Street {
                name: names.unique(dice, |dice| format!("{}街道", stem(dice))),
                code: format!("{prefix}{count:03}"),
                district: number,
                communities,
                kept_code: kept.is_some(),
            });
        }
    }
    streets
}

fn communities(streets: &[Street], ranges: Vec<Range<usize>>, dice: &mut Dice, names: &mut Names) -> Vec<Community> {
    let mut ranges = ranges.into_iter();
    let mut communities = Vec::with_capacity(ranges.len());
    for (number, street) in streets.iter().enumerate() {
        for (count, grids) in (1..=street.communities.len()).zip(&mut ranges) {
            communities.push(Community {
                name: names.unique(dice, |dice| format!("{}社区", stem(dice))),
                code: format!("{}{count:03}", street.code),
                street: number,
                grids,
            });
        }
    }
    communities
}

fn grids(
    plan: &CityPlan,
    districts: &[District],
    streets: &[Street],
    communities: &[Community],
    dice: &mut Dice,
) -> Vec<Grid> {
    let mut grids: Vec<Grid> = Vec::with_capacity(plan.grids as usize);
    for (number, community) in communities.iter().enumerate() {
        let street = &streets[community.street];
        let weights = districts[street.district].profile.weights();
        let main = dice.weighted(&weights);
        for _ in community.grids.clone() {
            let land = USES[if dice.chance(650) { main } else { dice.weighted(&weights) }];
            grids.push(Grid { code: String::new(), community: number, land, buildings: 0, former: None, area: 0.0 });
        }
    }
    if grids.iter().all(|grid| grid.land == LandUse::Green) {
        grids[0].land = LandUse::Village;
    }
    let weights: Vec<u64> =
        grids.iter().map(|grid| u64::from(grid.land.usual_buildings()) * u64::from(dice.between(60, 140))).collect();
    for (grid, count) in grids.iter_mut().zip(share_out(u64::from(plan.buildings), &weights, 0, 99_999)) {
        grid.buildings = count as u32;
    }
    areas(plan, &mut grids, dice);
    let mut former = FormerCodes::default();
    for community in communities {
        // Large grids first: cuts through areas of similar size give well-shaped halves.
        grids[community.grids.clone()].sort_by(|a, b| b.area.total_cmp(&a.area));
        let street = &streets[community.street];
        let district = &districts[street.district];
        for (count, grid) in (1..).zip(&mut grids[community.grids.clone()]) {
            grid.code = format!("{}{count:02}", community.code);
            grid.former = former.of(district, street, districts, dice);
        }
    }
    grids
}

/// Area of each grid: the space that its buildings need, and all the remaining area for the green.
fn areas(plan: &CityPlan, grids: &mut [Grid], dice: &mut Dice) {
    const SLACK: f64 = 1.9;
    const LEAST_M2: f64 = 7_000.0;
    let whole = f64::from(plan.width_m) * f64::from(plan.height_m);
    for grid in grids.iter_mut() {
        grid.area = (f64::from(grid.buildings) * grid.land.plot_m2() * SLACK).max(LEAST_M2);
    }
    let need: f64 = grids.iter().map(|grid| grid.area).sum();
    let left = whole - need;
    let greens = grids.iter().filter(|grid| grid.land == LandUse::Green).count();
    if left > 0.0 && greens > 0 {
        // Part of the remaining area is yards and squares everywhere, the rest hills and water.
        let everywhere = left * 0.15 / need;
        for grid in grids.iter_mut() {
            grid.area *= 1.0 + everywhere;
            if grid.land == LandUse::Green {
                grid.area += left * 0.85 / greens as f64 * dice.range(0.4, 1.6);
            }
        }
    }
}

/// Codes that grids had before their area got new ones.
#[derive(Debug, Default)]
struct FormerCodes {
    count: u32,
}

impl FormerCodes {
    fn of(&mut self, district: &District, street: &Street, districts: &[District], dice: &mut Dice) -> Option<Former> {
        const DAYS: [&str; 5] = ["2018-07-01", "2019-01-10", "2020-09-30", "2022-03-15", "2024-11-01"];
        let from = match district.former {
            // A new district with renumbered grids: the whole area has former codes.
            Some(former) if !street.kept_code => former,
            // Elsewhere some borders were moved.
            _ if dice.chance(6) => dice.below(districts.len() as u32) as usize,
            _ => return None,
        };
        let changed = dice.pick(&DAYS);
        let count = self.count;
        self.count += 1;
        // Streets from 900 on exist in former codes only, so no former code is in use today.
        let (street, community, grid) = (900 + count / (99 * 999) % 100, 1 + count / 99 % 999, 1 + count % 99);
        Some(Former { code: format!("{}{street:03}{community:03}{grid:02}", districts[from].code), changed })
    }
}
