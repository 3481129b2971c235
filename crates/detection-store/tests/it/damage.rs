use std::path::PathBuf;

use vedette_core::CameraRecord;
use vedette_detection_store::{Damage, DetectionStore};

use crate::records::{camera, frame};
use crate::round_trip::{all, positions};

/// A store with three segments of ten records in one file.
fn store() -> (tempfile::TempDir, DetectionStore, PathBuf, Vec<CameraRecord>) {
    let folder = tempfile::tempdir().unwrap();
    let store = DetectionStore::create(folder.path()).unwrap();
    let records: Vec<CameraRecord> = (0..30).map(|number| frame(0, number)).collect();
    let mut writer = store.writer(&camera()).unwrap();
    for (number, ten) in (0..).zip(records.chunks(10)) {
        writer.append(ten, &positions(number * 10, 10)).unwrap();
    }
    let file = folder.path().join("gate.camera/1970-01-01T00.detections");
    (folder, store, file, records)
}

/// What can be read, and what is said of the rest.
fn readable(store: &DetectionStore) -> (Vec<CameraRecord>, Vec<String>) {
    let recorded = store.recorded(&camera()).unwrap();
    let mut said: Vec<String> = recorded.gaps.iter().map(ToString::to_string).collect();
    let (mut read, mut part) = (Vec::new(), Vec::new());
    for each in &recorded.parts {
        said.extend(each.read(&mut part).unwrap().iter().map(ToString::to_string));
        read.append(&mut part);
    }
    (read, said)
}

#[test]
fn a_crash_while_writing_loses_nothing_but_the_segment_that_was_not_whole() {
    let (_folder, store, file, records) = store();
    let whole = std::fs::read(&file).unwrap();
    let third = whole.len() / 3;
    for cut in (third * 2 + 1)..whole.len() {
        std::fs::write(&file, &whole[..cut]).unwrap();
        let (read, said) = readable(&store);
        let count = read.len();
        assert!(count >= 10 && count.is_multiple_of(10) && read == records[..count], "{count} at {cut}");
        assert_eq!(said, [] as [String; 0], "a torn end is no damage");
        let mut writer = store.writer(&camera()).unwrap();
        assert!(writer.has(&records[count - 1], positions(count as u64 - 1, 1)[0]));
        assert!(!writer.has(&records[count], positions(count as u64, 1)[0]));
        writer.append(&records[count..], &positions(count as u64, 30 - count)).unwrap();
        assert_eq!(all(&store), records);
    }
}

#[test]
fn a_damaged_segment_is_named_and_the_others_are_read() {
    let (_folder, store, file, records) = store();
    let whole = std::fs::read(&file).unwrap();
    let second = whole.len() / 3 + 20;
    for place in [second, second + 100, second + 200] {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x40;
        std::fs::write(&file, damaged).unwrap();
        let (read, said) = readable(&store);
        assert_eq!(read, [&records[..10], &records[20..]].concat(), "at {place}");
        assert_eq!(said.len(), 1);
        assert!(said[0].contains("1970-01-01T00.detections") && said[0].contains("checksum"), "{said:?}");
    }
    let (_, said) = readable(&store);
    assert!(said[0].contains("1970-01-01T00:00:02"), "the time that is missing: {said:?}");
}

#[test]
fn no_bytes_are_trusted() {
    let (_folder, store, file, records) = store();
    let whole = std::fs::read(&file).unwrap();
    for junk in [&b""[..], b"junk", &[0; 4_000], &[0xff; 200]] {
        std::fs::write(&file, [junk, &whole, junk, &whole[..50]].concat()).unwrap();
        let (read, _) = readable(&store);
        assert_eq!(read, records);
    }
    for end in 0..whole.len() {
        std::fs::write(&file, [&whole[..end], &whole[end / 2..]].concat()).unwrap();
        let (read, _) = readable(&store);
        assert!(read.iter().all(|record| records.contains(record)));
    }
}

#[test]
fn damaged_tracks_are_as_if_there_were_none() {
    let (folder, store, _, _) = store();
    let recorded = store.recorded(&camera()).unwrap();
    let part = &recorded.parts[0];
    assert_eq!(part.tracks(), None);
    let tracks = vedette_detection_store::PartTracks {
        key: [3; 32],
        before: Some(vec![1, 2]),
        after: vec![3],
        tracks: vedette_detection_store::TracksWriter::default().finish(),
    };
    part.keep_tracks(&tracks).unwrap();
    assert_eq!(part.tracks(), Some(tracks));
    let file = folder.path().join("gate.camera/1970-01-01T00-0.tracks");
    let whole = std::fs::read(&file).unwrap();
    for place in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[place] ^= 1;
        std::fs::write(&file, damaged).unwrap();
        assert_eq!(part.tracks(), None, "byte {place}");
        std::fs::write(&file, &whole[..place]).unwrap();
        assert_eq!(part.tracks(), None, "cut at {place}");
    }
    assert_eq!(vedette_detection_store::FrameTracks::decode(b""), Err(Damage::Short));
}
