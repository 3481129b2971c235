//! Guarantees of a store in a file only.

use std::path::Path;

use crate::support::{FILE_BEFORE_ACCESS, alert, at, ids, seen};
use tempfile::TempDir;
use vedette_access::Areas;
use vedette_alert_store::{AlertFilter, AlertStore, StoreError};
use vedette_alerts::OneEvent;
use vedette_core::EpisodePhase::{Ended, Raised};

#[test]
fn a_store_of_before_there_were_units_is_taken_over() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("alerts.sqlite");
    let old = alert("gate-1", 0, Raised);
    AlertStore::open(&path).unwrap().upsert(&old, None).unwrap();
    // As version 1 left it: no table of units, alerts that do not know of any, and no events.
    let file = rusqlite::Connection::open(&path).unwrap();
    file.execute_batch(FILE_BEFORE_ACCESS).unwrap();
    file.execute_batch(
            "DROP TABLE responsible; DROP TABLE sighting; DROP TABLE progress; DROP TABLE clip; DROP TABLE camera_look; DROP TABLE near_miss; DROP TABLE near_miss_count; DROP TABLE near_miss_progress; DELETE FROM counter WHERE name = 'near_misses'; DROP INDEX alert_by_event; DROP INDEX alert_by_camera;
             ALTER TABLE alert DROP COLUMN event; ALTER TABLE alert DROP COLUMN event_us;
             CREATE INDEX alert_by_camera ON alert (camera, raised_us); PRAGMA user_version = 1;
             UPDATE alert SET payload = json_remove(payload, '$.place.address.responsible', '$.place.address.road',
                 '$.place.address.plate', '$.place.address.ambiguous');",
        )
        .unwrap();
    let store = AlertStore::open(&path).unwrap();
    let read = store.get(old.id, &Areas::Everywhere).unwrap().unwrap().alert.place.address.unwrap();
    assert!(read.responsible.is_empty() && read.road.is_none());
    let new = alert("gate-1", 50, Raised);
    store.upsert(&new, None).unwrap();
    let filter = AlertFilter { responsible: "P01".parse().ok(), ..AlertFilter::default() };
    assert_eq!(ids(&store, &filter), [new.id]);
}

#[test]
fn a_store_of_before_there_were_events_is_taken_over() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("alerts.sqlite");
    let old = seen("gate-1", 0, 0.0);
    AlertStore::open(&path).unwrap().upsert(&old, None).unwrap();
    let file = rusqlite::Connection::open(&path).unwrap();
    file.execute_batch(FILE_BEFORE_ACCESS).unwrap();
    file.execute_batch(
            "DROP TABLE sighting; DROP TABLE progress; DROP TABLE clip; DROP TABLE camera_look; DROP TABLE near_miss; DROP TABLE near_miss_count; DROP TABLE near_miss_progress; DELETE FROM counter WHERE name = 'near_misses'; DROP INDEX alert_by_event; DROP INDEX alert_by_camera;
             ALTER TABLE alert DROP COLUMN event; ALTER TABLE alert DROP COLUMN event_us;
             CREATE INDEX alert_by_camera ON alert (camera, raised_us); PRAGMA user_version = 2;",
        )
        .unwrap();
    let store = AlertStore::open(&path).unwrap().joining(OneEvent::default());
    assert_eq!(store.get(old.id, &Areas::Everywhere).unwrap().unwrap().event, old.id);
    let new = seen("gate-2", 100, 0.0);
    store.upsert(&new, None).unwrap();
    assert_eq!(ids(&store, &AlertFilter::default()), [new.id, old.id], "what was there before is an event of its own");
}

#[test]
fn what_is_deleted_is_not_left_in_the_file() {
    let folder = TempDir::new().unwrap();
    let store = AlertStore::open(&folder.path().join("alerts.sqlite")).unwrap();
    let alert = alert("gate-1", 0, Ended);
    store.upsert(&alert, None).unwrap();
    let secret = b"a picture that nobody may find again".repeat(300);
    store.put_snapshot(alert.id, &secret).unwrap();
    store.delete_older_than(at(100)).unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(30).any(|part| part == &secret[..30]));
    }
}

