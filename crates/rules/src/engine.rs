mod look;

use std::sync::Arc;

use vedette_core::{Episode, FrameSize, NearMiss, RuleId, RuleKind, Span, Timestamp, Track, TrackId};

use crate::engine_state::{EngineState, RuleState};
use crate::facts::FrameFacts;
use crate::ready::Ready;
use crate::ruleset::RuleSet;
use crate::state::Reassociation;
use crate::stats::FrameStats;
use crate::step::{Frame, Signal, Step};
use crate::trajectory::{self, Object, Remembered};
pub use look::Sight;

/// A frame older than the newest by at most this is late and ignored; by more, the clock was set back.
const REWIND_LIMIT: Span = Span::from_secs(2);
/// Most tracks of one frame that the rules evaluate.
const MOST_OBJECTS: usize = 4096;

/// A stored state that does not match the rule under whose id it was stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule {rule}: the stored state is not that of a rule of kind {}", kind.as_str())]
pub struct StateMismatch {
    /// The rule.
    pub rule: RuleId,
    /// Its kind.
    pub kind: RuleKind,
}

/// Applies the rules of one camera to its tracks, frame by frame.
#[derive(Debug, Clone)]
pub struct RuleEngine {
    rules: Arc<RuleSet>,
    state: EngineState,
    stats: FrameStats,
    /// Whether a following frame without tracks changes nothing but the time.
    quiet: bool,
    /// Per rule the last evaluated UTC minute and whether the rule was armed in it; empty when all always are.
    armed: Vec<Option<(i64, bool)>>,
    objects: Vec<Object>,
    /// Track re-associations of the newest frame.
    continued: Vec<(TrackId, TrackId)>,
    misses: Vec<NearMiss>,
}

impl RuleEngine {
    /// An engine without history.
    #[must_use]
    pub fn new(rules: impl Into<Arc<RuleSet>>) -> Self {
        Self::with_state(rules.into(), EngineState::default())
    }

    /// Restores a stored state. Rules with the same fingerprint as when it was stored continue; open episodes of others end
    /// and are emitted by the next call that returns episodes.
    ///
    /// # Errors
    /// When the state of a rule does not match the rule's kind: it is damaged, or another program wrote it.
    pub fn restore(rules: impl Into<Arc<RuleSet>>, state: EngineState) -> Result<Self, StateMismatch> {
        let rules = rules.into();
        for rule in &rules.rules {
            let watched = &rule.ready.watched;
            let same =
                |old: &&RuleState| old.watched.id == watched.id && old.watched.fingerprint == watched.fingerprint;
            if state.rules.iter().find(same).is_some_and(|old| !old.fits(rule)) {
                return Err(StateMismatch { rule: watched.id.clone(), kind: rule.kind.info().name });
            }
        }
        Ok(Self::with_state(rules, state))
    }

    fn with_state(rules: Arc<RuleSet>, state: EngineState) -> Self {
        let nothing = Arc::new(RuleSet::nothing(rules.frame));
        let mut engine = Self {
            rules: nothing,
            state,
            stats: FrameStats::default(),
            quiet: false,
            armed: Vec::new(),
            objects: Vec::new(),
            continued: Vec::new(),
            misses: Vec::new(),
        };
        engine.state.due = engine.replace(rules);
        engine
    }

    /// Changes to the same rules on another calibration. Episodes that this ends are emitted by the next
    /// call that returns episodes.
    pub fn recalibrate(&mut self, rules: impl Into<Arc<RuleSet>>) {
        self.state.known.iter_mut().for_each(Remembered::forget_ground);
        self.state.due = self.replace(rules);
    }

    /// Continues with `rules`, which were compiled from the same policy and calibration as its own, so that they can be shared.
    pub fn share(&mut self, rules: Arc<RuleSet>) {
        for (state, rule) in self.state.rules.iter_mut().zip(&rules.rules) {
            state.watched = rule.ready.watched.clone();
        }
        self.rules = rules;
    }

