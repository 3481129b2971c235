//! Other producers, each of which sees the same person walk through the west gate of the demo site.
use bytes::Bytes;
use prost::Message;
use vedette_bus::{Record, SharedBus};
use vedette_core::Timestamp;
use vedette_interchange::{Format, nv};

/// The demo policy's frame.
const WIDTH: f64 = 768.0;
const HEIGHT: f64 = 576.0;

/// One producer: its topic, its format, its sensor and the camera that this is to us.
#[derive(Clone, Copy)]
pub(crate) struct Producer {
    pub(crate) topic: &'static str,
    pub(crate) format: Format,
    pub(crate) sensor: &'static str,
    pub(crate) camera: &'static str,
}

/// One of each format.
pub(crate) const PRODUCERS: [Producer; 3] = [
    Producer { topic: "mdx-raw", format: Format::Nvschema, sensor: "Sensor_1", camera: "campus-1" },
    Producer { topic: "dls.results", format: Format::Dlstreamer, sensor: "rtsp://10.0.0.7/east", camera: "campus-2" },
    Producer { topic: "onvif_metadata", format: Format::Onvif, sensor: "00:40:8c:01", camera: "campus-3" },
];

/// Left, top, right and bottom edge in pixels.
type Edges = [f64; 4];

impl Producer {
    /// Its entry in the settings file.
    pub(crate) fn entry(&self) -> String {
        let Self { topic, format, sensor, camera } = self;
        format!(
            "[[metadata]]\ntopic = \"{topic}\"\nformat = \"{}\"\ncameras = {{ \"{sensor}\" = \"{camera}\" }}\n\
             frame = {{ width = 768, height = 576 }}\n\n",
            format.as_str()
        )
    }

    /// The records of a walk that begins at `from`: 5 s at ten frames a second, then 3 s of nobody.
    pub(crate) fn walk(&self, from: Timestamp) -> Vec<Record> {
        let frames = (0..80).map(|frame| {
            let foot = 150.0 + 130.0 * f64::from(frame) / 50.0;
            let person = (frame < 50).then_some([foot - 15.0, 170.0, foot + 15.0, 240.0]);
            self.record(Timestamp::from_micros(from.as_micros() + i64::from(frame) * 100_000), person)
        });
        frames.collect()
    }

    fn record(&self, captured: Timestamp, person: Option<Edges>) -> Record {
        let value = match self.format {
            Format::Nvschema => self.nvschema(captured, person),
            Format::Dlstreamer => self.dlstreamer(captured, person),
            Format::Onvif => onvif(captured, person),
        };
        // An ONVIF message does not say whose it is.
        let key = Bytes::from_static(self.sensor.as_bytes());
        Record { key, value: Some(value.into()), headers: Vec::new(), timestamp_ms: captured.as_millis() + 80 }
    }

    fn nvschema(&self, captured: Timestamp, person: Option<Edges>) -> Vec<u8> {
        let object = |[left, top, right, bottom]: Edges| nv::Object {
            id: "4711".into(),
            bbox: Some(nv::Bbox {
                left_x: left as f32,
                top_y: top as f32,
                right_x: right as f32,
                bottom_y: bottom as f32,
            }),
            r#type: "Person".into(),
            confidence: Some(0.875),
        };
        let (seconds, micros) =
            (captured.as_micros().div_euclid(1_000_000), captured.as_micros().rem_euclid(1_000_000));
        nv::Frame {
            version: "4.0".into(),
            id: "1".into(),
            timestamp: Some(nv::frame::Timestamp { seconds, nanos: micros as i32 * 1_000 }),
            sensor_id: self.sensor.into(),
            objects: person.map(object).into_iter().collect(),
        }
        .encode_to_vec()
    }

    fn dlstreamer(&self, captured: Timestamp, person: Option<Edges>) -> Vec<u8> {
        let mut message = serde_json::json!({
            "resolution": { "width": 1920, "height": 1440 },
            "source": self.sensor,
            "timestamp": captured.as_micros() * 1_000,
        });
        if let Some([left, top, right, bottom]) = person {
            let bounding_box = serde_json::json!({
                "x_min": left / WIDTH, "y_min": top / HEIGHT, "x_max": right / WIDTH, "y_max": bottom / HEIGHT,
            });
            let detection = serde_json::json!({ "bounding_box": bounding_box, "confidence": 0.875, "label": "person" });
            message["objects"] = serde_json::json!([{ "detection": detection, "id": 3, "roi_type": "person" }]);
        }
        message.to_string().into_bytes()
    }
}

fn onvif(captured: Timestamp, person: Option<Edges>) -> Vec<u8> {
    let object = person.map_or_else(String::new, |[left, top, right, bottom]| {
        let (x, y) = (|x: f64| x / WIDTH * 2.0 - 1.0, |y: f64| 1.0 - y / HEIGHT * 2.0);
        format!(
            "<tt:Object ObjectId=\"8\"><tt:Appearance><tt:Shape>\
             <tt:BoundingBox left=\"{}\" top=\"{}\" right=\"{}\" bottom=\"{}\"/></tt:Shape>\
             <tt:Class><tt:Type>Human</tt:Type></tt:Class></tt:Appearance></tt:Object>",
            x(left),
            y(top),
            x(right),
            y(bottom)
        )
    });
    format!(
        "<tt:MetadataStream xmlns:tt=\"http://www.onvif.org/ver10/schema\"><tt:VideoAnalytics>\
         <tt:Frame UtcTime=\"{captured}\">{object}</tt:Frame></tt:VideoAnalytics></tt:MetadataStream>"
    )
    .into_bytes()
}

/// Sends records as a producer does: in order, and durable when it returns.
pub(crate) async fn send(bus: &SharedBus, topic: &str, records: Vec<Record>) {
    let mut deliveries = Vec::new();
    for record in records {
        deliveries.push(bus.send(topic, record).await.unwrap());
    }
    for delivery in deliveries {
        delivery.await.unwrap();
    }
}
