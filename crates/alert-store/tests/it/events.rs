//! Alerts of one event: joined the same way on a file and on a server, whatever the order they come in.

use std::collections::BTreeMap;

use crate::cluster::Cluster;
use crate::store::check;
use crate::support::{Home, SERVER_BEFORE_ACCESS, at, connect, ids, seen, verdict};
use proptest::prelude::*;
use vedette_access::Areas;
use vedette_alert_store::{AlertFilter, AlertStore, VerdictFilter};
use vedette_alerts::{Decision, OneEvent, leads};
use vedette_core::{Alert, AlertId, AlertStatus, PlaceSource, RuleKind, Timestamp};

fn open(home: &Home) -> AlertStore {
    home.open().joining(OneEvent::default())
}

fn store_of(home: &Home, alerts: &[&Alert]) -> AlertStore {
    let store = open(home);
    for alert in alerts {
        store.upsert(alert, None).unwrap();
    }
    store
}

/// The event of each alert.
fn events(store: &AlertStore) -> BTreeMap<AlertId, AlertId> {
    let each = AlertFilter { each: true, limit: 1000, ..AlertFilter::default() };
    store.list(&each, &Areas::Everywhere).unwrap().alerts.iter().map(|it| (it.alert.id, it.event)).collect()
}

fn expected(alerts: &[Alert]) -> BTreeMap<AlertId, AlertId> {
    leads(alerts, &OneEvent::default()).into_iter().map(|(id, lead)| (id, lead.id)).collect()
}

/// The events of a list, each as its cameras, lead first.
fn listed(store: &AlertStore) -> Vec<Vec<String>> {
    let page = store.list(&AlertFilter::default(), &Areas::Everywhere).unwrap();
    let cameras = |it: &vedette_alerts::StoredAlert| {
        let views = it.views.iter().map(|view| &view.alert);
        std::iter::once(&it.alert).chain(views).map(|alert| alert.camera.to_string()).collect()
    };
    page.alerts.iter().map(cameras).collect()
}

fn ended(alert: &Alert, at: Timestamp) -> Alert {
    Alert { revision: 2, status: AlertStatus::Ended, ended: Some(at), ..alert.clone() }
}

fn two_cameras_give_one_entry_whichever_comes_first(home: &Home) {
    let (first, second) = (seen("gate-1", 10_000, 0.0), seen("gate-2", 10_400, 2.0));
    let store = store_of(home, &[&second]);
    let before = store.last_change().unwrap();
    store.upsert(&first, None).unwrap();
    assert_eq!(listed(&store), [["gate-1", "gate-2"]]);
    let (lead, view) = (
        store.get(first.id, &Areas::Everywhere).unwrap().unwrap(),
        store.get(second.id, &Areas::Everywhere).unwrap().unwrap(),
    );
    assert_eq!((lead.view_of(), lead.views[0].alert.clone()), (None, second.clone()));
    assert_eq!((view.view_of(), view.views.len()), (Some(first.id), 0));
    let changed = store.changes_after(before, before, 10, &Areas::Everywhere).unwrap();
    let changed: Vec<_> = changed.iter().map(|it| (it.alert.id, it.view_of())).collect();
    assert_eq!(
        changed,
        [(first.id, None), (second.id, Some(first.id))],
        "who was the entry is told that it is none now"
    );
    let each = AlertFilter { each: true, ..AlertFilter::default() };
    assert_eq!(ids(&store, &each), [second.id, first.id]);
    let counts = store.counts(&Areas::Everywhere).unwrap();
    assert_eq!((counts.alerts, counts.events, counts.open, counts.unreviewed), (2, 1, 1, 1));
    // Once more, and by a store that was opened anew: nothing changes.
    let last = store.last_change().unwrap();
    assert!(!open(home).upsert(&second, None).unwrap().changed());
    assert_eq!(store.last_change().unwrap(), last);
}

fn two_people_shortly_after_one_another_are_two_events(home: &Home) {
    // The second camera missed nobody and saw the second person first.
    let crossings =
        [seen("gate-1", 0, 0.0), seen("gate-2", 200, 1.0), seen("gate-2", 3_100, 1.0), seen("gate-1", 3_200, 0.0)];
    let store = store_of(home, &[&crossings[2], &crossings[0], &crossings[3], &crossings[1]]);
    assert_eq!(listed(&store), [["gate-2", "gate-1"], ["gate-1", "gate-2"]]);
    assert_eq!(events(&store), expected(&crossings));
}

