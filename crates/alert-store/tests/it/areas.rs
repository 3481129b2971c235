//! What callers see who see the alerts of some areas only, against a plain filter of everything.

use std::collections::{BTreeMap, BTreeSet};

use crate::near_misses::{add, miss};
use crate::store::check;
use crate::support::{Home, at, place, seen, verdict};
use proptest::prelude::*;
use vedette_access::{Area, Areas};
use vedette_alert_store::{
    AlertFilter, AlertStore, CameraPlace, HistogramFilter, NearMissFilter, StoreError, VerdictFilter,
};
use vedette_alerts::{Decision, OneEvent, StoredAlert, View};
use vedette_core::{Alert, AlertId, AlertStatus, CameraId, RuleId, Severity, Term};

const CODES: [Option<&str>; 5] = [
    Some("4403040010010100001******"),
    Some("44030400100199***********"),
    Some("4403040020010100001******"),
    Some("4403050010010100001******"),
    None,
];
const AREAS: &str = "address:440304 address:440304001 address:440304002001 address:44030400100199 address:4403040010010100001 \
                     address:440305 group:a group:b";

type Groups = BTreeMap<CameraId, BTreeSet<String>>;

pub(crate) fn only(areas: &[&str]) -> Areas {
    Areas::Only(areas.iter().map(|area| area.parse().unwrap()).collect())
}

