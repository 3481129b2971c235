use vedette_core::{Detection, PixelBox};

use crate::gate::Pair;

/// Minimum number of objects that must agree that the picture moved.
const LEAST_WITNESSES: usize = 4;
/// The common movement must exceed the objects' disagreement so many times.
const CERTAINTY: f32 = 4.0;

/// Estimates how far the whole picture moved since the last frame beyond the objects' own motion: a camera that swings in
/// the wind, is turned or is carried. Buffers are reused.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shift {
    /// For each track, and for each detection, its best pair so far.
    of_track: Vec<Option<Pair>>,
    of_detection: Vec<Option<Pair>>,
    x: Vec<f32>,
    y: Vec<f32>,
}

impl Shift {
    /// The movement in pixels, 0 when it is uncertain. `witness` says whether a pair's track and detection may vote; those
    /// vote that are each other's best.
    pub(crate) fn estimate(
        &mut self,
        boxes: &[PixelBox],
        detections: &[Detection],
        pairs: &[Pair],
        witness: impl Fn(&Pair) -> bool,
    ) -> (f32, f32) {
        if boxes.len() < LEAST_WITNESSES || detections.len() < LEAST_WITNESSES {
            return (0.0, 0.0);
        }
        reset(&mut self.of_track, boxes.len());
        reset(&mut self.of_detection, detections.len());
        for pair in pairs.iter().filter(|pair| witness(pair)) {
            for best in [&mut self.of_track[pair.track as usize], &mut self.of_detection[pair.detection as usize]] {
                if best.is_none_or(|best| pair.likeness > best.likeness) {
                    *best = Some(*pair);
                }
            }
        }
        self.x.clear();
        self.y.clear();
        for pair in self.of_track.iter().flatten() {
            if self.of_detection[pair.detection as usize] == Some(*pair) {
                let (expected, found) = (&boxes[pair.track as usize], &detections[pair.detection as usize].bbox);
                self.x.push(found.x + found.width / 2.0 - expected.x - expected.width / 2.0);
                self.y.push(found.y + found.height / 2.0 - expected.y - expected.height / 2.0);
            }
        }
        (common(&mut self.x), common(&mut self.y))
    }
}

fn reset(best: &mut Vec<Option<Pair>>, len: usize) {
    best.clear();
    best.resize(len, None);
}

/// The median, if there are enough values and it stands out against their spread.
fn common(values: &mut [f32]) -> f32 {
    if values.len() < LEAST_WITNESSES {
        return 0.0;
    }
    let middle = median(values);
    values.iter_mut().for_each(|value| *value = (*value - middle).abs());
    let scatter = median(values);
    if middle.abs() > CERTAINTY * scatter / (values.len() as f32).sqrt() { middle } else { 0.0 }
}

fn median(values: &mut [f32]) -> f32 {
    let odd = values.len() % 2 == 1;
    let (below, upper, _) = values.select_nth_unstable_by(values.len() / 2, f32::total_cmp);
    if odd { *upper } else { (*upper + below.iter().copied().fold(f32::MIN, f32::max)) / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vedette_core::{ObjectClass, Score};

    fn estimated(moved: &[(f32, f32)]) -> (f32, f32) {
        let at = |index: usize, dx: f32, dy: f32| PixelBox::new(index as f32 * 100.0 + dx, dy, 40.0, 100.0);
        let boxes: Vec<PixelBox> = (0..moved.len()).map(|index| at(index, 0.0, 0.0)).collect();
        let detection = |(index, (dx, dy)): (usize, &(f32, f32))| Detection {
            class: ObjectClass::Person,
            score: Score::new(0.9).unwrap(),
            bbox: at(index, *dx, *dy),
        };
        let detections: Vec<Detection> = moved.iter().enumerate().map(detection).collect();
        let pair = |index: u32| Pair { track: index, detection: index, likeness: 0.8 };
        let pairs: Vec<Pair> = (0..moved.len() as u32).map(pair).collect();
        Shift::default().estimate(&boxes, &detections, &pairs, |_| true)
    }

    #[test]
    fn a_swing_of_the_camera_is_found_though_one_object_runs() {
        let (x, y) = estimated(&[(9.0, 0.1), (10.0, -0.1), (10.5, 0.2), (-15.0, 3.0), (9.8, 0.0)]);
        assert!((x - 9.8).abs() < 0.01 && y == 0.0, "{x} {y}");
    }

    #[test]
    fn objects_that_disagree_and_few_objects_say_nothing() {
        assert_eq!(estimated(&[(9.0, 0.0), (-9.0, 0.0), (3.0, 0.0), (-4.0, 0.0)]), (0.0, 0.0));
        assert_eq!(estimated(&[(9.0, 0.0), (9.0, 0.0), (9.0, 0.0)]), (0.0, 0.0));
    }
}
