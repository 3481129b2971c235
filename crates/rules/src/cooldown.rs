use serde::{Deserialize, Serialize};
use vedette_core::{FrameSize, PixelPoint, Rule, Span, Timestamp};

use crate::geometry::distance;
use crate::lazy_box::LazyBox;

/// Most concurrent place cooldowns of one rule; a newer one replaces the oldest.
const MOST_PLACES: usize = 64;

/// Active cooldowns of a rule.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Cooldown {
    everywhere: Option<Timestamp>,
    places: LazyBox<Vec<SilentPlace>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct SilentPlace {
    /// In pixels of the policy's frame.
    place: PixelPoint,
    until: Timestamp,
}

impl Cooldown {
    /// Whether `place` is in cooldown.
    pub(crate) fn holds(&self, at: Timestamp, place: PixelPoint, rule: &Rule, frame: FrameSize) -> bool {
        self.everywhere.is_some_and(|until| at < until)
            || rule.place_cooldown.is_some_and(|cooldown| {
                let radius = cooldown.radius * frame.height as f32;
                self.silent().iter().any(|silent| at < silent.until && distance(silent.place, place) <= radius)
            })
    }

    fn silent(&self) -> &[SilentPlace] {
        self.places.get().map_or(&[], Vec::as_slice)
    }

    /// The elapsed part of the cooldown at `place`, and its length.
    pub(crate) fn passed(
        &self,
        at: Timestamp,
        place: PixelPoint,
        rule: &Rule,
        frame: FrameSize,
    ) -> Option<(Span, Span)> {
        let of = |until: Timestamp, whole: Span| (at < until).then(|| (at.since(until - whole), whole));
        if let Some(passed) = self.everywhere.and_then(|until| of(until, rule.cooldown)) {
            return Some(passed);
        }
        let cooldown = rule.place_cooldown?;
        let radius = cooldown.radius * frame.height as f32;
        let near = |silent: &&SilentPlace| at < silent.until && distance(silent.place, place) <= radius;
        self.silent().iter().find(near).and_then(|silent| of(silent.until, cooldown.time))
    }

    /// When an alert was raised or ended last.
    pub(crate) fn last(&self, rule: &Rule) -> Option<Timestamp> {
        self.everywhere.map(|until| until - rule.cooldown)
    }

    /// Starts the cooldowns of the rule at `from`: an alert was raised or ended at `place`.
    pub(crate) fn begin(&mut self, from: Timestamp, place: PixelPoint, rule: &Rule) {
        self.extend(from, rule);
        let Some(cooldown) = rule.place_cooldown else { return };
        let places = self.places.get_mut();
        places.retain(|silent| silent.until > from && silent.place != place);
        if places.len() == MOST_PLACES {
            places.remove(0);
        }
        places.push(SilentPlace { place, until: from + cooldown.time });
    }

    /// Starts the cooldown of the whole rule at `from`.
    pub(crate) fn extend(&mut self, from: Timestamp, rule: &Rule) {
        let until = from + rule.cooldown;
        self.everywhere = Some(self.everywhere.map_or(until, |already| already.max(until)));
    }

    /// The clock was set back to `now`: no cooldown lasts longer because of it.
    pub(crate) fn set_back(&mut self, now: Timestamp, rule: &Rule) {
        self.everywhere = self.everywhere.map(|until| until.min(now + rule.cooldown));
        self.places.clear();
    }
}
