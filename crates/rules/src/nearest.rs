//! The frames in which objects came nearest to an alert, each kept while its object lacks something.

use serde::{Deserialize, Serialize};
use vedette_core::NearestFrame;

/// The frame of one object. It is left out where the state is stored, which has the format of versions without it.
pub(crate) type Nearest = Option<Box<NearestFrame>>;

/// The frames of an engine's state, in its order: they are stored behind it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct NearestFrames(Vec<Option<NearestFrame>>);

impl NearestFrames {
    pub(crate) fn of(kept: &[&Nearest]) -> Self {
        if kept.iter().all(|kept| kept.is_none()) {
            return Self::default();
        }
        Self(kept.iter().map(|kept| kept.as_deref().copied()).collect())
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts the frames into their places; whether they are of this state.
    pub(crate) fn restore(self, places: Vec<&mut Nearest>) -> bool {
        let fits = self.is_empty() || self.0.len() == places.len();
        for (place, frame) in places.into_iter().zip(self.0) {
            *place = frame.map(Box::new);
        }
        fits
    }
}