fn a_person_that_one_camera_missed_takes_no_view_from_the_next(home: &Home) {
    let (first, second, again) = (seen("gate-1", 0, 0.0), seen("gate-2", 3_100, 1.0), seen("gate-1", 3_200, 0.0));
    let store = store_of(home, &[&first, &second]);
    assert_eq!(listed(&store), [["gate-1", "gate-2"]], "nothing speaks against it yet");
    store.upsert(&again, None).unwrap();
    assert_eq!(listed(&store), [vec!["gate-2", "gate-1"], vec!["gate-1"]]);
}

fn what_is_not_measured_or_another_matter_stays_alone(home: &Home) {
    let one = seen("gate-1", 0, 0.0);
    let mut unmeasured = seen("gate-2", 0, 0.0);
    unmeasured.place.source = PlaceSource::CameraPosition;
    let mut health = seen("gate-3", 0, 0.0);
    health.kind = RuleKind::named("covered");
    let other = Alert { kind: RuleKind::named("dwell"), ..seen("gate-4", 0, 0.0) };
    let far = seen("gate-5", 0, 12.0);
    let mut drifting = seen("gate-6", 0, 0.0);
    drifting.quality.clock_drift = true;
    let store = store_of(home, &[&one, &unmeasured, &health, &other, &far, &drifting]);
    assert!(listed(&store).iter().all(|event| event.len() == 1), "{:?}", listed(&store));
    assert_eq!(home.rows("sighting"), 3);
}

fn what_stays_is_joined_while_it_goes_on(home: &Home) {
    let parked = |camera: &str, ms| Alert { kind: RuleKind::named("stopped"), ..seen(camera, ms, 0.0) };
    let (one, late) = (parked("gate-1", 0), parked("gate-2", 600_000));
    let store = store_of(home, &[&one, &late]);
    assert_eq!(listed(&store), [["gate-1", "gate-2"]]);
    // It had driven off long before: what the other camera raised was another one.
    store.upsert(&ended(&one, at(60)), None).unwrap();
    assert_eq!(listed(&store), [["gate-2"], ["gate-1"]]);
    // Somebody who walks does not stay where the alert was.
    let walker = store_of(home, &[&seen("gate-1", 2_000_000, 0.0), &seen("gate-2", 2_030_000, 0.0)]);
    assert_eq!(walker.counts(&Areas::Everywhere).unwrap().events, 4);
}

fn an_event_is_found_by_any_of_its_alerts(home: &Home) {
    let (lead, mut view) = (seen("gate-1", 0, 0.0), seen("gate-2", 1_000, 0.0));
    view.severity = vedette_core::Severity::Low;
    let alone = seen("gate-3", 500_000, 0.0);
    let store = store_of(home, &[&lead, &ended(&view, at(5)), &ended(&alone, at(501))]);
    let any = AlertFilter::default();
    let finds = |filter: &AlertFilter, found: &[&Alert]| {
        assert_eq!(ids(&store, filter), found.iter().map(|it| it.id).collect::<Vec<_>>(), "{filter:?}");
    };
    let low = Some(vedette_core::Severity::Low);
    finds(&any, &[&alone, &lead]);
    finds(&AlertFilter { camera: "gate-2".parse().ok(), ..any.clone() }, &[&lead]);
    finds(&AlertFilter { camera: "gate-2".parse().ok(), severity: low, ..any.clone() }, &[&lead]);
    finds(&AlertFilter { camera: "gate-1".parse().ok(), severity: low, ..any.clone() }, &[]);
    finds(&AlertFilter { camera: "gate-1".parse().ok(), severity: low, each: true, ..any.clone() }, &[]);
    finds(&AlertFilter { status: Some(AlertStatus::Open), ..any.clone() }, &[&lead]);
    finds(&AlertFilter { status: Some(AlertStatus::Ended), ..any.clone() }, &[&alone]);
    finds(&AlertFilter { status: Some(AlertStatus::Ended), each: true, ..any.clone() }, &[&alone, &view]);
    finds(&AlertFilter { from: Some(at(1)), ..any.clone() }, &[&alone]);
    let changes = store.last_change().unwrap();
    store.set_verdict(view.id, &verdict(Decision::Confirmed, 9), &Areas::Everywhere, None).unwrap();
    let told: Vec<AlertId> =
        store.changes_after(changes, changes, 9, &Areas::Everywhere).unwrap().iter().map(|it| it.alert.id).collect();
    assert_eq!(told, [view.id, lead.id], "the entry tells of its views");
    assert_eq!(
        store.get(lead.id, &Areas::Everywhere).unwrap().unwrap().views[0].verdict,
        Some(verdict(Decision::Confirmed, 9))
    );
    finds(&AlertFilter { verdict: Some(VerdictFilter::Unreviewed), ..any.clone() }, &[&alone]);
    let confirmed = AlertFilter { verdict: Some(VerdictFilter::Is(Decision::Confirmed)), ..any };
    finds(&confirmed, &[&lead]);
    finds(&AlertFilter { each: true, ..confirmed }, &[&view]);
    assert_eq!(store.counts(&Areas::Everywhere).unwrap().unreviewed, 1);
}

