use vedette_core::{PictureStats, Quality, Span};

/// The properties of a frame besides its tracks.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct FrameFacts {
    /// What may have made it less trustworthy.
    pub quality: Quality,
    /// How long after its capture it was handed on; below 0 when its capture time lay ahead of that instant.
    pub lag: Option<Span>,
    /// Statistics of its picture.
    pub picture: Option<PictureStats>,
}
