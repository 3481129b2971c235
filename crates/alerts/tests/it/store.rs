//! The store on a real file.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::{alert, at, place};
use proptest::prelude::*;
use tempfile::TempDir;
use vedette_alerts::{
    AlertFilter, AlertStore, Cursor, Decision, EvidenceLook, RecordPosition, StoreError, Upserted, Verdict,
    VerdictFilter,
};
use vedette_core::{Alert, AlertId, AlertStatus, EpisodePhase, RuleKind, Severity};

use EpisodePhase::{Ended, Raised};

fn store() -> (TempDir, AlertStore) {
    let folder = TempDir::new().unwrap();
    let store = AlertStore::open(&folder.path().join("alerts.sqlite")).unwrap();
    (folder, store)
}

fn verdict(decision: Decision, second: i64) -> Verdict {
    Verdict { decision, by: "operator 7".into(), note: "seen on site".into(), at: at(second) }
}

fn ids(store: &AlertStore, filter: &AlertFilter) -> Vec<AlertId> {
    store.list(filter).unwrap().alerts.iter().map(|stored| stored.alert.id).collect()
}

#[test]
fn an_alert_reads_back_to_the_last_bit_also_after_reopening() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("alerts.sqlite");
    let alert = alert("gate-1", 0, Raised);
    let position = Some(RecordPosition { partition: 3, offset: u64::MAX });
    assert_eq!(AlertStore::open(&path).unwrap().upsert(&alert, position).unwrap(), Upserted::Inserted);
    let stored = AlertStore::open(&path).unwrap().get(alert.id).unwrap().unwrap();
    assert_eq!(stored.alert, alert);
    assert_eq!(stored.verdict, None);
}

#[test]
fn a_repeated_alert_lands_once_and_a_contradiction_is_counted() {
    let (_folder, store) = store();
    let (raised, ended) = (alert("gate-1", 0, Raised), alert("gate-1", 0, Ended));
    assert_eq!(store.upsert(&raised, None).unwrap(), Upserted::Inserted);
    assert_eq!(store.upsert(&raised, None).unwrap(), Upserted::Unchanged);
    assert_eq!(store.upsert(&ended, None).unwrap(), Upserted::Superseded);
    assert_eq!(store.upsert(&raised, None).unwrap(), Upserted::Stale);
    let other = Alert { rule_name: "Another name".into(), ..ended.clone() };
    assert_eq!(store.upsert(&other, None).unwrap(), Upserted::Conflict);
    assert_eq!(store.get(ended.id).unwrap().unwrap().alert, ended, "the first one stays");
    let counts = store.counts().unwrap();
    assert_eq!((counts.alerts, counts.open, counts.conflicts), (1, 0, 1));
}

#[test]
fn a_number_that_json_cannot_hold_is_refused_whole() {
    let (_folder, store) = store();
    let good = alert("gate-1", 0, Raised);
    let mut bad = alert("gate-2", 0, Raised);
    bad.measured.value = f64::NAN;
    let error = store.upsert_all([(&good, None), (&bad, None)]).unwrap_err();
    assert!(matches!(&error, StoreError::Unstorable { alert, .. } if *alert == bad.id), "{error}");
    assert_eq!(store.counts().unwrap().alerts, 0, "all or nothing");
}

#[test]
fn a_verdict_stays_when_the_alert_ends() {
    let (_folder, store) = store();
    let raised = alert("gate-1", 0, Raised);
    store.upsert(&raised, None).unwrap();
    store.set_verdict(raised.id, &verdict(Decision::FalseAlarm, 5)).unwrap();
    let changed = store.set_verdict(raised.id, &verdict(Decision::Confirmed, 6)).unwrap();
    assert_eq!(changed.verdict, Some(verdict(Decision::Confirmed, 6)));
    store.upsert(&alert("gate-1", 0, Ended), None).unwrap();
    let stored = store.get(raised.id).unwrap().unwrap();
    assert_eq!(stored.alert.status, AlertStatus::Ended);
    assert_eq!(stored.verdict, Some(verdict(Decision::Confirmed, 6)));
    let unknown = alert("gate-2", 0, Raised).id;
    assert!(matches!(
        store.set_verdict(unknown, &verdict(Decision::Confirmed, 6)),
        Err(StoreError::UnknownAlert(id)) if id == unknown
    ));
}