fn groups(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn camera(number: u8) -> CameraId {
    format!("gate-{number}").parse().unwrap()
}

fn coded(alert: Alert, code: Option<&str>) -> Alert {
    let address = place(code).address;
    Alert { place: vedette_core::Place { address, ..alert.place.clone() }, ..alert }
}

/// Whether an alert is inside, by definition.
fn is_inside(alert: &Alert, areas: &Areas, groups: &Groups) -> bool {
    let Areas::Only(areas) = areas else { return true };
    areas.iter().any(|area| match area {
        Area::Address(prefix) => {
            alert.place.address.as_ref().is_some_and(|it| it.best.code.as_str().starts_with(prefix.as_str()))
        }
        Area::Group(name) => groups.get(&alert.camera).is_some_and(|groups| groups.contains(name)),
    })
}

/// The events as a caller for areas sees them, newest first: each as its alerts, lead first.
fn events(store: &AlertStore, areas: &Areas, groups: &Groups) -> Vec<Vec<StoredAlert>> {
    let each = AlertFilter { each: true, limit: 1000, ..AlertFilter::default() };
    let mut events: BTreeMap<AlertId, Vec<StoredAlert>> = BTreeMap::new();
    for stored in store.list(&each, &Areas::Everywhere).unwrap().alerts {
        if is_inside(&stored.alert, areas, groups) {
            events.entry(stored.event).or_default().push(StoredAlert { views: Vec::new(), ..stored });
        }
    }
    let mut events: Vec<Vec<StoredAlert>> = events.into_values().collect();
    for event in &mut events {
        event.sort_by_key(|it| (it.alert.raised, it.alert.id.to_string()));
        let lead = event[0].alert.id;
        event.iter_mut().for_each(|it| it.event = lead);
        event[0].views =
            event[1..].iter().map(|it| View { alert: it.alert.clone(), verdict: it.verdict.clone() }).collect();
    }
    events.sort_by_key(|event| std::cmp::Reverse((event[0].alert.raised, event[0].alert.id.to_string())));
    events
}

/// Whether an event (or an alert alone) passes a filter, by definition.
fn passes(filter: &AlertFilter, event: &[StoredAlert]) -> bool {
    let prefix = |alert: &Alert, prefix: &str| {
        alert.place.address.as_ref().is_some_and(|it| it.best.code.as_str().starts_with(prefix))
    };
    let meets = |it: &StoredAlert| {
        filter.camera.as_ref().is_none_or(|camera| *camera == it.alert.camera)
            && filter.severity.is_none_or(|severity| severity == it.alert.severity)
            && filter.code_prefix.as_ref().is_none_or(|wanted| prefix(&it.alert, wanted.as_str()))
    };
    let status = match event.iter().any(|it| it.alert.status == AlertStatus::Open) {
        true => AlertStatus::Open,
        false => AlertStatus::Ended,
    };
    let judged = |decision| event.iter().any(|it| it.verdict.as_ref().is_some_and(|it| it.decision == decision));
    event.iter().any(meets)
        && filter.status.is_none_or(|wanted| wanted == status)
        && filter.from.is_none_or(|from| event[0].alert.raised >= from)
        && filter.until.is_none_or(|until| event[0].alert.raised < until)
        && filter.verdict.is_none_or(|wanted| match wanted {
            VerdictFilter::Unreviewed => event.iter().all(|it| it.verdict.is_none()),
            VerdictFilter::Is(decision) => judged(decision),
        })
}

#[derive(Debug, Clone)]
enum Step {
    Seen { camera: u8, half_second: i64, east: u8, code: usize, low: bool, ended: bool },
    Judged(usize, Decision),
    Grouped(u8, Vec<&'static str>),
    Clip(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let seen = (0..4u8, 0..12i64, 0..4u8, 0..CODES.len(), any::<bool>(), any::<bool>());
    let seen = seen.prop_map(|(camera, half_second, east, code, low, ended)| Step::Seen {
        camera,
        half_second,
        east,
        code,
        low,
        ended,
    });
    let decision = prop::sample::select(vec![Decision::Confirmed, Decision::FalseAlarm]);
    let judged = (any::<usize>(), decision).prop_map(|(which, decision)| Step::Judged(which, decision));
    let grouped = (0..4u8, prop::sample::subsequence(vec!["a", "b", "c"], 0..=3));
    let grouped = grouped.prop_map(|(camera, names)| Step::Grouped(camera, names));
    let clip = any::<usize>().prop_map(Step::Clip);
    prop::collection::vec(prop_oneof![8 => seen, 1 => judged, 2 => grouped, 1 => clip], 0..40)
}

fn run(store: &AlertStore, steps: &[Step], known: &mut Vec<AlertId>, groups_of: &mut Groups) {
    for step in steps {
        match step {
            Step::Seen { camera, half_second, east, code, low, ended } => {
                let mut alert =
                    coded(seen(&format!("gate-{camera}"), half_second * 500, f64::from(*east) * 2.5), CODES[*code]);
                if *low {
                    alert.severity = Severity::Low;
                }
                if *ended {
                    (alert.revision, alert.status) = (2, AlertStatus::Ended);
                    alert.ended = Some(at(half_second / 2 + 2));
                }
                known.push(alert.id);
                store.upsert(&alert, None).unwrap();
            }
            Step::Judged(which, decision) if !known.is_empty() => {
                let id = known[which % known.len()];
                store.set_verdict(id, &verdict(*decision, 5), &Areas::Everywhere, None).unwrap();
            }
            Step::Clip(which) if !known.is_empty() => {
                store.put_clip(known[which % known.len()], b"clip").unwrap();
            }
            Step::Grouped(number, names) => {
                let names = groups(names);
                let differ = store.set_camera_groups(&camera(*number), &names).unwrap();
                let before = groups_of.insert(camera(*number), names.clone()).unwrap_or_default();
                assert_eq!(differ, before != names);
            }
            Step::Judged(..) | Step::Clip(_) => {}
        }
    }
}

fn filters() -> Vec<AlertFilter> {
    let any = AlertFilter { limit: 1000, ..AlertFilter::default() };
    let filters = [
        any.clone(),
        AlertFilter { camera: Some(camera(1)), ..any.clone() },
        AlertFilter { camera: Some(camera(2)), severity: Some(Severity::Low), ..any.clone() },
        AlertFilter { code_prefix: "440304001".parse().ok(), ..any.clone() },
        AlertFilter { status: Some(AlertStatus::Open), ..any.clone() },
        AlertFilter { status: Some(AlertStatus::Ended), from: Some(at(1)), ..any.clone() },
        AlertFilter { until: Some(at(3)), verdict: Some(VerdictFilter::Unreviewed), ..any.clone() },
        AlertFilter { verdict: Some(VerdictFilter::Is(Decision::Confirmed)), ..any },
    ];
    filters.into_iter().flat_map(|filter| [false, true].map(|each| AlertFilter { each, ..filter.clone() })).collect()
}

fn pages(store: &AlertStore, filter: &AlertFilter, areas: &Areas) -> Vec<StoredAlert> {
    let (mut found, mut filter) = (Vec::new(), AlertFilter { limit: 2, ..filter.clone() });
    loop {
        let page = store.list(&filter, areas).unwrap();
        found.extend(page.alerts);
        filter.before = page.next;
        if filter.before.is_none() {
            return found;
        }
    }
}

/// Lists, single alerts, verdicts, counts and changes, for a caller who sees some areas.
fn a_caller_sees_its_areas_and_nothing_tells_of_others(cases: u32, home: fn() -> Home) {
    let areas = prop::sample::subsequence(AREAS.split_whitespace().collect::<Vec<_>>(), 1..=3);
    check(cases, &(steps(), steps(), areas), |(before, after, areas)| {
        let areas = only(&areas);
        let home = home();
        let store = home.open().joining(OneEvent::default()).with_clips();
        let (mut known, mut groups) = (Vec::new(), Groups::new());
        run(&store, &before, &mut known, &mut groups);
        let since = store.last_change().unwrap();
        run(&store, &after, &mut known, &mut groups);

        let events = events(&store, &areas, &groups);
        for filter in filters() {
            let expected: Vec<StoredAlert> = if filter.each {
                let mut each: Vec<StoredAlert> = events.iter().flatten().cloned().collect();
                each.retain(|it| passes(&filter, std::slice::from_ref(it)));
                each.sort_by_key(|it| std::cmp::Reverse((it.alert.raised, it.alert.id.to_string())));
                each
            } else {
                events.iter().filter(|event| passes(&filter, event)).map(|event| event[0].clone()).collect()
            };
            prop_assert_eq!(&store.list(&filter, &areas).unwrap().alerts, &expected, "{:?}", &filter);
            prop_assert_eq!(&pages(&store, &filter, &areas), &expected, "{:?}", &filter);
        }
        let visible: BTreeMap<AlertId, &StoredAlert> = events.iter().flatten().map(|it| (it.alert.id, it)).collect();
        for id in &known {
            let found = store.get(*id, &areas).unwrap();
            prop_assert_eq!(found.as_ref(), visible.get(id).copied());
        }
        let counts = store.counts(&areas).unwrap();
        prop_assert_eq!((counts.alerts, counts.events), (visible.len() as u64, events.len() as u64));
        let open = |event: &&Vec<StoredAlert>| event.iter().any(|it| it.alert.status == AlertStatus::Open);
        prop_assert_eq!(counts.open, events.iter().filter(open).count() as u64);

        let changes = store.changes_after(since, since, 1000, &areas).unwrap();
        let all = store.placed_changes_after(since, 1000).unwrap();
        let told: Vec<StoredAlert> = all.iter().filter_map(|it| it.visible(&areas, since)).collect();
        prop_assert_eq!(&changes, &told);
        let everything: Vec<StoredAlert> = all.into_iter().map(|it| it.stored).collect();
        prop_assert_eq!(everything, store.changes_after(since, since, 1000, &Areas::Everywhere).unwrap());
        for change in &changes {
            let now = visible[&change.alert.id];
            prop_assert_eq!(&StoredAlert { change: now.change, ..change.clone() }, now, "it is as a list shows it");
        }
        let mut one_by_one = Vec::new();
        while let Some(change) = {
            let after = one_by_one.last().map_or(since, |it: &StoredAlert| it.change);
            store.changes_after(after, since, 1, &areas).unwrap().pop()
        } {
            one_by_one.push(change);
        }
        prop_assert_eq!(one_by_one, changes);

        for id in known {
            if !visible.contains_key(&id) {
                let refused = store.set_verdict(id, &verdict(Decision::Confirmed, 9), &areas, None);
                prop_assert!(matches!(refused, Err(StoreError::UnknownAlert(of)) if of == id));
            }
        }
        Ok(())
    });
}

fn a_hidden_alert_that_joins_is_not_told(home: &Home) {
    let store = home.open().joining(OneEvent::default());
    store.set_camera_groups(&camera(2), &groups(&["a"])).unwrap();
    let areas = only(&["group:a"]);
    let mine = seen("gate-2", 1_000, 0.0);
    store.upsert(&mine, None).unwrap();
    let seen_so_far = store.last_change().unwrap();
    let told = |since| store.changes_after(since, since, 9, &areas).unwrap();
    // One that joins it, one that then leads the event, and what happens to them.
    let (view, lead) = (seen("gate-3", 1_400, 0.0), seen("gate-1", 600, 0.0));
    store.upsert(&view, None).unwrap();
    store.upsert(&lead, None).unwrap();
    store.set_verdict(lead.id, &verdict(Decision::Confirmed, 9), &Areas::Everywhere, None).unwrap();
    assert_eq!(store.get(mine.id, &Areas::Everywhere).unwrap().unwrap().event, lead.id);
    assert_eq!(told(seen_so_far), []);
    let stored = store.get(mine.id, &areas).unwrap().unwrap();
    assert_eq!((stored.event, stored.view_of(), stored.views.len(), stored.verdict), (mine.id, None, 0, None));
    let refused = store.set_verdict(lead.id, &verdict(Decision::Confirmed, 9), &areas, None);
    assert!(matches!(refused, Err(StoreError::UnknownAlert(id)) if id == lead.id));
    assert_eq!(store.get(lead.id, &areas).unwrap(), None);
    // Its own changes are told, with the hidden ones as if they were not there.
    let judged = store.set_verdict(mine.id, &verdict(Decision::FalseAlarm, 9), &areas, None).unwrap();
    assert_eq!((judged.event, judged.views.len()), (mine.id, 0));
    let changes = told(seen_so_far);
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].alert.id, changes[0].event, &changes[0].verdict), (mine.id, mine.id, &judged.verdict));
    // A visible one that joins is told, with the entry that it joins.
    store.set_camera_groups(&camera(3), &groups(&["a", "b"])).unwrap();
    let before = store.last_change().unwrap();
    assert_eq!(told(before), []);
    store.set_verdict(view.id, &verdict(Decision::Confirmed, 9), &areas, None).unwrap();
    let changes: Vec<_> = told(before).iter().map(|it| (it.alert.id, it.view_of(), it.views.len())).collect();
    assert_eq!(changes, [(view.id, Some(mine.id), 0), (mine.id, None, 1)]);
}

