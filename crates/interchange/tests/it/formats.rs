//! A message of each format, as its producer writes one, reads as what it says; any bytes are refused or read, never a panic.

use proptest::prelude::*;
use prost::Message;
use vedette_core::{FrameSize, ObjectClass, PixelBox, Score, Timestamp};
use vedette_interchange::{ClassNames, ForeignFrame, Format, LeftOut, ReadError, Terms, nv, read};

/// 2026-01-01T00:00:00.25Z
const AT_US: i64 = 1_767_225_600_250_000;

fn terms(width: u32, height: u32) -> Terms {
    Terms {
        frame: Some(FrameSize { width, height }),
        captured: None,
        classes: ClassNames::default(),
        missing_confidence: Score::new(0.5).unwrap(),
    }
}

fn close(a: PixelBox, b: PixelBox) -> bool {
    [a.x - b.x, a.y - b.y, a.width - b.width, a.height - b.height].iter().all(|difference| difference.abs() < 0.01)
}

fn nv_frame() -> nv::Frame {
    let bbox = nv::Bbox { left_x: 100.0, top_y: 200.0, right_x: 150.0, bottom_y: 300.0 };
    let object =
        |kind: &str, confidence| nv::Object { id: "17".into(), bbox: Some(bbox), r#type: kind.into(), confidence };
    nv::Frame {
        version: "4.0".into(),
        id: "812".into(),
        timestamp: Some(nv::frame::Timestamp { seconds: AT_US / 1_000_000, nanos: 250_000_000 }),
        sensor_id: "Sensor_1".into(),
        objects: vec![object("Person", Some(0.875)), object("Vehicle", Some(-0.1)), object("Face", Some(0.9))],
    }
}

fn dlstreamer() -> serde_json::Value {
    serde_json::json!({
        "objects": [
            {
                "detection": {
                    "bounding_box": { "x_min": 0.25, "y_min": 0.5, "x_max": 0.5, "y_max": 0.75 },
                    "confidence": 0.75, "label": "person", "label_id": 1
                },
                "x": 320, "y": 360, "w": 320, "h": 180, "id": 3, "roi_type": "person"
            },
            { "x": 64, "y": 72, "w": 128, "h": 72, "roi_type": "forklift" }
        ],
        "resolution": { "width": 1280, "height": 720 },
        "source": "rtsp://10.0.0.7/east",
        "timestamp": AT_US * 1_000
    })
}

/// Boxes in pixels of a 320 x 240 picture, counted upwards, and what leads from there to -1..1.
fn onvif(box_of_person: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
        <tt:MetadataStream xmlns:tt="http://www.onvif.org/ver10/schema" xmlns:acme="http://acme.example/schema">
          <tt:VideoAnalytics>
            <tt:Frame UtcTime="2026-01-01T00:00:00.250Z" Source="east">
              <tt:Transformation>
                <tt:Translate x="-1.0" y="-1.0"/><tt:Scale x="0.00625" y="0.00833333"/>
              </tt:Transformation>
              <acme:Extra><tt:Object ObjectId="99"/></acme:Extra>
              <tt:Object ObjectId="12">
                <tt:Appearance>
                  <tt:Shape>
                    {box_of_person}
                    <tt:CenterOfGravity x="60.0" y="120.0"/>
                  </tt:Shape>
                  <tt:Class>
                    <tt:Type Likelihood="0.25">Animal</tt:Type>
                    <tt:Type Likelihood="0.75">Human</tt:Type>
                  </tt:Class>
                </tt:Appearance>
              </tt:Object>
              <tt:Object ObjectId="13">
                <tt:Appearance>
                  <tt:Shape><tt:BoundingBox left="200" top="60" right="240" bottom="30"/></tt:Shape>
                  <tt:Class><tt:ClassCandidate><tt:Type>Vehicle</tt:Type><tt:Likelihood>0.9</tt:Likelihood></tt:ClassCandidate></tt:Class>
                </tt:Appearance>
              </tt:Object>
              <tt:ObjectTree><tt:Delete ObjectId="7"/></tt:ObjectTree>
            </tt:Frame>
            <tt:Frame UtcTime="2026-01-01T00:00:00.350"/>
          </tt:VideoAnalytics>
          <tt:PTZ/>
        </tt:MetadataStream>"#
    )
}

const UPWARDS: &str = r#"<tt:BoundingBox left="20.0" top="180.0" right="100.0" bottom="30.0"/>"#;

fn one(format: Format, bytes: &[u8]) -> ForeignFrame {
    let mut frames = read(format, bytes).unwrap();
    assert_eq!(frames.len(), 1);
    frames.remove(0)
}

#[test]
fn nvschema_is_read() {
    let frame = one(Format::Nvschema, &nv_frame().encode_to_vec());
    assert_eq!((frame.sensor.as_deref(), frame.version.as_str()), (Some("Sensor_1"), "4.0"));
    let imported = frame.import(&terms(1920, 1080)).unwrap();
    assert_eq!(imported.captured, Timestamp::from_micros(AT_US));
    let seen: Vec<_> = imported.detections.iter().map(|one| (one.class, one.score.get())).collect();
    assert_eq!(seen, [(ObjectClass::Person, 0.875), (ObjectClass::Car, 0.5)], "the tracker's box has no confidence");
    assert_eq!(imported.detections[0].bbox, PixelBox::new(100.0, 200.0, 50.0, 100.0));
    assert_eq!(imported.left_out, LeftOut { identifying: 1, ..LeftOut::default() });
}

