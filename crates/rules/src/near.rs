//! Tracks near-misses from frame to frame.

use vedette_core::{NearMiss, PixelPoint, Span, Term, TrackId};

use crate::near_miss::{About, Lacking, MOST_LACKING, Nearly, Shortfall};
use crate::step::{Step, decimal};
use crate::trajectory::Trajectory;

/// A condition that held for this fraction of its required time almost held long enough.
const NEAR_DURATION: f64 = 0.5;

impl Step<'_> {
    /// The object meets the requirements: drops its earlier shortfall.
    pub(crate) fn met(&mut self, track: TrackId) {
        if let Some(near) = self.near.allocated() {
            near.lacking.retain(|lacking| lacking.track != track);
        }
    }

    /// Tracks an object in the zone that lacks one requirement.
    pub(crate) fn lacks(&mut self, object: &Trajectory<'_>, shortfall: Shortfall) {
        let (frame, at) = (self.frame, self.frame.at);
        let lacking = &mut self.near.get_mut().lacking;
        if let Some(lacking) = lacking.iter_mut().find(|lacking| lacking.track == object.id()) {
            lacking.held = at;
            let known = &lacking.shortfall;
            if known.term == shortfall.term && shortfall.distance() < known.distance() {
                (lacking.shortfall, lacking.place) = (shortfall, object.place());
                frame.keep(&mut lacking.nearest, object);
            }
        } else if lacking.len() < MOST_LACKING {
            let (track, place) = (object.id(), object.place());
            let nearest = frame.view(object).map(Box::new);
            lacking.push(Lacking { track, began: at, held: at, place, shortfall, nearest });
        } else {
            self.stats.near_misses_left_out += 1;
        }
    }

    /// Emits near-misses of objects that are gone or have lacked nothing for longer than the gap. `needed` is the required
    /// duration of the condition.
    pub(crate) fn emit_lacking(&mut self, needed: Span) {
        let (at, gap) = (self.frame.at, self.ready.rule.gap_tolerance);
        let Some(near) = self.near.allocated() else { return };
        let over: Vec<Lacking> = near.lacking.extract_if(.., |lacking| at.since(lacking.held) > gap).collect();
        for Lacking { track, began, held, place, shortfall, nearest } in over {
            let enough = held.since(began) >= needed || !matches!(shortfall.term, Term::SCORE | Term::SIZE);
            if enough {
                self.miss(About::object(track, (began, held), place, &nearest), shortfall);
            }
        }
    }

    /// Emits a near-miss of a condition that held for a time and was never raised: it was too short, or the rule was in cooldown.
    pub(crate) fn missed(&mut self, about: About, needed: Span) {
        let (began, held) = about.times;
        let lasted = held.since(began);
        let (value, threshold) = (lasted.as_secs_f64() as f32, needed.as_secs_f64() as f32);
        if lasted >= needed {
            self.silenced(about);
        } else if f64::from(value) >= NEAR_DURATION * f64::from(threshold) {
            self.miss(about, Shortfall { term: Term::DURATION, value, threshold });
        }
    }

    /// Emits a near-miss of a condition that was met while the rule or the place was in cooldown.
    pub(crate) fn silenced(&mut self, about: About) {
        let (rule, About { times: (_, held), place, .. }) = (&self.ready.rule, about);
        let Some((passed, whole)) = self.cooldown.passed(held, place, rule, self.frame.policy_frame) else { return };
        let (value, threshold) = (passed.as_secs_f64() as f32, whole.as_secs_f64() as f32);
        self.miss(about, Shortfall { term: Term::COOLDOWN, value, threshold });
    }

    /// Updates the shortfall of the whole zone or the camera in this frame; none when it is larger or there is none. Emitted once
    /// it is over.
    pub(crate) fn whole_lacks(&mut self, shortfall: Option<(Shortfall, PixelPoint)>) {
        let (at, rule) = (self.frame.at, &self.ready.rule);
        let is_over = |whole: &mut Nearly| match shortfall {
            Some(_) => !self.frame.goes_on(whole.held, rule.gap_tolerance),
            None => at.since(whole.held) > rule.gap_tolerance,
        };
        if let Some(Nearly { began, held, place, shortfall }) =
            self.near.allocated().and_then(|near| near.whole.take_if(is_over))
            && held.since(began) >= rule.min_duration
        {
            self.miss(About::whole((began, held), place), shortfall);
        }
        let Some((shortfall, place)) = shortfall else { return };
        let fresh = Nearly { began: at, held: at, place, shortfall };
        let whole = self.near.get_mut().whole.get_or_insert(fresh);
        whole.held = at;
        if shortfall.distance() < whole.shortfall.distance() {
            whole.shortfall = shortfall;
        }
    }

    /// The condition is met now, which is no alert yet: if none follows, the shortfall continues.
    pub(crate) fn whole_goes_on(&mut self) {
        let (at, gap) = (self.frame.at, self.ready.rule.gap_tolerance);
        if let Some(whole) = self.near.allocated().and_then(|near| near.whole.as_mut())
            && self.frame.goes_on(whole.held, gap)
        {
            whole.held = at;
        }
    }

    /// The whole zone or the camera meets the requirements: drops its shortfall.
    pub(crate) fn whole_met(&mut self) {
        if let Some(near) = self.near.allocated() {
            near.whole = None;
        }
    }

    /// Emits a near-miss, unless one of the same term came just before.
    pub(crate) fn miss(&mut self, about: About, shortfall: Shortfall) {
        let About { subject, times: (started, ended), place, nearest } = about;
        let Shortfall { term, value, threshold } = shortfall;
        if !self.near.get_mut().may_emit(term, self.frame.at) {
            self.stats.near_misses_left_out += 1;
            return;
        }
        let rule = &self.ready.rule;
        self.misses.push(NearMiss {
            rule: rule.id.clone(),
            kind: rule.condition.kind,
            policy_version: self.frame.policy_version,
            subject,
            started,
            ended,
            place,
            term,
            value: decimal(value),
            threshold: decimal(threshold),
            nearest,
        });
    }
}