fn groups_follow_their_cameras(home: &Home) {
    let store = home.open();
    let code = CODES[0].unwrap().parse().ok();
    let places: BTreeMap<CameraId, CameraPlace> = (0..3)
        .map(|number| {
            let names: &[&str] = if number == 0 { &[] } else { &["a", "b"] };
            (camera(number), CameraPlace { groups: groups(names), code: if number == 2 { code } else { None } })
        })
        .collect();
    for number in 0..3 {
        store.upsert(&seen(&format!("gate-{number}"), i64::from(number) * 90_000, 0.0), None).unwrap();
    }
    assert_eq!(store.set_camera_places(&places).unwrap(), 2, "one has neither groups nor an address");
    assert_eq!(home.open().set_camera_places(&places).unwrap(), 0);
    assert_eq!(home.rows("alert_group"), 4);
    let listed = |area: &str| store.list(&AlertFilter::default(), &only(&[area])).unwrap().alerts.len();
    assert_eq!((listed("group:a"), listed("group:b"), listed("group:c")), (2, 2, 0));
    assert!(store.set_camera_groups(&camera(1), &groups(&["b", "c"])).unwrap());
    assert_eq!((listed("group:a"), listed("group:b"), listed("group:c")), (1, 2, 1));
    let fewer: BTreeMap<_, _> = places.into_iter().filter(|(id, _)| *id == camera(2)).collect();
    assert_eq!(store.set_camera_places(&fewer).unwrap(), 0);
    assert_eq!(listed("group:c"), 1, "a camera that is not named keeps its groups");
    store.delete_older_than(at(9_000)).unwrap();
    assert_eq!((home.rows("alert_group"), home.rows("camera_group")), (0, 4));
}

