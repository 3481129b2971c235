//! Frames whose capture time is being corrected when they are taken in are marked when they are detected, and no others.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use vedette_bus::simulated::Cluster;
use vedette_core::Timestamp;
use vedette_runtime::health::Health;
use vedette_stages::ShedAfter;
use vedette_stages::detect::{Detect, Life, OpenAlerts};
use vedette_stages::registry::Registry;
use vedette_topics::topics;
use vedette_wire::{VideoRecord, decode_detections};

use super::input::Input;
use super::recorded_backend::Recorded;
use super::world::record_video;

#[tokio::test(start_paused = true)]
async fn the_frames_of_a_chunk_whose_clock_is_corrected_are_marked() {
    let mut input = Input::recorded();
    let mut drifting = HashSet::new();
    for (camera, records) in &mut input.video {
        for (index, record) in records.iter_mut().enumerate() {
            if let VideoRecord::Chunk(published) = record {
                let chunk = &mut published.chunk;
                chunk.clock_drift = index % 3 == 1;
                let sequences = chunk.first_sequence..chunk.first_sequence + chunk.units.len() as u64;
                drifting.extend(sequences.filter(|_| chunk.clock_drift).map(|it| (camera.clone(), chunk.epoch, it)));
            }
        }
    }
    let cluster = Cluster::new(1);
    record_video(&cluster, &input).await;
    let never = Input::never();
    let detect = Detect {
        bus: Arc::new(cluster.client("one")),
        backend: Arc::new(Recorded { model: input.model(), frame: input.frame() }),
        max_fps: None,
        key_frames_only: false,
        shed_after: ShedAfter { low: never, normal: never, high: never },
        registry: Registry::of(&input.cameras, &input.policies),
        open_alerts: OpenAlerts::default(),
        now: Timestamp::default,
        decoders: Arc::new(Semaphore::new(4)),
        health: Health::default(),
        timeout: Duration::from_secs(10),
        life: Life::default(),
    };
    let stop = CancellationToken::new();
    let running = tokio::spawn(detect.run(stop.clone()));
    sleep(Duration::from_secs(60)).await;
    stop.cancel();
    running.await.unwrap().unwrap();
    let (mut marked, mut plain) = (0, 0);
    for record in cluster.records(topics::DETECTIONS.name()).unwrap() {
        let record = decode_detections(record.record.value.unwrap()).unwrap();
        let Some(frame) = record.processed() else { continue };
        let expected = drifting.contains(&(record.camera.clone(), record.at.epoch, record.at.sequence));
        assert_eq!(frame.quality.clock_drift, expected, "{:?}", record.at);
        *if expected { &mut marked } else { &mut plain } += 1;
    }
    assert!(marked > 50 && plain > 100, "{marked} {plain}");
}
