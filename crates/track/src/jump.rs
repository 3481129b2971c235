use vedette_core::{Detection, PixelBox};

use crate::class_group::ClassGroup;
use crate::gate::Gate;
use crate::tracklet::middle;

/// Minimum number of voting objects.
const LEAST_WITNESSES: usize = 3;
/// Most objects, and best detections, tried: more take time without new information.
const MOST_WITNESSES: usize = 16;
const MOST_DETECTIONS: usize = 64;
/// With at least this mean similarity to the detections, objects are where they were predicted.
const GOOD_FIT: f32 = 0.4;
/// Minimum gain of a jump in the sum of similarities: more than one object alone can give.
const LEAST_GAIN: f32 = 1.0;
/// Longest jump, in heights of the box that is moved.
const FARTHEST: f32 = 1.0;

/// Estimates how far the whole picture jumped between two frames that are far apart in time: when a camera is turned or carried,
/// hardly anything overlaps its predicted place, and overlap cannot reveal the movement. Buffers are reused.
#[derive(Debug, Clone, Default)]
pub(crate) struct Jump {
    witnesses: Vec<(PixelBox, ClassGroup)>,
}

impl Jump {
    /// The jump in pixels, 0 when none is certain: of all that move an object onto a detection, the one after which the objects
    /// are most similar to the detections. `witnesses` are the predicted boxes of the objects, longest tracked first;
    /// `detections` those that `gate` was loaded with, or a prefix of them, best first. A similarity below `least` counts as 0.
    pub(crate) fn find(
        &mut self,
        witnesses: impl Iterator<Item = (PixelBox, ClassGroup)>,
        detections: &[Detection],
        gate: &Gate,
        least: f32,
    ) -> (f32, f32) {
        self.witnesses.clear();
        self.witnesses.extend(witnesses.take(MOST_WITNESSES));
        if self.witnesses.len() < LEAST_WITNESSES || detections.len() < LEAST_WITNESSES {
            return (0.0, 0.0);
        }
        let fit = |(x, y)| -> f32 {
            let moved = self.witnesses.iter().map(|(bbox, group)| (moved(bbox, x, y), *group));
            let likeness = moved.map(|(bbox, group)| gate.most_alike(&bbox, group, detections));
            likeness.filter(|likeness| *likeness >= least).sum()
        };
        let still = fit((0.0, 0.0));
        if still >= GOOD_FIT * self.witnesses.len() as f32 {
            return (0.0, 0.0);
        }
        let (mut best, mut most) = ((0.0, 0.0), still + LEAST_GAIN);
        for jump in self.candidates(detections) {
            let fit = fit(jump);
            if fit > most {
                (best, most) = (jump, fit);
            }
        }
        best
    }

    /// Every jump that moves a witness onto a detection.
    fn candidates(&self, detections: &[Detection]) -> impl Iterator<Item = (f32, f32)> {
        self.witnesses.iter().flat_map(move |(bbox, group)| {
            let tried = detections.iter().take(MOST_DETECTIONS);
            let same = tried.filter(|detection| ClassGroup::of(detection.class) == *group);
            let jumps = same.map(|detection| between(bbox, &detection.bbox));
            let farthest = FARTHEST * bbox.height;
            jumps.filter(move |(x, y)| x.abs() <= farthest && y.abs() <= farthest)
        })
    }
}

fn moved(bbox: &PixelBox, x: f32, y: f32) -> PixelBox {
    PixelBox::new(bbox.x + x, bbox.y + y, bbox.width, bbox.height)
}

/// The vector between the centres of two boxes.
fn between(from: &PixelBox, to: &PixelBox) -> (f32, f32) {
    let (from, to) = (middle(from), middle(to));
    (to.x - from.x, to.y - from.y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vedette_core::{ObjectClass, Score};

    fn person(x: f32) -> PixelBox {
        PixelBox::new(x, 400.0, 40.0, 100.0)
    }

    /// The estimate when people are predicted at one place and are at the other, or are unseen.
    fn jump(people: &[(f32, Option<f32>)]) -> (f32, f32) {
        let found = people.iter().filter_map(|(_, at)| *at);
        let detection = |x| Detection { class: ObjectClass::Person, score: Score::new(0.9).unwrap(), bbox: person(x) };
        let detections: Vec<Detection> = found.map(detection).collect();
        let mut gate = Gate::default();
        gate.load(&detections);
        let witnesses = people.iter().map(|(x, _)| (person(*x), ClassGroup::Person));
        Jump::default().find(witnesses, &detections, &gate, 0.2)
    }

    #[test]
    fn what_most_have_in_common_is_a_jump() {
        let turned =
            [(100.0, Some(170.0)), (260.0, Some(332.0)), (300.0, None), (500.0, Some(570.0)), (720.0, Some(650.0))];
        assert_eq!(jump(&turned), (70.0, 0.0));
    }

    #[test]
    fn who_walks_alone_or_stands_with_others_makes_no_jump() {
        let one_walks = [(100.0, Some(190.0)), (260.0, Some(260.0)), (500.0, Some(500.0)), (720.0, Some(720.0))];
        assert_eq!(jump(&one_walks), (0.0, 0.0));
        let apart = [(100.0, Some(190.0)), (260.0, Some(200.0)), (500.0, Some(540.0)), (720.0, Some(700.0))];
        assert_eq!(jump(&apart), (0.0, 0.0));
        assert_eq!(jump(&[(100.0, Some(170.0)), (260.0, Some(330.0))]), (0.0, 0.0), "two are too few");
        let far = [(100.0, Some(900.0)), (260.0, Some(1060.0)), (500.0, Some(1300.0))];
        assert_eq!(jump(&far), (0.0, 0.0));
    }
}
