//! Clips and live pictures through the API.

use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use reqwest::StatusCode;
use serde_json::{Value, json};
use vedette_alerts::NoClip;
use vedette_console::{CameraPictures, NoCameraPicture};
use vedette_core::{AccessUnit, CameraId, Codec, Display, FrameSize, Span, Timestamp, VideoChunk};
use vedette_media::{ClipFrame, ClipSettings, Marks, clip};

use crate::support::{Running, alert, settings, view_of};

/// A real clip: 12 pictures of 320x240, 200 ms apart, a bright bar that moves.
pub(crate) fn film() -> Bytes {
    let picture = |number: u32| {
        let bar = |x: u32, _| image::Rgb([if x / 20 == number { 250 } else { 20 }; 3]);
        let mut jpeg = Vec::new();
        image::RgbImage::from_fn(320, 240, bar).write_with_encoder(JpegEncoder::new(&mut jpeg)).unwrap();
        let unit = AccessUnit {
            data: jpeg.into(),
            captured: Timestamp::default() + Span::from_millis(200 * i64::from(number)),
            key: true,
        };
        VideoChunk {
            camera: CameraId::new("gate-1").unwrap(),
            epoch: 1,
            codec: Codec::Jpeg,
            frame: FrameSize { width: 320, height: 240 },
            display: Display::default(),
            gop: number.into(),
            part: 0,
            last: true,
            continues: false,
            first_sequence: number.into(),
            clock_drift: false,
            units: vec![unit],
        }
    };
    let chunks: Vec<VideoChunk> = (0..12).map(picture).collect();
    let frames: Vec<ClipFrame> = (0..12).map(|sequence| ClipFrame { sequence, marks: Marks::default() }).collect();
    clip(&chunks, &frames, &ClipSettings::default()).clip.unwrap().webm
}

/// Pictures of the first camera only.
pub(crate) struct Live;

#[async_trait::async_trait]
impl CameraPictures for Live {
    async fn glance(&self, camera: &str) -> Result<Bytes, NoCameraPicture> {
        match camera {
            "gate-1" => Ok(film()),
            "gate-2" => Err(NoCameraPicture::NoPicture("the camera has no signal: no data arrives".into())),
            "gate-3" => Err(NoCameraPicture::Busy),
            _ => Err(NoCameraPicture::NoCamera),
        }
    }

    async fn still(&self, camera: &str, at: Option<Timestamp>) -> Result<Bytes, NoCameraPicture> {
        match (camera, at) {
            ("gate-1", None) => Ok(Bytes::from_static(b"a still")),
            ("gate-1", Some(_)) => Err(NoCameraPicture::Gone("the video of that time is not kept".into())),
            _ => Err(NoCameraPicture::NoCamera),
        }
    }
}

