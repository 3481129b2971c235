//! The guarantees of the store, on a real file and on a real server.

use std::collections::BTreeMap;

use crate::support::{Home, alert, at, ids, place, verdict};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use vedette_access::Areas;
use vedette_alert_store::{
    AlertFilter, Cursor, EvidenceLook, Looked, Progress, RecordPosition, StoreError, Upserted, VerdictFilter,
};
use vedette_alerts::Decision;
use vedette_core::{Alert, AlertId, AlertStatus, EpisodePhase, EventCode, RuleKind, Severity};

use EpisodePhase::{Ended, Raised};

fn an_alert_reads_back_to_the_last_bit_also_after_reopening(home: &Home) {
    let alert = alert("gate-1", 0, Raised);
    let position = Some(RecordPosition { partition: 3, offset: u64::MAX });
    assert_eq!(home.open().upsert(&alert, position).unwrap(), Upserted::Inserted);
    let stored = home.open().get(alert.id, &Areas::Everywhere).unwrap().unwrap();
    assert_eq!(stored.alert, alert);
    assert_eq!(stored.verdict, None);
}

fn a_repeated_alert_lands_once_and_a_contradiction_is_counted(home: &Home) {
    let store = home.open();
    let (raised, ended) = (alert("gate-1", 0, Raised), alert("gate-1", 0, Ended));
    assert_eq!(store.upsert(&raised, None).unwrap(), Upserted::Inserted);
    assert_eq!(store.upsert(&raised, None).unwrap(), Upserted::Unchanged);
    assert_eq!(store.upsert(&ended, None).unwrap(), Upserted::Superseded);
    assert_eq!(store.upsert(&raised, None).unwrap(), Upserted::Stale);
    let other = Alert { rule_name: "Another name".into(), ..ended.clone() };
    assert_eq!(store.upsert(&other, None).unwrap(), Upserted::Conflict);
    assert_eq!(store.get(ended.id, &Areas::Everywhere).unwrap().unwrap().alert, ended, "the first one stays");
    let counts = store.counts(&Areas::Everywhere).unwrap();
    assert_eq!((counts.alerts, counts.open, counts.conflicts), (1, 0, 1));
}

fn an_alert_without_the_event_code_of_a_later_version_is_no_contradiction(home: &Home) {
    let store = home.open();
    let coded = |index, code: Option<EventCode>| Alert { event_code: code, ..alert("gate-1", index, Raised) };
    let code = EventCode::new(6).ok();
    for (index, first, second) in [(0, None, code), (1, code, None)] {
        assert_eq!(store.upsert(&coded(index, first), None).unwrap(), Upserted::Inserted);
        assert_eq!(store.upsert(&coded(index, second), None).unwrap(), Upserted::Unchanged);
        assert_eq!(
            store.get(coded(index, first).id, &Areas::Everywhere).unwrap().unwrap().alert,
            coded(index, first),
            "the first one stays"
        );
    }
    assert_eq!(store.upsert(&coded(1, EventCode::new(7).ok()), None).unwrap(), Upserted::Conflict);
    assert_eq!(store.counts(&Areas::Everywhere).unwrap().conflicts, 1);
}

fn a_number_that_json_cannot_hold_is_refused_whole(home: &Home) {
    let store = home.open();
    let good = alert("gate-1", 0, Raised);
    let mut bad = alert("gate-2", 0, Raised);
    bad.measured.value = f64::NAN;
    let error = store.upsert_all([(&good, None), (&bad, None)]).unwrap_err();
    assert!(matches!(&error, StoreError::Unstorable { alert, .. } if *alert == bad.id), "{error}");
    assert_eq!(store.counts(&Areas::Everywhere).unwrap().alerts, 0, "all or nothing");
}

