//! Builds the raster of a base.

use smallvec::SmallVec;
use zerocopy::little_endian::{I32, U32, U64};

use super::cells::{
    CELL_BITS, CellHead, Footing, FootingRecord, HEAD_GRIDS, RasterRecord, SLOT_GRIDS, SUB_BITS, SUBS, Slot,
};
use super::records::NONE;
use super::shapes::rings;
use super::tree::Boxed;

/// A raster may have this many cells, and as many entries, per building and grid ...
const MOST_EACH: u64 = 8;
/// ... and this many more.
const MOST_ANYWAY: u64 = 4_096;

/// The grid that contains a subcell wholly: none yet, several or a border, or the grid of that index.
const NOTHING: u32 = NONE;
const MIXED: u32 = NONE - 1;

/// A grid's box and the word at which its shape begins.
pub(crate) type GridGround = (Boxed, u32);

/// The raster's sections; all are empty if the base is too sparse.
#[derive(Debug, Default)]
pub(crate) struct CellsWriter {
    pub(crate) raster: RasterRecord,
    pub(crate) starts: Vec<U32>,
    pub(crate) slots: Vec<Slot>,
}

impl CellsWriter {
    /// The raster of these buildings and grids; `words` hold the shapes.
    pub(crate) fn new(buildings: &[Footing], grids: &[GridGround], words: &[I32]) -> Self {
        Self::try_new(buildings, grids, words).unwrap_or_default()
    }

    fn try_new(buildings: &[Footing], grids: &[GridGround], words: &[I32]) -> Option<Self> {
        let boxes = || buildings.iter().map(|building| building.bounds).chain(grids.iter().map(|(bounds, _)| *bounds));
        let around = boxes().reduce(|a, b| [a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])])?;
        let span = cells_of(around);
        let most = (buildings.len() + grids.len()) as u64 * MOST_EACH + MOST_ANYWAY;
        let entries: u64 = buildings.iter().map(|building| count(cells_of(building.bounds))).sum();
        if count(span) > most || entries > most {
            return None;
        }
        let size = [(span[2] - span[0] + 1) as u32, (span[3] - span[1] + 1) as u32];
        let raster = RasterRecord { first: [I32::new(span[0]), I32::new(span[1])], size: size.map(U32::new) };
        let mut writer = Self { raster, ..Self::default() };
        let coverage = Coverage::new(raster, grids, words);
        let (starts, of_cells) = buildings_of_cells(raster, buildings);
        for (at, range) in starts.windows(2).enumerate() {
            writer.add_cell(&coverage, at, &of_cells[range[0] as usize..range[1] as usize], buildings)?;
        }
        writer.starts.push(writer.end()?);
        Some(writer)
    }

    /// One past the last slot.
    fn end(&self) -> Option<U32> {
        u32::try_from(self.slots.len()).ok().map(U32::new)
    }

    fn add_cell(&mut self, coverage: &Coverage, at: usize, here: &[u32], buildings: &[Footing]) -> Option<()> {
        self.starts.push(self.end()?);
        let (grids, sure) = coverage.cell(at);
        if grids.is_empty() && here.is_empty() {
            return Some(());
        }
        let numbers = |from: usize, number: usize| U32::new(grids.get(from + number).copied().unwrap_or(NONE));
        let head: [U32; HEAD_GRIDS] = std::array::from_fn(|number| numbers(0, number));
        let head = CellHead { sure: U64::new(sure), grid_count: U32::new(grids.len() as u32), grids: head };
        self.slots.push(zerocopy::transmute!(head));
        for from in (HEAD_GRIDS..grids.len()).step_by(SLOT_GRIDS) {
            let more: [U32; SLOT_GRIDS] = std::array::from_fn(|number| numbers(from, number));
            self.slots.push(zerocopy::transmute!(more));
        }
        let footings = here.iter().filter_map(|building| buildings.get(*building as usize));
        self.slots.extend(footings.map(|footing| -> Slot { zerocopy::transmute!(FootingRecord::of(footing)) }));
        Some(())
    }

    #[cfg(test)]
    pub(crate) fn cells(&self) -> super::cells::Cells<'_> {
        super::cells::Cells { raster: self.raster, starts: &self.starts, slots: &self.slots }
    }
}

/// The buildings whose box intersects each cell: where each cell's begin, plus the end; and their numbers among all.
fn buildings_of_cells(raster: RasterRecord, buildings: &[Footing]) -> (Vec<u32>, Vec<u32>) {
    let [columns, rows] = raster.size.map(|size| size.get() as usize);
    let mut starts = vec![0_u32; columns * rows + 1];
    for building in buildings {
        places(raster, building.bounds).for_each(|at| starts[at + 1] += 1);
    }
    for at in 1..starts.len() {
        starts[at] += starts[at - 1];
    }
    let mut next = starts.clone();
    let mut of_cells = vec![0; starts.last().map_or(0, |all| *all as usize)];
    for (number, building) in (0_u32..).zip(buildings) {
        for at in places(raster, building.bounds) {
            of_cells[next[at] as usize] = number;
            next[at] += 1;
        }
    }
    (starts, of_cells)
}

/// First column, first row, last column, last row of the cells that a box intersects.
fn cells_of(bounds: Boxed) -> [i32; 4] {
    bounds.map(|step| step >> CELL_BITS)
}

fn count([west, south, east, north]: [i32; 4]) -> u64 {
    (i64::from(east) - i64::from(west) + 1) as u64 * (i64::from(north) - i64::from(south) + 1) as u64
}

