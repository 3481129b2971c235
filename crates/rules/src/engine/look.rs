//! What a rule sees of the objects of the newest frame: for people who ask why it raised an alert, or did not.

use vedette_core::{PixelPoint, RuleId, Track, TrackId};

use super::{RuleEngine, is_armed};
use crate::ready::Ready;
use crate::shape::ZoneShape;
use crate::trajectory::{Object, Trajectory};

/// An object of the newest frame, as a rule sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sight {
    /// Its track.
    pub track: Track,
    /// Its best score so far; a new track that continues a lost one continues its best score.
    pub best: f32,
    /// The height of its box as a fraction of the frame's.
    pub height_part: f32,
    /// Its anchor in pixels of the policy's frame.
    pub place: PixelPoint,
    /// Whether its anchor is in the rule's zone; none without a zone.
    pub in_zone: Option<bool>,
    /// The distance of its anchor from the rule's zone (0 inside) or line: metres for a zone on the ground, else pixels of the policy's
    /// frame. None without either, or where the ground is unknown.
    pub distance: Option<f32>,
    /// Its speed on the ground in metres per second, where a rule of the policy needs it.
    pub speed_m_s: Option<f32>,
    /// Whether the rule is armed.
    pub armed: bool,
    /// Whether classes, scores and sizes of the rule let it count in this frame.
    pub counts: bool,
}

impl RuleEngine {
    /// The objects of the newest frame, as a rule sees them; none of a rule that it does not have.
    pub fn look(&self, rule: &RuleId) -> impl Iterator<Item = Sight> + use<'_> {
        let found = self.rules.rules.iter().position(|known| known.ready.rule.id == *rule);
        let sights = found.zip(self.state.newest).map(|(index, at)| {
            let ready = &self.rules.rules[index].ready;
            let armed = is_armed(ready, at, self.armed.get(index).copied().as_mut());
            self.objects.iter().map(move |object| Sight {
                track: object.track,
                best: object.best,
                height_part: object.height_part,
                place: object.place,
                in_zone: (!matches!(ready.zone, ZoneShape::Empty)).then(|| ready.zone.contains_object(object)),
                distance: distance(ready, object),
                speed_m_s: Trajectory::new(at, object, &self.state.known).speed(),
                armed,
                counts: object.counts_for(&ready.rule),
            })
        });
        sights.into_iter().flatten()
    }

    /// The objects that continued under another track id in the newest frame, as (before, now).
    #[must_use]
    pub fn continued(&self) -> &[(TrackId, TrackId)] {
        &self.continued
    }
}

fn distance(ready: &Ready, object: &Object) -> Option<f32> {
    let lines = ready.lines.iter().map(|(line, _)| line.distance_from_segment(object.place));
    ready.zone.distance(object).or_else(|| lines.min_by(f32::total_cmp))
}
