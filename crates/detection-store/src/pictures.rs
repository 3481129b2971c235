//! The statistics of many pictures as columns, each with differences to the picture before.

use vedette_core::PictureStats;

use crate::bytes::Cursor;
use crate::error::Damage;
use crate::planes;
use crate::streams::{Packer, Unpacker};

/// Bytes of a grid.
const GRID: usize = PictureStats::COLUMNS * PictureStats::ROWS;
/// Numbers of a picture beside its grid.
const LEVELS: usize = 4;

/// Collects one picture after the other.
#[derive(Default)]
pub(crate) struct PicturesWriter {
    /// Whether there is a change, of each.
    changes: Vec<u8>,
    levels: [Vec<u32>; LEVELS],
    grids: Vec<u8>,
    before: Before,
}

#[derive(Default)]
struct Before {
    levels: [u32; LEVELS],
    grid: [u8; GRID],
}

impl PicturesWriter {
    pub(crate) fn push(&mut self, picture: &PictureStats) {
        let PictureStats { brightness, contrast, sharpness, change, grid } = picture;
        self.changes.push(u8::from(change.is_some()));
        let levels = [*brightness, *contrast, *sharpness, change.unwrap_or_default()].map(f32::to_bits);
        for ((column, level), before) in self.levels.iter_mut().zip(levels).zip(self.before.levels) {
            column.push(level ^ before);
        }
        self.grids.extend(grid.iter().zip(&self.before.grid).map(|(cell, before)| cell.wrapping_sub(*before)));
        self.before = Before { levels, grid: *grid };
    }

    pub(crate) fn finish(self, packer: &mut Packer) {
        packer.stream(&self.changes);
        self.levels.iter().for_each(|column| planes::pack(column, packer));
        packer.stream(&self.grids);
    }
}

/// Hands them out again.
pub(crate) struct PicturesReader {
    changes: Vec<u8>,
    levels: [Vec<u32>; LEVELS],
    grids: Vec<u8>,
    next: usize,
    before: Before,
}

impl PicturesReader {
    pub(crate) fn new(unpacker: &mut Unpacker, from: &mut Cursor<'_>) -> Result<Self, Damage> {
        let changes = unpacker.stream(from)?;
        let mut column = || planes::unpack(unpacker, from, changes.len());
        let levels = [column()?, column()?, column()?, column()?];
        let grids = unpacker.stream(from)?;
        if grids.len() != changes.len() * GRID {
            return Err(Damage::Value("count"));
        }
        Ok(Self { changes, levels, grids, next: 0, before: Before::default() })
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.next == self.changes.len()
    }

    pub(crate) fn next(&mut self) -> Result<PictureStats, Damage> {
        let index = self.next;
        let has_change = *self.changes.get(index).ok_or(Damage::Short)? != 0;
        self.next += 1;
        let Before { levels, grid } = &mut self.before;
        for (level, column) in levels.iter_mut().zip(&self.levels) {
            *level ^= column[index];
        }
        for (cell, difference) in grid.iter_mut().zip(&self.grids[index * GRID..][..GRID]) {
            *cell = cell.wrapping_add(*difference);
        }
        let [brightness, contrast, sharpness, change] = levels.map(f32::from_bits);
        let change = has_change.then_some(change);
        Ok(PictureStats { brightness, contrast, sharpness, change, grid: *grid })
    }
}
