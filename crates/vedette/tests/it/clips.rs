//! The clips of alerts and live pictures of a camera, from real video through the whole product.

use std::path::Path;

use reqwest::StatusCode;
use serde_json::Value;
use vedette::cli::Role;
use vedette_bus::{SharedBus, StartAt};
use vedette_core::{Alert, CameraRecord, EpisodePhase, ObjectClass, RuleKind, Span, VideoChunk, VideoRef};
use vedette_media::{Decoder, DecoderSettings, OutputSize};
use vedette_runtime::clock;
use vedette_topics::topics;
use vedette_wire::VideoRecord;

use crate::product::{Product, recorded_chunks};
use crate::scene::{alert, camera, frame};
use crate::support::{demo_site, eventually};
use crate::webm::{detail, play};

/// The alert as the API shows it, once its clip is made or refused.
async fn settled(product: &Product, id: &str) -> Value {
    eventually("a clip, or why there is none", async || {
        let alert = product.json(&format!("/api/v1/alerts/{id}")).await;
        (alert["evidence"]["clip"]["state"] != "pending").then_some(alert)
    })
    .await
}

/// All records of a topic so far.
async fn all<T>(
    bus: &SharedBus,
    topic: &vedette_topics::topics::Topic<T>,
    read: impl Fn(&vedette_bus::Delivered) -> Option<T>,
) -> Vec<T> {
    let mut reader = bus.read(topic.name(), StartAt::Earliest).await.unwrap();
    let mut found = Vec::new();
    vedette_topics::reading::to_end(bus, topic.name(), &mut reader, |record| found.extend(read(&record)))
        .await
        .unwrap();
    found
}

