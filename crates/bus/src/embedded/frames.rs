//! Iterates over the frames of a segment file, skipping damage.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use bytes::{Bytes, BytesMut};

use super::frame::{self, FrameHead};

/// Bytes per read.
const BLOCK: usize = 256 << 10;
/// Largest difference of two adjacent offsets of one segment: compaction leaves gaps, damage makes nonsense.
pub(super) const WIDEST_HOLE: u64 = 1 << 40;

/// The next item in a file.
#[derive(Debug)]
pub(super) enum Step {
    /// A sound frame.
    Frame {
        /// Its position.
        at: u64,
        /// Its head.
        head: FrameHead,
        /// All of it.
        bytes: Bytes,
    },
    /// No sound frame begins between these two positions.
    Damage {
        /// Where the frame that should be here would begin.
        from: u64,
        /// Where the next sound frame begins, or the end.
        to: u64,
    },
    /// Nothing more.
    End,
}

/// The frames of `file` in a range of bytes.
pub(super) struct Frames<'a> {
    file: &'a File,
    at: u64,
    end: u64,
    least_offset: u64,
    block: Bytes,
    block_at: u64,
}

impl<'a> Frames<'a> {
    /// From `at`, where a frame begins, to `end`; offsets below `least_offset` are invalid.
    pub(super) fn new(file: &'a File, at: u64, end: u64, least_offset: u64) -> Self {
        Self { file, at, end, least_offset, block: Bytes::new(), block_at: at }
    }

    /// Position of the next step.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Ensures that `len` bytes from `at` on are in the block and returns their index; `None` past the end.
    fn present(&mut self, at: u64, len: usize) -> io::Result<Option<usize>> {
        if at + len as u64 > self.end {
            return Ok(None);
        }
        if at < self.block_at || at + len as u64 > self.block_at + self.block.len() as u64 {
            let want = (len.max(BLOCK) as u64).min(self.end - at) as usize;
            let mut block = BytesMut::zeroed(want);
            self.file.read_exact_at(&mut block, at)?;
            self.block = block.freeze();
            self.block_at = at;
        }
        Ok(Some((at - self.block_at) as usize))
    }

    /// The sound frame at `at`, as its head and its index in the block.
    fn sound_at(&mut self, at: u64) -> io::Result<Option<(FrameHead, usize)>> {
        let Some(start) = self.present(at, frame::HEAD)? else { return Ok(None) };
        let Some(head) = frame::peek(&self.block[start..]) else { return Ok(None) };
        if head.offset < self.least_offset || head.offset - self.least_offset > WIDEST_HOLE {
            return Ok(None);
        }
        let Some(start) = self.present(at, head.len)? else { return Ok(None) };
        Ok(frame::is_sound(&self.block[start..start + head.len]).then_some((head, start)))
    }

    /// Returns the next item and moves past it.
    pub(super) fn step(&mut self) -> io::Result<Step> {
        if self.at >= self.end {
            return Ok(Step::End);
        }
        let from = self.at;
        if let Some((head, start)) = self.sound_at(from)? {
            self.at = from + head.len as u64;
            self.least_offset = head.offset + 1;
            return Ok(Step::Frame { at: from, head, bytes: self.block.slice(start..start + head.len) });
        }
        // Rare and slow: try every byte, so that no sound record behind the damage is lost.
        let last = self.end.saturating_sub(frame::HEAD as u64);
        let found = (from + 1..=last)
            .map(|at| Ok((at, self.sound_at(at)?.is_some())))
            .find(|tried: &io::Result<_>| tried.as_ref().map_or(true, |(_, sound)| *sound));
        self.at = found.transpose()?.map_or(self.end, |(at, _)| at);
        Ok(Step::Damage { from, to: self.at })
    }
}