fn a_store_of_before_there_were_areas_is_taken_over(home: &Home) {
    let alert = seen("gate-1", 0, 0.0);
    home.open().upsert(&alert, None).unwrap();
    home.before_areas();
    let store = home.open();
    let changes = store.changes_after(0, 0, 9, &only(&["address:440304"])).unwrap();
    assert_eq!(changes.iter().map(|it| it.alert.id).collect::<Vec<_>>(), [alert.id]);
    store.set_camera_groups(&camera(1), &groups(&["a"])).unwrap();
    assert!(store.get(alert.id, &only(&["group:a"])).unwrap().is_some());
}

fn histogram_of(rule: &RuleId) -> HistogramFilter {
    let (rule, term) = (rule.clone(), Term::DURATION);
    HistogramFilter { rule, term, camera: None, from: None, until: None, bins: 1 }
}

fn near_misses_are_inside_with_their_cameras(home: &Home) {
    let store = home.open();
    let misses: Vec<_> = (0..4).map(|number| miss(&format!("gate-{number}"), i64::from(number), 3.0)).collect();
    add(&store, &misses);
    let place = |names: &[&str], code: Option<&str>| CameraPlace {
        groups: groups(names),
        code: code.map(|code| code.parse().unwrap()),
    };
    let places = [place(&["a"], CODES[3]), place(&[], CODES[0]), place(&["b"], None)];
    store.set_camera_places(&(0..).map(camera).zip(places).collect()).unwrap();
    for (areas, inside) in [
        (&["group:a"][..], &[0][..]),
        (&["address:440304"], &[1]),
        (&["address:4403040010010100001", "group:b"], &[2, 1]),
        (&["address:440304002", "group:c"], &[]),
    ] {
        let areas = only(areas);
        let page = store.list_near_misses(&NearMissFilter::default(), &areas).unwrap();
        let found: Vec<CameraId> = page.near_misses.into_iter().map(|it| it.of.camera).collect();
        assert_eq!(found, inside.iter().map(|number| camera(*number)).collect::<Vec<_>>(), "{areas:?}");
        let filter = histogram_of(&misses[0].miss.rule);
        let counted = store.near_miss_histogram(&filter, &areas).unwrap().thresholds;
        assert_eq!(counted.iter().map(|it| it.near_misses).sum::<u64>(), inside.len() as u64, "{areas:?}");
    }
}

