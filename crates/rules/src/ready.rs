use std::sync::Arc;

use serde::{Deserialize, Serialize};
use vedette_core::{Direction, Rule, RuleId};

use crate::calendar::Calendar;
use crate::geometry::Line;
use crate::shape::ZoneShape;

/// The identity of a state: its rule, and the fingerprint of the rule's settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Watched {
    pub(crate) id: RuleId,
    pub(crate) fingerprint: u64,
    /// Whether its episodes are emitted.
    pub(crate) alert: bool,
}

/// A compiled rule with its geometry and schedule; the parameters of its kind are stored beside it.
#[derive(Debug, Clone)]
pub(crate) struct Ready {
    pub(crate) rule: Rule,
    /// The zone of a rule that has one, else an empty one.
    pub(crate) zone: ZoneShape,
    /// The segments of a rule about a line, with the direction that counts.
    pub(crate) lines: Vec<(Line, Direction)>,
    /// The indices of the rules of a combination.
    pub(crate) terms: Vec<usize>,
    pub(crate) calendar: Option<Calendar>,
    pub(crate) watched: Arc<Watched>,
}