    /// Its whole state, to be stored.
    #[must_use]
    pub fn state(&self) -> &EngineState {
        &self.state
    }

    /// The rules in force.
    #[must_use]
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// Statistics of the newest frame.
    #[must_use]
    pub fn stats(&self) -> FrameStats {
        self.stats
    }

    /// Near-misses that ended with the newest frame.
    #[must_use]
    pub fn near_misses(&self) -> &[NearMiss] {
        &self.misses
    }

    /// Evaluates the confirmed tracks matched in one frame and returns the episodes raised and ended, in the order of the
    /// rules, combinations last. Frames come in order of capture time; one that is not newer than the last is
    /// ignored. The order of the tracks does not matter.
    pub fn update(&mut self, captured: Timestamp, frame: FrameSize, tracks: &[Track]) -> Vec<Episode> {
        self.update_with(captured, frame, tracks, FrameFacts::default())
    }

    /// As [`Self::update`], with the other properties of the frame, for rules about the camera itself.
    pub fn update_with(
        &mut self,
        captured: Timestamp,
        frame: FrameSize,
        tracks: &[Track],
        facts: FrameFacts,
    ) -> Vec<Episode> {
        self.stats = FrameStats::default();
        self.misses = Vec::new();
        self.continued = Vec::new();
        let mut episodes = std::mem::take(&mut self.state.due);
        let previous = self.state.newest;
        if let Some(newest) = previous
            && captured <= newest
        {
            if newest.since(captured) <= REWIND_LIMIT {
                self.stats.late = true;
                return episodes;
            }
            self.set_back(captured, &mut episodes);
        }
        self.state.newest = Some(captured);
        if self.quiet && tracks.is_empty() {
            return episodes;
        }
        self.quiet = false;
        self.see(captured, frame, tracks);
        self.apply(captured, previous, Some((frame, facts)), &mut episodes);
        if self.objects.is_empty() {
            self.shrink();
        }
        episodes
    }

    /// Evaluates a signal loss at this time. It affects only the rules that watch for it, and their
    /// combinations; returns episodes as [`Self::update`]. A time that is not after the newest frame is ignored.
    pub fn note_signal_loss(&mut self, at: Timestamp) -> Vec<Episode> {
        self.stats = FrameStats::default();
        self.misses = Vec::new();
        let mut episodes = std::mem::take(&mut self.state.due);
        let newest = self.state.newest;
        if self.rules.takes_signal_loss && newest.is_none_or(|newest| newest < at) {
            self.objects.clear();
            self.apply(at, newest, None, &mut episodes);
        }
        episodes
    }

    /// Evaluates the rules on a frame, or on a signal loss.
    fn apply(
        &mut self,
        at: Timestamp,
        previous: Option<Timestamp>,
        seen: Option<(FrameSize, FrameFacts)>,
        episodes: &mut Vec<Episode>,
    ) {
        let Self { rules, state, stats, armed, objects, misses, .. } = self;
        let EngineState { known, rules: states, .. } = state;
        let mut signals = vec![Signal::default(); if rules.combines { rules.rules.len() } else { 0 }];
        let (size, facts) = seen.unwrap_or((rules.frame, FrameFacts::default()));
        for &index in rules.order.iter().filter(|index| seen.is_some() || rules.takes_signal_loss_at(**index)) {
            let (rule, state) = (&rules.rules[index], &mut states[index]);
            let ready = &rule.ready;
            let frame = Frame {
                at,
                previous,
                is_missing: seen.is_none(),
                size,
                objects,
                remembered: known,
                facts,
                policy_frame: rules.frame,
                armed: is_armed(ready, at, armed.get_mut(index)),
                policy_version: rules.version,
                ground: rules.ground.as_deref(),
            };
            let first = episodes.len();
            let RuleState { cooldown, near, state, .. } = state;
            let (frame, signals_before) = (&frame, &signals[..]);
            let mut step = Step { ready, frame, signals: signals_before, cooldown, near, episodes, misses, stats };
            rule.kind.step(&mut step, state);
            if let Some(signal) = signals.get_mut(index) {
                *signal = Signal::of(&episodes[first..], state.is_open());
            }
            if !ready.rule.alert {
                episodes.truncate(first);
            }
        }
    }

