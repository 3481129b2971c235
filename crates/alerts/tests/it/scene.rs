//! An episode at a gate, and the alert it gives.
#![allow(dead_code, reason = "each user takes its own part")]

use vedette_alerts::{AlertContext, assemble};
use vedette_core::{
    AddressCandidate, AddressMatch, Alert, Camera, CameraRecord, Detection, Episode, EpisodePhase, FrameAt, FrameSize,
    GroundPoint, Measured, ModelRef, NearbyPlate, NearbyRoad, ObjectClass, PathPoint, PixelBox, PixelPoint, Place,
    PlaceSource, ProcessedFrame, Quality, Quantity, RecordBody, ResponsibleUnit, RuleId, RuleKind, Score, Severity,
    Timestamp, Track, TrackId, VideoRef,
};

pub(crate) const CODE: &str = "4403040010010100001******";
pub(crate) const START: i64 = 1_767_225_600_000_000;

pub(crate) fn camera(id: &str) -> Camera {
    serde_json::from_value(serde_json::json!({
        "id": id, "name": "Gate", "purpose": "safety of the gate",
        "position": { "latitude": 22.5431, "longitude": 113.9412 },
    }))
    .unwrap()
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(START + second * 1_000_000)
}

/// An episode of one person that began at `second` and was raised a second later.
pub(crate) fn episode(rule: &str, second: i64, phase: EpisodePhase) -> Episode {
    Episode {
        rule: RuleId::new(rule).unwrap(),
        kind: RuleKind::named("presence"),
        severity: Severity::High,
        policy_version: 3,
        phase,
        subject: Some(TrackId(7)),
        started: at(second),
        raised: at(second + 1),
        ended: (phase == EpisodePhase::Ended).then(|| at(second + 9)),
        objects: vec![Track {
            id: TrackId(7),
            class: ObjectClass::Person,
            score: Score::new(0.91).unwrap(),
            bbox: PixelBox::new(100.5, 200.0, 40.0, 120.25),
            first_seen: at(second),
            last_seen: at(second + 1),
            hits: 12,
        }],
        anchor: PixelPoint::new(120.0, 320.0),
        direction: None,
        measured: Measured { quantity: Quantity::DURATION, value: 1.2, threshold: 0.5 },
    }
}

pub(crate) fn frame(camera: &Camera, captured: Timestamp) -> CameraRecord {
    let detection = |class, score, x| Detection {
        class,
        score: Score::new(score).unwrap(),
        bbox: PixelBox::new(x, 200.0, 40.0, 120.0),
    };
    let processed = ProcessedFrame {
        detections: vec![
            detection(ObjectClass::Person, 0.91, 100.0),
            detection(ObjectClass::Car, 0.7, 500.0),
            detection(ObjectClass::Person, 0.06, 900.0),
        ],
        quality: Quality { shed_frames: 2, ..Quality::default() },
        video: Some(VideoRef { partition: 1, offset: 40, sequence: 25 }),
        ..ProcessedFrame::empty(FrameSize { width: 1280, height: 720 })
    };
    CameraRecord {
        camera: camera.id.clone(),
        at: FrameAt { epoch: 1, sequence: 25, captured },
        model: ModelRef { name: "person-vehicle".into(), version: "1".into() },
        body: RecordBody::Processed(processed),
    }
}

pub(crate) fn place(code: Option<&str>) -> Place {
    Place {
        ground: GroundPoint::new(22.543_123_456_789, 113.941_987_654_321, 1.7).unwrap(),
        source: PlaceSource::Calibration,
        address: code.map(|code| {
            let code = code.parse().unwrap();
            let best =
                AddressCandidate {
                    code, text: "深圳市南山区科技路1号".into(), distance_m: 0.0, confidence: 0.93
                };
            let other = AddressCandidate { distance_m: 3.5, confidence: 0.07, ..best.clone() };
            let level = code.level();
            let unit = |kind: &str, number: &str| ResponsibleUnit::new(kind, number, "合成单位").unwrap();
            // Everybody in a grid has the same units.
            let grid = &code.as_str()[12..14];
            AddressMatch {
                best,
                level,
                alternatives: vec![other],
                ambiguous: false,
                road: Some(NearbyRoad { name: "科技路".into(), distance_m: 6.5 }),
                plate: Some(NearbyPlate { text: "科技路1号".into(), code, distance_m: 8.0 }),
                responsible: vec![unit("fire", "F01"), unit("police", &format!("P{grid}")), unit("community", "F01")],
                base_version: "demo-1".into(),
                synthetic: true,
            }
        }),
    }
}

/// The alert of such an episode at camera `id`.
pub(crate) fn alert(id: &str, second: i64, phase: EpisodePhase) -> Alert {
    let camera = camera(id);
    let episode = episode("intrusion", second, phase);
    let frame = frame(&camera, episode.raised);
    let path = vec![PathPoint { at: at(second), pixel: PixelPoint::new(90.0, 310.0) }];
    assemble(&episode, context(&camera, &frame, place(Some(CODE)), path))
}

/// What an alert says beyond its episode, by a record of a processed frame.
pub(crate) fn context<'a>(
    camera: &'a Camera,
    record: &'a CameraRecord,
    place: Place,
    path: Vec<PathPoint>,
) -> AlertContext<'a> {
    let processed = record.processed().unwrap();
    let (frame, quality) = (processed.frame, processed.quality);
    AlertContext { camera, rule_name: "Intrusion", record, frame, quality, place, path }
}
