//! Working grids: the units responsible for basic grids.

use std::ops::Range;
use std::path::Path;

use crate::dice::{Dice, Stream};
use crate::division::Division;
use crate::error::SynthError;
use crate::plan::CityPlan;
use crate::table::{SOURCE, Table, Written};

/// A kind of working grid.
struct Kind {
    word: &'static str,
    letters: &'static str,
    /// Approximate number of basic grids in one.
    size: usize,
    /// Within a community; otherwise within a street.
    in_community: bool,
    name: fn(area: &str, number: usize) -> String,
}

const KINDS: [Kind; 4] = [
    Kind {
        word: "police",
        letters: "JW",
        size: 14,
        in_community: false,
        name: |area, number| format!("{area}派出所第{number}警务区"),
    },
    Kind {
        word: "fire",
        letters: "XF",
        size: 110,
        in_community: false,
        name: |area, number| format!("{area}消防救援站第{number}责任区"),
    },
    Kind {
        word: "community",
        letters: "SQ",
        size: 5,
        in_community: true,
        name: |area, number| format!("{area}第{number}综合网格"),
    },
    Kind {
        word: "city_management",
        letters: "CG",
        size: 45,
        in_community: false,
        name: |area, number| format!("{area}城管第{number}责任区"),
    },
];

/// A working grid: consecutive grids in the order of cutting, which are adjacent.
struct WorkGrid {
    kind: usize,
    code: String,
    name: String,
    grids: Range<usize>,
}

fn all(division: &Division) -> Vec<WorkGrid> {
    let mut all = Vec::new();
    for (index, kind) in KINDS.iter().enumerate() {
        let areas: Vec<(&str, &str, Range<usize>)> = if kind.in_community {
            let area = |community: &crate::division::Community| community.grids.clone();
            division.communities.iter().map(|it| (it.code.as_str(), it.name.as_str(), area(it))).collect()
        } else {
            let first = |community: usize| division.communities[community].grids.start;
            let last = |community: usize| division.communities[community].grids.end;
            let area = |it: &crate::division::Street| first(it.communities.start)..last(it.communities.end - 1);
            let short = |name: &'_ str| name.len() - "街道".len();
            division.streets.iter().map(|it| (it.code.as_str(), &it.name[..short(&it.name)], area(it))).collect()
        };
        for (code, name, grids) in areas {
            let parts = grids.len().div_ceil(kind.size);
            for part in 0..parts {
                let start = grids.start + grids.len() * part / parts;
                let end = grids.start + grids.len() * (part + 1) / parts;
                let number = part + 1;
                all.push(WorkGrid {
                    kind: index,
                    code: format!("{}{code}{number:02}", kind.letters),
                    name: (kind.name)(name, number),
                    grids: start..end,
                });
            }
        }
    }
    all
}

/// The `WORKCODE` of each grid: the working grid of its community.
pub(crate) fn work_codes(division: &Division) -> Vec<String> {
    let mut codes = vec![String::new(); division.grids.len()];
    for work in all(division).into_iter().filter(|work| KINDS[work.kind].in_community) {
        codes[work.grids].fill(work.code);
    }
    codes
}

/// Writes `workgrids.csv`: every basic grid once in each kind, unless flaws are requested.
pub(crate) fn write(plan: &CityPlan, division: &Division, folder: &Path) -> Result<Written, SynthError> {
    let mut table = Table::create(folder, "workgrids.csv", "kind,workgrid,name,gridcode,source\n")?;
    let mut dice = Dice::new(plan.seed, Stream::WorkGrids, 0);
    let all = all(division);
    for (index, work) in all.iter().enumerate() {
        for grid in work.grids.clone() {
            let mut row = |work: &WorkGrid| {
                let kind = KINDS[work.kind].word;
                let row = format!("{kind},{},{},{},{SOURCE}\n", work.code, work.name, division.grids[grid].code);
                table.records(row.as_bytes(), 1)
            };
            match if plan.flaws { dice.below(1000) } else { 1000 } {
                // A hole, and an overlap with the next of its kind.
                0..=1 => {}
                2..=3 => {
                    row(work)?;
                    if let Some(next) = all.get(index + 1).filter(|next| next.kind == work.kind) {
                        row(next)?;
                    }
                }
                _ => row(work)?,
            }
        }
    }
    table.finish()
}
