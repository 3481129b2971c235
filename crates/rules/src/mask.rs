//! Privacy masks: which are valid, and what lies in one.

use vedette_core::{
    FrameSize, LONGEST_NAME, Mask, PixelBox, ValidationError, ValidationErrors, text_violation, violations,
};

use crate::geometry;
use crate::trajectory::foot_point;

const MOST_MASKS: usize = 32;
const MOST_CORNERS: usize = 256;
/// Largest side of a frame, as on the bus.
const LARGEST_SIDE: u32 = 32_768;
/// A smaller mask hides nothing.
const LEAST_PIXELS: f64 = 4.0;

violations! {
    pub(crate) enum MaskRule {
        TooMany = "camera.mask.too-many": "a camera has at most 32 masks", "join neighbouring masks";
        Frame = "camera.mask.frame": "a frame has 1 to 32768 pixels a side", "give the size of the picture on which the mask was drawn";
        Corners = "camera.mask.corners": "a mask has 3 to 256 corners", "draw its outline corner by corner";
        PointOutside { width: u32, height: u32 } = "camera.mask.point":
            "the corners of a mask lie in its frame of {width} x {height} pixels", "move the corner, or correct the mask's frame";
        SelfCrossing = "camera.mask.self-crossing": "the outline of a mask does not meet itself",
            "put the corners in order along the outline";
        Small = "camera.mask.small": "a mask covers at least 4 square pixels", "draw it larger";
    }
}

/// The validation errors of a camera's masks.
#[must_use]
pub fn mask_mistakes(masks: &[Mask]) -> Vec<ValidationError> {
    let mut found = ValidationErrors::default();
    found.check(masks.len() <= MOST_MASKS, "mask", format!("{} masks", masks.len()), MaskRule::TooMany);
    for (index, mask) in masks.iter().take(MOST_MASKS).enumerate() {
        check(&format!("mask[{index}]"), mask, &mut found);
    }
    found.into_vec()
}

fn check(path: &str, mask: &Mask, found: &mut ValidationErrors) {
    if let Some((name, violation)) =
        mask.name.as_ref().and_then(|name| Some((name, text_violation(name, LONGEST_NAME)?)))
    {
        let shown: String = name.chars().take(80).collect();
        found.add(format!("{path}.name"), shown, violation);
    }
    let FrameSize { width, height } = mask.frame;
    let sides = 1..=LARGEST_SIDE;
    if !(sides.contains(&width) && sides.contains(&height)) {
        found.add(format!("{path}.frame"), format!("{width} x {height}"), MaskRule::Frame);
        return;
    }
    let path = format!("{path}.polygon");
    if !(3..=MOST_CORNERS).contains(&mask.polygon.len()) {
        found.add(path, format!("{} corners", mask.polygon.len()), MaskRule::Corners);
        return;
    }
    if let Some(corner) = geometry::outside(&mask.polygon, mask.frame) {
        found.add(path, format!("[{}, {}]", corner.x, corner.y), MaskRule::PointOutside { width, height });
    } else if let Some((first, second)) = geometry::self_crossing(&mask.polygon) {
        let value = format!("the edges from corner {first} and from corner {second} meet");
        found.add(path, value, MaskRule::SelfCrossing);
    } else {
        let area = geometry::area(&mask.polygon);
        found.check(area >= LEAST_PIXELS, &path, format!("{area:.1} square pixels"), MaskRule::Small);
    }
}

/// Whether an object in a frame of this size stands in a mask that is not for pictures only. It stands where rules look at it.
#[must_use]
pub fn is_masked(masks: &[Mask], object: &PixelBox, frame: FrameSize) -> bool {
    let mut hiding = masks.iter().filter(|mask| !mask.picture_only).peekable();
    if hiding.peek().is_none() {
        return false;
    }
    foot_point(object, frame)
        .is_some_and(|foot| hiding.any(|mask| geometry::is_inside(&mask.polygon, foot.rescaled(frame, mask.frame))))
}

#[cfg(test)]
mod tests {
    use vedette_core::PixelPoint;

    use super::*;

    const FRAME: FrameSize = FrameSize { width: 100, height: 100 };

    fn mask(corners: &[[f32; 2]]) -> Mask {
        let polygon = corners.iter().map(|&[x, y]| PixelPoint::new(x, y)).collect();
        Mask { name: None, frame: FRAME, polygon, picture_only: false }
    }

    fn codes(masks: &[Mask]) -> Vec<(String, &'static str)> {
        mask_mistakes(masks).into_iter().map(|mistake| (mistake.path, mistake.code)).collect()
    }

    #[test]
    fn each_mistake_of_a_mask_is_told_with_its_place() {
        let good = mask(&[[0.0, 50.0], [100.0, 50.0], [100.0, 100.0], [0.0, 100.0]]);
        assert_eq!(codes(std::slice::from_ref(&good)), []);
        let no_frame = Mask { frame: FrameSize { width: 0, height: 100 }, ..good.clone() };
        let named = Mask { name: Some("x".repeat(5_000)), ..good.clone() };
        let wrong = [
            (no_frame, "mask[1].frame", "camera.mask.frame"),
            (mask(&[[0.0, 0.0], [5.0, 0.0]]), "mask[1].polygon", "camera.mask.corners"),
            (mask(&[[1.0, 1.0]; 300]), "mask[1].polygon", "camera.mask.corners"),
            (mask(&[[0.0, 0.0], [101.0, 0.0], [0.0, 9.0]]), "mask[1].polygon", "camera.mask.point"),
            (mask(&[[0.0, 0.0], [f32::NAN, 0.0], [0.0, 9.0]]), "mask[1].polygon", "camera.mask.point"),
            (mask(&[[0.0, 0.0], [9.0, 9.0], [9.0, 0.0], [0.0, 9.0]]), "mask[1].polygon", "camera.mask.self-crossing"),
            (mask(&[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), "mask[1].polygon", "camera.mask.small"),
        ];
        for (mask, path, code) in wrong {
            assert_eq!(codes(&[good.clone(), mask]), [(path.to_owned(), code)]);
        }
        assert_eq!(codes(&[named])[0].0, "mask[0].name");
        assert_eq!(codes(&vec![good; 33]), [("mask".to_owned(), "camera.mask.too-many")]);
    }

    #[test]
    fn an_object_is_masked_where_it_stands_in_frames_of_any_size() {
        let lower = mask(&[[0.0, 60.0], [100.0, 60.0], [100.0, 100.0], [0.0, 100.0]]);
        let upright = |bottom: f32| PixelBox::new(20.0, bottom - 30.0, 10.0, 30.0);
        let masks = [lower.clone()];
        assert!(is_masked(&masks, &upright(70.0), FRAME));
        assert!(!is_masked(&masks, &upright(50.0), FRAME), "its head and feet are above");
        let larger = FrameSize { width: 200, height: 200 };
        assert!(!is_masked(&masks, &upright(100.0), larger), "half of the height");
        assert!(is_masked(&masks, &upright(140.0), larger));
        // Cut off by the lower border of the picture, as for zones.
        assert!(is_masked(&masks, &PixelBox::new(-5.0, 80.0, 300.0, 40.0), FRAME));
        assert!(!is_masked(&masks, &PixelBox::new(f32::NAN, 80.0, 30.0, 40.0), FRAME));
        assert!(!is_masked(&[Mask { picture_only: true, ..lower }], &upright(70.0), FRAME));
    }
}
