use vedette_core::{Display, PixelAspect, Rotation};

/// How a source (the container of a recording, the description of a stream) says that its pictures are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SourceDisplay {
    pub(crate) rotation: Rotation,
    /// None where it is silent about it: then the parameter sets decide.
    pub(crate) pixel_aspect: Option<PixelAspect>,
}

impl SourceDisplay {
    /// The display, if the stream itself declares pixels of this shape.
    pub(crate) fn of(self, declared: Option<PixelAspect>) -> Display {
        let pixel_aspect = self.pixel_aspect.or(declared).unwrap_or_default();
        Display { rotation: self.rotation, pixel_aspect }
    }
}
