//! The batching service in front of the real model; what it needs is fetched as for `model.rs`.

use std::time::Duration;

use vedette_detect::{BatchSettings, DetectError, DetectService, WhenFull};

use crate::support::{keen_detector, noise};

const FOREVER: Duration = Duration::from_secs(3600);
const MODEL: &str = "nanodet-g-416x320";

fn service(settings: BatchSettings) -> DetectService {
    DetectService::start(vec![keen_detector(MODEL)], settings).unwrap()
}

#[tokio::test]
async fn every_caller_gets_the_answer_to_its_own_picture() {
    let mut alone = keen_detector(MODEL);
    let settings = BatchSettings { max_batch: 4, queue: 3, ..Default::default() };
    let service = DetectService::start(vec![keen_detector(MODEL), keen_detector(MODEL)], settings).unwrap();
    let mut calls = Vec::new();
    for seed in 0..24 {
        let handle = service.handle();
        let image = noise(handle.input_size(), seed);
        calls.push((image.clone(), tokio::spawn(async move { handle.detect(image).await })));
    }
    for (image, call) in calls {
        let detected = call.await.unwrap().unwrap();
        let wanted = &alone.detect_batch(&[image]).unwrap()[0];
        assert!(!wanted.is_empty());
        assert_eq!(detected.detections.len(), wanted.len());
        for (a, b) in detected.detections.iter().zip(wanted) {
            assert!(a.class == b.class && a.bbox.iou(&b.bbox) > 0.99, "{a:?} {b:?}");
        }
        assert!(detected.inference.as_micros() > 0);
    }
    service.shutdown().await;
}

#[tokio::test]
async fn a_full_queue_refuses_and_shutdown_answers_what_waits() {
    // The worker waits for a second picture that cannot come: the queue has room for one.
    let service = service(BatchSettings { max_batch: 2, max_wait: FOREVER, queue: 1, when_full: WhenFull::Refuse });
    let handle = service.handle();
    let image = noise(handle.input_size(), 1);
    let first = tokio::spawn({
        let (handle, image) = (handle.clone(), image.clone());
        async move { handle.detect(image).await }
    });
    // On this single-threaded runtime the first call is queued as soon as it was polled.
    tokio::task::yield_now().await;
    let refused = handle.detect(image.clone()).await.unwrap_err();
    assert_eq!(refused, DetectError::QueueFull { capacity: 1 });
    service.shutdown().await;
    assert!(first.await.unwrap().is_ok());
    assert_eq!(handle.detect(image).await.unwrap_err(), DetectError::Closed);
}

#[tokio::test]
async fn a_caller_that_leaves_takes_its_picture_along() {
    let service = service(BatchSettings { max_batch: 2, max_wait: FOREVER, queue: 8, when_full: WhenFull::Wait });
    let handle = service.handle();
    let image = noise(handle.input_size(), 1);
    let leaving = tokio::spawn({
        let (handle, image) = (handle.clone(), image.clone());
        async move { handle.detect(image).await }
    });
    tokio::task::yield_now().await;
    leaving.abort();
    assert!(leaving.await.unwrap_err().is_cancelled());
    // It completes the batch of two; only this one is answered.
    assert!(handle.detect(image).await.is_ok());
    service.shutdown().await;
}

#[tokio::test]
async fn a_picture_that_does_not_fit_never_reaches_the_queue() {
    let service = service(BatchSettings { max_wait: FOREVER, ..Default::default() });
    let handle = service.handle();
    let mut image = noise(handle.input_size(), 1);
    image.width += 1;
    assert!(matches!(handle.detect(image).await, Err(DetectError::Image { .. })));
    service.shutdown().await;
}
