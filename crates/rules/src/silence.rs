use serde::{Deserialize, Serialize};
use vedette_core::{FrameSize, PixelPoint, Rule, Span, Timestamp};

use crate::rarely::Rarely;

/// Places of one rule that are silent at once; the oldest is given up for a newer one.
const MOST_PLACES: usize = 64;

/// Until when a rule raises nothing.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Silence {
    everywhere: Option<Timestamp>,
    places: Rarely<Vec<QuietPlace>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct QuietPlace {
    /// In pixels of the policy's frame.
    place: PixelPoint,
    until: Timestamp,
}

impl Silence {
    /// Whether nothing may be raised at `place` now.
    pub(crate) fn holds(&self, at: Timestamp, place: PixelPoint, rule: &Rule, frame: FrameSize) -> bool {
        self.everywhere.is_some_and(|until| at < until)
            || rule.place_cooldown.is_some_and(|cooldown| {
                let radius = cooldown.radius * frame.height as f32;
                self.quiet().iter().any(|quiet| at < quiet.until && distance(quiet.place, place) <= radius)
            })
    }

    fn quiet(&self) -> &[QuietPlace] {
        self.places.get().map_or(&[], Vec::as_slice)
    }

    /// How much of the silence at `place` has passed, and its length.
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
        let near = |quiet: &&QuietPlace| at < quiet.until && distance(quiet.place, place) <= radius;
        self.quiet().iter().find(near).and_then(|quiet| of(quiet.until, cooldown.time))
    }

    /// When an alert was raised or ended last.
    pub(crate) fn last(&self, rule: &Rule) -> Option<Timestamp> {
        self.everywhere.map(|until| until - rule.cooldown)
    }

    /// An alert was raised or ended at `place`: be silent from `from` on for the cooldowns of the rule.
    pub(crate) fn begin(&mut self, from: Timestamp, place: PixelPoint, rule: &Rule) {
        self.extend(from, rule);
        let Some(cooldown) = rule.place_cooldown else { return };
        let places = self.places.get_mut();
        places.retain(|quiet| quiet.until > from && quiet.place != place);
        if places.len() == MOST_PLACES {
            places.remove(0);
        }
        places.push(QuietPlace { place, until: from + cooldown.time });
    }

    /// Be silent everywhere for the cooldown of the rule.
    pub(crate) fn extend(&mut self, from: Timestamp, rule: &Rule) {
        let until = from + rule.cooldown;
        self.everywhere = Some(self.everywhere.map_or(until, |already| already.max(until)));
    }

    /// The clock was set back to `now`: no silence outlasts its cooldown because of it.
    pub(crate) fn set_back(&mut self, now: Timestamp, rule: &Rule) {
        self.everywhere = self.everywhere.map(|until| until.min(now + rule.cooldown));
        self.places.clear();
    }
}

pub(crate) fn distance(a: PixelPoint, b: PixelPoint) -> f32 {
    (a.x - b.x).hypot(a.y - b.y)
}