#[test]
fn a_file_that_is_no_store_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let missing = AlertStore::open(&folder.path().join("no/such/folder")).unwrap_err();
    assert!(matches!(missing, StoreError::Open { .. }), "{missing}");

    let text = folder.path().join("text");
    std::fs::write(&text, "not a database, but long enough to look at its header. ".repeat(20)).unwrap();
    assert!(matches!(AlertStore::open(&text), Err(StoreError::Open { .. })));

    let sqlite = |path: &Path, sql: &str| rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
    let foreign = folder.path().join("foreign");
    sqlite(&foreign, "CREATE TABLE songs (title TEXT)");
    assert!(matches!(AlertStore::open(&foreign), Err(StoreError::Foreign { .. })));

    let newer = folder.path().join("newer");
    drop(AlertStore::open(&newer).unwrap());
    sqlite(&newer, "PRAGMA user_version = 99");
    assert!(matches!(AlertStore::open(&newer), Err(StoreError::Newer { found: 99, .. })));
}

/// Sets a column of a stored alert to something that cannot be read.
fn damage(path: &Path, sql: &str) {
    rusqlite::Connection::open(path)
        .unwrap()
        .execute_batch(&format!("PRAGMA ignore_check_constraints = 1; PRAGMA foreign_keys = 0; {sql}"))
        .unwrap();
}

#[test]
fn a_damaged_row_hides_no_other() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("alerts.sqlite");
    let alerts: Vec<_> = (0..6).map(|index| alert("gate-1", index, Raised)).collect();
    let all: Vec<_> = alerts.iter().map(|alert| alert.id).collect();
    let store = AlertStore::open(&path).unwrap();
    for alert in &alerts {
        store.upsert(alert, None).unwrap();
    }
    assert_eq!(store.unreadable(), None);
    damage(&path, &format!("UPDATE alert SET payload = substr(payload, 9) WHERE id = '{}'", all[2]));
    damage(&path, &format!("UPDATE alert SET payload = '' WHERE id = '{}'", all[3]));
    let newest_first = [all[5], all[4], all[1], all[0]];
    for each in [false, true] {
        assert_eq!(ids(&store, &AlertFilter { each, ..AlertFilter::default() }), newest_first);
        // Pages of one: some are empty, and the next one follows.
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let page = store
                .list(&AlertFilter { each, limit: 1, before, ..AlertFilter::default() }, &Areas::Everywhere)
                .unwrap();
            found.extend(page.alerts.iter().map(|stored| stored.alert.id));
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(found, newest_first);
    }
    let changes = |after, limit| -> Vec<_> {
        store
            .changes_after(after, after, limit, &Areas::Everywhere)
            .unwrap()
            .iter()
            .map(|stored| stored.alert.id)
            .collect()
    };
    assert_eq!(changes(0, 100), [all[0], all[1], all[4], all[5]]);
    assert_eq!(changes(2, 2), [all[4], all[5]], "as many as were asked for, beyond the damaged ones");
    assert!(matches!(store.get(all[2], &Areas::Everywhere), Err(StoreError::Damaged { .. })));
    assert!(store.get(all[1], &Areas::Everywhere).unwrap().is_some());
    assert_eq!(store.unreadable().unwrap().0, 2, "each is counted once");
    assert_eq!(store.without_snapshot(at(-1_000_000), None, 100).unwrap().len(), 4);
    // Its next revision makes it whole.
    store.upsert(&alert("gate-1", 2, Ended), None).unwrap();
    assert!(store.get(all[2], &Areas::Everywhere).unwrap().is_some());
}

#[test]
fn a_damaged_lead_hides_no_view_and_new_alerts_are_joined_beside_damaged_ones() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("alerts.sqlite");
    let store = AlertStore::open(&path).unwrap().joining(OneEvent::default());
    let (lead, view) = (seen("gate-1", 0, 0.0), seen("gate-2", 100, 0.0));
    store.upsert(&lead, None).unwrap();
    store.upsert(&view, None).unwrap();
    assert_eq!(store.get(view.id, &Areas::Everywhere).unwrap().unwrap().event, lead.id);
    damage(&path, &format!("UPDATE alert SET payload = '{{' WHERE id = '{}'", lead.id));
    assert_eq!(ids(&store, &AlertFilter::default()), [view.id], "the view stands in for it");
    let numbers: Vec<u64> =
        store.changes_after(0, 0, 10, &Areas::Everywhere).unwrap().iter().map(|stored| stored.change).collect();
    assert!(numbers.is_sorted() && !numbers.is_empty(), "{numbers:?}");
    damage(&path, "UPDATE sighting SET alert = 'x' || alert WHERE camera = 'gate-1'; ");
    let third = seen("gate-3", 200, 0.0);
    store.upsert(&third, None).unwrap();
    assert!(store.get(third.id, &Areas::Everywhere).unwrap().is_some());
}
