//! Where people are in consecutive frames, also in those in which the model missed them.

use std::collections::BTreeMap;

use vedette_core::{PixelBox, Span, Timestamp, TrackId};
use vedette_track::{Tracker, TrackerSettings};

use crate::footage::SeenFrame;

/// How long before its first and after its last detection a person is taken to be there.
pub(crate) const BEYOND: Span = Span::from_millis(500);

/// A person in a frame, by its index.
#[derive(Debug, Clone, Copy)]
struct Sighting {
    index: usize,
    bbox: PixelBox,
}

/// For each frame the boxes that may show a person: every detection of one, whatever its score; the boxes of tracks; between two frames of a
/// track the box in between; and half a second before its first and after its last frame, the box there with the way that the person may
/// have gone since.
pub(crate) fn people(frames: &[SeenFrame]) -> Vec<Vec<PixelBox>> {
    let mut boxes: Vec<Vec<PixelBox>> =
        frames.iter().map(|frame| frame.people.iter().map(|person| person.bbox).collect()).collect();
    let times: Vec<Timestamp> = frames.iter().map(|frame| frame.at.captured).collect();
    for track in tracks(frames).values() {
        track.iter().for_each(|seen| boxes[seen.index].push(seen.bbox));
        for pair in track.windows(2) {
            let [one, other] = [pair[0], pair[1]];
            for index in one.index + 1..other.index {
                boxes[index].push(between(
                    one.bbox,
                    other.bbox,
                    share(times[one.index], times[other.index], times[index]),
                ));
            }
        }
        let [first, last] = [0, track.len() - 1].map(|at| track[at]);
        let (second, before_last) = (track.get(1), track.len().checked_sub(2).map(|at| track[at]));
        for index in (0..first.index).rev().take_while(|index| times[first.index].since(times[*index]) <= BEYOND) {
            boxes[index].push(on_the_way(first, second.copied(), &times, index));
        }
        for index in (last.index + 1..times.len()).take_while(|index| times[*index].since(times[last.index]) <= BEYOND)
        {
            boxes[index].push(on_the_way(last, before_last, &times, index));
        }
    }
    boxes
}

/// The people of each track, in the order of the frames.
fn tracks(frames: &[SeenFrame]) -> BTreeMap<(u64, TrackId), Vec<Sighting>> {
    // Here a track too many costs a few blocks, one too few a face: one confident detection is enough.
    let settings = TrackerSettings { high_score: 0.3, start_score: 0.3, confirm_hits: 1, ..TrackerSettings::default() };
    let mut tracker = Tracker::new(settings);
    let mut tracks: BTreeMap<_, Vec<Sighting>> = BTreeMap::new();
    let mut epoch = None;
    for (index, frame) in frames.iter().enumerate() {
        if epoch.replace(frame.at.epoch).is_some_and(|before| before != frame.at.epoch) {
            tracker.reset();
        }
        for track in tracker.update(frame.at.captured, frame.size, &frame.people) {
            tracks.entry((frame.at.epoch, track.id)).or_default().push(Sighting { index, bbox: track.bbox });
        }
    }
    tracks
}

/// How far `at` is on the way from `from` to `to`.
fn share(from: Timestamp, to: Timestamp, at: Timestamp) -> f32 {
    let whole = to.since(from).as_micros();
    if whole == 0 { 0.0 } else { at.since(from).as_micros() as f32 / whole as f32 }
}

fn between(one: PixelBox, other: PixelBox, share: f32) -> PixelBox {
    let mix = |from: f32, to: f32| from + (to - from) * share;
    PixelBox::new(mix(one.x, other.x), mix(one.y, other.y), mix(one.width, other.width), mix(one.height, other.height))
}

/// The box of an end of a track, and where it would be at another time if the person had gone on as between there and `next_to_it`.
fn on_the_way(end: Sighting, next_to_it: Option<Sighting>, times: &[Timestamp], index: usize) -> PixelBox {
    let Some(other) = next_to_it else { return end.bbox };
    let gone = share(times[other.index], times[end.index], times[index]);
    let there = between(other.bbox, end.bbox, gone);
    let (left, top) = (end.bbox.x.min(there.x), end.bbox.y.min(there.y));
    let (right, bottom) = (end.bbox.right().max(there.right()), end.bbox.bottom().max(there.bottom()));
    PixelBox::new(left, top, right - left, bottom - top)
}

#[cfg(test)]
mod tests {
    use vedette_core::{Detection, FrameAt, FrameSize, ObjectClass, Score};

    use super::*;

    /// Frames of ten a second in which a person walks to the right by 10 pixels a frame; the model sees it in `seen` only.
    fn walk(count: usize, seen: impl Fn(usize) -> bool) -> Vec<SeenFrame> {
        let person = |index: usize| Detection {
            class: ObjectClass::Person,
            score: Score::new(0.8).unwrap(),
            bbox: PixelBox::new(100.0 + 10.0 * index as f32, 100.0, 40.0, 100.0),
        };
        let frame = |index: usize| SeenFrame {
            at: FrameAt { epoch: 1, sequence: index as u64, captured: Timestamp::from_micros(index as i64 * 100_000) },
            size: FrameSize { width: 1280, height: 720 },
            video: None,
            people: seen(index).then(|| person(index)).into_iter().collect(),
        };
        (0..count).map(frame).collect()
    }

    /// Whether the middle of the person of [`walk`] is in one of the boxes of each frame.
    fn covered(boxes: &[Vec<PixelBox>]) -> Vec<bool> {
        let middle = |index: usize| (120.0 + 10.0 * index as f32, 150.0);
        let covers = |it: &PixelBox, (x, y): (f32, f32)| it.x <= x && x < it.right() && it.y <= y && y < it.bottom();
        boxes.iter().enumerate().map(|(index, boxes)| boxes.iter().any(|it| covers(it, middle(index)))).collect()
    }

    #[test]
    fn a_person_that_the_model_misses_in_between_is_covered() {
        let frames = walk(20, |index| !(8..13).contains(&index));
        assert_eq!(covered(&people(&frames)), [true; 20]);
    }

    #[test]
    fn a_person_is_covered_half_a_second_beyond_its_first_and_last_detection() {
        let frames = walk(30, |index| (10..20).contains(&index));
        let expected: Vec<bool> = (0..30).map(|index| (5..25).contains(&index)).collect();
        assert_eq!(covered(&people(&frames)), expected);
    }

    #[test]
    fn a_faint_candidate_is_covered_too() {
        let mut frames = walk(3, |index| index == 1);
        frames[1].people[0].score = Score::new(0.06).unwrap();
        assert_eq!(covered(&people(&frames)), [false, true, false]);
        assert!(people(&[]).is_empty());
    }
}
