//! The tracks of a recording as a rule sees them, and those that a question is about.

use std::collections::{BTreeMap, BTreeSet};

use vedette_analysis::Setups;
use vedette_core::{Alert, NearMiss, ObjectClass, RuleId, Timestamp, TrackId};
use vedette_rules::Sight;

use super::answer::{FrameSeen, NearMissSeen};
use crate::error::RecordingError;
use crate::recording::Recording;
use crate::window::Window;

/// A track within its stream session.
type Key = (u64, TrackId);

/// What is known of a track over all its frames.
#[derive(Debug, Clone)]
pub(super) struct Life {
    pub(super) class: ObjectClass,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) frames: usize,
    pub(super) best: f32,
    pub(super) counting: usize,
    pub(super) in_zone: Option<usize>,
}

/// The tracks of a recording.
#[derive(Debug, Default)]
pub(super) struct Tracks {
    pub(super) lives: BTreeMap<Key, Life>,
    /// Objects that go on under another number.
    continued: Vec<(Key, Key)>,
}

/// The tracks that a question is about; none for a rule without objects.
#[derive(Debug, Clone, Default)]
pub(super) struct Subject {
    epoch: u64,
    pub(super) tracks: BTreeSet<TrackId>,
    first: Timestamp,
    last: Timestamp,
    pub(super) class: Option<ObjectClass>,
}

impl Life {
    fn of(sight: &Sight, at: Timestamp) -> Self {
        let in_zone = sight.in_zone.map(|_| 0);
        let class = sight.track.class;
        Self { class, first: at, last: at, frames: 0, best: 0.0, counting: 0, in_zone }
    }

    fn add(&mut self, sight: &Sight, at: Timestamp) {
        self.last = at;
        self.frames += 1;
        self.best = self.best.max(sight.best);
        self.counting += usize::from(sight.counts);
        if let (Some(frames), Some(true)) = (&mut self.in_zone, sight.in_zone) {
            *frames += 1;
        }
    }

    /// How long before or after its frames a time is, in microseconds.
    pub(super) fn distance(&self, at: Timestamp) -> i64 {
        self.first.since(at).as_micros().max(at.since(self.last).as_micros()).max(0)
    }
}

impl Tracks {
    /// The tracks of a recording, and the alerts that it gives.
    pub(super) fn of(
        recording: &Recording<'_>,
        setups: &Setups,
        rule: &RuleId,
    ) -> Result<(Vec<Alert>, Self), RecordingError> {
        let mut tracks = Self::default();
        let alerts = recording.watched(setups, &mut |at, rules| {
            for sight in rules.look(rule) {
                let life = tracks.lives.entry((at.epoch, sight.track.id));
                life.or_insert_with(|| Life::of(&sight, at.captured)).add(&sight, at.captured);
            }
            let keys = rules.continued().iter().map(|(old, new)| ((at.epoch, *old), (at.epoch, *new)));
            tracks.continued.extend(keys);
        })?;
        Ok((alerts, tracks))
    }

    /// The life of a track that is nearest to a time, if it is seen in the window.
    pub(super) fn find(&self, track: TrackId, at: Timestamp, window: Window) -> Option<Key> {
        self.within(window)
            .filter(|(key, _)| key.1 == track)
            .min_by_key(|(_, life)| life.distance(at))
            .map(|(key, _)| *key)
    }

    /// The tracks that are seen in a window.
    pub(super) fn within(&self, window: Window) -> impl Iterator<Item = (&Key, &Life)> {
        self.lives.iter().filter(move |(_, life)| {
            window.from.is_none_or(|from| life.last >= from) && window.until.is_none_or(|until| life.first < until)
        })
    }

    /// The subject of a question about these tracks of one session, with the numbers under which the objects went on.
    pub(super) fn subject(&self, epoch: u64, tracks: impl IntoIterator<Item = TrackId>) -> Subject {
        let mut found: BTreeSet<TrackId> = tracks.into_iter().collect();
        let class = found.iter().find_map(|track| self.lives.get(&(epoch, *track))).map(|life| life.class);
        loop {
            let before = found.len();
            for ((_, old), (_, new)) in self.continued.iter().filter(|(old, _)| old.0 == epoch) {
                if found.contains(old) || found.contains(new) {
                    found.extend([*old, *new]);
                }
            }
            if found.len() == before {
                break;
            }
        }
        let lives: Vec<&Life> = found.iter().filter_map(|track| self.lives.get(&(epoch, *track))).collect();
        let first = lives.iter().map(|life| life.first).min().unwrap_or_default();
        let last = lives.iter().map(|life| life.last).max().unwrap_or_default();
        Subject { epoch, tracks: found, first, last, class }
    }

    /// The session in which an alert's objects were seen.
    pub(super) fn session(&self, alert: &Alert) -> u64 {
        let tracks: Vec<TrackId> = alert.objects.iter().map(|object| object.track).collect();
        let of = self.lives.iter().filter(|(key, _)| tracks.contains(&key.1));
        of.min_by_key(|(_, life)| life.distance(alert.raised)).map_or(0, |(key, _)| key.0)
    }
}

impl Subject {
    /// Whether an alert is about it.
    pub(super) fn has(&self, alert: &Alert) -> bool {
        if self.tracks.is_empty() {
            return true;
        }
        // It may be raised when the object is gone: a combination waits for other rules.
        alert.raised >= self.first && alert.objects.iter().any(|object| self.tracks.contains(&object.track))
    }

    /// Its frames, and its near-misses of the rule.
    pub(super) fn look(
        &self,
        recording: &Recording<'_>,
        setups: &Setups,
        rule: &RuleId,
    ) -> Result<(Vec<FrameSeen>, Vec<NearMissSeen>), RecordingError> {
        let (mut frames, mut misses) = (Vec::new(), Vec::new());
        recording.watched(setups, &mut |at, rules| {
            if !self.tracks.is_empty() && at.epoch == self.epoch {
                let ours = rules.look(rule).filter(|sight| self.tracks.contains(&sight.track.id));
                frames.extend(ours.map(|sight| frame(&sight, at.captured)));
            }
            let is_ours = |miss: &&NearMiss| miss.rule == *rule && self.is_missed(miss);
            misses.extend(rules.near_misses().iter().filter(is_ours).map(near_miss));
        })?;
        Ok((frames, misses))
    }

    /// Whether a near-miss is about it.
    fn is_missed(&self, miss: &NearMiss) -> bool {
        match miss.subject {
            Some(track) => self.tracks.contains(&track) && miss.ended >= self.first && miss.started <= self.last,
            None => self.tracks.is_empty() || (miss.ended >= self.first && miss.started <= self.last),
        }
    }
}

fn frame(sight: &Sight, at: Timestamp) -> FrameSeen {
    FrameSeen {
        at,
        track: sight.track.id,
        score: sight.track.score.get(),
        best_score: sight.best,
        height: sight.height_part,
        box_px: sight.track.bbox,
        in_zone: sight.in_zone,
        distance: sight.distance,
        speed_m_s: sight.speed_m_s,
        armed: sight.armed,
        counts: sight.counts,
    }
}

fn near_miss(miss: &NearMiss) -> NearMissSeen {
    NearMissSeen { at: miss.ended, term: miss.term.as_str().to_owned(), value: miss.value, threshold: miss.threshold }
}