fn alerts_beside_near_misses_are_those_inside(home: &Home) {
    let store = home.open();
    let alerts = [coded(seen("gate-1", 0, 0.0), CODES[0]), coded(seen("gate-2", 90_000, 0.0), CODES[3])];
    store.upsert_all(alerts.iter().map(|alert| (alert, None))).unwrap();
    let filter = histogram_of(&alerts[0].rule);
    let counted = |areas: &Areas| {
        let found = store.near_miss_histogram(&filter, areas).unwrap();
        found.bins.iter().map(|bin| bin.tally.unjudged).sum::<u64>()
            + found.outside.iter().map(|it| it.unjudged).sum::<u64>()
    };
    assert_eq!((counted(&Areas::Everywhere), counted(&only(&["address:440304"]))), (2, 1));
    assert_eq!(counted(&only(&["group:a"])), 0);
}

macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod file {
            use super::Home;
            $(#[test] fn $name() { super::$name(&Home::file()); })*
            #[test]
            fn a_caller_sees_its_areas_and_nothing_tells_of_others() {
                super::a_caller_sees_its_areas_and_nothing_tells_of_others(48, Home::file);
            }
        }
        mod server {
            use super::Home;
            $(#[test] fn $name() { super::$name(&Home::server()); })*
            // Each case is a database of its own.
            #[test]
            fn a_caller_sees_its_areas_and_nothing_tells_of_others() {
                super::a_caller_sees_its_areas_and_nothing_tells_of_others(8, Home::server);
            }
        }
    };
}

on_both! {
    near_misses_are_inside_with_their_cameras,
    alerts_beside_near_misses_are_those_inside,
    a_hidden_alert_that_joins_is_not_told,
    groups_follow_their_cameras,
    a_store_of_before_there_were_areas_is_taken_over,
}