/// The cells that a box intersects, by their numbers.
fn places(raster: RasterRecord, bounds: Boxed) -> impl Iterator<Item = usize> {
    let [west, south, east, north] = cells_of(bounds);
    let [first_column, first_row] = raster.first.map(I32::get);
    let columns = raster.size[0].get() as usize;
    (south..=north)
        .flat_map(move |row| (west..=east).map(move |column| (row, column)))
        .map(move |(row, column)| (row - first_row) as usize * columns + (column - first_column) as usize)
}

/// Which grids intersect which cell, and which subcells lie wholly in one.
struct Coverage {
    /// Columns of subcells.
    width: usize,
    subs: Vec<u32>,
    of_cells: Vec<SmallVec<[u32; 4]>>,
}

impl Coverage {
    fn new(raster: RasterRecord, grids: &[GridGround], words: &[I32]) -> Self {
        let [columns, rows] = raster.size.map(|size| size.get() as usize);
        let origin = raster.first.map(|first| i64::from(first.get()) << (CELL_BITS - SUB_BITS));
        let width = columns * SUBS;
        let mut coverage =
            Self { width, subs: vec![NOTHING; width * rows * SUBS], of_cells: vec![SmallVec::new(); columns * rows] };
        for (index, (bounds, shape)) in (0_u32..).zip(grids) {
            let edges = edges(words, *shape);
            let [west, south, east, north] = bounds.map(|step| i64::from(step >> SUB_BITS));
            for row in south..=north {
                let at = |column: i64| ((row - origin[1]) as usize * width) + (column - origin[0]) as usize;
                // The borders first, then the subcells between them.
                let mut border = vec![false; (east - west + 1) as usize];
                for (from, to) in edges.iter().filter_map(|edge| columns_of(edge, row)) {
                    let (from, to) = (from.max(west), to.min(east));
                    (from..=to).for_each(|column| border[(column - west) as usize] = true);
                }
                let crossings = crossings(&edges, row);
                for column in west..=east {
                    if border[(column - west) as usize] {
                        coverage.mark(at(column), MIXED, index);
                    } else if is_inside(&crossings, column) {
                        coverage.mark(at(column), index, index);
                    }
                }
            }
        }
        coverage
    }

    fn mark(&mut self, sub: usize, state: u32, grid: u32) {
        self.subs[sub] = if self.subs[sub] == NOTHING { state } else { MIXED };
        let (column, row) = (sub % self.width / SUBS, sub / self.width / SUBS);
        let of_cell = &mut self.of_cells[row * (self.width / SUBS) + column];
        if of_cell.last() != Some(&grid) {
            of_cell.push(grid);
        }
    }

    /// The grids of a cell, and its subcells' grids as encoded in its head.
    fn cell(&self, at: usize) -> (&[u32], u64) {
        let Some(grids) = self.of_cells.get(at) else { return (&[], 0) };
        let columns = self.width / SUBS;
        let first = (at / columns * SUBS) * self.width + at % columns * SUBS;
        let mut sure = 0;
        for nth in 0..SUBS * SUBS {
            let holder = self.subs[first + nth / SUBS * self.width + nth % SUBS];
            let which = grids.iter().position(|grid| *grid == holder).map_or(0, |which| which as u64 + 1);
            // Four bits count to 15.
            sure |= if which < 16 { which << (4 * nth) } else { 0 };
        }
        (grids, sure)
    }
}

type Edge = [[f64; 2]; 2];

fn edges(words: &[I32], shape: u32) -> Vec<Edge> {
    let at = |point: &[I32; 2]| point.map(|step| f64::from(step.get()));
    rings(words, shape)
        .flat_map(|ring| {
            let ends = ring.points.iter().skip(1).chain(ring.points.first());
            ring.points.iter().zip(ends).map(|(from, to)| [at(from), at(to)]).collect::<Vec<_>>()
        })
        .collect()
}

/// Subcells of a row that an edge intersects, with a margin of one step: first and last.
fn columns_of([from, to]: &Edge, row: i64) -> Option<(i64, i64)> {
    let side = f64::from(1_u32 << SUB_BITS);
    let (low, high) = (row as f64 * side - 1.0, (row + 1) as f64 * side + 1.0);
    let (from, to) = if from[1] <= to[1] { (from, to) } else { (to, from) };
    if to[1] < low || from[1] > high {
        return None;
    }
    let x_at = |y: f64| match to[1] > from[1] {
        true => from[0] + ((y - from[1]) / (to[1] - from[1])).clamp(0.0, 1.0) * (to[0] - from[0]),
        false => from[0],
    };
    // A horizontal edge lies in one row.
    let (a, b) = if to[1] > from[1] { (x_at(low), x_at(high)) } else { (from[0], to[0]) };
    let column = |x: f64| (x / side).floor() as i64;
    Some((column(a.min(b) - 1.0), column(a.max(b) + 1.0)))
}

/// Where edges cross the middle of a row, from the west.
fn crossings(edges: &[Edge], row: i64) -> Vec<f64> {
    let y = (row as f64 + 0.5) * f64::from(1_u32 << SUB_BITS);
    let mut crossings: Vec<f64> = edges
        .iter()
        .filter(|[from, to]| (from[1] > y) != (to[1] > y))
        .map(|[from, to]| from[0] + (y - from[1]) / (to[1] - from[1]) * (to[0] - from[0]))
        .collect();
    crossings.sort_by(f64::total_cmp);
    crossings
}

/// Whether the middle of a subcell lies inside, by the parity of crossings west of it.
fn is_inside(crossings: &[f64], column: i64) -> bool {
    let x = (column as f64 + 0.5) * f64::from(1_u32 << SUB_BITS);
    crossings.partition_point(|crossing| *crossing < x) % 2 == 1
}