#[test]
fn nvschema_of_newer_producers_is_read_past_what_we_do_not_know() {
    // Field 9 of an object (an embedding) and field 12 of the frame (info), as length-delimited bytes.
    let mut bytes = nv_frame().encode_to_vec();
    bytes.extend([0x62, 0x03, 0x0a, 0x01, b'k']);
    assert_eq!(one(Format::Nvschema, &bytes).objects.len(), 3);
}

#[test]
fn dlstreamer_is_read() {
    let frame = one(Format::Dlstreamer, dlstreamer().to_string().as_bytes());
    assert_eq!(frame.sensor.as_deref(), Some("rtsp://10.0.0.7/east"));
    // The message's own size counts before the configured one.
    let imported = frame.import(&terms(1, 1)).unwrap();
    assert_eq!((imported.captured, imported.frame.width), (Timestamp::from_micros(AT_US), 1280));
    let person = imported.detections[0];
    assert_eq!((person.class, person.bbox), (ObjectClass::Person, PixelBox::new(320.0, 360.0, 320.0, 180.0)));
    let other = imported.detections[1];
    assert_eq!((other.class, other.bbox), (ObjectClass::Other, PixelBox::new(64.0, 72.0, 128.0, 72.0)));
    assert_eq!(imported.left_out.unknown_class, 1);
}

#[test]
fn dlstreamer_without_objects_is_an_empty_frame_and_counts_from_its_streams_start() {
    let mut message = dlstreamer();
    message.as_object_mut().unwrap().remove("objects");
    message["timestamp"] = 49_250_000_000_u64.into();
    let frame = one(Format::Dlstreamer, message.to_string().as_bytes());
    assert!(frame.objects.is_empty());
    assert!(frame.import(&terms(1, 1)).unwrap_err().to_string().contains("time = \"record\""));
    let at = Timestamp::from_micros(AT_US);
    assert_eq!(frame.import(&Terms { captured: Some(at), ..terms(1, 1) }).unwrap().captured, at);
}

#[test]
fn dlstreamer_has_three_clocks_and_the_cameras_counts_first() {
    let mut message = dlstreamer();
    message["timestamp"] = 49_250_000_000_u64.into();
    let captured = |message: &serde_json::Value| one(Format::Dlstreamer, message.to_string().as_bytes()).captured;
    assert_eq!(captured(&message), None);
    for text in ["2026-01-01T00:00:00.250Z", "2026-01-01T08:00:00.250:+0800", "2025-12-31T19:00:00.250000:-0500"] {
        message["system_timestamp"] = text.into();
        assert_eq!(captured(&message), Some(Timestamp::from_micros(AT_US)), "{text}");
    }
    message["rtp"] = serde_json::json!({ "sender_ntp_unix_timestamp_ns": (AT_US - 80_000) * 1_000 });
    assert_eq!(captured(&message), Some(Timestamp::from_micros(AT_US - 80_000)));
    message["rtp"] = serde_json::json!({});
    message["system_timestamp"] = "10 o'clock".into();
    let error = read(Format::Dlstreamer, message.to_string().as_bytes()).unwrap_err();
    assert!(error.to_string().contains("system_timestamp"), "{error}");
}

#[test]
fn what_a_whole_frame_is_classified_as_is_no_object() {
    let mut message = dlstreamer();
    message["objects"] = serde_json::json!([{ "x": 0, "y": 0, "w": 1280, "h": 720, "weather": { "label": "rain" } }]);
    let imported = one(Format::Dlstreamer, message.to_string().as_bytes()).import(&terms(1, 1)).unwrap();
    assert!(imported.detections.is_empty(), "{imported:?}");
}

#[test]
fn onvif_is_read() {
    let frames = read(Format::Onvif, onvif(UPWARDS).as_bytes()).unwrap();
    assert_eq!(frames.len(), 2);
    assert_eq!(frames[0].sensor.as_deref(), Some("east"));
    assert_eq!(frames[1].captured, Some(Timestamp::from_micros(AT_US + 100_000)), "no offset means UTC");
    assert!(frames[1].objects.is_empty());

    let imported = frames[0].import(&terms(640, 480)).unwrap();
    let [vehicle, person] = imported.detections[..] else { panic!("{imported:?}") };
    assert_eq!((person.class, person.score.get()), (ObjectClass::Person, 0.75));
    // Twice the 320 x 240 pixels, and from the top: 240 - 180 = 60 becomes 120.
    assert!(close(person.bbox, PixelBox::new(40.0, 120.0, 160.0, 300.0)), "{person:?}");
    assert_eq!((vehicle.class, vehicle.score.get()), (ObjectClass::Car, 0.9));
    assert!(close(vehicle.bbox, PixelBox::new(400.0, 360.0, 80.0, 60.0)), "{vehicle:?}");
}