    /// A camera without objects has no buffers, and one that has been empty for a while has nothing to do.
    fn shrink(&mut self) {
        let Self { rules, state, objects, .. } = self;
        objects.shrink_to_fit();
        state.known.shrink_to_fit();
        state.rules.iter_mut().for_each(RuleState::shrink);
        let mut rules = state.rules.iter().zip(&rules.rules);
        self.quiet = state.known.is_empty() && rules.all(|(state, rule)| state.is_resting(rule));
    }

    /// Changes to other rules. Open episodes of unchanged rules (condition, classes, scores, sizes,
    /// times, schedule and the policy's frame) continue; those of the others end, and are returned.
    pub fn replace(&mut self, rules: impl Into<Arc<RuleSet>>) -> Vec<Episode> {
        let rules = rules.into();
        let mut ended = std::mem::take(&mut self.state.due);
        let fresh = Vec::with_capacity(rules.rules.len());
        let mut old = std::mem::replace(&mut self.state.rules, fresh);
        for rule in &rules.rules {
            let mut new = RuleState::new(rule);
            let watched = &rule.ready.watched;
            if let Some(found) = old.iter().position(|old| old.watched.id == watched.id) {
                if old[found].watched.fingerprint == watched.fingerprint {
                    new = RuleState { watched: new.watched, ..old.remove(found) };
                } else {
                    // A changed rule starts over, but the cooldown of an alert it raised stays.
                    new.cooldown = std::mem::take(&mut old[found].cooldown);
                }
            }
            self.state.rules.push(new);
        }
        for mut gone in old {
            gone.end_all(None, &mut ended);
        }
        if self.rules.frame != rules.frame {
            // Remembered positions are in pixels of the old policy's frame.
            self.state.known.clear();
        }
        self.armed = if rules.is_scheduled() { vec![None; rules.rules.len()] } else { Vec::new() };
        self.rules = rules;
        self.quiet = false;
        ended
    }

    /// The end of its rules: returns the open episodes, which end with them.
    #[must_use]
    pub fn withdraw(self) -> Vec<Episode> {
        let mut ended = self.state.due;
        for mut rule in self.state.rules {
            rule.end_all(None, &mut ended);
        }
        ended
    }

    /// Ends open episodes, as at the end of a recording or of a stream epoch, and forgets every object. Cooldowns stay.
    /// No episode ends after `at`, except that none ends before it was raised.
    pub fn finish(&mut self, at: Timestamp) -> Vec<Episode> {
        let mut ended = std::mem::take(&mut self.state.due);
        self.end_all(Some(at), &mut ended);
        ended
    }

    fn end_all(&mut self, not_after: Option<Timestamp>, ended: &mut Vec<Episode>) {
        for (state, rule) in self.state.rules.iter_mut().zip(&self.rules.rules) {
            let before = ended.len();
            state.end_all(not_after, ended);
            for episode in &ended[before..] {
                state.cooldown.extend(episode.ended.unwrap_or(episode.raised), &rule.ready.rule);
            }
        }
        self.state.known = Vec::new();
        self.quiet = false;
    }

    /// The clock was set back to `now`: earlier measurements cannot be compared with later ones.
    fn set_back(&mut self, now: Timestamp, ended: &mut Vec<Episode>) {
        self.stats.clock_set_back = true;
        self.end_all(None, ended);
        for (state, rule) in self.state.rules.iter_mut().zip(&self.rules.rules) {
            state.cooldown.set_back(now, &rule.ready.rule);
        }
    }