fn a_verdict_stays_when_the_alert_ends(home: &Home) {
    let store = home.open();
    let raised = alert("gate-1", 0, Raised);
    store.upsert(&raised, None).unwrap();
    store.set_verdict(raised.id, &verdict(Decision::FalseAlarm, 5), &Areas::Everywhere, None).unwrap();
    let changed = store.set_verdict(raised.id, &verdict(Decision::Confirmed, 6), &Areas::Everywhere, None).unwrap();
    assert_eq!(changed.verdict, Some(verdict(Decision::Confirmed, 6)));
    assert_eq!(home.rows("verdict"), 2, "all are kept");
    store.upsert(&alert("gate-1", 0, Ended), None).unwrap();
    let stored = store.get(raised.id, &Areas::Everywhere).unwrap().unwrap();
    assert_eq!(stored.alert.status, AlertStatus::Ended);
    assert_eq!(stored.verdict, Some(verdict(Decision::Confirmed, 6)));
    let unknown = alert("gate-2", 0, Raised).id;
    assert!(matches!(
        store.set_verdict(unknown, &verdict(Decision::Confirmed, 6), &Areas::Everywhere, None),
        Err(StoreError::UnknownAlert(id)) if id == unknown
    ));
}

fn every_filter_lets_through_what_it_names(home: &Home) {
    let store = home.open();
    let one = alert("gate-1", 0, Raised);
    let mut two = alert("gate-2", 100, Ended);
    (two.kind, two.severity) = (RuleKind::named("count"), Severity::Low);
    let mut three = alert("gate-2", 200, Raised);
    three.place = place(Some("44030400100199***********"));
    let mut four = alert("gate-3", 300, Raised);
    four.place = place(None);
    for alert in [&one, &two, &three, &four] {
        store.upsert(alert, None).unwrap();
    }
    store.set_verdict(two.id, &verdict(Decision::Confirmed, 400), &Areas::Everywhere, None).unwrap();
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
        (AlertFilter { kind: Some(RuleKind::named("count")), ..any.clone() }, vec![&two]),
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

fn a_later_revision_moves_an_alert_to_its_units_and_deletion_forgets_them(home: &Home) {
    let store = home.open();
    let raised = alert("gate-1", 0, Raised);
    let mut ended = alert("gate-1", 0, Ended);
    ended.place = place(Some("44030400100199***********"));
    store.upsert_all([(&raised, None), (&ended, None)]).unwrap();
    let of = |unit: &str| ids(&store, &AlertFilter { responsible: unit.parse().ok(), ..AlertFilter::default() });
    assert_eq!((of("police:P01"), of("police:P99")), (vec![], vec![ended.id]));
    store.delete_older_than(at(100)).unwrap();
    assert_eq!(home.rows("responsible"), 0);
}

fn changes_come_in_order_and_once(home: &Home) {
    let store = home.open();
    let (one, two) = (alert("gate-1", 0, Raised), alert("gate-2", 0, Raised));
    store.upsert(&one, None).unwrap();
    let seen = store.last_change().unwrap();
    store.upsert(&two, None).unwrap();
    store.upsert(&two, None).unwrap();
    store.set_verdict(one.id, &verdict(Decision::Confirmed, 5), &Areas::Everywhere, None).unwrap();
    let changes = store.changes_after(seen, seen, 10, &Areas::Everywhere).unwrap();
    assert_eq!(changes.iter().map(|it| it.alert.id).collect::<Vec<_>>(), [two.id, one.id]);
    assert_eq!(changes.last().unwrap().change, store.last_change().unwrap());
    assert!(
        store
            .changes_after(store.last_change().unwrap(), store.last_change().unwrap(), 10, &Areas::Everywhere)
            .unwrap()
            .is_empty()
    );
}

fn retention_deletes_alerts_with_all_that_hangs_on_them(home: &Home) {
    let store = home.open();
    let (old, new) = (alert("gate-1", 0, Ended), alert("gate-1", 1000, Raised));
    store.upsert_all([(&old, None), (&new, None)]).unwrap();
    store.put_snapshot(old.id, b"jpeg").unwrap();
    store.set_verdict(old.id, &verdict(Decision::Confirmed, 5), &Areas::Everywhere, None).unwrap();
    let look = EvidenceLook {
        of: Looked::Alert(old.id),
        at: at(2000),
        who: "operator 7".into(),
        role: String::new(),
        session: String::new(),
        peer: "127.0.0.1".into(),
        reason: "review".into(),
        what: "snapshot, people pixelated".into(),
    };
    store.record_look(&look).unwrap();
    assert_eq!(store.delete_older_than(at(9)).unwrap(), 0, "it ended at that very moment");
    assert_eq!(store.delete_older_than(at(10)).unwrap(), 1);
    assert_eq!(ids(&store, &AlertFilter::default()), [new.id]);
    assert_eq!(store.snapshot(old.id).unwrap(), None);
    let looks = vec![look];
    assert_eq!(store.looks(old.id).unwrap(), looks, "who looked is known for longer than what they saw");
    assert!(matches!(store.put_snapshot(old.id, b"jpeg"), Err(StoreError::UnknownAlert(_))));
    assert_eq!(store.delete_older_than(at(3000)).unwrap(), 1);
    assert_eq!(store.looks(old.id).unwrap(), looks);
}

fn a_snapshot_is_replaced(home: &Home) {
    let store = home.open();
    let alert = alert("gate-1", 0, Raised);
    store.upsert(&alert, None).unwrap();
    assert_eq!(store.snapshot(alert.id).unwrap(), None);
    store.put_snapshot(alert.id, b"one").unwrap();
    store.put_snapshot(alert.id, b"two").unwrap();
    assert_eq!(store.snapshot(alert.id).unwrap().as_deref(), Some(&b"two"[..]));
    assert_eq!(store.counts(&Areas::Everywhere).unwrap().snapshots, 1);
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

/// The latest revision stays, whatever the order and however often alerts come.
fn revisions_in_any_order(cases: u32, home: fn() -> Home) {
    let twice_shuffled = some_alerts().prop_flat_map(|alerts| {
        let twice: Vec<_> = alerts.iter().chain(&alerts).cloned().collect();
        (Just(alerts), Just(twice).prop_shuffle())
    });
    check(cases, &twice_shuffled, |(alerts, shuffled)| {
        let mut latest: BTreeMap<AlertId, Alert> = BTreeMap::new();
        for alert in &alerts {
            let known = latest.entry(alert.id).or_insert_with(|| alert.clone());
            if known.revision < alert.revision {
                *known = alert.clone();
            }
        }
        let home = home();
        let store = home.open();
        for alert in &shuffled {
            store.upsert(alert, None).unwrap();
        }
        let held: BTreeMap<_, _> = store
            .list(&AlertFilter::default(), &Areas::Everywhere)
            .unwrap()
            .alerts
            .into_iter()
            .map(|it| (it.alert.id, it.alert))
            .collect();
        prop_assert_eq!(held, latest);
        prop_assert_eq!(store.counts(&Areas::Everywhere).unwrap().conflicts, 0);
        Ok(())
    });
}

/// Pages join to the whole list.
fn pages_of_any_size(cases: u32, home: fn() -> Home) {
    check(cases, &(some_alerts(), 1..5u32), |(alerts, limit)| {
        let home = home();
        let store = home.open();
        store.upsert_all(alerts.iter().map(|alert| (alert, None))).unwrap();
        let whole = ids(&store, &AlertFilter { limit: 1000, ..AlertFilter::default() });
        let mut joined = Vec::new();
        let mut before = None;
        loop {
            let page =
                store.list(&AlertFilter { limit, before, ..AlertFilter::default() }, &Areas::Everywhere).unwrap();
            prop_assert!(page.alerts.len() <= limit as usize);
            joined.extend(page.alerts.iter().map(|stored| stored.alert.id));
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        prop_assert_eq!(joined, whole);
        Ok(())
    });
}

pub(crate) fn check<S: Strategy>(cases: u32, inputs: &S, holds: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    TestRunner::new(ProptestConfig::with_cases(cases)).run(inputs, holds).unwrap_or_else(|error| panic!("{error}"));
}

fn the_store_knows_how_far_it_has_got_and_what_it_lacks(home: &Home) {
    let store = home.open();
    assert_eq!(store.progress().unwrap(), []);
    let position = |offset| Some(RecordPosition { partition: 3, offset });
    let alerts: Vec<Alert> = (0..6).map(|index| alert("gate-1", index, Raised)).collect();
    store.upsert(&alerts[4], position(40)).unwrap();
    store.upsert(&alerts[3], position(30)).unwrap();
    let known = |next, missing| vec![Progress { partition: 3, next, missing }];
    assert_eq!(store.progress().unwrap(), known(41, None), "what is read again does not set it back");
    store.pass(RecordPosition { partition: 3, offset: 41 }).unwrap();
    assert_eq!(home.open().progress().unwrap(), known(42, None));
    let lacking = Progress { partition: 3, next: 42, missing: Some(10..30) };
    store.set_progress(&lacking).unwrap();
    store.upsert(&alerts[5], position(42)).unwrap();
    assert_eq!(store.progress().unwrap(), known(43, Some(10..30)), "new ones arrive beside it");
    let first = [(alerts[0].clone(), 10), (alerts[4].clone(), 11)];
    assert_eq!(store.refill(3, &first, 15).unwrap(), [Upserted::Inserted, Upserted::Unchanged]);
    assert_eq!(store.progress().unwrap(), known(43, Some(15..30)));
    assert_eq!(store.refill(3, &[(alerts[1].clone(), 29)], 30).unwrap(), [Upserted::Inserted]);
    assert_eq!(store.progress().unwrap(), known(43, None));
    assert_eq!(store.counts(&Areas::Everywhere).unwrap().alerts, 5);
}

fn the_time_of_retention_is_kept(home: &Home) {
    let store = home.open();
    assert_eq!(store.latest_known().unwrap(), None);
    let alert = alert("gate-1", 0, Raised);
    store.upsert(&alert, None).unwrap();
    assert_eq!(store.latest_known().unwrap(), Some(alert.raised));
    store.set_latest_known(at(500)).unwrap();
    store.set_latest_known(at(400)).unwrap();
    assert_eq!(home.open().latest_known().unwrap(), Some(at(400)));
}

fn alerts_without_snapshot_are_found_page_by_page(home: &Home) {
    let store = home.open();
    let alerts: Vec<Alert> = (0..5).map(|index| alert("gate-1", index, Raised)).collect();
    for alert in &alerts {
        store.upsert(alert, None).unwrap();
    }
    store.put_snapshot(alerts[1].id, b"jpeg").unwrap();
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.without_snapshot(alerts[0].raised, after, 2).unwrap();
        let Some(last) = page.last() else { break };
        after = Some(Cursor { at: last.raised, id: last.id });
        found.extend(page.iter().map(|alert| alert.id));
    }
    assert_eq!(found, [0, 2, 3, 4].map(|index| alerts[index].id));
    assert_eq!(store.without_snapshot(alerts[4].raised, None, 9).unwrap().len(), 1);
}

/// Each of these on a file and on a server.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod file {
            use super::Home;
            $(#[test] fn $name() { super::$name(&Home::file()); })*
            #[test]
            fn revisions_in_any_order() { super::revisions_in_any_order(32, Home::file); }
            #[test]
            fn pages_of_any_size() { super::pages_of_any_size(32, Home::file); }
        }
        mod server {
            use super::Home;
            $(#[test] fn $name() { super::$name(&Home::server()); })*
            // Each case is a database of its own.
            #[test]
            fn revisions_in_any_order() { super::revisions_in_any_order(5, Home::server); }
            #[test]
            fn pages_of_any_size() { super::pages_of_any_size(5, Home::server); }
        }
    };
}

on_both! {
    an_alert_reads_back_to_the_last_bit_also_after_reopening,
    a_repeated_alert_lands_once_and_a_contradiction_is_counted,
    an_alert_without_the_event_code_of_a_later_version_is_no_contradiction,
    a_number_that_json_cannot_hold_is_refused_whole,
    a_verdict_stays_when_the_alert_ends,
    every_filter_lets_through_what_it_names,
    a_later_revision_moves_an_alert_to_its_units_and_deletion_forgets_them,
    changes_come_in_order_and_once,
    retention_deletes_alerts_with_all_that_hangs_on_them,
    a_snapshot_is_replaced,
    the_store_knows_how_far_it_has_got_and_what_it_lacks,
    the_time_of_retention_is_kept,
    alerts_without_snapshot_are_found_page_by_page,
}

#[test]
fn a_cursor_prints_and_reads_back() {
    let cursor = Cursor { at: at(-5_000_000_000), id: AlertId(7) };
    assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
    for wrong in ["", "5", "5.x", "x.0f8fad5b-d9cb-569f-a165-70867728950e"] {
        assert!(wrong.parse::<Cursor>().unwrap_err().to_string().contains("not a cursor"));
    }
}
