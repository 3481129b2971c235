//! Near-misses, on a real file and on a real server.

use std::collections::{BTreeMap, BTreeSet};

use vedette_access::Areas;
use vedette_alert_store::{
    AlertStore, Cursor, HistogramFilter, NearMissFilter, NearMissLimits, NearMissesStored, StoreError, Tally,
};
use vedette_alerts::{Decision, NearMissId, alert_id};
use vedette_core::EpisodePhase::Raised;
use vedette_core::{
    Alert, CameraNearMiss, FrameAt, FrameSize, NearMiss, NearestFrame, PixelBox, PixelPoint, RuleId, RuleKind, Term,
    Timestamp, TrackId, VideoRef,
};

use crate::support::{Home, alert, at, connect, verdict};

const LIMITS: NearMissLimits = NearMissLimits { per_camera: 100_000, in_all: 1_000_000 };
const ALL: Timestamp = Timestamp::from_micros(i64::MIN);

/// A stay of `value` seconds of 8 that ended at `second`.
pub(crate) fn miss(camera: &str, second: i64, value: f64) -> CameraNearMiss {
    let frame = FrameSize { width: 1280, height: 720 };
    CameraNearMiss {
        camera: camera.parse().unwrap(),
        frame,
        miss: NearMiss {
            rule: RuleId::new("loiter").unwrap(),
            kind: RuleKind::named("dwell"),
            policy_version: 3,
            subject: Some(TrackId(7)),
            started: at(second - 4),
            ended: at(second),
            place: PixelPoint::new(120.3, 320.1),
            term: Term::DURATION,
            value,
            threshold: 8.0,
            nearest: Some(NearestFrame {
                at: FrameAt { epoch: 1, sequence: second.unsigned_abs(), captured: at(second) },
                frame,
                video: Some(VideoRef { partition: 1, offset: 40, sequence: 25 }),
                bbox: PixelBox::new(100.1, 200.2, 40.3, 120.4),
            }),
        },
    }
}

pub(crate) fn add(store: &AlertStore, near_misses: &[CameraNearMiss]) -> NearMissesStored {
    store.add_near_misses(near_misses, &BTreeMap::new(), LIMITS, ALL).unwrap()
}

/// All that pass, page by page.
fn listed(store: &AlertStore, filter: &NearMissFilter) -> Vec<CameraNearMiss> {
    let (mut found, mut filter) = (Vec::new(), filter.clone());
    loop {
        let page = store.list_near_misses(&filter, &Areas::Everywhere).unwrap();
        found.extend(page.near_misses.into_iter().map(|stored| stored.of));
        match page.next {
            Some(next) => filter.before = Some(next),
            None => return found,
        }
    }
}

fn seconds(found: &[CameraNearMiss]) -> Vec<i64> {
    found.iter().map(|it| it.miss.ended.since(at(0)).as_micros() / 1_000_000).collect()
}

fn a_near_miss_is_there_once_to_the_last_bit_however_often_it_comes(home: &Home) {
    let store = home.open();
    let mut old = miss("gate-1", 5, 0.1 + 0.2);
    old.miss.nearest = None;
    old.miss.subject = None;
    let all = [miss("gate-1", 9, 3.0), old, miss("gate-2", 1, 4.4)];
    let stored = add(&store, &all);
    assert_eq!((stored.inserted, stored.repeated), (3, 0));
    let stored = add(&store, &[all[2].clone(), miss("gate-2", 2, 1.0), all[0].clone()]);
    assert_eq!((stored.inserted, stored.repeated), (1, 2));
    drop(store);
    let store = home.open();
    let expected = vec![all[0].clone(), all[1].clone(), miss("gate-2", 2, 1.0), all[2].clone()];
    assert_eq!(listed(&store, &NearMissFilter::default()), expected);
}

