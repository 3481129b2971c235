//! One camera whose every record is unusable does not fill `dead-letters`.

use bytes::Bytes;
use vedette_bus::{Delivered, Position, Record, SharedBus, StartAt};
use vedette_topics::{dead_letters, reading, topics};
use vedette_wire::DeadLetterReason;

use crate::support::{log_to_test_output, open};

fn unusable(camera: &'static str, offset: u64) -> Delivered {
    let value = Some(Bytes::from(vec![0xa5; 800_000]));
    let headers = vec![vedette_bus::Header { name: "h".into(), value: Bytes::from_static(b"v") }];
    let record = Record { key: camera.into(), value, headers, timestamp_ms: 7 };
    Delivered { position: Position { topic: "video".into(), partition: 1, offset }, record }
}

#[tokio::test]
async fn the_first_are_kept_whole_and_the_others_are_referred_to() {
    let _log = log_to_test_output();
    let dir = tempfile::tempdir().unwrap();
    let bus: SharedBus = open(dir.path()).await;
    for offset in 0..100 {
        let record = unusable("only-garbage", offset);
        let sent = dead_letters::send(&bus, "detect", &record, DeadLetterReason::Undecodable, "no key frame").await;
        sent.unwrap().await.unwrap();
    }
    let other = unusable("another", 100);
    let sent = dead_letters::send(&bus, "detect", &other, DeadLetterReason::Undecodable, &"x".repeat(100_000)).await;
    sent.unwrap().await.unwrap();

    let mut reader = bus.read(topics::DEAD_LETTERS.name(), StartAt::Earliest).await.unwrap();
    let mut letters = Vec::new();
    let topic = topics::DEAD_LETTERS.name();
    reading::to_end(&bus, topic, &mut reader, |record| letters.push(topics::DEAD_LETTERS.read(&record).unwrap()))
        .await
        .unwrap();
    let (whole, references): (Vec<_>, Vec<_>) = letters.iter().partition(|letter| letter.left_out.is_none());
    assert_eq!(whole.len(), 11, "ten of the first camera, and that of the other");
    assert!(whole.iter().all(|letter| letter.value.as_ref().unwrap().len() == 800_000 && letter.headers.len() == 1));
    let first = references.first().unwrap();
    assert_eq!((first.topic.as_str(), first.partition, first.offset, first.timestamp_ms), ("video", 1, 10, 7));
    assert_eq!(first.left_out.map(|left| (left.bytes, left.records)), Some((800_000, 1)));
    // One more for each minute that this took.
    assert!(references.len() < 20, "{}", references.len());
    assert!(references.iter().all(|letter| letter.value.is_none() && letter.headers.is_empty()));
    assert!(letters.iter().all(|letter| letter.detail.len() <= 2_000), "a reason has a length");
}
