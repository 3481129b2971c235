//! An alert with its verdict and its event.

use vedette_core::{Alert, AlertId};

use crate::clip::ClipState;
use crate::verdict::Verdict;

/// An alert as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredAlert {
    /// The latest revision.
    pub alert: Alert,
    /// The latest verdict.
    pub verdict: Option<Verdict>,
    /// What there is of its clip.
    pub clip: ClipState,
    /// Number of the last change to this alert or, when it leads an event, to a view of it; increases over the whole store with
    /// every change.
    pub change: u64,
    /// The lead alert of its event: the one raised first. Its own id when it leads.
    pub event: AlertId,
    /// When it leads the event: the alerts of other cameras that show the same event, in the order they were raised.
    pub views: Vec<View>,
}

impl StoredAlert {
    /// The lead alert of which this one is a view; none when it leads an event, even of itself alone.
    #[must_use]
    pub fn view_of(&self) -> Option<AlertId> {
        Some(self.event).filter(|lead| *lead != self.alert.id)
    }
}

/// An alert that shows the event of another one.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The latest revision.
    pub alert: Alert,
    /// The latest verdict on it.
    pub verdict: Option<Verdict>,
}