fn every_filter_lets_through_what_it_names(home: &Home) {
    let store = home.open();
    let mut all: Vec<CameraNearMiss> = (0..6).map(|second| miss("gate-1", second, 3.0)).collect();
    all[1].camera = "gate-2".parse().unwrap();
    all[2].miss.rule = RuleId::new("other").unwrap();
    all[3].miss.kind = RuleKind::named("presence");
    all[4].miss.term = Term::SCORE;
    add(&store, &all);
    let of = |change: fn(&mut NearMissFilter)| {
        let mut filter = NearMissFilter::default();
        change(&mut filter);
        seconds(&listed(&store, &filter))
    };
    assert_eq!(of(|_| {}), [5, 4, 3, 2, 1, 0]);
    assert_eq!(of(|filter| filter.camera = "gate-2".parse().ok()), [1]);
    assert_eq!(of(|filter| filter.rule = RuleId::new("other").ok()), [2]);
    assert_eq!(of(|filter| filter.kind = Some(RuleKind::named("presence"))), [3]);
    assert_eq!(of(|filter| filter.term = Some(Term::SCORE)), [4]);
    assert_eq!(of(|filter| filter.from = Some(at(4))), [5, 4]);
    assert_eq!(of(|filter| filter.until = Some(at(2))), [1, 0]);
    assert_eq!(of(|filter| (filter.from, filter.until) = (Some(at(2)), Some(at(4)))), [3, 2]);
    assert_eq!(of(|filter| filter.limit = 1), [5, 4, 3, 2, 1, 0]);
}

fn ten_thousand_of_a_camera_are_read_in_pages(home: &Home) {
    let store = home.open();
    // Ten at each instant, told apart by their object.
    let all: Vec<CameraNearMiss> = (0..10_000_u64)
        .map(|number| {
            let mut one = miss("gate-1", i64::try_from(number / 10).unwrap(), 3.0);
            one.miss.subject = Some(TrackId(number));
            one
        })
        .collect();
    for part in all.chunks(500) {
        add(&store, part);
    }
    add(&store, &[miss("gate-2", 500, 1.0)]);
    let filter = NearMissFilter { camera: "gate-1".parse().ok(), limit: 999, ..NearMissFilter::default() };
    let found = listed(&store, &filter);
    let tracks: BTreeSet<u64> = found.iter().map(|it| it.miss.subject.unwrap().0).collect();
    assert_eq!((found.len(), tracks.len()), (10_000, 10_000));
    assert!(found.windows(2).all(|pair| pair[0].miss.ended >= pair[1].miss.ended));
    assert_eq!(store.list_near_misses(&NearMissFilter::default(), &Areas::Everywhere).unwrap().near_misses.len(), 100);
    let most = NearMissFilter { limit: 100_000, ..NearMissFilter::default() };
    assert_eq!(store.list_near_misses(&most, &Areas::Everywhere).unwrap().near_misses.len(), 1000);
}

fn the_oldest_of_a_camera_and_of_all_make_room(home: &Home) {
    let store = home.open();
    let limits = NearMissLimits { per_camera: 3, in_all: 5 };
    let add = |near_misses: &[CameraNearMiss]| {
        store.add_near_misses(near_misses, &BTreeMap::new(), limits, ALL).unwrap().displaced
    };
    let of = |camera: &str| {
        seconds(&listed(&store, &NearMissFilter { camera: camera.parse().ok(), ..NearMissFilter::default() }))
    };
    let five: Vec<CameraNearMiss> = (0..5).map(|second| miss("gate-1", second, 1.0)).collect();
    assert_eq!(add(&five), [2, 0]);
    assert_eq!(of("gate-1"), [4, 3, 2]);
    // One that is older than all of its camera makes room itself.
    assert_eq!(add(&[miss("gate-1", 1, 1.0)]), [1, 0]);
    assert_eq!(of("gate-1"), [4, 3, 2]);
    assert_eq!(add(&[miss("gate-2", 10, 1.0), miss("gate-2", 11, 1.0)]), [0, 0]);
    assert_eq!(add(&[miss("gate-3", 12, 1.0)]), [0, 1]);
    assert_eq!((of("gate-1"), of("gate-2"), of("gate-3")), (vec![4, 3], vec![11, 10], vec![12]));
    // What made room counts no longer: the camera has room for one more.
    assert_eq!(add(&[miss("gate-1", 13, 1.0)]), [0, 1]);
    assert_eq!(of("gate-1"), [13, 4]);
    assert_eq!(home.rows("near_miss"), 5);
    // Nor does what expired.
    store.delete_near_misses_before(at(11)).unwrap();
    assert_eq!(add(&[miss("gate-1", 14, 1.0), miss("gate-1", 15, 1.0)]), [0, 0]);
    assert_eq!(of("gate-1"), [15, 14, 13]);
}

