//! An alert with what was decided about it, and the event it belongs to.

use vedette_core::{Alert, AlertId};

use crate::verdict::Verdict;

/// An alert as a store holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredAlert {
    /// The latest revision.
    pub alert: Alert,
    /// The latest verdict.
    pub verdict: Option<Verdict>,
    /// Number of the last change to this alert or, when it leads an event, to a view of it; rises over the whole store with
    /// every change.
    pub change: u64,
    /// The alert that leads the event it belongs to: the one raised first. Its own id when it is that one.
    pub event: AlertId,
    /// When it leads the event: the alerts of other cameras that show the same, in the order they were raised.
    pub views: Vec<View>,
}

impl StoredAlert {
    /// The alert whose event this one is a view of; none when it leads an event, be it of itself alone.
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
