use serde::{Deserialize, Serialize};
use vedette_core::{FrameSize, ObjectClass, PixelBox, PixelPoint, Rule, Span, Timestamp, Track, TrackId};

use crate::ground::Ground;
use crate::history::History;

/// How long an unseen track is remembered.
const MEMORY: Span = Span::from_secs(10);
/// Greatest distance between the end of one track and the start of another of the same object: box heights, and box heights per
/// second.
const REACH: (f32, f32) = (0.25, 0.75);
/// A box this close to a border of the frame, as a fraction of its width or height, is cut off by it.
const BORDER: f32 = 0.02;
/// Least ratio of the heights of the two boxes.
const LIKE_HEIGHT: f32 = 0.6;

/// A place on the ground with a larger error in metres yields no speed.
const MOST_ERROR_M: f32 = 2.0;

/// A track of the last ten seconds, whether or not seen in the current frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Remembered {
    pub(crate) id: TrackId,
    class: ObjectClass,
    /// Its best score so far.
    best: f32,
    pub(crate) seen: Timestamp,
    /// Its anchor and height in pixels of the policy's frame.
    pub(crate) place: PixelPoint,
    pub(crate) height: f32,
    /// Its anchor in metres east and north, if a rule needs it.
    pub(crate) metres: Option<[f32; 2]>,
    /// Its recent positions, if a rule needs them.
    pub(crate) history: History,
}

impl Remembered {
    /// Whether the rule's classes and scores let it count when it was last seen. Sizes do not change in so short a time.
    pub(crate) fn counts_for(&self, rule: &Rule, policy: FrameSize) -> bool {
        rule.classes.contains(self.class)
            && self.best >= rule.score.enter.get()
            && size_fits(rule, self.height / policy.height as f32)
    }
}

impl Remembered {
    /// Drops its positions on the ground: the calibration changed.
    pub(crate) fn forget_ground(&mut self) {
        self.metres = None;
        self.history = History::default();
    }
}

fn size_fits(rule: &Rule, height_part: f32) -> bool {
    rule.size.is_none_or(|size| (size.min_height..=size.max_height).contains(&height_part))
}

/// A track in the current frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Object {
    pub(crate) track: Track,
    /// Its anchor, clamped to the frame, in pixels of the policy's frame.
    pub(crate) place: PixelPoint,
    /// Its anchor in metres east and north, if a rule needs it and the ground is known there.
    pub(crate) metres: Option<[f32; 2]>,
    /// Whether `metres` are accurate enough for a speed.
    measured_well: bool,
    /// Height as a fraction of the frame's.
    pub(crate) height_part: f32,
    /// Its height in pixels of the policy's frame.
    pub(crate) height: f32,
    /// Its best score so far, this frame's included.
    pub(crate) best: f32,
    /// Whether the left or right border cuts it off: its middle is then not the middle of its box.
    pub(crate) cut_off: bool,
}

impl Object {
    /// None when the box is invalid.
    pub(crate) fn new(track: &Track, frame: FrameSize, policy: FrameSize) -> Option<Self> {
        let height = track.bbox.height;
        let place = foot_point(&track.bbox, frame)?.rescaled(frame, policy);
        let border = BORDER * frame.width as f32;
        let cut_off = track.bbox.x < border || track.bbox.right() > frame.width as f32 - border;
        let height_part = height / frame.height as f32;
        Some(Self {
            track: *track,
            place,
            metres: None,
            measured_well: false,
            height_part,
            height: height_part * policy.height as f32,
            best: track.score.get(),
            cut_off,
        })
    }

    /// Finds its place on the ground.
    pub(crate) fn locate(&mut self, ground: &dyn Ground) {
        let found = ground.metres(self.place);
        self.metres = found.map(|found| [found.east, found.north]);
        self.measured_well = found.is_some_and(|found| found.error <= MOST_ERROR_M);
    }

    /// Its box in pixels of the policy's frame.
    pub(crate) fn bbox(&self, frame: FrameSize, policy: FrameSize) -> PixelBox {
        rescaled(self.track.bbox, frame, policy)
    }

    /// Whether the rule's classes, scores and sizes let it count in this frame.
    pub(crate) fn counts_for(&self, rule: &Rule) -> bool {
        rule.classes.contains(self.track.class)
            && self.best >= rule.score.enter.get()
            && self.track.score.get() >= rule.score.stay.get()
            && size_fits(rule, self.height_part)
    }
}

/// Where an object stands: the anchor of its box, clamped to the frame; none when the box is invalid.
pub(crate) fn foot_point(bbox: &PixelBox, frame: FrameSize) -> Option<PixelPoint> {
    let (anchor, height) = (bbox.anchor(), bbox.height);
    if !(anchor.x.is_finite() && anchor.y.is_finite() && height.is_finite() && height > 0.0) {
        return None;
    }
    // The anchor of an object cut off by the lower border is at the border, so that a zone drawn down to it contains the object
    // and one that ends above it does not.
    let (right, bottom) = (frame.width as f32 - 0.5, frame.height as f32 - 0.5);
    let feet = if anchor.y > bottom - BORDER * frame.height as f32 { bottom } else { anchor.y.max(0.0) };
    Some(PixelPoint::new(anchor.x.min(right).max(0.0), feet))
}