fn rows(site: &Path, table: &str) -> i64 {
    let store = rusqlite::Connection::open(site.join("data/alerts.sqlite")).unwrap();
    store.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_camera_gives_clips_without_people_and_live_pictures() {
    let site = tempfile::tempdir().unwrap();
    let product = Product::start(&demo_site(site.path()), |_| {}).await;
    let id = product.alerts_reach(1).await.last().unwrap()["id"].as_str().unwrap().to_owned();
    let shown = settled(&product, &id).await;
    let clip = &shown["evidence"]["clip"];
    assert_eq!(clip["state"], "made", "{shown}");
    let webm = product.get(clip["path"].as_str().unwrap()).await.bytes().await.unwrap();
    assert!(webm.len() <= 300_000, "{}", webm.len());

    // It shows what was analysed from 3 s before to 5 s after, as far as the recording has it.
    let bus = &product.app.bus;
    let alerts = all(bus, &topics::ALERTS, |record| topics::ALERTS.read(record).ok()).await;
    let alert = alerts.iter().find(|alert| alert.id.to_string() == id).unwrap();
    let (from, to) = (alert.raised - Span::from_secs(3), alert.raised + Span::from_secs(5));
    let mut frames: Vec<CameraRecord> =
        all(bus, &topics::DETECTIONS, |record| topics::DETECTIONS.read(record).ok()).await;
    frames.retain(|record| record.processed().is_some() && (from..=to).contains(&record.at.captured));
    let played = play(&webm);
    assert_eq!(played.pictures.len(), frames.len());
    let length = frames.last().unwrap().at.captured.since(frames[0].at.captured).to_std();
    let off = played.duration.as_secs_f64() - length.as_secs_f64();
    assert!((0.0..1.0).contains(&off), "{:?} for {length:?}", played.duration);
    assert!(length.as_secs_f64() > 4.5 && length.as_secs_f64() <= 8.0, "{length:?}");
    assert!(played.pictures.iter().all(|(_, picture)| picture.width() == 640));

    // Boxes of people lose most of their detail, the rest keeps most of it.
    let videos = all(bus, &topics::VIDEO, |record| topics::VIDEO.read(record).ok()).await;
    let chunks: Vec<VideoChunk> = videos.into_iter().filter_map(VideoRecord::into_chunk).collect();
    let output = OutputSize::Fit { width: 640, height: u32::MAX };
    let mut decoder = Decoder::new(chunks[0].codec, DecoderSettings { output, ..DecoderSettings::default() });
    let source: Vec<_> = chunks.iter().flat_map(|chunk| decoder.decode(chunk).unwrap_or_default()).collect();
    let (mut inside, mut inside_source, mut people) = (0.0, 0.0, 0);
    let (mut whole, mut whole_source) = (0.0, 0.0);
    for (record, (_, picture)) in frames.iter().zip(&played.pictures) {
        let original = source.iter().find(|frame| frame.sequence == record.at.sequence).unwrap();
        let original_picture = image::RgbImage::from_raw(
            original.image.size.width,
            original.image.size.height,
            original.image.data.to_vec(),
        )
        .unwrap();
        whole += detail(picture, 0, 0, picture.width(), picture.height());
        whole_source += detail(&original_picture, 0, 0, picture.width(), picture.height());
        let (x, y) = original.scale();
        for person in &record.processed().unwrap().detections {
            let at = |value: f32, scale: f32| (value * scale).max(0.0) as u32;
            let (left, top) = (at(person.bbox.x, x), at(person.bbox.y, y));
            let (width, height) = (at(person.bbox.width, x), at(person.bbox.height, y));
            let fits = left + width < picture.width() && top + height < picture.height();
            if person.class == ObjectClass::Person && person.score.get() > 0.5 && width > 12 && height > 30 && fits {
                inside += detail(picture, left, top, width, height);
                inside_source += detail(&original_picture, left, top, width, height);
                people += 1;
            }
        }
    }
    assert!(people > 50, "{people} people");
    let (inside, whole) = (inside / inside_source, whole / whole_source);
    println!("{people} boxes keep {inside:.2} of their detail, whole pictures {whole:.2}; {} bytes", webm.len());
    assert!(inside < 0.5 && inside < 0.7 * whole, "boxes keep {inside}, pictures {whole}");

    // Live pictures, each look recorded.
    let glance = product.get("/api/v1/cameras/campus-1/glance?by=operator%207").await;
    assert_eq!(glance.status(), StatusCode::OK, "{:?}", glance.text().await);
    let still = product.get("/api/v1/cameras/campus-1/still").await.bytes().await.unwrap();
    assert_eq!(image::load_from_memory(&still).unwrap().width(), 768);
    let past = format!("/api/v1/cameras/campus-1/still?at={}", alert.raised);
    assert_eq!(product.get(&past).await.status(), StatusCode::OK);
    let glance = product.get("/api/v1/cameras/campus-1/glance").await.bytes().await.unwrap();
    let seen = play(&glance);
    assert!(seen.duration.as_secs_f64() <= 6.0 && seen.pictures.len() > 3, "{:?}", seen.duration);
    assert_eq!(product.get("/api/v1/cameras/nowhere/glance").await.status(), StatusCode::NOT_FOUND);
    let looks = product.json("/api/v1/cameras/campus-1/looks").await;
    assert_eq!(looks["looks"].as_array().unwrap().len(), 4, "{looks}");
    product.end().await;
}

/// Puts four seconds of the recording on the bus, and what was detected in them; returns where the first frame is.
async fn put_video(bus: &SharedBus) -> (VideoRef, CameraRecord) {
    let mut first = None;
    for mut chunk in recorded_chunks(3).await {
        chunk.camera = "campus-1".parse().unwrap();
        let record = vedette_bus::Record {
            key: bytes::Bytes::from_static(b"campus-1"),
            value: Some(vedette_wire::encode_video(&chunk, clock::now())),
            headers: Vec::new(),
            timestamp_ms: clock::now().as_millis(),
        };
        let written = bus.send(topics::VIDEO.name(), record).await.unwrap().await.unwrap();
        for (sequence, unit) in (chunk.first_sequence..).zip(&chunk.units) {
            let video = VideoRef { partition: written.partition, offset: written.offset.unwrap(), sequence };
            let mut seen = frame(&camera("campus-1"), unit.captured);
            (seen.at.epoch, seen.at.sequence) = (chunk.epoch, sequence);
            let processed = seen.processed_mut().unwrap();
            (processed.frame, processed.video) = (chunk.frame, Some(video));
            topics::DETECTIONS.send(bus, &seen, unit.captured).await.unwrap().await.unwrap();
            first.get_or_insert((video, seen));
        }
    }
    first.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_without_clip_says_why_and_one_that_was_due_at_a_stop_is_made() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let product = Product::start_roles(&config, &[Role::Console], |config| config.settings.console.clips = false).await;
    assert_eq!(product.get("/api/v1/cameras/campus-1/glance").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    let bus = &product.app.bus;
    let (video, seen) = put_video(bus).await;
    let of = |number: i64, video: Option<VideoRef>| {
        let mut alert = alert("campus-1", number, EpisodePhase::Raised);
        (alert.raised, alert.evidence.captured, alert.evidence.video) = (seen.at.captured, seen.at.captured, video);
        alert
    };
    let (due, gone, unknown) = (of(0, Some(video)), of(1, Some(VideoRef { offset: 1 << 40, ..video })), of(2, None));
    let offline = Alert { kind: RuleKind::named("offline"), ..of(3, None) };
    for alert in [&due, &gone, &unknown, &offline] {
        topics::ALERTS.send(bus, alert, clock::now()).await.unwrap().await.unwrap();
    }
    product.alerts_reach(4).await;
    let clip = async |product: &Product, alert: &Alert| {
        settled(product, &alert.id.to_string()).await["evidence"]["clip"].clone()
    };
    assert_eq!(clip(&product, &due).await["missing"]["reason"], "off");
    product.end().await;
    assert_eq!(rows(site.path(), "clip"), 0, "nothing is written when clips are off");

    let product = Product::start_roles(&config, &[Role::Console], |_| {}).await;
    let made = clip(&product, &due).await;
    assert_eq!(made["state"], "made", "{made}");
    let webm = product.get(made["path"].as_str().unwrap()).await.bytes().await.unwrap();
    assert!(play(&webm).pictures.len() > 10);
    for (alert, reason) in [(&gone, "expired"), (&unknown, "no_video"), (&offline, "no_picture")] {
        let clip = clip(&product, alert).await;
        assert_eq!((&clip["state"], &clip["missing"]["reason"]), (&"none".into(), &reason.into()), "{clip}");
        let answer = product.get(&format!("/api/v1/alerts/{}/clip", alert.id)).await;
        assert_eq!(answer.status(), StatusCode::GONE);
    }
    product.end().await;
}
