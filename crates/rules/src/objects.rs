use serde::{Deserialize, Serialize};
use vedette_core::{FrameSize, PixelPoint, Rule, Span, Timestamp, Track, TrackId};

/// How long a track that is not seen is remembered.
const MEMORY: Span = Span::from_secs(10);
/// How far from where one track was lost another may begin to be the same object: box heights, and box heights a second.
const REACH: (f32, f32) = (0.25, 0.75);
/// The lower of the two boxes is at least this part of the higher.
const LIKE_HEIGHT: f32 = 0.6;

/// A track that was seen of late.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Known {
    pub(crate) id: TrackId,
    /// Its best score so far.
    best: f32,
    pub(crate) seen: Timestamp,
    /// Its anchor and height in pixels of the policy's frame.
    place: PixelPoint,
    height: f32,
}

/// A track in the frame at hand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Object {
    pub(crate) track: Track,
    /// Its anchor, held inside the frame, in pixels of the policy's frame.
    pub(crate) place: PixelPoint,
    /// Height as a part of the frame's.
    height_part: f32,
    /// Its best score so far, this frame's included.
    best: f32,
}

impl Object {
    /// None when the box is no box.
    pub(crate) fn new(track: &Track, frame: FrameSize, policy: FrameSize) -> Option<Self> {
        let anchor = track.bbox.anchor();
        let height = track.bbox.height;
        if !(anchor.x.is_finite() && anchor.y.is_finite() && height.is_finite() && height > 0.0) {
            return None;
        }
        // An object cut off by the border stands at the border, so that a zone drawn down to it holds the object.
        let (right, bottom) = (frame.width as f32 - 0.5, frame.height as f32 - 0.5);
        let anchor = PixelPoint::new(anchor.x.min(right).max(0.0), anchor.y.min(bottom).max(0.0));
        let place = anchor.rescaled(frame, policy);
        Some(Self { track: *track, place, height_part: height / frame.height as f32, best: track.score.get() })
    }

    /// Whether the rule's classes, scores and sizes let it count in this frame.
    pub(crate) fn counts_for(&self, rule: &Rule) -> bool {
        rule.classes.contains(self.track.class)
            && self.best >= rule.score.enter.get()
            && self.track.score.get() >= rule.score.stay.get()
            && rule.size.is_none_or(|size| (size.min_height..=size.max_height).contains(&self.height_part))
    }
}

/// Brings what is known up to date with the frame's objects (both by rising id) and gives the objects that go on under
/// another track id, as (old, new).
pub(crate) fn recognise(
    at: Timestamp,
    policy: FrameSize,
    objects: &mut [Object],
    known: &mut Vec<Known>,
    renamed: &mut Vec<(TrackId, TrackId)>,
) {
    known.retain(|known| at.since(known.seen) <= MEMORY);
    for index in 0..objects.len() {
        let height = objects[index].height_part * policy.height as f32;
        let object = objects[index];
        let entry = |best: f32| Known { id: object.track.id, best, seen: at, place: object.place, height };
        match known.binary_search_by_key(&object.track.id, |known| known.id) {
            Ok(found) => {
                objects[index].best = object.best.max(known[found].best);
                known[found] = entry(objects[index].best);
            }
            Err(_) => {
                let mut best = object.best;
                if let Some(old) = predecessor(at, &object, height, objects, known) {
                    let old = known.remove(old);
                    best = best.max(old.best);
                    renamed.push((old.id, object.track.id));
                }
                objects[index].best = best;
                let place = known.partition_point(|known| known.id < object.track.id);
                known.insert(place, entry(best));
            }
        }
    }
}

/// The nearest track that was lost before this one began, not far from here.
fn predecessor(at: Timestamp, object: &Object, height: f32, objects: &[Object], known: &[Known]) -> Option<usize> {
    let mut nearest: Option<(f32, usize)> = None;
    for (index, old) in known.iter().enumerate() {
        let present = || objects.binary_search_by_key(&old.id, |object| object.track.id).is_ok();
        if object.track.first_seen <= old.seen || present() {
            continue;
        }
        let seconds = at.since(old.seen).as_secs_f64() as f32;
        let reach = (REACH.0 + REACH.1 * seconds) * old.height.max(height);
        let (dx, dy) = (object.place.x - old.place.x, object.place.y - old.place.y);
        let distance = (dx * dx + dy * dy).sqrt();
        let alike = old.height.min(height) >= LIKE_HEIGHT * old.height.max(height);
        if alike && distance <= reach && nearest.is_none_or(|(least, _)| distance < least) {
            nearest = Some((distance, index));
        }
    }
    nearest.map(|(_, index)| index)
}
