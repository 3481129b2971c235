use vedette_core::{Detection, PixelBox};

use crate::class_group::ClassGroup;

/// A tracked box and a detection that may be the same object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pair {
    pub(crate) track: u32,
    pub(crate) detection: u32,
    /// See [`likeness`].
    pub(crate) likeness: f32,
}

/// Similarity of two boxes, 0 to 1: intersection over union, times the ratio of the lower height to the higher. People who
/// overlap in the picture stand at different distances and so differ in height, which overlap alone does not show (Hybrid-SORT,
/// Yang et al. 2024).
pub(crate) fn likeness(a: &PixelBox, b: &PixelBox) -> f32 {
    let width = a.right().min(b.right()) - a.x.max(b.x);
    let height = a.bottom().min(b.bottom()) - a.y.max(b.y);
    if width <= 0.0 || height <= 0.0 {
        return 0.0;
    }
    let shared = width * height;
    // One division for both quotients.
    shared * a.height.min(b.height) / ((a.area() + b.area() - shared) * a.height.max(b.height))
}

/// Detections that can overlap the box, of those in `by_left`, none of them wider than `widest`: they begin before the box
/// ends and can reach its left edge.
fn near(by_left: &[(f32, u32)], widest: f32, bbox: &PixelBox) -> impl Iterator<Item = u32> {
    let (first, last) = (bbox.x - widest, bbox.right());
    let from = by_left.partition_point(|(left, _)| *left < first);
    by_left[from..].iter().take_while(move |(left, _)| *left <= last).map(|(_, index)| *index)
}

/// Finds the candidate pairs of a frame. Buffers are reused.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate {
    /// Left edges of the detections with their indices, ascending.
    by_left: Vec<(f32, u32)>,
    widest: f32,
    pairs: Vec<Pair>,
}

impl Gate {
    /// Loads a frame's detections.
    pub(crate) fn load(&mut self, detections: &[Detection]) {
        self.by_left.clear();
        self.by_left.extend(detections.iter().zip(0..).map(|(detection, index)| (detection.bbox.x, index)));
        self.by_left.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        self.widest = detections.iter().map(|detection| detection.bbox.width).fold(0.0, f32::max);
    }

    /// The greatest similarity of the box to a detection of the class group, 0 where none overlaps. `detections` are those that
    /// were loaded, or a prefix of them.
    pub(crate) fn most_alike(&self, bbox: &PixelBox, group: ClassGroup, detections: &[Detection]) -> f32 {
        let near = near(&self.by_left, self.widest, bbox).filter_map(|index| detections.get(index as usize));
        let same = near.filter(|detection| ClassGroup::of(detection.class) == group);
        same.map(|detection| likeness(bbox, &detection.bbox)).fold(0.0, f32::max)
    }

    /// All pairs of one class group with a similarity of at least `least`. `detections` are those that were loaded.
    pub(crate) fn find(
        &mut self,
        tracks: impl Iterator<Item = (PixelBox, ClassGroup)>,
        detections: &[Detection],
        least: f32,
    ) -> &[Pair] {
        self.pairs.clear();
        for ((bbox, group), track) in tracks.zip(0..) {
            for index in near(&self.by_left, self.widest, &bbox) {
                let detection = &detections[index as usize];
                let likeness = likeness(&bbox, &detection.bbox);
                // Written so that a NaN similarity fails.
                if likeness >= least && likeness > 0.0 && ClassGroup::of(detection.class) == group {
                    self.pairs.push(Pair { track, detection: index, likeness });
                }
            }
        }
        &self.pairs
    }

    /// Weights the current pairs; those of weight 0 are removed.
    pub(crate) fn weigh(&mut self, weight: impl Fn(&Pair) -> f32) {
        self.pairs.retain_mut(|pair| {
            pair.likeness *= weight(pair);
            pair.likeness > 0.0
        });
    }

    /// The current pairs.
    pub(crate) fn pairs(&self) -> &[Pair] {
        &self.pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use vedette_core::{ObjectClass, Score};

    fn detection(bbox: PixelBox, class: ObjectClass) -> Detection {
        Detection { class, score: Score::new(0.9).unwrap(), bbox }
    }

    #[test]
    fn height_and_class_tell_overlapping_boxes_apart() {
        let near = PixelBox::new(0.0, 0.0, 40.0, 100.0);
        assert!((likeness(&near, &near) - 1.0).abs() < 1e-6);
        let far = PixelBox::new(0.0, 0.0, 40.0, 50.0);
        assert!((likeness(&near, &far) - 0.25).abs() < 1e-6);
        let mut gate = Gate::default();
        let detections = [detection(near, ObjectClass::Car)];
        gate.load(&detections);
        assert!(gate.find([(near, ClassGroup::Person)].into_iter(), &detections, 0.1).is_empty());
    }

    fn boxes() -> impl Strategy<Value = Vec<PixelBox>> {
        let bbox = (0.0_f32..200.0, 0.0_f32..50.0, 1.0_f32..60.0, 1.0_f32..60.0);
        prop::collection::vec(bbox.prop_map(|(x, y, w, h)| PixelBox::new(x, y, w, h)), 0..12)
    }

    proptest! {
        #[test]
        fn no_pair_is_passed_over(tracks in boxes(), found in boxes()) {
            let detections: Vec<Detection> = found.iter().map(|b| detection(*b, ObjectClass::Person)).collect();
            let mut gate = Gate::default();
            gate.load(&detections);
            let tracks_in = tracks.iter().map(|bbox| (*bbox, ClassGroup::Person));
            let mut pairs: Vec<(u32, u32)> =
                gate.find(tracks_in, &detections, 0.2).iter().map(|pair| (pair.track, pair.detection)).collect();
            pairs.sort_unstable();
            let mut expected = Vec::new();
            for (t, a) in tracks.iter().enumerate() {
                for (d, b) in found.iter().enumerate() {
                    if likeness(a, b) >= 0.2 {
                        expected.push((t as u32, d as u32));
                    }
                }
            }
            prop_assert_eq!(pairs, expected);
        }
    }
}
