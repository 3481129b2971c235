//! A raster over the base: each cell lists its buildings and grids, so that a point lookup reads one cell instead of descending two
//! trees.
//!
//! Cells are squares of 2^16 steps (about 67 m by 73 m in Shenzhen) in rows from the south-west. A cell lists the buildings whose
//! box intersects it, with all data that a lookup needs before it reads a shape, and the grids whose polygon intersects it. For
//! each of its 16 subcells it records whether one grid contains it wholly and no other intersects it: no polygon needs to be tested
//! there.
//!
//! A wide, sparse base has no raster, see [`super::cells_writer`]; the trees answer then.

use zerocopy::little_endian::{F32, I32, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::tree::Boxed;

/// A cell has 2 to this power steps per side.
pub(super) const CELL_BITS: u32 = 16;
/// A subcell has 2 to this power steps per side.
pub(super) const SUB_BITS: u32 = 14;
/// Subcells per side of a cell.
pub(super) const SUBS: usize = 1 << (CELL_BITS - SUB_BITS);
/// A square that intersects more cells is looked up in the trees.
const MOST_CELLS: i64 = 16;

/// Flag in a building's number: its address has an end, see the building's record.
pub(super) const HAS_END: u32 = 1 << 31;

/// Position of the raster, in cells from the origin of the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct RasterRecord {
    /// First column and row.
    pub(crate) first: [I32; 2],
    /// Columns and rows.
    pub(crate) size: [U32; 2],
}

/// Cells hold slots of this many bytes: a head, then the remaining numbers of its grids, then its buildings.
pub(crate) type Slot = [u8; SLOT];
const SLOT: usize = 32;

/// The first slot of a non-empty cell.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct CellHead {
    /// Four bits for each subcell, from the south-west: the index, from 1, of the cell's grid that contains it wholly; 0 if none
    /// does.
    pub(super) sure: U64,
    pub(super) grid_count: U32,
    /// The first of its grids; the others have slots of their own.
    pub(super) grids: [U32; HEAD_GRIDS],
}

/// Grids in a head.
pub(super) const HEAD_GRIDS: usize = 5;
/// Grids in a slot.
pub(super) const SLOT_GRIDS: usize = SLOT / 4;

/// Data of a building needed before its shape is read.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct FootingRecord {
    /// Its box, or its door plate twice.
    pub(super) bounds: [I32; 4],
    /// The building, with the top bit set if its address has an end.
    pub(super) building: U32,
    pub(super) shape: U32,
    pub(super) area_m2: F32,
    pub(super) ground_grid: U32,
}

/// A building as returned to a lookup.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Footing {
    pub(crate) bounds: Boxed,
    pub(crate) building: u32,
    /// Offset of its rings in words; `NONE` for a door plate without footprint.
    pub(crate) shape: u32,
    pub(crate) area_m2: f32,
    /// Index of the grid in which it stands.
    pub(crate) ground_grid: u32,
    /// Whether its address has an end.
    pub(crate) has_end: bool,
}

/// The raster of a base, read in place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cells<'a> {
    pub(crate) raster: RasterRecord,
    /// Where each cell's slots begin, row by row from the south-west, plus the end.
    pub(crate) starts: &'a [U32],
    pub(crate) slots: &'a [Slot],
}

/// Contents of a cell.
#[derive(Debug, Clone, Copy)]
struct Cell<'a> {
    head: &'a CellHead,
    more_grids: &'a [Slot],
    footings: &'a [Slot],
}

/// The cells that a square intersects, in cells from the origin: first column, first row, last column, last row.
type CellRange = [i32; 4];
const NO_CELLS: CellRange = [0, 0, -1, -1];

impl<'a> Cells<'a> {
    /// Whether the number of cells matches the header.
    pub(crate) fn is_whole(&self) -> bool {
        let [columns, rows] = self.raster.size.map(|size| u64::from(size.get()));
        match self.starts.len() as u64 {
            0 => columns == 0 && rows == 0,
            count => columns.checked_mul(rows).and_then(|cells| cells.checked_add(1)) == Some(count),
        }
    }

    /// The cells that the square intersects; none where there is no raster or there are too many of them.
    #[inline]
    fn range(&self, square: Boxed) -> Option<CellRange> {
        if self.starts.is_empty() {
            return None;
        }
        let [first_column, first_row] = self.raster.first.map(|first| i64::from(first.get()));
        let [columns, rows] = self.raster.size.map(|size| i64::from(size.get()));
        let cell = |step: i32| i64::from(step >> CELL_BITS);
        let range = [
            cell(square[0]).max(first_column),
            cell(square[1]).max(first_row),
            cell(square[2]).min(first_column + columns - 1),
            cell(square[3]).min(first_row + rows - 1),
        ];
        let (wide, high) = (range[2] - range[0] + 1, range[3] - range[1] + 1);
        match wide > 0 && high > 0 {
            true => (wide * high <= MOST_CELLS).then(|| range.map(|side| side as i32)),
            false => Some(NO_CELLS),
        }
    }

