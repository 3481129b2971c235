//! Where the decoding of a camera's frames begins.

use vedette_core::VideoChunk;
use vedette_wire::VideoRecord;

/// The start of a group of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GroupStart {
    epoch: u64,
    gop: u64,
    /// Offset of its first record.
    offset: u64,
    /// Offset at which a decoder has to start for its frames: that of the group before, if this one refers to it.
    pub(super) decode_from: u64,
    /// Whether it goes on from the group before.
    pub(super) continues: bool,
}

/// The current group of pictures.
#[derive(Debug, Default)]
pub(super) struct Group {
    start: Option<GroupStart>,
    /// No frame of it is missing so far.
    intact: bool,
    /// Offset of the first record of a unit in pieces.
    piece: Option<u64>,
}

impl Group {
    /// A record came: a unit in pieces begins with its first.
    pub(super) fn note_piece(&mut self, video: &VideoRecord, offset: u64) {
        match video {
            VideoRecord::Piece(piece) if piece.index == 0 => self.piece = Some(offset),
            VideoRecord::Piece(_) => {}
            VideoRecord::Chunk(_) | VideoRecord::SignalLoss(_) => self.piece = None,
        }
    }

    /// The start of a chunk's group; none when the lane has not seen it. `offset` is that of the chunk's last record.
    pub(super) fn start_of(&mut self, chunk: &VideoChunk, offset: u64) -> Option<GroupStart> {
        let offset = self.piece.take().unwrap_or(offset);
        if chunk.part == 0 {
            let follows = |start: &GroupStart| start.epoch == chunk.epoch && start.gop + 1 == chunk.gop;
            let before = self.start.filter(|start| chunk.continues && self.intact && follows(start));
            self.start = Some(GroupStart {
                epoch: chunk.epoch,
                gop: chunk.gop,
                offset,
                decode_from: before.map_or(offset, |before| before.offset),
                continues: before.is_some(),
            });
            self.intact = true;
        }
        self.start.filter(|start| start.epoch == chunk.epoch && start.gop == chunk.gop)
    }

    /// A frame of it is missing, or was not decoded.
    pub(super) fn damage(&mut self) {
        self.intact = false;
    }
}