/// The same box in a frame of size `to`.
pub(crate) fn rescaled(bbox: PixelBox, from: FrameSize, to: FrameSize) -> PixelBox {
    let corner = PixelPoint::new(bbox.x, bbox.y).rescaled(from, to);
    let size = PixelPoint::new(bbox.width, bbox.height).rescaled(from, to);
    PixelBox::new(corner.x, corner.y, size.x, size.y)
}

/// An object of the frame with its history: the only view of objects that rule kinds have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trajectory<'a> {
    at: Timestamp,
    object: &'a Object,
    remembered: Option<&'a Remembered>,
}

#[allow(dead_code, reason = "kinds see a whole trajectory, whether or not one of them uses each part")]
impl<'a> Trajectory<'a> {
    /// `known` is by rising id.
    pub(crate) fn new(at: Timestamp, object: &'a Object, known: &'a [Remembered]) -> Self {
        let found = known.binary_search_by_key(&object.track.id, |known| known.id);
        Self { at, object, remembered: found.ok().map(|found| &known[found]) }
    }

    /// Its current track.
    pub(crate) fn track(&self) -> Track {
        self.object.track
    }

    pub(crate) fn id(&self) -> TrackId {
        self.object.track.id
    }

    pub(crate) fn class(&self) -> ObjectClass {
        self.object.track.class
    }

    /// Its anchor, clamped to the frame, in pixels of the policy's frame.
    pub(crate) fn place(&self) -> PixelPoint {
        self.object.place
    }

    /// Its anchor in metres east and north, if a rule needs it and the ground is known there.
    pub(crate) fn metres(&self) -> Option<[f32; 2]> {
        self.object.metres
    }

    /// Its height in pixels of the policy's frame.
    pub(crate) fn height(&self) -> f32 {
        self.object.height
    }

    /// Its box in pixels of the policy's frame.
    pub(crate) fn bbox(&self, frame: FrameSize, policy: FrameSize) -> PixelBox {
        self.object.bbox(frame, policy)
    }

    /// Whether the left or right border of the picture cuts it off.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.object.cut_off
    }

    /// Displacement over the last two seconds, in pixels of the policy's frame.
    pub(crate) fn displacement(&self) -> Option<[f32; 2]> {
        self.remembered?.history.displacement(self.at, self.object.place)
    }

    /// Speed on the ground, in metres per second.
    pub(crate) fn speed(&self) -> Option<f32> {
        self.remembered?.history.speed(self.at)
    }

    /// Speed in the picture, in box heights per second.
    pub(crate) fn heights_per_second(&self) -> Option<f32> {
        Some(self.remembered?.history.pixel_speed(self.at)? / self.object.height)
    }

    /// Increase of speed within two seconds, in metres per second.
    pub(crate) fn speed_gain(&self) -> Option<f32> {
        self.remembered?.history.speed_gain(self.at)
    }
}

/// Updates the remembered tracks with the frame's objects (both by rising id) and returns the track re-associations: objects that
/// continue under another track id, as (old, new).
pub(crate) fn reassociate(
    at: Timestamp,
    objects: &mut [Object],
    known: &mut Vec<Remembered>,
    with_history: bool,
) -> Vec<(TrackId, TrackId)> {
    let mut changed = Vec::new();
    known.retain(|known| at.since(known.seen) <= MEMORY);
    for index in 0..objects.len() {
        let object = objects[index];
        let (mut best, mut history) = (object.best, History::default());
        let found = known.binary_search_by_key(&object.track.id, |known| known.id);
        match found {
            Ok(found) => {
                best = best.max(known[found].best);
                history = std::mem::take(&mut known[found].history);
            }
            Err(_) => {
                if let Some(old) = predecessor(at, &object, objects, known) {
                    let old = known.remove(old);
                    best = best.max(old.best);
                    history = old.history;
                    changed.push((old.id, object.track.id));
                }
            }
        }
        objects[index].best = best;
        if with_history {
            history.extend(at, object.place, object.metres.filter(|_| object.measured_well));
        }
        let entry = Remembered {
            id: object.track.id,
            class: object.track.class,
            best,
            seen: at,
            place: object.place,
            height: object.height,
            metres: object.metres,
            history,
        };
        match found {
            Ok(found) => known[found] = entry,
            Err(_) => known.insert(known.partition_point(|known| known.id < entry.id), entry),
        }
    }
    changed
}

/// The nearest track that was lost before this one began, within reach.
fn predecessor(at: Timestamp, object: &Object, objects: &[Object], known: &[Remembered]) -> Option<usize> {
    let height = object.height;
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