#[test]
fn every_filter_lets_through_what_it_names() {
    let (_folder, store) = store();
    let one = alert("gate-1", 0, Raised);
    let mut two = alert("gate-2", 100, Ended);
    (two.kind, two.severity) = (RuleKind::Count, Severity::Low);
    let mut three = alert("gate-2", 200, Raised);
    three.place = place(Some("44030400100199***********"));
    let mut four = alert("gate-3", 300, Raised);
    four.place = place(None);
    for alert in [&one, &two, &three, &four] {
        store.upsert(alert, None).unwrap();
    }
    store.set_verdict(two.id, &verdict(Decision::Confirmed, 400)).unwrap();
    let any = AlertFilter::default();
    for (filter, expected) in [
        (any.clone(), vec![&four, &three, &two, &one]),
        (AlertFilter { code_prefix: "440304".parse().ok(), ..any.clone() }, vec![&three, &two, &one]),
        (AlertFilter { code_prefix: "44030400100101".parse().ok(), ..any.clone() }, vec![&two, &one]),
        (AlertFilter { code_prefix: "44030400100199".parse().ok(), ..any.clone() }, vec![&three]),
        (AlertFilter { code_prefix: "440305".parse().ok(), ..any.clone() }, vec![]),
        (AlertFilter { responsible: "police:P01".parse().ok(), ..any.clone() }, vec![&two, &one]),
        (AlertFilter { responsible: "P99".parse().ok(), ..any.clone() }, vec![&three]),
        (AlertFilter { responsible: "F01".parse().ok(), ..any.clone() }, vec![&three, &two, &one]),
        (AlertFilter { responsible: "community:F01".parse().ok(), ..any.clone() }, vec![&three, &two, &one]),
        (AlertFilter { responsible: "police:F01".parse().ok(), ..any.clone() }, vec![]),
        (AlertFilter { kind: Some(RuleKind::Count), ..any.clone() }, vec![&two]),
        (AlertFilter { camera: "gate-2".parse().ok(), ..any.clone() }, vec![&three, &two]),
        (AlertFilter { severity: Some(Severity::Low), ..any.clone() }, vec![&two]),
        (AlertFilter { status: Some(AlertStatus::Ended), ..any.clone() }, vec![&two]),
        (AlertFilter { verdict: Some(VerdictFilter::Unreviewed), ..any.clone() }, vec![&four, &three, &one]),
        (AlertFilter { verdict: Some(VerdictFilter::Is(Decision::Confirmed)), ..any.clone() }, vec![&two]),
        (AlertFilter { from: Some(at(101)), until: Some(at(301)), ..any.clone() }, vec![&three, &two]),
    ] {
        assert_eq!(ids(&store, &filter), expected.iter().map(|it| it.id).collect::<Vec<_>>(), "{filter:?}");
    }
}

#[test]
fn a_later_revision_moves_an_alert_to_its_units_and_deletion_forgets_them() {
    let (folder, store) = store();
    let raised = alert("gate-1", 0, Raised);
    let mut ended = alert("gate-1", 0, Ended);
    ended.place = place(Some("44030400100199***********"));
    store.upsert_all([(&raised, None), (&ended, None)]).unwrap();
    let of = |unit: &str| ids(&store, &AlertFilter { responsible: unit.parse().ok(), ..AlertFilter::default() });
    assert_eq!((of("police:P01"), of("police:P99")), (vec![], vec![ended.id]));
    store.delete_older_than(at(100)).unwrap();
    let rows = rusqlite::Connection::open(folder.path().join("alerts.sqlite")).unwrap().query_row(
        "SELECT count(*) FROM responsible",
        [],
        |row| row.get::<_, i64>(0),
    );
    assert_eq!(rows.unwrap(), 0);
}

#[test]
fn a_store_of_before_there_were_units_is_taken_over() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("alerts.sqlite");
    let old = alert("gate-1", 0, Raised);
    AlertStore::open(&path).unwrap().upsert(&old, None).unwrap();
    // As version 1 left it: no table of units, and alerts that do not know of any.
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch(
            "DROP TABLE responsible; PRAGMA user_version = 1;
             UPDATE alert SET payload = json_remove(payload, '$.place.address.responsible', '$.place.address.road',
                 '$.place.address.plate', '$.place.address.ambiguous');",
        )
        .unwrap();
    let store = AlertStore::open(&path).unwrap();
    let read = store.get(old.id).unwrap().unwrap().alert.place.address.unwrap();
    assert!(read.responsible.is_empty() && read.road.is_none());
    let new = alert("gate-1", 50, Raised);
    store.upsert(&new, None).unwrap();
    let filter = AlertFilter { responsible: "P01".parse().ok(), ..AlertFilter::default() };
    assert_eq!(ids(&store, &filter), [new.id]);
}

#[test]
fn changes_come_in_order_and_once() {
    let (_folder, store) = store();
    let (one, two) = (alert("gate-1", 0, Raised), alert("gate-2", 0, Raised));
    store.upsert(&one, None).unwrap();
    let seen = store.last_change().unwrap();
    store.upsert(&two, None).unwrap();
    store.upsert(&two, None).unwrap();
    store.set_verdict(one.id, &verdict(Decision::Confirmed, 5)).unwrap();
    let changes = store.changes_after(seen, 10).unwrap();
    assert_eq!(changes.iter().map(|it| it.alert.id).collect::<Vec<_>>(), [two.id, one.id]);
    assert_eq!(changes.last().unwrap().change, store.last_change().unwrap());
    assert!(store.changes_after(store.last_change().unwrap(), 10).unwrap().is_empty());
}