fn what_has_expired_is_deleted_and_does_not_come_back(home: &Home) {
    let store = home.open();
    let all: Vec<CameraNearMiss> = (0..4).map(|second| miss("gate-1", second, 1.0)).collect();
    add(&store, &all);
    assert_eq!(store.delete_near_misses_before(at(2)).unwrap(), 2);
    assert_eq!(store.delete_near_misses_before(at(2)).unwrap(), 0);
    let stored = store.add_near_misses(&all, &BTreeMap::new(), LIMITS, at(2)).unwrap();
    assert_eq!((stored.expired, stored.repeated, stored.inserted), (2, 2, 0));
    assert_eq!(seconds(&listed(&store, &NearMissFilter::default())), [3, 2]);
}

fn the_store_knows_how_far_it_has_got_on_their_topic(home: &Home) {
    let store = home.open();
    assert_eq!(store.near_miss_positions().unwrap(), BTreeMap::new());
    let next = |partition, offset| BTreeMap::from([(partition, offset)]);
    store.add_near_misses(&[miss("gate-1", 1, 1.0)], &next(3, 17), LIMITS, ALL).unwrap();
    store.add_near_misses(&[], &next(0, 1), LIMITS, ALL).unwrap();
    // The topic begins anew.
    store.add_near_misses(&[], &next(3, 2), LIMITS, ALL).unwrap();
    assert_eq!(home.open().near_miss_positions().unwrap(), BTreeMap::from([(0, 1), (3, 2)]));
    // A refused one leaves the position where it was, and none of its batch.
    let mut endless = miss("gate-1", 3, 1.0);
    endless.miss.value = f64::INFINITY;
    let refused = store.add_near_misses(&[miss("gate-1", 2, 1.0), endless], &next(3, 9), LIMITS, ALL).unwrap_err();
    assert!(matches!(refused, StoreError::UnstorableNearMiss { .. }) && refused.is_about_the_content(), "{refused}");
    assert!(refused.to_string().contains("gate-1"), "{refused}");
    assert_eq!(store.near_miss_positions().unwrap(), BTreeMap::from([(0, 1), (3, 2)]));
    assert_eq!(seconds(&listed(&store, &NearMissFilter::default())), [1]);
}

/// An alert of the rule `loiter` that measured `value` of `quantity`.
fn raised(rule: &str, second: i64, quantity: &str, value: f64) -> Alert {
    let mut alert = alert("gate-1", second, Raised);
    alert.rule = RuleId::new(rule).unwrap();
    alert.measured.quantity = quantity.parse().unwrap();
    (alert.measured.value, alert.measured.threshold) = (value, 8.0);
    alert.id = alert_id(&alert.camera, &alert.rule, alert.started, None);
    alert
}

