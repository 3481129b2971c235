//! The memory of a rule between two frames.

use serde::Serialize;
use serde::de::DeserializeOwned;
use vedette_core::{Episode, Span, Timestamp, TrackId};

use crate::nearest::Nearest;

/// The state of a rule of some kind. The default is that of a rule without history.
pub(crate) trait State: std::fmt::Debug + Clone + PartialEq + Default + Serialize + DeserializeOwned {
    /// Ends open episodes at the time their condition last held, at most `not_after`, and drops the rest.
    fn end(&mut self, not_after: Option<Timestamp>, ended: &mut Vec<Episode>);

    /// Whether an episode is open.
    fn is_open(&self) -> bool {
        false
    }

    /// Whether a frame without objects changes nothing. `scheduled`: the rule may be disarmed between two frames.
    fn is_resting(&self, scheduled: bool) -> bool;

    /// Frees unused memory.
    fn shrink(&mut self) {}

    /// An object continues under another track id.
    fn reassociate(&mut self, _change: &Reassociation) {}

    /// The places of the frames it keeps for near-misses, in its order.
    fn nearest<'a>(&'a self, _places: &mut Vec<&'a Nearest>) {}

    /// The same, to be filled.
    fn nearest_mut<'a>(&'a mut self, _places: &mut Vec<&'a mut Nearest>) {}
}

/// The object of track `old` has the track `new` from now on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reassociation {
    pub(crate) at: Timestamp,
    pub(crate) old: TrackId,
    pub(crate) new: TrackId,
    pub(crate) gap_tolerance: Span,
}

impl Reassociation {
    /// Whether an object last seen at `seen` is still the same one for the rule.
    pub(crate) fn bridges(&self, seen: Timestamp) -> bool {
        self.at.since(seen) <= self.gap_tolerance
    }
}

/// When a condition last held, at most `not_after` and not before it began.
pub(crate) fn until(held: Timestamp, began: Timestamp, not_after: Option<Timestamp>) -> Timestamp {
    not_after.map_or(held, |latest| held.min(latest)).max(began)
}
