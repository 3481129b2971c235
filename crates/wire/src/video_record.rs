//! The records of the topic `video`.

use vedette_core::{CameraId, SignalLoss, Timestamp, VideoChunk};

/// A record on `video`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VideoRecord {
    /// Pictures.
    Chunk(PublishedChunk),
    /// A part of a picture that is larger than a record; [`crate::PieceJoiner`] joins them.
    Piece(VideoPiece),
    /// A signal loss.
    SignalLoss(SignalLoss),
}

impl VideoRecord {
    /// The camera.
    #[must_use]
    pub fn camera(&self) -> &CameraId {
        match self {
            Self::Chunk(published) => &published.chunk.camera,
            Self::Piece(piece) => &piece.of.chunk.camera,
            Self::SignalLoss(loss) => &loss.camera,
        }
    }

    /// When intake published it.
    #[must_use]
    pub fn published(&self) -> Timestamp {
        match self {
            Self::Chunk(published) => published.published,
            Self::Piece(piece) => piece.of.published,
            Self::SignalLoss(loss) => loss.at,
        }
    }

    /// The pictures, if it contains whole ones.
    #[must_use]
    pub fn into_chunk(self) -> Option<VideoChunk> {
        match self {
            Self::Chunk(published) => Some(published.chunk),
            Self::Piece(_) | Self::SignalLoss(_) => None,
        }
    }

    /// Whether it begins a group of pictures.
    #[must_use]
    pub fn begins_group(&self) -> bool {
        match self {
            Self::Chunk(published) => published.chunk.part == 0,
            Self::Piece(piece) => piece.of.chunk.part == 0 && piece.index == 0,
            Self::SignalLoss(_) => false,
        }
    }

    /// Whether it begins a group of pictures that refers to the one before it.
    #[must_use]
    pub fn continues(&self) -> bool {
        match self {
            Self::Chunk(PublishedChunk { chunk, .. })
            | Self::Piece(VideoPiece { of: PublishedChunk { chunk, .. }, .. }) => {
                self.begins_group() && chunk.continues
            }
            Self::SignalLoss(_) => false,
        }
    }
}

/// A chunk as published on the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedChunk {
    /// The pictures.
    pub chunk: VideoChunk,
    /// When intake published them.
    pub published: Timestamp,
}

/// A part of a unit that is larger than a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoPiece {
    /// The chunk of the unit, which is alone in it; of its data it holds this part.
    pub of: PublishedChunk,
    /// Number of the piece within the unit.
    pub index: u32,
    /// Number of pieces of the unit.
    pub count: u32,
    /// Bytes of the whole unit.
    pub unit_bytes: u32,
}

impl VideoPiece {
    /// Whether the unit is complete with it.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        self.index + 1 >= self.count
    }
}