fn near_misses_are_counted_by_value_beside_the_alerts_of_their_rule(home: &Home) {
    let store = home.open();
    let mut all: Vec<CameraNearMiss> =
        [4.0, 4.5, 6.0, 7.9, 7.95].iter().enumerate().map(|(at, value)| miss("gate-1", at as i64, *value)).collect();
    all.push(CameraNearMiss { camera: "gate-2".parse().unwrap(), ..miss("gate-1", 9, 7.0) });
    // Another rule, and another term.
    all.push(miss("gate-1", 10, 4.0));
    all[6].miss.rule = RuleId::new("other").unwrap();
    all.push(miss("gate-1", 11, 0.4));
    all[7].miss.term = Term::SCORE;
    add(&store, &all);
    let alerts = [
        raised("loiter", 1, "duration_seconds", 8.0),
        raised("loiter", 2, "duration_seconds", 8.4),
        raised("loiter", 3, "duration_seconds", 8.4),
        raised("loiter", 4, "duration_seconds", 500.0),
        raised("loiter", 5, "objects", 3.0),
        raised("other", 6, "duration_seconds", 8.0),
        // As a pattern, `_` would stand for any character.
        raised("loite_", 7, "duration_seconds", 8.0),
    ];
    for alert in &alerts {
        store.upsert(alert, None).unwrap();
    }
    store.set_verdict(alerts[0].id, &verdict(Decision::Confirmed, 20), &Areas::Everywhere, None).unwrap();
    store.set_verdict(alerts[1].id, &verdict(Decision::FalseAlarm, 20), &Areas::Everywhere, None).unwrap();
    let asked = HistogramFilter {
        rule: RuleId::new("loiter").unwrap(),
        term: Term::DURATION,
        camera: None,
        from: None,
        until: None,
        bins: 8,
    };
    let found = store.near_miss_histogram(&asked, &Areas::Everywhere).unwrap();
    assert_eq!(found.thresholds.iter().map(|of| (of.threshold, of.near_misses)).collect::<Vec<_>>(), [(8.0, 6)]);
    assert!(found.is_complete && found.bins.len() == 8);
    // From the nearest value at 4 as far beyond the threshold at 8.
    assert_eq!((found.bins[0].from, found.bins[0].until, found.bins[7].until), (4.0, 5.0, 12.0));
    let counts = |bin: usize| {
        let Tally { near_misses, confirmed, false_alarms, unjudged } = found.bins[bin].tally;
        [near_misses, confirmed, false_alarms, unjudged]
    };
    assert_eq!(
        [0, 1, 2, 3, 4, 5].map(counts),
        [[2, 0, 0, 0], [0; 4], [1, 0, 0, 0], [3, 0, 0, 0], [0, 1, 1, 1], [0; 4]]
    );
    assert_eq!(found.outside[0], Tally::default());
    assert_eq!(found.outside[1], Tally { unjudged: 1, ..Tally::default() });
    assert_eq!(found.other_alerts, 1);

    let of_camera = HistogramFilter { camera: "gate-2".parse().ok(), ..asked.clone() };
    let found = store.near_miss_histogram(&of_camera, &Areas::Everywhere).unwrap();
    assert_eq!(found.bins.iter().map(|bin| bin.tally.near_misses + bin.tally.unjudged).sum::<u64>(), 1);
    let later = HistogramFilter { from: Some(at(3)), until: Some(at(5)), ..asked.clone() };
    let found = store.near_miss_histogram(&later, &Areas::Everywhere).unwrap();
    let tallies = || found.bins.iter().map(|bin| &bin.tally).chain(&found.outside);
    let sum = |of: fn(&Tally) -> u64| tallies().map(of).sum::<u64>();
    // Alerts are raised a second after they began.
    assert_eq!((sum(|it| it.near_misses), sum(|it| it.unjudged), sum(|it| it.false_alarms)), (2, 1, 1));
    let of_score = HistogramFilter { term: Term::SCORE, ..asked.clone() };
    let found = store.near_miss_histogram(&of_score, &Areas::Everywhere).unwrap();
    assert_eq!(found.bins.iter().map(|bin| bin.tally).filter(|it| *it != Tally::default()).count(), 1);
    let nothing = HistogramFilter { rule: RuleId::new("nothing").unwrap(), ..asked.clone() };
    assert!(store.near_miss_histogram(&nothing, &Areas::Everywhere).unwrap().bins.is_empty());
    // One that nothing was near: its alerts alone.
    let alone = HistogramFilter { rule: RuleId::new("loite_").unwrap(), bins: 1, ..asked };
    let found = store.near_miss_histogram(&alone, &Areas::Everywhere).unwrap();
    assert_eq!((found.bins.len(), found.bins[0].tally.unjudged, found.other_alerts), (1, 1, 0));
}

