use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use vedette_core::Timestamp;
use vedette_detection_store::{DetectionStore, Limits};

use crate::records::{camera, frame};
use crate::round_trip::positions;

fn secs(secs: i64) -> Timestamp {
    Timestamp::from_micros(secs * 1_000_000)
}

/// Hours that were written a hundred seconds apart.
fn store(folder: &Path, hours: i64) -> DetectionStore {
    let store = DetectionStore::create(folder).unwrap();
    let mut writer = store.writer(&camera()).unwrap();
    for hour in 0..hours {
        writer.append(&[frame(hour * 3_600, 0)], &positions(hour as u64, 1)).unwrap();
        let path = folder.join(format!("gate.camera/1970-01-01T{hour:02}.detections"));
        let written = UNIX_EPOCH + Duration::from_secs(hour as u64 * 100);
        File::options().append(true).open(path).unwrap().set_modified(written).unwrap();
    }
    store
}

fn hours(store: &DetectionStore) -> Vec<String> {
    store.recorded(&camera()).unwrap().parts.iter().map(|part| part.hour().to_string()).collect()
}

#[test]
fn old_hours_are_deleted_and_then_the_oldest_until_the_rest_has_room() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 5);
    let all = Limits { written_from: secs(0), bytes: 5 * 4_096 };
    let swept = store.sweep(&all).unwrap();
    assert_eq!((swept.expired, swept.no_room, swept.bytes, swept.newest), (0, 0, 5 * 4_096, Some(secs(400))));
    let swept = store.sweep(&Limits { written_from: secs(101), ..all }).unwrap();
    assert_eq!((swept.expired, swept.no_room), (2, 0));
    let swept = store.sweep(&Limits { bytes: 2 * 4_096, ..all }).unwrap();
    assert_eq!((swept.expired, swept.no_room, swept.bytes), (0, 1, 2 * 4_096));
    assert_eq!(hours(&store), ["1970-01-01T03", "1970-01-01T04"]);
}

#[test]
fn the_writer_goes_on_after_its_hour_was_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let store = DetectionStore::create(folder.path()).unwrap();
    let mut writer = store.writer(&camera()).unwrap();
    for number in 0..3 {
        writer.append(&[frame(0, number)], &positions(number, 1)).unwrap();
        store.sweep(&Limits { written_from: secs(0), bytes: 0 }).unwrap();
    }
    writer.append(&[frame(0, 3)], &positions(3, 1)).unwrap();
    assert_eq!(crate::round_trip::all(&store), [frame(0, 3)]);
}

#[test]
fn nobody_else_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = DetectionStore::create(&folder.path().join("a/b")).unwrap();
    store.writer(&camera()).unwrap().append(&[frame(0, 0)], &positions(0, 1)).unwrap();
    store.keep_history(b"{}").unwrap();
    assert_eq!(store.history().unwrap().as_deref(), Some(&b"{}"[..]));
    for (path, mode) in [
        ("a/b", 0o700),
        ("a/b/gate.camera", 0o700),
        ("a/b/gate.camera/1970-01-01T00.detections", 0o600),
        ("a/b/history.jsonl", 0o600),
    ] {
        let found = std::fs::metadata(folder.path().join(path)).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode, "{path}");
    }
}

#[test]
fn a_store_that_is_not_there_has_nothing() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(DetectionStore::open(&folder.path().join("none")), None);
    let store = DetectionStore::open(folder.path()).unwrap();
    assert_eq!((store.cameras().unwrap(), store.history().unwrap()), (Vec::new(), None));
    assert_eq!(store.recorded(&camera()).unwrap(), vedette_detection_store::Recorded::default());
}
