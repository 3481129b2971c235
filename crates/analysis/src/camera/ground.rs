use std::sync::Arc;

use vedette_core::{Detection, FrameSize, GroundPoint, PixelPoint, Span};
use vedette_locate::{GroundView, Locator};
use vedette_rules::{Ground, GroundMetres};
use vedette_track::GroundFix;

/// One sigma of an anchor point in pixels: how well the bottom edge of a box meets the feet.
pub(super) const ANCHOR_SIGMA_PX: f32 = 3.0;

/// A camera's calibration as the rules use it.
#[derive(Debug)]
struct CalibratedGround(GroundView);

impl Ground for CalibratedGround {
    fn metres(&self, pixel: PixelPoint) -> Option<GroundMetres> {
        let ([east, north], error) = self.0.metres(pixel, ANCHOR_SIGMA_PX)?;
        Some(GroundMetres { east: east as f32, north: north as f32, error: error as f32 })
    }

    fn of(&self, point: &GroundPoint) -> [f32; 2] {
        self.0.of(point).map(|metres| metres as f32)
    }
}

/// The ground for rules whose pixels are those of `frame`; none for a camera without calibration.
#[must_use]
pub fn ground(locator: &Locator, frame: FrameSize) -> Option<Arc<dyn Ground>> {
    locator.view(frame).map(|view| Arc::new(CalibratedGround(view)) as Arc<dyn Ground>)
}

/// At shorter frame intervals each object stays close to its last position: then image overlap is the better association cue, at
/// longer ones the ground position (docs/EVALUATION.md, "On the ground").
const SLOW: Span = Span::from_millis(150);
/// One sigma of the foot point, as a share of box height: detectors cut feet off or include their shadow.
const FEET_SIGMA: f32 = 0.08;

/// The ground position of each detection in a frame of size `frame`, for the tracker; nothing for a camera without calibration, and at
/// short intervals. `since_last` is the time since the previous frame, if any.
pub(super) fn fixes(
    locator: &Locator,
    frame: FrameSize,
    detections: &[Detection],
    since_last: Option<Span>,
) -> Vec<Option<GroundFix>> {
    if detections.is_empty() || since_last.is_some_and(|span| span < SLOW) {
        return Vec::new();
    }
    let Some(view) = locator.view(frame) else { return Vec::new() };
    detections.iter().map(|detection| fix(&view, detection)).collect()
}

fn fix(view: &GroundView, detection: &Detection) -> Option<GroundFix> {
    let sigma = ANCHOR_SIGMA_PX.max(FEET_SIGMA * detection.bbox.height);
    let ([east, north], covariance) = view.place(detection.bbox.anchor(), sigma)?;
    let covariance_m2 = covariance.map(|variance| variance as f32);
    Some(GroundFix { east_m: east as f32, north_m: north as f32, covariance_m2 })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by it")]

    use std::path::Path;

    use vedette_core::{Camera, ObjectClass, PixelBox, ProcessedFrame, Score, Timestamp};
    use vedette_track::{Tracker, TrackerSettings};

    use super::*;

    const FRAME: FrameSize = FrameSize { width: 768, height: 576 };

    fn camera() -> Camera {
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/demo/cameras.toml");
        let file: toml::Table = std::fs::read_to_string(demo).unwrap().parse().unwrap();
        file["camera"][0].clone().try_into().unwrap()
    }

    /// Someone at constant speed over the ground from one pixel to another, at one frame per second.
    fn walk(locator: &Locator, from: [f32; 2], to: [f32; 2], steps: u32) -> Vec<(Timestamp, ProcessedFrame)> {
        let ground = |[x, y]: [f32; 2]| locator.locate(PixelPoint::new(x, y), FRAME, 1.0).0;
        let (from, to) = (ground(from), ground(to));
        let at = |step: u32| {
            let part = f64::from(step) / f64::from(steps);
            let between = |a: f64, b: f64| a + part * (b - a);
            let latitude = between(from.latitude(), to.latitude());
            let longitude = between(from.longitude(), to.longitude());
            let feet = locator.project(&GroundPoint::new(latitude, longitude, 0.1).unwrap(), FRAME).unwrap();
            let bbox = PixelBox::new(feet.x - 10.0, feet.y - 60.0, 20.0, 60.0);
            let captured = Timestamp::from_micros(i64::from(step) * 1_000_000);
            (captured, frame(vec![Detection { class: ObjectClass::Person, score: Score::new(0.9).unwrap(), bbox }]))
        };
        (0..=steps).map(at).collect()
    }

    fn frame(detections: Vec<Detection>) -> ProcessedFrame {
        ProcessedFrame { detections, ..ProcessedFrame::empty(FRAME) }
    }

    fn of(locator: &Locator, frame: &ProcessedFrame, since_last: Option<Span>) -> Vec<Option<GroundFix>> {
        fixes(locator, frame.frame, &frame.detections, since_last)
    }

    /// The number of tracks in the frames, and of frames with a track.
    fn tracks(frames: &[(Timestamp, ProcessedFrame)], locator: Option<&Locator>) -> (usize, usize) {
        let mut tracker = Tracker::new(std::sync::Arc::new(TrackerSettings::default()));
        let (mut ids, mut seen) = (std::collections::BTreeSet::new(), 0);
        for (captured, frame) in frames {
            let fixes = locator.map(|locator| of(locator, frame, Some(Span::from_secs(1)))).unwrap_or_default();
            let tracks = tracker.update_on_ground(*captured, frame.frame, &frame.detections, &fixes);
            ids.extend(tracks.iter().map(|track| track.id));
            seen += usize::from(!tracks.is_empty());
        }
        (ids.len(), seen)
    }

    #[test]
    fn who_leaves_no_overlap_behind_is_followed_on_the_ground() {
        let locator = Locator::new(&camera()).unwrap();
        let frames = walk(&locator, [150.0, 330.0], [620.0, 330.0], 9);
        assert_eq!(tracks(&frames, Some(&locator)), (1, frames.len() - 1), "one track from the second frame on");
        assert_ne!(
            tracks(&frames, None),
            (1, frames.len() - 1),
            "the picture alone does not do it, else this shows nothing"
        );
    }

    #[test]
    fn nothing_is_said_where_nothing_is_known() {
        let calibrated = Locator::new(&camera()).unwrap();
        let frames = walk(&calibrated, [150.0, 330.0], [620.0, 330.0], 2);
        let bare = Locator::new(&Camera { calibration: None, ..camera() }).unwrap();
        assert!(of(&bare, &frames[0].1, None).is_empty());
        assert!(of(&calibrated, &frames[0].1, Some(Span::from_millis(100))).is_empty());
        assert!(of(&calibrated, &frames[0].1, None)[0].is_some());
        let nowhere = PixelBox { x: f32::NAN, y: 0.0, width: 10.0, height: 10.0 };
        let broken = Detection { bbox: nowhere, ..frames[0].1.detections[0] };
        assert_eq!(of(&calibrated, &frame(vec![broken]), None), [None]);
    }
}
