use vedette_core::{FrameAt, PictureStats, Quality, Span, VideoRef};

/// The properties of a frame besides its tracks.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct FrameFacts {
    /// The frame itself, to which near-misses refer; none when unknown.
    pub at: Option<FrameAt>,
    /// Its encoded picture on the bus.
    pub video: Option<VideoRef>,
    /// Reasons to distrust it.
    pub quality: Quality,
    /// Delay from its capture until it was published; negative when its capture time was ahead of that instant.
    pub lag: Option<Span>,
    /// Statistics of its picture.
    pub picture: Option<PictureStats>,
}
