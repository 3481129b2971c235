//! Scripted scenes: things that move over flat ground before a calibrated camera, and what a detector would see of them.

use std::path::Path;

use serde::Deserialize;
use vedette_core::{
    Camera, CameraRecord, Detection, FrameAt, FrameSize, GroundPoint, ModelRef, ObjectClass, PixelBox, PixelPoint,
    ProcessedFrame, RecordBody, Score, Span, StageLatency, Timestamp,
};
use vedette_locate::Locator;
use vedette_picture::PictureWatch;

use super::pictures::{self, Effect};

const FRAME: FrameSize = FrameSize { width: 1280, height: 720 };
pub(crate) const START: Timestamp = Timestamp::from_micros(1_772_323_200_000_000); // 2026-03-01T00:00:00Z
const EPOCH: u64 = 1_772_323_200_000_000;
/// Metres of a degree of latitude, and of longitude where the camera is.
const METRES_PER_DEGREE: (f64, f64) = (110_740.0, 102_900.0);

/// `scene.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scene {
    /// How long.
    seconds: f64,
    /// Whether the analysis knows the camera's calibration.
    #[serde(default = "yes")]
    pub(crate) calibrated: bool,
    #[serde(default = "five")]
    frames_per_second: f64,
    /// Times without frames, in seconds: from, until.
    #[serde(default)]
    outages: Vec<[f64; 2]>,
    /// Times in which only every so many-th frame comes: from, until, every.
    #[serde(default)]
    slow: Vec<[f64; 3]>,
    /// Times in which the camera's clock is off: from, until, by how many seconds it is behind.
    #[serde(default)]
    clock: Vec<[f64; 3]>,
    /// The properties of the pictures; they are evaluated only when this is given.
    #[serde(default)]
    picture: Vec<Effect>,
    #[serde(default)]
    object: Vec<Object>,
}

/// Something that moves.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    class: ObjectClass,
    /// Width and height in metres.
    size: [f64; 2],
    #[serde(default = "score")]
    score: f32,
    /// Seconds, metres to the right of the camera, metres ahead of it; straight in between, not there before and after.
    path: Vec<[f64; 3]>,
    /// Times in which it is not seen, in seconds: from, until.
    #[serde(default)]
    hidden: Vec<[f64; 2]>,
}

fn yes() -> bool {
    true
}

fn five() -> f64 {
    5.0
}

fn score() -> f32 {
    0.8
}

impl Scene {
    pub(crate) fn read(path: &Path) -> Self {
        toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// What a detector sees, with boxes that shake by a hundredth of their height.
    pub(crate) fn frames(&self, camera: &Camera) -> Vec<CameraRecord> {
        let locator = Locator::new(camera).unwrap();
        let count = (self.seconds * self.frames_per_second).round() as u64;
        let mut frames = Vec::new();
        let mut watch = PictureWatch::default();
        for number in 0..count {
            let time = number as f64 / self.frames_per_second;
            let left_out =
                |[from, until, every]: &[f64; 3]| (*from..*until).contains(&time) && number % (*every as u64) != 0;
            if within(&self.outages, time) || self.slow.iter().any(left_out) {
                continue;
            }
            let behind = self.clock.iter().find(|[from, until, _]| (*from..*until).contains(&time));
            let chunk = Span::from_millis((behind.map_or(0.3, |[_, _, by]| 0.3 + by) * 1e3) as i64);
            let seen =
                |(index, object): (usize, &Object)| object.seen(time, index as u64 * 7919 + number, camera, &locator);
            let frame = ProcessedFrame {
                detections: self.object.iter().enumerate().filter_map(seen).collect(),
                latency: (!self.clock.is_empty()).then(|| StageLatency { chunk, ..StageLatency::default() }),
                picture: if self.picture.is_empty() {
                    None
                } else {
                    watch.look(pictures::SIZE, &pictures::at(&self.picture, number, time))
                },
                ..ProcessedFrame::empty(FRAME)
            };
            let captured = START + Span::from_micros((time * 1e6).round() as i64);
            frames.push(CameraRecord {
                camera: camera.id.clone(),
                at: FrameAt { epoch: EPOCH, sequence: number, captured },
                model: ModelRef { name: "scripted".into(), version: "1".into() },
                body: RecordBody::Processed(frame),
            });
        }
        frames
    }
}

impl Object {
    fn seen(&self, time: f64, seed: u64, camera: &Camera, locator: &Locator) -> Option<Detection> {
        if within(&self.hidden, time) {
            return None;
        }
        let [right, ahead] = self.at(time)?;
        let (feet, scale) = project(right, ahead, camera, locator)?;
        let (width, height) = (self.size[0] * scale, self.size[1] * scale);
        let shake = |salt: u64| (noise(seed * 31 + salt) - 0.5) * 0.02 * height;
        let rounded = |value: f64| ((value * 10.0).round() / 10.0) as f32;
        let bbox = PixelBox::new(
            rounded(f64::from(feet.x) - width / 2.0 + shake(1)),
            rounded(f64::from(feet.y) - height + shake(2)),
            rounded(width),
            rounded(height + shake(3)),
        );
        let visible = bbox.x < FRAME.width as f32 && bbox.right() > 0.0 && bbox.y < FRAME.height as f32;
        visible.then(|| Detection { class: self.class, score: Score::new(self.score).unwrap(), bbox })
    }

    /// Metres right and ahead.
    fn at(&self, time: f64) -> Option<[f64; 2]> {
        self.path.windows(2).find(|leg| (leg[0][0]..=leg[1][0]).contains(&time)).map(|leg| {
            let part = (time - leg[0][0]) / (leg[1][0] - leg[0][0]);
            [1, 2].map(|axis| leg[0][axis] + part * (leg[1][axis] - leg[0][axis]))
        })
    }
}

/// The pixel of a place on the ground, and pixels a metre there.
fn project(right: f64, ahead: f64, camera: &Camera, locator: &Locator) -> Option<(PixelPoint, f64)> {
    let pixel = |right: f64| {
        let latitude = camera.position.latitude() + ahead / METRES_PER_DEGREE.0;
        let longitude = camera.position.longitude() + right / METRES_PER_DEGREE.1;
        locator.project(&GroundPoint::new(latitude, longitude, 0.0).ok()?, FRAME)
    };
    let (left_end, right_end) = (pixel(right - 0.5)?, pixel(right + 0.5)?);
    Some((pixel(right)?, f64::from((right_end.x - left_end.x).hypot(right_end.y - left_end.y))))
}

pub(crate) fn within(times: &[[f64; 2]], time: f64) -> bool {
    times.iter().any(|[from, until]| (*from..*until).contains(&time))
}

/// A number from 0 to 1 that depends on the seed alone.
pub(crate) fn noise(seed: u64) -> f64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z >> 40) as f64 / (1_u64 << 24) as f64
}