async fn problem(response: reqwest::Response, status: u16) -> Value {
    assert_eq!(response.status(), status);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    response.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clip_is_pending_then_sent_and_its_views_recorded() {
    let console = Running::start().await;
    let (lead, view) = (alert(0), view_of(&alert(0)));
    console.raise(&lead);
    console.raise(&view);
    let path = format!("/api/v1/alerts/{}/clip", lead.id);
    let state = async |id| console.json(&format!("/api/v1/alerts/{id}")).await["evidence"]["clip"].clone();
    assert_eq!(state(lead.id).await, json!({ "state": "pending", "path": null, "missing": null }));
    let pending = console.get(&path).await;
    assert!(pending.headers().contains_key("retry-after"));
    assert_eq!(problem(pending, 503).await["code"], "evidence.clip-pending");

    let webm = film();
    console.store.put_clip(lead.id, &webm).unwrap();
    assert_eq!(state(lead.id).await, json!({ "state": "made", "path": path, "missing": null }));
    let sent = console.get(&format!("{path}?by=operator%207&reason=patrol")).await;
    assert_eq!(sent.status(), 200);
    for (name, value) in [("content-type", "video/webm"), ("cache-control", "no-store"), ("accept-ranges", "bytes")] {
        assert_eq!(sent.headers()[name], value);
    }
    assert_eq!(sent.bytes().await.unwrap(), webm);
    let looks = console.json(&format!("/api/v1/alerts/{}/looks", lead.id)).await;
    let look = &looks["looks"][0];
    assert_eq!((&look["by"], &look["reason"]), (&json!("local"), &json!("patrol")));
    assert_eq!(look["what"], "clip, people pixelated, as operator 7");

    console.store.put_no_clip(view.id, NoClip::TooLarge).unwrap();
    let missing = state(view.id).await;
    assert_eq!((&missing["state"], &missing["missing"]["reason"]), (&json!("none"), &json!("too_large")));
    let gone = problem(console.get(&format!("/api/v1/alerts/{}/clip", view.id)).await, 410).await;
    assert_eq!((&gone["code"], &gone["arguments"]["word"]), (&json!("evidence.no-clip"), &json!("too_large")));
    assert!(console.store.looks(view.id).unwrap().is_empty(), "nothing left, so nobody looked");
    assert_eq!(problem(console.get("/api/v1/alerts/x/clip").await, 400).await["code"], "parameter.alert");
    let unknown = format!("/api/v1/alerts/{}/clip", alert(9).id);
    assert_eq!(problem(console.get(&unknown).await, 404).await["code"], "not-found.alert");
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_clip_is_sent_as_asked_and_never_compressed() {
    let console = Running::start().await;
    console.raise(&alert(0));
    let webm = film();
    console.store.put_clip(alert(0).id, &webm).unwrap();
    let url = format!("{}/api/v1/alerts/{}/clip", console.url, alert(0).id);
    let ask = async |range: &str| {
        let request = reqwest::Client::new().get(&url).header("range", range).header("accept-encoding", "gzip, br");
        request.send().await.unwrap()
    };
    let part = ask("bytes=100-299").await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.headers()["content-range"], format!("bytes 100-299/{}", webm.len()));
    assert_eq!(part.bytes().await.unwrap(), webm.slice(100..300));
    let whole = ask("lines=1-2").await;
    assert_eq!((whole.status(), whole.headers().get("content-encoding")), (StatusCode::OK, None));
    assert_eq!(whole.bytes().await.unwrap(), webm);
    let before = console.store.looks(alert(0).id).unwrap().len();
    let outside = reqwest::Client::new().get(&url).header("range", "bytes=99999999-").send().await.unwrap();
    let outside = problem(outside, 416).await;
    assert_eq!(outside["code"], "range.unsatisfiable");
    assert_eq!(console.store.looks(alert(0).id).unwrap().len(), before);
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn live_pictures_are_sent_or_refused_with_the_reason_and_recorded() {
    let console = Running::start().await;
    let glance = console.get("/api/v1/cameras/gate-1/glance?by=operator%207").await;
    assert_eq!((glance.status(), &glance.headers()["content-type"]), (StatusCode::OK, &"video/webm".parse().unwrap()));
    assert_eq!(glance.bytes().await.unwrap(), film());
    let still = console.get("/api/v1/cameras/gate-1/still?reason=zones").await;
    assert_eq!((still.status(), &still.headers()["content-type"]), (StatusCode::OK, &"image/jpeg".parse().unwrap()));
    assert_eq!(still.bytes().await.unwrap(), "a still");
    for (path, status, code) in [
        ("gate-2/glance", 503, "camera.no-picture"),
        ("gate-3/glance", 503, "busy.pictures"),
        ("gate-9/glance", 404, "camera.none"),
        ("gate-9/still", 404, "camera.none"),
        ("%20/glance", 404, "camera.none"),
        ("gate-1/still?at=2026-03-01T08:00:00Z", 410, "evidence.gone"),
        ("gate-1/still?at=yesterday", 400, "parameter.instant"),
        ("gate-1/glance?at=2026-03-01T08:00:00Z", 400, "parameter.unknown-of"),
    ] {
        let refused = problem(console.get(&format!("/api/v1/cameras/{path}")).await, status).await;
        assert_eq!(refused["code"], code, "{path}: {refused}");
    }
    let looks = console.json("/api/v1/cameras/gate-1/looks").await;
    let seen: Vec<_> =
        looks["looks"].as_array().unwrap().iter().map(|look| (&look["what"], &look["by"], &look["reason"])).collect();
    assert_eq!(
        seen,
        [
            (&json!("still, people pixelated"), &json!("local"), &json!("zones")),
            (&json!("glance, people pixelated, as operator 7"), &json!("local"), &json!("review")),
        ]
    );
    assert_eq!(console.json("/api/v1/cameras/gate-2/looks").await["looks"], json!([]));
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_path_of_a_clip_begins_with_that_of_the_page() {
    let settings = vedette_console::ConsoleSettings { base_path: "/vedette".parse().unwrap(), ..settings() };
    let console = Running::with(settings, true).await;
    console.raise(&alert(0));
    console.store.put_clip(alert(0).id, b"clip").unwrap();
    let path = console.json(&format!("/api/v1/alerts/{}", alert(0).id)).await["evidence"]["clip"]["path"].clone();
    assert_eq!(path, format!("/vedette/api/v1/alerts/{}/clip", alert(0).id));
    assert_eq!(console.get(path.as_str().unwrap()).await.status(), 200);
    console.stop().await;
}
