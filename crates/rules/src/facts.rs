use vedette_core::{PictureStats, Quality, Span};

/// The properties of a frame besides its tracks.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct FrameFacts {
    /// Reasons to distrust it.
    pub quality: Quality,
    /// Delay from its capture until it was published; negative when its capture time was ahead of that instant.
    pub lag: Option<Span>,
    /// Statistics of its picture.
    pub picture: Option<PictureStats>,
}
