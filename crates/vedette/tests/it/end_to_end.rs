//! The main job on the embedded bus: a recorded camera goes in, alerts with an address come out, whatever else happens.

use std::collections::HashSet;

use vedette_bus::StartAt;
use vedette_topics::topics;
use vedette_wire::{DeadLetterReason, decode_alert, decode_dead_letter, decode_detections};

use crate::product::{Product, recorded_chunks, send_garbage};
use crate::support::{demo_site, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_camera_gives_alerts_with_an_address() {
    let site = tempfile::tempdir().unwrap();
    let product = Product::start(&demo_site(site.path()), |_| {}).await;
    let alerts = product.alerts_reach(3).await;

    for alert in &alerts {
        let address = &alert["place"]["address"];
        assert_eq!(address["code"].as_str().unwrap().len(), 25, "{alert}");
        assert!(address["code"].as_str().unwrap().starts_with("440305002003"), "{alert}");
        assert!(address["text"].as_str().unwrap().contains("合成"), "{alert}");
        assert_eq!(address["synthetic"], true);
        assert!(address["distance_m"].as_f64().unwrap() >= 0.0);
        let error = alert["place"]["error_m"].as_f64().unwrap();
        assert!(error > 0.0 && error < 50.0, "{alert}");
        assert_eq!(alert["model"]["name"], "nanodet-g-640x480");
    }

    // The picture of an alert comes from the video on the bus.
    let path = alerts[0]["evidence"]["snapshot"].as_str().unwrap().to_owned();
    let jpeg = eventually("a snapshot", async || {
        let response = product.get(&path).await;
        if !response.status().is_success() {
            return None;
        }
        Some(response.bytes().await.unwrap())
    })
    .await;
    let picture = image::load_from_memory(&jpeg).unwrap();
    assert!(picture.width() >= 640, "{}", picture.width());

    // On the bus it is protobuf with CloudEvents headers.
    let mut reader = product.app.bus.read(topics::ALERTS.name(), StartAt::Earliest).await.unwrap();
    let record = reader.next().await.unwrap().record;
    let alert = decode_alert(record.value.clone().unwrap()).unwrap();
    assert_eq!(record.key, alert.camera.as_str());
    assert_eq!(&record.header("ce_specversion").unwrap()[..], b"1.0");
    assert!(record.header("ce_id").is_some());

    // Every frame is accounted for, and none was lost.
    let frames = eventually("counts of frames", async || {
        let frames = product.json("/api/v1/frames").await;
        (frames["analysed"].as_u64().unwrap() > 0).then_some(frames)
    })
    .await;
    assert_eq!((&frames["cameras"], &frames["shed"]), (&1.into(), &serde_json::json!({})), "{frames}");
    assert_eq!(frames["frames"], frames["analysed"]);
    assert!(product.metric("vedette_frames", "fate=\"analysed\"").await > 0.0);

    // Each frame says what its picture is like.
    let mut reader = product.app.bus.read(topics::DETECTIONS.name(), StartAt::Earliest).await.unwrap();
    let mut changes = Vec::new();
    while changes.len() < 20 {
        let record = decode_detections(reader.next().await.unwrap().record.value.unwrap()).unwrap();
        let Some(frame) = record.processed() else { continue };
        let picture = frame.picture.unwrap();
        assert!(picture.contrast > 20.0 && picture.sharpness > 2.0 && picture.brightness > 20.0, "{picture:?}");
        changes.extend(picture.change);
    }
    assert!(changes.iter().all(|change| (0.02..50.0).contains(change)), "{changes:?}");

    assert!(product.json("/readyz").await.is_object());
    assert!(product.metric("vedette_detect_frames_total", "").await > 0.0);
    product.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_loses_and_repeats_nothing() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let first = Product::start(&config, |_| {}).await;
    let before = first.alerts_reach(2).await;
    first.end().await;

    let second = Product::start(&config, |_| {}).await;
    let after = second.alerts_reach(before.len() + 1).await;
    let ids: Vec<&str> = after.iter().map(|alert| alert["id"].as_str().unwrap()).collect();
    let distinct: HashSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), distinct.len(), "an alert is there twice");
    for alert in &before {
        assert!(distinct.contains(alert["id"].as_str().unwrap()), "lost: {alert}");
    }
    second.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_are_no_protobuf_become_dead_letters_and_the_rest_goes_on() {
    let site = tempfile::tempdir().unwrap();
    let product = Product::start(&demo_site(site.path()), |_| {}).await;
    let sources = [
        topics::VIDEO.name(),
        topics::DETECTIONS.name(),
        topics::ALERTS.name(),
        topics::CAMERAS.name(),
        topics::POLICIES.name(),
        topics::ADDRESSES.name(),
    ];
    for topic in sources {
        send_garbage(&product.app.bus, topic).await;
    }
    let mut letters = product.app.bus.read(topics::DEAD_LETTERS.name(), StartAt::Earliest).await.unwrap();
    let mut from = HashSet::new();
    while from.len() < sources.len() {
        let record = eventually_next(&mut letters).await;
        let letter = decode_dead_letter(record.value.unwrap()).unwrap();
        assert_eq!(letter.reason, DeadLetterReason::Unparsable, "{letter:?}");
        assert!(letter.value.unwrap().ends_with(b"no protobuf"));
        from.insert(letter.topic);
    }
    product.alerts_reach(1).await;
    product.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_chunk_costs_that_chunk() {
    let site = tempfile::tempdir().unwrap();
    let product = Product::start(&demo_site(site.path()), |config| {
        // Only what the test sends: the camera has no source of its own.
        config.cameras[0].source = None;
    })
    .await;
    let chunks = recorded_chunks(6).await;
    for (index, mut chunk) in chunks.into_iter().enumerate() {
        chunk.camera = "campus-1".parse().unwrap();
        if index == 2 {
            for unit in &mut chunk.units {
                unit.data = bytes::Bytes::from(vec![0xa5; unit.data.len()]);
            }
        }
        let record = vedette_bus::Record {
            key: bytes::Bytes::from_static(b"campus-1"),
            value: Some(vedette_wire::encode_video(&chunk, vedette_runtime::clock::now())),
            headers: Vec::new(),
            timestamp_ms: vedette_runtime::clock::now().as_millis(),
        };
        product.app.bus.send(topics::VIDEO.name(), record).await.unwrap().await.unwrap();
    }
    let mut letters = product.app.bus.read(topics::DEAD_LETTERS.name(), StartAt::Earliest).await.unwrap();
    let letter = decode_dead_letter(eventually_next(&mut letters).await.value.unwrap()).unwrap();
    assert_eq!((letter.topic.as_str(), letter.reason), (topics::VIDEO.name(), DeadLetterReason::Undecodable));

    // Frames of later groups of pictures are processed again.
    let mut detections = product.app.bus.read(topics::DETECTIONS.name(), StartAt::Earliest).await.unwrap();
    let mut last = 0;
    while last < 50 {
        let value = eventually_next(&mut detections).await.value.unwrap();
        last = vedette_wire::decode_detections(value).unwrap().at.sequence;
    }
    product.end().await;
}

async fn eventually_next(reader: &mut vedette_bus::Reader) -> vedette_bus::Record {
    tokio::time::timeout(std::time::Duration::from_secs(120), reader.next())
        .await
        .expect("a record in two minutes")
        .unwrap()
        .record
}