    /// A cell; none if empty.
    #[inline]
    fn cell(&self, column: i32, row: i32) -> Option<Cell<'a>> {
        let [first_column, first_row] = self.raster.first.map(I32::get);
        let [columns, rows] = self.raster.size.map(U32::get);
        let (x, y) = (column.wrapping_sub(first_column) as u32, row.wrapping_sub(first_row) as u32);
        if x >= columns || y >= rows {
            return None;
        }
        let at = y as usize * columns as usize + x as usize;
        let [from, to] = self.starts.get(at..at + 2)? else { return None };
        let (head, rest) = self.slots.get(from.get() as usize..to.get() as usize)?.split_first()?;
        let head: &CellHead = zerocopy::transmute_ref!(head);
        let more = (head.grid_count.get() as usize).saturating_sub(HEAD_GRIDS).div_ceil(SLOT_GRIDS);
        let (more_grids, footings) = rest.split_at_checked(more)?;
        Some(Cell { head, more_grids, footings })
    }

    /// Calls `found` once for each building whose box intersects the square. False: use the trees.
    #[inline]
    pub(crate) fn search(&self, square: Boxed, mut found: impl FnMut(Footing)) -> bool {
        let Some([west, south, east, north]) = self.range(square) else { return false };
        for row in south..=north {
            for column in west..=east {
                for footing in self.cell(column, row).into_iter().flat_map(|cell| cell.footings) {
                    let footing: &FootingRecord = zerocopy::transmute_ref!(footing);
                    let bounds = footing.bounds.map(I32::get);
                    let meets = (bounds[0] <= square[2])
                        & (bounds[1] <= square[3])
                        & (bounds[2] >= square[0])
                        & (bounds[3] >= square[1]);
                    // A building is listed in all cells that its box intersects: it counts in the cell where the intersection
                    // begins.
                    let here = (bounds[0].max(square[0]) >> CELL_BITS == column)
                        & (bounds[1].max(square[1]) >> CELL_BITS == row);
                    if meets & here {
                        found(footing.read(bounds));
                    }
                }
            }
        }
        true
    }

    /// The grids whose polygon may intersect the square. None: use the trees.
    #[inline]
    pub(crate) fn grids_at(&self, square: Boxed) -> Option<GridsAt> {
        let range = self.range(square)?;
        if let Some(grid) = self.sure_grid(square, range) {
            return Some(GridsAt::Whole(grid));
        }
        let mut all = smallvec::SmallVec::new();
        for row in range[1]..=range[3] {
            for column in range[0]..=range[2] {
                all.extend(self.cell(column, row).into_iter().flat_map(Cell::grids));
            }
        }
        all.sort_unstable();
        all.dedup();
        Some(GridsAt::Some(all))
    }

    /// The grid that contains the whole square, with no other intersecting it; none if unknown.
    #[inline]
    fn sure_grid(&self, square: Boxed, range: CellRange) -> Option<u32> {
        let sub = |step: i32| step >> SUB_BITS;
        let [west, south, east, north] = [sub(square[0]), sub(square[1]), sub(square[2]), sub(square[3])];
        // The square may extend beyond the raster, where nothing is known.
        let cell_of = |sub: i32| sub >> (CELL_BITS - SUB_BITS);
        if [cell_of(west), cell_of(south), cell_of(east), cell_of(north)] != range {
            return None;
        }
        let mut sure = None;
        for row in south..=north {
            for column in west..=east {
                let cell = self.cell(cell_of(column), cell_of(row))?;
                let nth = (row as usize % SUBS) * SUBS + column as usize % SUBS;
                let which = (cell.head.sure.get() >> (4 * nth)) & 0xf;
                let grid = cell.grids().nth((which as usize).checked_sub(1)?)?;
                if sure.is_some_and(|known| known != grid) {
                    return None;
                }
                sure = Some(grid);
            }
        }
        sure
    }
}

impl<'a> Cell<'a> {
    #[inline]
    fn grids(self) -> impl Iterator<Item = u32> + 'a {
        let more = self.more_grids.iter().flat_map(|slot| {
            let numbers: &[U32; SLOT_GRIDS] = zerocopy::transmute_ref!(slot);
            numbers
        });
        self.head.grids.iter().chain(more).take(self.head.grid_count.get() as usize).map(|grid| grid.get())
    }
}

/// The grids near a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GridsAt {
    /// The whole square lies in this one and in no other.
    Whole(u32),
    /// These may intersect the square, in the order of their codes.
    Some(smallvec::SmallVec<[u32; 16]>),
}

impl FootingRecord {
    #[inline]
    fn read(&self, bounds: Boxed) -> Footing {
        let building = self.building.get();
        Footing {
            bounds,
            building: building & !HAS_END,
            shape: self.shape.get(),
            area_m2: self.area_m2.get(),
            ground_grid: self.ground_grid.get(),
            has_end: building & HAS_END != 0,
        }
    }

    pub(super) fn of(footing: &Footing) -> Self {
        Self {
            bounds: footing.bounds.map(I32::new),
            building: U32::new(footing.building | if footing.has_end { HAS_END } else { 0 }),
            shape: U32::new(footing.shape),
            area_m2: F32::new(footing.area_m2),
            ground_grid: U32::new(footing.ground_grid),
        }
    }
}
