use vedette_core::{Detection, ObjectClass, Score};

use crate::geometry::{Corners, ToNative};

/// Most candidates per picture kept before suppression, the best ones.
const MOST_CANDIDATES: usize = 1_000;

/// A candidate box of a model, in pixels of its input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) class: ObjectClass,
    pub(crate) score: f32,
    pub(crate) corners: Corners,
}

/// A model's candidates for one picture.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    pub(crate) found: Vec<Candidate>,
    /// Cells whose score or box is NaN.
    pub(crate) not_numbers: usize,
}

impl Candidates {
    pub(crate) fn clear(&mut self) {
        self.found.clear();
        self.not_numbers = 0;
    }

    pub(crate) fn push(&mut self, class: ObjectClass, score: f32, corners: Corners) {
        if corners.is_finite() {
            self.found.push(Candidate { class, score, corners });
        } else {
            self.not_numbers += 1;
        }
    }
}

/// The best mapped class of a cell, as its index in `classes` and its score; none when no score reaches
/// `floor`. The flag reports a NaN score.
pub(crate) fn best_class(
    scores: &[f32],
    classes: &[(usize, ObjectClass)],
    floor: f32,
) -> (Option<(ObjectClass, f32)>, bool) {
    let mut best = None;
    let mut least = floor;
    let mut not_a_number = false;
    for &(index, class) in classes {
        let score = scores[index];
        if score >= least && best.is_none_or(|(_, so_far)| score > so_far) {
            best = Some((class, score));
            least = score;
        }
        not_a_number |= score.is_nan();
    }
    (best, not_a_number)
}

/// Maps candidates to the native frame and suppresses, class by class, those that overlap a better one by more than `iou`.
/// Best score first, at most `most`.
pub(crate) fn select(candidates: &mut Candidates, to_native: ToNative, iou: f32, most: usize) -> Vec<Detection> {
    let found = &mut candidates.found;
    // A total order: the result for equal scores must not depend on the sorting algorithm.
    found.sort_unstable_by(|a, b| {
        b.score
            .total_cmp(&a.score)
            .then(a.class.cmp(&b.class))
            .then(a.corners.left.total_cmp(&b.corners.left))
            .then(a.corners.top.total_cmp(&b.corners.top))
    });
    found.truncate(MOST_CANDIDATES);
    let mut kept: Vec<Detection> = Vec::new();
    for candidate in found.iter() {
        if kept.len() >= most {
            break;
        }
        let Some(bbox) = to_native.place(candidate.corners) else { continue };
        if kept.iter().any(|better| better.class == candidate.class && better.bbox.iou(&bbox) > iou) {
            continue;
        }
        match Score::new(candidate.score.min(1.0)) {
            Ok(score) => kept.push(Detection { class: candidate.class, score, bbox }),
            Err(_) => candidates.not_numbers += 1,
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use vedette_core::FrameSize;

    use super::*;
    use crate::geometry::InputImage;

    fn same_size() -> ToNative {
        let native = FrameSize { width: 100, height: 100 };
        InputImage { data: Bytes::new(), width: 100, height: 100, native }.to_native()
    }

    fn candidates(list: &[(ObjectClass, f32, [f32; 4])]) -> Candidates {
        let mut all = Candidates::default();
        for &(class, score, [left, top, right, bottom]) in list {
            all.push(class, score, Corners { left, top, right, bottom });
        }
        all
    }

    #[test]
    fn the_better_of_two_that_overlap_stays_in_each_class() {
        use ObjectClass::{Bicycle, Person};
        let mut all = candidates(&[
            (Person, 0.5, [0.0, 0.0, 10.0, 20.0]),
            (Person, 0.9, [1.0, 0.0, 11.0, 20.0]),
            (Bicycle, 0.4, [1.0, 0.0, 11.0, 20.0]),
            (Person, 0.3, [50.0, 0.0, 60.0, 20.0]),
            (Person, 0.8, [f32::NAN, 0.0, 11.0, 20.0]),
        ]);
        let kept = select(&mut all, same_size(), 0.6, 300);
        let summary: Vec<_> = kept.iter().map(|one| (one.class, one.score.get())).collect();
        assert_eq!(summary, [(Person, 0.9), (Bicycle, 0.4), (Person, 0.3)]);
        assert_eq!(all.not_numbers, 1);
    }

    #[test]
    fn the_best_mapped_class_counts_and_no_number_is_noticed() {
        let classes = [(0, ObjectClass::Person), (2, ObjectClass::Car)];
        assert_eq!(best_class(&[0.2, 0.9, 0.3], &classes, 0.1), (Some((ObjectClass::Car, 0.3)), false));
        assert_eq!(best_class(&[0.05, 0.9, 0.01], &classes, 0.1), (None, false));
        assert_eq!(best_class(&[f32::NAN, 0.9, 0.3], &classes, 0.1), (Some((ObjectClass::Car, 0.3)), true));
    }

    proptest! {
        #[test]
        fn what_is_kept_is_sorted_apart_inside_and_capped(
            list in prop::collection::vec(
                (0..11_usize, 0.0..1.0_f32, -20.0..120.0_f32, -20.0..120.0_f32, -5.0..60.0_f32, -5.0..60.0_f32),
                0..120,
            ),
            most in 1..40_usize,
        ) {
            let list: Vec<_> = list
                .into_iter()
                .map(|(class, score, x, y, w, h)| (ObjectClass::ALL[class], score, [x, y, x + w, y + h]))
                .collect();
            let kept = select(&mut candidates(&list), same_size(), 0.5, most);
            prop_assert!(kept.len() <= most);
            prop_assert!(kept.windows(2).all(|pair| pair[0].score >= pair[1].score));
            for (index, one) in kept.iter().enumerate() {
                let inside = one.bbox.x >= 0.0 && one.bbox.y >= 0.0 && one.bbox.right() <= 100.001 && one.bbox.bottom() <= 100.001;
                prop_assert!(inside && one.bbox.area() > 0.0);
                for other in &kept[..index] {
                    prop_assert!(other.class != one.class || other.bbox.iou(&one.bbox) <= 0.5);
                }
            }
            let reversed: Vec<_> = list.iter().rev().copied().collect();
            prop_assert_eq!(kept, select(&mut candidates(&reversed), same_size(), 0.5, most));
        }
    }
}
