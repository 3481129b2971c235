use std::mem::discriminant;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use vedette_core::{Condition, Episode, EpisodePhase, PixelPoint, Quantity, RuleId, Timestamp, Track, TrackId};

use crate::combination::Combination;
use crate::health::Health;
use crate::held::Held;
use crate::near::Near;
use crate::objects::Known;
use crate::rarely::Rarely;
use crate::ruleset::ReadyRule;
use crate::silence::Silence;
use crate::step::decimal;

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

/// The rule that a state belongs to, and what it watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Watched {
    pub(crate) id: RuleId,
    pub(crate) fingerprint: u64,
    /// Whether its episodes are given out.
    pub(crate) alert: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RuleState {
    /// The same for all cameras with that rule.
    pub(crate) watched: Arc<Watched>,
    pub(crate) silence: Silence,
    pub(crate) near: Rarely<Near>,
    pub(crate) progress: Progress,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Progress {
    /// Objects in a zone, by rising track id.
    Visits(Vec<Visit>),
    /// Objects near a line.
    Passages(Rarely<Passages>),
    /// Objects in and around a zone, by rising track id.
    Borders(Vec<Border>),
    /// The crowd in a zone, while there is one.
    Crowd(Option<Box<Crowd>>),
    /// Things that stand in a zone.
    Things(Vec<Thing>),
    /// What other rules did.
    Combination(Box<Combination>),
    /// How the camera itself is.
    Health(Box<Health>),
}

/// An object in a zone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Visit {
    /// The track it has now.
    pub(crate) track: TrackId,
    /// The track it had first.
    pub(crate) subject: TrackId,
    pub(crate) began: Timestamp,
    /// When the condition held last.
    pub(crate) held: Timestamp,
    /// Where it was when it began, in pixels of the policy's frame.
    pub(crate) place: PixelPoint,
    /// The person who was with it.
    pub(crate) owner: Option<TrackId>,
    /// The greatest of what the rule measures, where that is no time.
    pub(crate) peak: f32,
    pub(crate) open: Option<Box<Episode>>,
}

/// Objects near a line, and who crossed it last.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Passages {
    /// By rising track id and segment.
    pub(crate) near: Vec<Passage>,
    /// The last crossing from left to right, and from right to left.
    pub(crate) last: [Option<(Timestamp, TrackId)>; 2],
}

/// An object and the side of a segment on which it was last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Passage {
    pub(crate) track: TrackId,
    pub(crate) segment: u8,
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

/// An object and whether it was inside a zone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Border {
    pub(crate) track: TrackId,
    pub(crate) subject: TrackId,
    pub(crate) inside: bool,
    pub(crate) seen: Timestamp,
    /// Since when it is on the other side, until it has been there long enough.
    pub(crate) turned: Option<Timestamp>,
}

/// At least as many objects in a zone as the rule names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Crowd {
    pub(crate) began: Timestamp,
    /// When there were enough last, hidden ones among them.
    pub(crate) held: Timestamp,
    /// When enough of them were seen last.
    pub(crate) full: Timestamp,
    /// Most objects at once.
    pub(crate) most: u32,
    pub(crate) open: Option<Box<Episode>>,
}

/// Something that stands in a zone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Thing {
    /// The track it had first.
    pub(crate) subject: TrackId,
    /// As it was seen last, its box in pixels of the policy's frame.
    pub(crate) track: Track,
    /// Where it stands, in pixels of the policy's frame.
    pub(crate) place: PixelPoint,
    pub(crate) began: Timestamp,
    /// When it was seen last.
    pub(crate) held: Timestamp,
    /// For how long its place was seen without it since, in microseconds.
    pub(crate) missing_us: i64,
}

impl RuleState {
    pub(crate) fn new(ready: &ReadyRule) -> Self {
        Self {
            watched: ready.watched.clone(),
            silence: Silence::default(),
            near: Rarely::default(),
            progress: Progress::new(&ready.rule.condition),
        }
    }

    /// Whether the state is of the rule's kind.
    pub(crate) fn fits(&self, ready: &ReadyRule) -> bool {
        discriminant(&self.progress) == discriminant(&Progress::new(&ready.rule.condition))
    }

    /// Ends whatever is open, at the time it last held, and forgets all progress.
    pub(crate) fn end_all(&mut self, not_after: Option<Timestamp>, ended: &mut Vec<Episode>) {
        self.near.clear();
        let before = ended.len();
        let until = |held: Timestamp, began: Timestamp| not_after.map_or(held, |latest| held.min(latest)).max(began);
        match &mut self.progress {
            Progress::Visits(visits) => ended.extend(visits.drain(..).filter_map(|visit| {
                let held = until(visit.held, visit.began);
                visit.open.map(|open| end(*open, visit.began, held, decimal(visit.peak)))
            })),
            Progress::Passages(passages) => passages.clear(),
            Progress::Borders(borders) => borders.clear(),
            Progress::Crowd(crowd) => ended.extend(crowd.take().and_then(|crowd| {
                let held = until(crowd.full, crowd.began);
                crowd.open.map(|open| end(*open, crowd.began, held, f64::from(crowd.most)))
            })),
            Progress::Things(things) => things.clear(),
            Progress::Combination(combination) => ended.extend(combination.end_all(not_after)),
            Progress::Health(health) => {
                ended.extend(std::mem::take(&mut **health).held.and_then(|held| held.end(not_after)));
            }
        }
        if !self.watched.alert {
            ended.truncate(before);
        }
    }