#[test]
fn retention_deletes_alerts_with_all_that_hangs_on_them() {
    let (_folder, store) = store();
    let (old, new) = (alert("gate-1", 0, Ended), alert("gate-1", 1000, Raised));
    store.upsert_all([(&old, None), (&new, None)]).unwrap();
    store.put_snapshot(old.id, b"jpeg").unwrap();
    store.set_verdict(old.id, &verdict(Decision::Confirmed, 5)).unwrap();
    let look = EvidenceLook {
        alert: old.id,
        at: at(2000),
        who: "operator 7".into(),
        peer: "127.0.0.1".into(),
        reason: "review".into(),
        what: "snapshot, people pixelated".into(),
    };
    store.record_look(&look).unwrap();
    assert_eq!(store.delete_older_than(at(9)).unwrap(), 0, "it ended at that very moment");
    assert_eq!(store.delete_older_than(at(10)).unwrap(), 1);
    assert_eq!(ids(&store, &AlertFilter::default()), [new.id]);
    assert_eq!(store.snapshot(old.id).unwrap(), None);
    assert_eq!(store.looks(old.id).unwrap(), [look], "who looked is known for longer than what they saw");
    assert!(matches!(store.put_snapshot(old.id, b"jpeg"), Err(StoreError::UnknownAlert(_))));
    assert_eq!(store.delete_older_than(at(3000)).unwrap(), 1);
    assert!(store.looks(old.id).unwrap().is_empty());
}

#[test]
fn what_is_deleted_is_not_left_in_the_file() {
    let (folder, store) = store();
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
fn a_snapshot_is_replaced() {
    let (_folder, store) = store();
    let alert = alert("gate-1", 0, Raised);
    store.upsert(&alert, None).unwrap();
    assert_eq!(store.snapshot(alert.id).unwrap(), None);
    store.put_snapshot(alert.id, b"one").unwrap();
    store.put_snapshot(alert.id, b"two").unwrap();
    assert_eq!(store.snapshot(alert.id).unwrap().as_deref(), Some(&b"two"[..]));
    assert_eq!(store.counts().unwrap().snapshots, 1);
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

#[test]
fn a_cursor_prints_and_reads_back() {
    let cursor = Cursor { raised: at(-5_000_000_000), id: AlertId(7) };
    assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
    for wrong in ["", "5", "5.x", "x.0f8fad5b-d9cb-569f-a165-70867728950e"] {
        assert!(wrong.parse::<Cursor>().unwrap_err().to_string().contains("no cursor"));
    }
}

/// Alerts of a few cameras and moments, with revisions 1 to 3.
fn some_alerts() -> impl Strategy<Value = Vec<Alert>> {
    let one = (0..3u8, 0..4i64, 1..=3u32).prop_map(|(camera, second, revision)| {
        let phase = if revision == 1 { Raised } else { Ended };
        let mut alert = alert(&format!("gate-{camera}"), second, phase);
        alert.revision = revision;
        alert.measured.value += f64::from(revision);
        alert
    });
    prop::collection::vec(one, 0..24)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_latest_revision_stays_whatever_the_order_and_however_often(
        (alerts, shuffled) in some_alerts().prop_flat_map(|alerts| {
            let twice: Vec<_> = alerts.iter().chain(&alerts).cloned().collect();
            (Just(alerts), Just(twice).prop_shuffle())
        }),
    ) {
        let mut latest: BTreeMap<AlertId, Alert> = BTreeMap::new();
        for alert in &alerts {
            let known = latest.entry(alert.id).or_insert_with(|| alert.clone());
            if known.revision < alert.revision {
                *known = alert.clone();
            }
        }
        let (_folder, store) = store();
        for alert in &shuffled {
            store.upsert(alert, None).unwrap();
        }
        let held: BTreeMap<_, _> =
            store.list(&AlertFilter::default()).unwrap().alerts.into_iter().map(|it| (it.alert.id, it.alert)).collect();
        prop_assert_eq!(held, latest);
        prop_assert_eq!(store.counts().unwrap().conflicts, 0);
    }

    #[test]
    fn pages_join_to_the_whole_list(alerts in some_alerts(), limit in 1..5u32) {
        let (_folder, store) = store();
        store.upsert_all(alerts.iter().map(|alert| (alert, None))).unwrap();
        let whole = ids(&store, &AlertFilter { limit: 1000, ..AlertFilter::default() });
        let mut joined = Vec::new();
        let mut before = None;
        loop {
            let page = store.list(&AlertFilter { limit, before, ..AlertFilter::default() }).unwrap();
            prop_assert!(page.alerts.len() <= limit as usize);
            joined.extend(page.alerts.iter().map(|stored| stored.alert.id));
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        prop_assert_eq!(joined, whole);
    }
}
