use proptest::collection::vec;
use proptest::prelude::*;
use vedette_core::{CameraRecord, FrameAt, ObjectClass, PixelBox, Score, Timestamp, Track, TrackId};
use vedette_detection_store::{BusPosition, DetectionStore, FrameTracks, TracksWriter};
use vedette_wire::{decode_detections, encode_detections};

use crate::records::{camera, frame, record};

pub(crate) fn positions(from: u64, count: usize) -> Vec<BusPosition> {
    (from..).take(count).map(|offset| BusPosition { partition: 2, offset }).collect()
}

/// Everything that is stored of the camera, in order.
pub(crate) fn all(store: &DetectionStore) -> Vec<CameraRecord> {
    let recorded = store.recorded(&camera()).unwrap();
    assert_eq!(recorded.gaps, []);
    let (mut all, mut part) = (Vec::new(), Vec::new());
    for each in &recorded.parts {
        assert_eq!(each.read(&mut part).unwrap(), []);
        assert_eq!(each.records(), part.len() as u64);
        all.append(&mut part);
    }
    all
}

/// The bytes on the bus.
fn bytes(records: &[CameraRecord]) -> Vec<bytes::Bytes> {
    records.iter().map(encode_detections).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// What is read is what the bus had, byte for byte and in its order, however it was cut into segments, whatever the clock did.
    #[test]
    fn the_store_gives_back_what_was_on_the_bus(appends in vec(vec(record(), 0..12), 1..6), reopened: [bool; 6]) {
        let folder = tempfile::tempdir().unwrap();
        let store = DetectionStore::create(folder.path()).unwrap();
        let mut writer = store.writer(&camera()).unwrap();
        let mut offset = 0;
        for (records, reopened) in appends.iter().zip(reopened) {
            // A record is one only if it can be read from the bus.
            let on_bus = bytes(records).into_iter().filter_map(|bytes| decode_detections(bytes).ok());
            let on_bus: Vec<CameraRecord> = on_bus.collect();
            writer.append(&on_bus, &positions(offset, on_bus.len())).unwrap();
            offset += on_bus.len() as u64;
            if reopened {
                writer = store.writer(&camera()).unwrap();
            }
        }
        let sent = bytes(&appends.concat());
        let written = sent.into_iter().filter(|bytes| decode_detections(bytes.clone()).is_ok());
        prop_assert_eq!(bytes(&all(&store)), written.collect::<Vec<_>>());
    }

    #[test]
    fn tracks_come_back_bit_for_bit(frames in vec((any::<u64>(), any::<i64>(), vec(track(), 0..6)), 0..20)) {
        let mut writer = TracksWriter::default();
        let at = |sequence, micros| FrameAt { epoch: 7, sequence, captured: Timestamp::from_micros(micros) };
        let mut expected = Vec::new();
        for (sequence, micros, mut tracks) in frames {
            tracks.sort_by_key(|track| track.id);
            tracks.dedup_by_key(|track| track.id);
            writer.push(at(sequence, micros), &tracks);
            expected.push((at(sequence, micros), tracks));
        }
        let read = FrameTracks::decode(&writer.finish()).unwrap();
        let mut cursor = read.frames();
        for (at, tracks) in expected {
            prop_assert_eq!(cursor.of(at), &tracks[..]);
        }
        prop_assert!(cursor.is_at_end());
    }
}

fn track() -> impl Strategy<Value = Track> {
    let side = || -100.0_f32..2_000.0;
    let bbox = (side(), side(), side(), side()).prop_map(|(x, y, width, height)| PixelBox { x, y, width, height });
    (0_u64..9, 0.0_f32..=1.0, bbox, any::<(i64, i64, u32)>()).prop_map(|(id, score, bbox, (first, last, hits))| Track {
        id: TrackId(id),
        class: ObjectClass::ALL[id as usize],
        score: Score::new(score).unwrap(),
        bbox,
        first_seen: Timestamp::from_micros(first),
        last_seen: Timestamp::from_micros(last),
        hits,
    })
}

#[test]
fn an_hour_is_one_part_although_records_are_late() {
    let folder = tempfile::tempdir().unwrap();
    let store = DetectionStore::create(folder.path()).unwrap();
    let mut writer = store.writer(&camera()).unwrap();
    // From ten seconds before an hour to ten seconds after it, every second frame late.
    let mut records: Vec<CameraRecord> = (0..100).map(|number| frame(3_590, number)).collect();
    records.chunks_exact_mut(2).for_each(|pair| pair.swap(0, 1));
    writer.append(&records[..60], &positions(0, 60)).unwrap();
    writer.append(&records[60..], &positions(60, 40)).unwrap();
    let recorded = store.recorded(&camera()).unwrap();
    let hours: Vec<(String, u64)> =
        recorded.parts.iter().map(|part| (part.hour().to_string(), part.records())).collect();
    assert_eq!(hours, [("1970-01-01T00".to_owned(), 50), ("1970-01-01T01".to_owned(), 50)]);
    assert_eq!(all(&store), records);
}

#[test]
fn what_the_bus_delivers_again_is_recognised() {
    let folder = tempfile::tempdir().unwrap();
    let store = DetectionStore::create(folder.path()).unwrap();
    let records: Vec<CameraRecord> = (0..10).map(|number| frame(0, number)).collect();
    store.writer(&camera()).unwrap().append(&records, &positions(50, 10)).unwrap();
    let writer = store.writer(&camera()).unwrap();
    let at = |partition, offset| BusPosition { partition, offset };
    assert!(writer.has(&records[9], at(2, 59)) && writer.has(&records[0], at(2, 50)));
    assert!(!writer.has(&frame(0, 10), at(2, 60)));
    assert!(!writer.has(&frame(0, 10), at(2, 3)), "a new bus begins at 0 with later records");
    assert!(!writer.has(&records[9], at(1, 59)));
}