fn a_store_of_before_there_were_near_misses_is_taken_over(home: &Home) {
    let old = alert("gate-1", 0, Raised);
    home.open().upsert(&old, None).unwrap();
    home.before_access();
    let undo = "DROP TABLE near_miss; DROP TABLE near_miss_count; DROP TABLE near_miss_progress;
                DELETE FROM counter WHERE name = 'near_misses';";
    match home {
        Home::File(folder) => rusqlite::Connection::open(folder.path().join("alerts.sqlite"))
            .unwrap()
            .execute_batch(&format!("{undo} PRAGMA user_version = 5;"))
            .unwrap(),
        Home::Server(address) => {
            let undo = format!("SET search_path TO vedette; {undo} UPDATE store_version SET version = 4;");
            postgres::Client::connect(address, postgres::NoTls).unwrap().batch_execute(&undo).unwrap();
        }
    }
    let store = home.open();
    assert!(store.get(old.id, &Areas::Everywhere).unwrap().is_some());
    assert_eq!(store.near_miss_positions().unwrap(), BTreeMap::new());
    assert_eq!(add(&store, &[miss("gate-1", 1, 1.0)]).inserted, 1);
    drop(store);
    assert_eq!(seconds(&listed(&home.open(), &NearMissFilter::default())), [1]);
}

fn an_unreadable_near_miss_hides_no_other(home: &Home) {
    let store = home.open();
    add(&store, &(0..4).map(|second| miss("gate-1", second, 1.0)).collect::<Vec<_>>());
    let damage = format!("UPDATE near_miss SET payload = '{{' WHERE at_us = {}", at(2).as_micros());
    match home {
        Home::File(folder) => {
            rusqlite::Connection::open(folder.path().join("alerts.sqlite")).unwrap().execute_batch(&damage).unwrap();
        }
        Home::Server(address) => {
            let damage = format!("SET search_path TO vedette; {damage}");
            postgres::Client::connect(address, postgres::NoTls).unwrap().batch_execute(&damage).unwrap();
        }
    }
    for limit in [0, 1] {
        let filter = NearMissFilter { limit, ..NearMissFilter::default() };
        assert_eq!(seconds(&listed(&store, &filter)), [3, 1, 0], "pages of {limit}");
    }
    let (count, id) = store.unreadable().unwrap();
    assert!(count == 1 && id.starts_with("near-miss "), "{count} {id}");
}

#[test]
fn a_cursor_of_near_misses_prints_and_reads_back() {
    let id: NearMissId = "0f8fad5b-d9cb-569f-a165-70867728950e".parse().unwrap();
    let cursor = Cursor { at: at(-7), id };
    assert_eq!(cursor.to_string().parse::<Cursor<NearMissId>>().unwrap(), cursor);
    assert!("5.x".parse::<Cursor<NearMissId>>().unwrap_err().to_string().contains("not a cursor"));
}

#[test]
fn two_writers_of_the_same_near_misses_leave_each_once_and_count_right() {
    let Home::Server(address) = Home::server() else { unreachable!("it is one") };
    let all: Vec<CameraNearMiss> = (0..60).map(|second| miss("gate-1", second, 1.0)).collect();
    let limits = NearMissLimits { per_camera: 40, in_all: 1_000 };
    std::thread::scope(|scope| {
        for reverse in [false, true] {
            let mut parts: Vec<&[CameraNearMiss]> = all.chunks(7).collect();
            if reverse {
                parts.reverse();
            }
            let address = &address;
            scope.spawn(move || {
                let store = connect(address);
                for part in parts {
                    store.add_near_misses(part, &BTreeMap::new(), limits, ALL).unwrap();
                }
            });
        }
    });
    let found = listed(&connect(&address), &NearMissFilter::default());
    assert_eq!(seconds(&found), (20..60).rev().collect::<Vec<_>>());
}

on_both! {
    a_near_miss_is_there_once_to_the_last_bit_however_often_it_comes,
    every_filter_lets_through_what_it_names,
    ten_thousand_of_a_camera_are_read_in_pages,
    the_oldest_of_a_camera_and_of_all_make_room,
    what_has_expired_is_deleted_and_does_not_come_back,
    the_store_knows_how_far_it_has_got_on_their_topic,
    near_misses_are_counted_by_value_beside_the_alerts_of_their_rule,
    a_store_of_before_there_were_near_misses_is_taken_over,
    an_unreadable_near_miss_hides_no_other,
}