fn pages_of_events_join_to_the_whole_list(home: &Home) {
    let alerts: Vec<Alert> = (0..6)
        .flat_map(|minute| ["gate-1", "gate-2", "gate-3"].map(|camera| seen(camera, minute * 60_000, 0.0)))
        .collect();
    let store = store_of(home, &alerts.iter().collect::<Vec<_>>());
    let (mut joined, mut before) = (Vec::new(), None);
    loop {
        let page = store.list(&AlertFilter { limit: 2, before, ..AlertFilter::default() }, &Areas::Everywhere).unwrap();
        assert!(page.alerts.iter().all(|event| event.views.len() == 2), "a page has whole events");
        joined.extend(page.alerts.into_iter().map(|event| event.alert.id));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(joined, ids(&store, &AlertFilter::default()));
    assert_eq!(joined.len(), 6);
}

fn an_event_whose_lead_is_deleted_goes_on_under_the_next(home: &Home) {
    let (lead, view, third) = (seen("gate-1", 0, 0.0), seen("gate-2", 1_000, 0.0), seen("gate-3", 1_500, 0.0));
    let store = store_of(home, &[&ended(&lead, at(2)), &ended(&view, at(30)), &ended(&third, at(40))]);
    store.delete_older_than(at(20)).unwrap();
    assert_eq!(listed(&store), [["gate-2", "gate-3"]]);
    store.delete_older_than(at(100)).unwrap();
    assert_eq!((store.counts(&Areas::Everywhere).unwrap().alerts, home.rows("sighting")), (0, 0));
}

fn in_a_crowd_nobody_is_joined(home: &Home) {
    let alerts: Vec<Alert> =
        (0..102_i64).map(|number| seen(&format!("gate-{}", number % 7), number * 300, 0.0)).collect();
    let (few, rest) = alerts.split_at(100);
    let store = open(home);
    store.upsert_all(few.iter().map(|alert| (alert, None))).unwrap();
    assert!(store.counts(&Areas::Everywhere).unwrap().events < 100);
    assert_eq!(events(&store), expected(few));
    store.upsert(&rest[0], None).unwrap();
    assert_eq!(store.counts(&Areas::Everywhere).unwrap().events, 101);
    store.upsert(&rest[1], None).unwrap();
    assert_eq!(store.counts(&Areas::Everywhere).unwrap().events, 102);
    assert_eq!(events(&store), expected(&alerts));
    // Two turn out to be something else: the others are no crowd any more.
    for alert in rest {
        let other = Alert { kind: RuleKind::named("running"), ..ended(alert, at(90)) };
        store.upsert(&other, None).unwrap();
    }
    assert_eq!(events(&store)[&few[1].id], expected(few)[&few[1].id]);
    assert!(store.counts(&Areas::Everywhere).unwrap().events < 102);
}

/// Alerts of a few cameras, moments and places, near enough to one another that it is not clear which belong together. Some
/// come with a second revision, which may say something else about place and time.
fn some_alerts() -> impl Strategy<Value = Vec<Alert>> {
    let kinds = prop::sample::select(vec![
        RuleKind::named("presence"),
        RuleKind::named("line_crossing"),
        RuleKind::named("stopped"),
    ]);
    let one = (0..4u8, 0..24i64, 0..8u8, kinds, 1..=2u32, any::<bool>(), 0..3u8);
    let one = one.prop_map(|(camera, half_second, place, kind, revision, other_rule, unlike)| {
        let mut alert = seen(&format!("gate-{camera}"), half_second * 500, f64::from(place) * 2.5);
        alert.kind = kind;
        if other_rule {
            alert.rule = "other".parse().unwrap();
        }
        if revision == 2 {
            let moved = seen("gate-0", half_second * 500, f64::from(place) * 2.5 + 6.0 * f64::from(unlike / 2));
            alert = ended(&Alert { place: moved.place, ..alert }, at(half_second / 2 + i64::from(unlike) * 3));
        }
        alert
    });
    prop::collection::vec(one, 0..40)
}

/// The events are those of the last revisions, whatever the order and however often alerts come.
fn any_order_gives_the_same_events(cases: u32, home: fn() -> Home) {
    let twice_shuffled = some_alerts().prop_flat_map(|alerts| {
        let mut last: BTreeMap<(AlertId, u32), Alert> = BTreeMap::new();
        for alert in alerts {
            last.entry((alert.id, alert.revision)).or_insert(alert);
        }
        let alerts: Vec<Alert> = last.into_values().collect();
        let twice: Vec<Alert> = alerts.iter().chain(&alerts).cloned().collect();
        (Just(alerts), Just(twice).prop_shuffle())
    });
    check(cases, &twice_shuffled, |(alerts, shuffled)| {
        let last: BTreeMap<AlertId, Alert> = alerts.into_iter().map(|alert| (alert.id, alert)).collect();
        let last: Vec<Alert> = last.into_values().collect();
        let home = home();
        let store = store_of(&home, &shuffled.iter().collect::<Vec<_>>());
        prop_assert_eq!(events(&store), expected(&last));
        prop_assert_eq!(store.counts(&Areas::Everywhere).unwrap().events as usize, listed(&store).len());
        Ok(())
    });
}

macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod file {
            use super::Home;
            $(#[test] fn $name() { super::$name(&Home::file()); })*
            #[test]
            fn any_order_gives_the_same_events() { super::any_order_gives_the_same_events(96, Home::file); }
        }
        mod server {
            use super::Home;
            $(#[test] fn $name() { super::$name(&Home::server()); })*
            // Each case is a database of its own.
            #[test]
            fn any_order_gives_the_same_events() { super::any_order_gives_the_same_events(8, Home::server); }
        }
    };
}

on_both! {
    two_cameras_give_one_entry_whichever_comes_first,
    two_people_shortly_after_one_another_are_two_events,
    a_person_that_one_camera_missed_takes_no_view_from_the_next,
    what_is_not_measured_or_another_matter_stays_alone,
    what_stays_is_joined_while_it_goes_on,
    an_event_is_found_by_any_of_its_alerts,
    pages_of_events_join_to_the_whole_list,
    an_event_whose_lead_is_deleted_goes_on_under_the_next,
    in_a_crowd_nobody_is_joined,
}

#[test]
fn tables_of_before_there_were_events_are_taken_over() {
    let cluster = Cluster::shared();
    let address = cluster.database();
    let old = seen("gate-1", 0, 0.0);
    connect(&address).upsert(&old, None).unwrap();
    cluster.sql(address.rsplit('/').next().unwrap(), &format!("SET search_path TO vedette; {SERVER_BEFORE_ACCESS}"));
    let as_before = "SET search_path TO vedette; DROP INDEX alert_by_camera; ALTER TABLE alert DROP COLUMN event, \
        DROP COLUMN event_us; CREATE INDEX alert_by_camera ON alert (camera, raised_us); DROP TABLE sighting; DROP TABLE progress; DROP TABLE clip; DROP TABLE camera_look; DROP TABLE near_miss; DROP TABLE near_miss_count; \
        DROP TABLE near_miss_progress; DELETE FROM counter WHERE name = 'near_misses'; \
        UPDATE store_version SET version = 1";
    cluster.sql(address.rsplit('/').next().unwrap(), as_before);
    let store = connect(&address).joining(OneEvent::default());
    assert_eq!(store.get(old.id, &Areas::Everywhere).unwrap().unwrap().event, old.id);
    let new = seen("gate-2", 100, 0.0);
    store.upsert(&new, None).unwrap();
    assert_eq!(store.counts(&Areas::Everywhere).unwrap().events, 2, "what was there before is an event of its own");
    // Until it comes again: it ends.
    store.upsert(&ended(&old, at(3)), None).unwrap();
    assert_eq!(listed(&store), [["gate-1", "gate-2"]]);
}
