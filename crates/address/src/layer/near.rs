//! Entities of a layer near a point: from its raster, or from its trees where it has none.

use zerocopy::little_endian::U32;

use super::Layer;
use crate::date::NO_END;
use crate::file::{Boxed, BuildingRecord, Cells, Footing, GridsAt, Section, Slot};

impl Layer {
    #[inline]
    pub(crate) fn cells(&self) -> Cells<'_> {
        let [columns, rows] = self.raster.size.map(U32::get);
        let has_cells = columns > 0 && rows > 0;
        Cells {
            raster: self.raster,
            starts: if has_cells { self.image.records::<U32>(Section::CellStarts) } else { &[] },
            slots: self.image.records::<Slot>(Section::CellSlots),
        }
    }

    /// Calls `found` for each building whose box intersects the square, from its cells or from the tree, except hidden ones and
    /// those whose address ended before the day.
    #[inline]
    pub(crate) fn buildings_in(&self, square: Boxed, day: i32, mut found: impl FnMut(Footing)) {
        let mut shown = |footing: Footing| {
            let ended = footing.has_end && self.has_ended(footing.building, day);
            if self.shows_building(footing.building) && !ended {
                found(footing);
            }
        };
        if self.cells().search(square, &mut shown) {
            return;
        }
        self.building_tree.search(self.image.section(Section::BuildingTree), square, |index, bounds| {
            if let Some(record) = self.building(index) {
                shown(self.footing(index, record, bounds));
            }
            true
        });
    }

    /// Whether a building's address has ended before the day.
    fn has_ended(&self, building: u32, day: i32) -> bool {
        let period = self.building(building).and_then(|record| self.period(record));
        period.is_some_and(|period| period.to.get() < day)
    }

    pub(crate) fn footing(&self, index: u32, record: &BuildingRecord, bounds: Boxed) -> Footing {
        Footing {
            bounds,
            building: index,
            shape: record.shape.get(),
            area_m2: record.area_m2.get(),
            ground_grid: record.ground_grid.get(),
            has_end: self.period(record).is_some_and(|period| period.to.get() != NO_END),
        }
    }

    /// The visible grids that may intersect the square, from its cells or from the tree.
    #[inline]
    pub(crate) fn grids_in(&self, square: Boxed) -> GridsAt {
        match self.cells().grids_at(square) {
            Some(GridsAt::Whole(grid)) if self.shows_grid(grid) => GridsAt::Whole(grid),
            // No other grid intersects a subcell that a hidden one contains.
            Some(GridsAt::Whole(_)) => GridsAt::Some(Default::default()),
            Some(GridsAt::Some(mut grids)) => {
                grids.retain(|grid| self.shows_grid(*grid));
                GridsAt::Some(grids)
            }
            None => {
                let mut grids = smallvec::SmallVec::new();
                self.grid_tree.search(self.image.section(Section::GridTree), square, |index, _| {
                    grids.extend(Some(index).filter(|index| self.shows_grid(*index)));
                    true
                });
                grids.sort_unstable();
                GridsAt::Some(grids)
            }
        }
    }
}