    fn see(&mut self, at: Timestamp, frame: FrameSize, tracks: &[Track]) {
        let Self { rules, state, stats, objects, continued, .. } = self;
        objects.clear();
        objects.extend(tracks.iter().filter_map(|track| Object::new(track, frame, rules.frame)));
        if !objects.is_sorted_by_key(|object| object.track.id) {
            objects.sort_by_key(|object| object.track.id);
        }
        objects.dedup_by_key(|object| object.track.id);
        stats.rejected = count(tracks.len() - objects.len());
        stats.limited = count(objects.len().saturating_sub(MOST_OBJECTS));
        objects.truncate(MOST_OBJECTS);
        if let Some(ground) = &rules.ground {
            objects.iter_mut().for_each(|object| object.locate(&**ground));
        }
        *continued = trajectory::reassociate(at, objects, &mut state.known, rules.with_history);
        stats.recognised = count(continued.len());
        for &(old, new) in continued.iter() {
            for (state, rule) in state.rules.iter_mut().zip(&rules.rules) {
                state.reassociate(&Reassociation { at, old, new, gap_tolerance: rule.ready.rule.gap_tolerance });
            }
        }
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn is_armed(ready: &Ready, at: Timestamp, asked: Option<&mut Option<(i64, bool)>>) -> bool {
    let Some((calendar, asked)) = ready.calendar.as_ref().zip(asked) else { return true };
    let minute = at.as_micros().div_euclid(60_000_000);
    match asked {
        Some((asked, armed)) if *asked == minute => *armed,
        _ => asked.insert((minute, calendar.armed(at))).1,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use vedette_core::{ObjectClass, PixelBox, Score};

    use super::*;

    const SIZE: FrameSize = FrameSize { width: 1000, height: 1000 };

    /// An engine with a rule of kind `presence` and one of kind `dwell`, and its state with that of `presence` under both.
    fn engine_and_mixed_state() -> (RuleEngine, EngineState) {
        let zone = json!([[400, 400], [600, 400], [600, 600], [400, 600]]);
        let policy = json!({"applies_to": {"camera": "c"}, "version": 1, "frame": SIZE, "rule": [
            {"id": "in", "name": "in", "purpose": "test", "when": {"kind": "presence", "zone": zone}},
            {"id": "stay", "name": "stay", "purpose": "test", "when": {"kind": "dwell", "zone": zone, "duration": "1s"}},
        ]});
        let rules = RuleSet::compile(&serde_json::from_value(policy).unwrap(), None).unwrap();
        let engine = RuleEngine::new(rules);
        let mut state = engine.state().clone();
        state.rules[1].state = state.rules[0].state.clone();
        (engine, state)
    }

    #[test]
    fn a_stored_state_of_another_kind_is_refused() {
        let (engine, mixed) = engine_and_mixed_state();
        assert!(RuleEngine::restore(engine.rules.clone(), engine.state().clone()).is_ok());
        let refused = RuleEngine::restore(engine.rules, mixed).unwrap_err();
        assert_eq!(refused.to_string(), "rule stay: the stored state is not that of a rule of kind dwell");
    }

    #[test]
    fn a_rule_whose_state_is_of_another_kind_is_skipped_and_counted() {
        let (mut engine, mixed) = engine_and_mixed_state();
        engine.state = mixed;
        let mut raised = Vec::new();
        for millis in (0..3_000).step_by(100) {
            let at = Timestamp::from_micros(1_000_000_000 + millis * 1_000);
            let track = Track {
                id: TrackId(1),
                class: ObjectClass::Person,
                score: Score::new(0.9).unwrap(),
                bbox: PixelBox::new(480.0, 400.0, 40.0, 100.0),
                first_seen: at,
                last_seen: at,
                hits: 3,
            };
            raised.extend(engine.update(at, SIZE, &[track]));
            assert_eq!(engine.stats().mismatched, 1);
        }
        let rules: Vec<_> = raised.iter().map(|episode| episode.rule.as_str()).collect();
        assert_eq!(rules, ["in"], "the other rule works as before");
    }
}