#[test]
fn an_onvif_device_that_counts_downwards_is_understood() {
    let downwards = r#"<tt:BoundingBox left="20.0" top="60.0" right="100.0" bottom="210.0"/>"#;
    let frames = read(Format::Onvif, onvif(downwards).as_bytes()).unwrap();
    let person = frames[0].import(&terms(640, 480)).unwrap().detections[1];
    assert!(close(person.bbox, PixelBox::new(40.0, 120.0, 160.0, 300.0)), "{person:?}");
}

#[test]
fn a_stream_of_events_holds_no_frame() {
    let events = r#"<MetadataStream xmlns="http://www.onvif.org/ver10/schema"><Event/></MetadataStream>"#;
    assert_eq!(read(Format::Onvif, events.as_bytes()).unwrap(), []);
}

#[test]
fn what_is_wrong_is_named() {
    let timeless = nv::Frame { timestamp: None, ..nv_frame() };
    let many = nv::Frame { objects: vec![nv::Object::default(); 10_001], ..nv_frame() };
    let mut no_size = dlstreamer();
    no_size["resolution"]["width"] = 0.into();
    let boxless = onvif(r#"<tt:BoundingBox left="20.0" top="60.0" right="100.0"/>"#);
    let wordy = onvif(r#"<tt:BoundingBox left="20.0" top="NaN" right="100.0" bottom="5"/>"#);
    let cases: [(Format, Vec<u8>, &str); 8] = [
        (Format::Nvschema, timeless.encode_to_vec(), "timestamp"),
        (Format::Nvschema, many.encode_to_vec(), "objects"),
        (Format::Nvschema, b"\xff\xff no protobuf".to_vec(), "nv.Frame"),
        (Format::Dlstreamer, no_size.to_string().into_bytes(), "resolution"),
        (Format::Dlstreamer, b"{}".to_vec(), "DL Streamer"),
        (Format::Dlstreamer, b"[1".to_vec(), "DL Streamer"),
        (Format::Onvif, boxless.into_bytes(), "`bottom` is missing"),
        (Format::Onvif, wordy.into_bytes(), "`NaN` is not a valid number"),
    ];
    for (format, bytes, named) in cases {
        let error = read(format, &bytes).unwrap_err();
        assert!(error.to_string().contains(named), "{format:?}: {error}");
    }
    let soap = b"<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"/>";
    assert!(matches!(read(Format::Onvif, soap), Err(ReadError::Unparsable { .. })));
}

/// What is imported keeps the rules of `detections`.
fn assert_sound(frame: &ForeignFrame) {
    let Ok(imported) = frame.import(&terms(640, 480)) else { return };
    let (width, height) = (imported.frame.width as f32, imported.frame.height as f32);
    for one in &imported.detections {
        let PixelBox { x, y, width: w, height: h } = one.bbox;
        assert!(x >= 0.0 && y >= 0.0 && w > 0.0 && h > 0.0 && x + w <= width + 0.1 && y + h <= height + 0.1, "{one:?}");
    }
    assert!(imported.detections.windows(2).all(|pair| pair[0].score >= pair[1].score));
}

const FORMATS: [Format; 3] = [Format::Nvschema, Format::Dlstreamer, Format::Onvif];

proptest! {
    #[test]
    fn any_bytes_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        for format in FORMATS {
            read(format, &bytes).iter().flatten().for_each(assert_sound);
        }
    }

    /// Real messages with bytes changed, taken out and put in: deeper into each reader than noise comes.
    #[test]
    fn damaged_messages_are_refused_or_read(
        which in 0..3_usize,
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..12),
    ) {
        let mut bytes = match FORMATS[which] {
            Format::Nvschema => nv_frame().encode_to_vec(),
            Format::Dlstreamer => dlstreamer().to_string().into_bytes(),
            Format::Onvif => onvif(UPWARDS).into_bytes(),
        };
        for (at, byte, kind) in damage {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        read(FORMATS[which], &bytes).iter().flatten().for_each(assert_sound);
    }

    /// Any numbers in the right places.
    #[test]
    fn any_box_and_confidence_is_refused_or_sound(edges in any::<[f32; 4]>(), confidence in any::<Option<f32>>()) {
        let [left_x, top_y, right_x, bottom_y] = edges;
        let bbox = nv::Bbox { left_x, top_y, right_x, bottom_y };
        let object = nv::Object { bbox: Some(bbox), confidence, ..nv::Object::default() };
        let frame = nv::Frame { objects: vec![object], ..nv_frame() };
        assert_sound(&one(Format::Nvschema, &frame.encode_to_vec()));
        let x = edges.map(|edge| f64::from(edge).to_string());
        let text = onvif(&format!("<tt:BoundingBox left=\"{}\" top=\"{}\" right=\"{}\" bottom=\"{}\"/>", x[0], x[1], x[2], x[3]));
        read(Format::Onvif, text.as_bytes()).iter().flatten().for_each(assert_sound);
    }
}
