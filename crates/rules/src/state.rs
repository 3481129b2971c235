use serde::{Deserialize, Serialize};
use vedette_core::{Condition, Episode, EpisodePhase, PixelPoint, RuleId, Timestamp, TrackId};

use crate::objects::Known;
use crate::ruleset::ReadyRule;

/// All that an engine remembers between two frames. Stored, loaded and restored with the same rules, the engine goes on
/// as if it had never stopped.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineState {
    pub(crate) newest: Option<Timestamp>,
    /// By rising track id.
    pub(crate) known: Vec<Known>,
    /// In the order of the rules.
    pub(crate) rules: Vec<RuleState>,
    /// Episodes that ended because their rule went away, not given out yet.
    pub(crate) due: Vec<Episode>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RuleState {
    pub(crate) id: RuleId,
    pub(crate) fingerprint: u64,
    /// Nothing is raised before.
    pub(crate) silent_until: Option<Timestamp>,
    pub(crate) progress: Progress,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Progress {
    /// Objects in a zone, by rising track id.
    Visits(Vec<Visit>),
    /// Objects near a line, by rising track id.
    Passages(Vec<Passage>),
    /// The crowd in a zone, while there is one.
    Gathering(Option<Gathering>),
}

/// An object in a zone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Visit {
    /// The track it has now.
    pub(crate) track: TrackId,
    /// The track it had first.
    pub(crate) subject: TrackId,
    pub(crate) began: Timestamp,
    /// When it was inside last.
    pub(crate) held: Timestamp,
    pub(crate) open: Option<Box<Episode>>,
}

/// An object and the side of a line on which it was last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Passage {
    pub(crate) track: TrackId,
    pub(crate) subject: TrackId,
    pub(crate) right_side: bool,
    /// Where it was on that side, in pixels of the policy's frame.
    pub(crate) from: PixelPoint,
    pub(crate) seen: Timestamp,
    /// Since when it is on the other side, until it has been there long enough.
    pub(crate) turned: Option<Timestamp>,
    /// When it last crossed from left to right, and from right to left.
    pub(crate) crossed: [Option<Timestamp>; 2],
}

/// At least as many objects in a zone as the rule names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Gathering {
    pub(crate) began: Timestamp,
    /// When there were enough last, hidden ones among them.
    pub(crate) held: Timestamp,
    /// When enough of them were seen last.
    pub(crate) full: Timestamp,
    /// Most objects at once.
    pub(crate) most: u32,
    pub(crate) open: Option<Box<Episode>>,
}

impl RuleState {
    pub(crate) fn new(ready: &ReadyRule) -> Self {
        Self {
            id: ready.rule.id.clone(),
            fingerprint: ready.fingerprint,
            silent_until: None,
            progress: Progress::new(&ready.rule.condition),
        }
    }

    /// Ends whatever is open, at the time it last held, and forgets all progress.
    pub(crate) fn end_all(&mut self, not_after: Option<Timestamp>, ended: &mut Vec<Episode>) {
        let close = |open: Option<Box<Episode>>, began: Timestamp, held: Timestamp, most: Option<u32>| {
            let held = not_after.map_or(held, |latest| held.min(latest)).max(began);
            open.map(|open| end(*open, began, held, most))
        };
        match &mut self.progress {
            Progress::Visits(visits) => {
                ended.extend(visits.drain(..).filter_map(|visit| close(visit.open, visit.began, visit.held, None)));
            }
            Progress::Passages(passages) => passages.clear(),
            Progress::Gathering(gathering) => {
                ended.extend(gathering.take().and_then(|g| close(g.open, g.began, g.full, Some(g.most))));
            }
        }
    }
}

impl Progress {
    fn new(condition: &Condition) -> Self {
        match condition {
            Condition::Presence { .. } | Condition::Dwell { .. } => Self::Visits(Vec::new()),
            Condition::LineCrossing { .. } => Self::Passages(Vec::new()),
            Condition::Count { .. } => Self::Gathering(None),
        }
    }
}

/// The episode as it is given out for the last time. `most` is the greatest number of objects for a count.
pub(crate) fn end(mut episode: Episode, began: Timestamp, held: Timestamp, most: Option<u32>) -> Episode {
    // Never before it was raised, so that no one has to handle an end before the start.
    let held = held.max(episode.raised);
    episode.phase = EpisodePhase::Ended;
    episode.ended = Some(held);
    episode.measured.value = most.map_or_else(|| held.since(began).as_secs_f64(), f64::from);
    episode
}