    /// Whether an episode is open.
    pub(crate) fn is_open(&self) -> bool {
        match &self.progress {
            Progress::Visits(visits) => visits.iter().any(|visit| visit.open.is_some()),
            Progress::Crowd(crowd) => crowd.as_ref().is_some_and(|crowd| crowd.open.is_some()),
            Progress::Combination(combination) => combination.is_open(),
            Progress::Health(health) => health.held.as_ref().is_some_and(Held::is_open),
            Progress::Passages(_) | Progress::Borders(_) | Progress::Things(_) => false,
        }
    }

    /// Whether a frame without objects changes nothing.
    pub(crate) fn is_resting(&self, ready: &ReadyRule) -> bool {
        self.near.get().is_none_or(Near::is_resting)
            && match &self.progress {
                Progress::Visits(visits) => visits.is_empty(),
                Progress::Passages(passages) => passages.get().is_none_or(|passages| {
                    // Disarming it forgets who crossed last.
                    passages.near.is_empty() && (ready.calendar.is_none() || passages.last == [None; 2])
                }),
                Progress::Borders(borders) => borders.is_empty(),
                Progress::Crowd(crowd) => crowd.is_none(),
                Progress::Things(things) => things.is_empty(),
                Progress::Combination(combination) => combination.is_resting(),
                Progress::Health(_) => false,
            }
    }

    /// Gives back the memory of what is followed no longer.
    pub(crate) fn rest(&mut self) {
        self.near.rest();
        if let Some(near) = self.near.changed() {
            near.rest();
        }
        match &mut self.progress {
            Progress::Visits(visits) => visits.shrink_to_fit(),
            Progress::Passages(passages) => {
                passages.rest();
                if let Some(passages) = passages.changed() {
                    passages.near.shrink_to_fit();
                }
            }
            Progress::Borders(borders) => borders.shrink_to_fit(),
            Progress::Things(things) => things.shrink_to_fit(),
            Progress::Crowd(_) | Progress::Combination(_) | Progress::Health(_) => {}
        }
    }

    /// The object that had the track `old` has the track `new` from now on.
    pub(crate) fn rename(&mut self, ready: &ReadyRule, at: Timestamp, old: TrackId, new: TrackId) {
        if let Some(near) = self.near.changed() {
            near.rename(old, new);
        }
        let lately = |seen: Timestamp| at.since(seen) <= ready.rule.gap_tolerance;
        match &mut self.progress {
            Progress::Visits(visits) => {
                for visit in visits.iter_mut().filter(|visit| visit.owner == Some(old)) {
                    visit.owner = Some(new);
                }
                if let Some(visit) = visits.iter_mut().find(|visit| visit.track == old)
                    && lately(visit.held)
                {
                    visit.track = new;
                    visits.sort_by_key(|visit| visit.track);
                }
            }
            Progress::Passages(passages) => {
                let Some(Passages { near, last }) = passages.changed() else { return };
                for passage in near.iter_mut().filter(|passage| passage.track == old && lately(passage.seen)) {
                    passage.track = new;
                }
                near.sort_by_key(Passage::key);
                for (_, track) in last.iter_mut().flatten().filter(|(_, track)| *track == old) {
                    *track = new;
                }
            }
            Progress::Borders(borders) => {
                if let Some(border) = borders.iter_mut().find(|border| border.track == old)
                    && lately(border.seen)
                {
                    border.track = new;
                    borders.sort_by_key(|border| border.track);
                }
            }
            Progress::Combination(combination) => combination.rename(old, new),
            Progress::Crowd(_) | Progress::Things(_) | Progress::Health(_) => {}
        }
    }
}

impl Passage {
    pub(crate) fn key(&self) -> (TrackId, u8) {
        (self.track, self.segment)
    }
}

impl Progress {
    fn new(condition: &Condition) -> Self {
        match condition {
            Condition::Presence { .. }
            | Condition::Dwell { .. }
            | Condition::Stopped { .. }
            | Condition::WrongWay { .. }
            | Condition::LeftObject { .. }
            | Condition::Speed { .. }
            | Condition::Running { .. } => Self::Visits(Vec::new()),
            Condition::LineCrossing { .. } | Condition::Tailgating { .. } => Self::Passages(Rarely::default()),
            Condition::ZoneEntry { .. } | Condition::ZoneExit { .. } => Self::Borders(Vec::new()),
            Condition::Count { .. } | Condition::Density { .. } | Condition::Gathering { .. } => Self::Crowd(None),
            Condition::RemovedObject { .. } => Self::Things(Vec::new()),
            Condition::Sequence { .. } | Condition::Absence { .. } | Condition::Together { .. } => {
                Self::Combination(Box::default())
            }
            Condition::Offline { .. }
            | Condition::LowFrameRate { .. }
            | Condition::ClockDrift { .. }
            | Condition::Frozen { .. }
            | Condition::Covered { .. }
            | Condition::Blurred { .. }
            | Condition::Moved { .. } => Self::Health(Box::default()),
        }
    }
}

/// The episode as it is given out for the last time. `most` is the greatest of what was measured, where that is no time.
pub(crate) fn end(mut episode: Episode, began: Timestamp, held: Timestamp, most: f64) -> Episode {
    // Never before it was raised, so that no one has to handle an end before the start.
    let held = held.max(episode.raised);
    episode.phase = EpisodePhase::Ended;
    episode.ended = Some(held);
    episode.measured.value = match episode.measured.quantity {
        Quantity::DurationSeconds => held.since(began).as_secs_f64(),
        _ => most,
    };
    episode
}
