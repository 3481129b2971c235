//! Clips of alerts, or why there is none, on a real file and on a real server.

use crate::support::{Home, alert, at, seen};
use vedette_access::Areas;
use vedette_alert_store::{AlertStore, Cursor, EvidenceLook, Looked, StoreError};
use vedette_alerts::{ClipState, NoClip, OneEvent};
use vedette_core::{Alert, AlertId, EpisodePhase::Raised, Timestamp};

fn state(store: &AlertStore, id: AlertId) -> ClipState {
    store.get(id, &Areas::Everywhere).unwrap().unwrap().clip
}

fn a_clip_is_pending_until_there_is_one_or_a_reason(home: &Home) {
    let store = home.open().with_clips();
    let [one, other] = [0, 1].map(|index| alert("gate-1", index, Raised));
    store.upsert_all([(&one, None), (&other, None)]).unwrap();
    assert_eq!(state(&store, one.id), ClipState::Pending);
    assert_eq!(state(&home.open(), one.id), ClipState::None(NoClip::Off), "without clips none is pending");
    let before = store.last_change().unwrap();
    store.put_no_clip(one.id, NoClip::Undecodable).unwrap();
    assert_eq!(state(&store, one.id), ClipState::None(NoClip::Undecodable));
    store.put_clip(one.id, b"first").unwrap();
    store.put_clip(one.id, b"second").unwrap();
    assert_eq!(state(&store, one.id), ClipState::Made);
    assert_eq!(store.clip(one.id).unwrap().as_deref(), Some(&b"second"[..]));
    assert_eq!((store.clip(other.id).unwrap(), store.counts(&Areas::Everywhere).unwrap().clips), (None, 1));
    let changes = store.changes_after(before, before, 10, &Areas::Everywhere).unwrap();
    assert_eq!(changes.iter().map(|it| (it.alert.id, it.clip)).collect::<Vec<_>>(), [(one.id, ClipState::Made)]);
    // A later revision keeps it.
    store.upsert(&alert("gate-1", 0, vedette_core::EpisodePhase::Ended), None).unwrap();
    assert_eq!(state(&store, one.id), ClipState::Made);
    store.put_no_clip(one.id, NoClip::TooLarge).unwrap();
    assert_eq!((store.clip(one.id).unwrap(), store.counts(&Areas::Everywhere).unwrap().clips), (None, 0));
    let unknown = alert("gate-2", 0, Raised).id;
    assert!(matches!(store.put_clip(unknown, b"clip"), Err(StoreError::UnknownAlert(_))));
    assert!(matches!(store.put_no_clip(unknown, NoClip::Failed), Err(StoreError::UnknownAlert(_))));
}

fn a_clip_is_deleted_with_its_alert(home: &Home) {
    let store = home.open();
    let alert = alert("gate-1", 0, Raised);
    store.upsert(&alert, None).unwrap();
    store.put_clip(alert.id, b"clip").unwrap();
    assert_eq!(store.delete_older_than(at(3_000)).unwrap(), 1);
    assert_eq!((store.clip(alert.id).unwrap(), home.rows("clip")), (None, 0));
}

fn the_clip_of_a_view_changes_the_event(home: &Home) {
    let store = home.open().joining(OneEvent::default()).with_clips();
    let (lead, view) = (seen("gate-1", 0, 0.0), seen("gate-2", 100, 0.0));
    store.upsert_all([(&lead, None), (&view, None)]).unwrap();
    let before = store.last_change().unwrap();
    store.put_clip(view.id, b"clip").unwrap();
    let changed: Vec<_> = store
        .changes_after(before, before, 10, &Areas::Everywhere)
        .unwrap()
        .iter()
        .map(|it| (it.alert.id, it.clip))
        .collect();
    assert_eq!(changed, [(view.id, ClipState::Made), (lead.id, ClipState::Pending)]);
}

fn alerts_without_clip_are_found_page_by_page_and_given_up(home: &Home) {
    let store = home.open().with_clips();
    let alerts: Vec<Alert> = (0..6).map(|index| alert("gate-1", index, Raised)).collect();
    for alert in &alerts {
        store.upsert(alert, None).unwrap();
    }
    store.put_clip(alerts[1].id, b"clip").unwrap();
    store.put_no_clip(alerts[3].id, NoClip::NoVideo).unwrap();
    let (from, until) = (Timestamp::default(), alerts[5].raised);
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.without_clip(from, until, after, 2).unwrap();
        let Some(last) = page.last() else { break };
        after = Some(Cursor { at: last.raised, id: last.id });
        found.extend(page.iter().map(|alert| alert.id));
    }
    assert_eq!(found, [0, 2, 4].map(|index| alerts[index].id));
    assert_eq!(store.without_clip(alerts[4].raised, until, None, 9).unwrap().len(), 1);
    let before = store.last_change().unwrap();
    assert_eq!(store.give_up_clips(alerts[4].raised, NoClip::Expired).unwrap(), 2);
    assert_eq!(state(&store, alerts[2].id), ClipState::None(NoClip::Expired));
    assert_eq!(state(&store, alerts[3].id), ClipState::None(NoClip::NoVideo), "the first reason stays");
    assert_eq!(state(&store, alerts[4].id), ClipState::Pending);
    assert_eq!(store.last_change().unwrap(), before);
}

fn looks_at_a_camera_are_kept_apart_from_those_at_alerts(home: &Home) {
    let store = home.open();
    let look = |of: &str, second| EvidenceLook {
        of: Looked::Camera(of.parse().unwrap()),
        at: at(second),
        who: "operator 7".into(),
        role: String::new(),
        session: String::new(),
        peer: "127.0.0.1".into(),
        reason: "zones".into(),
        what: "glance, people pixelated".into(),
    };
    let looks = [look("gate-1", 1), look("gate-2", 2), look("gate-1", 3)];
    for look in &looks {
        store.record_look(look).unwrap();
    }
    let page = store.looks_before(&looks[0].of, None, 1).unwrap();
    assert_eq!(page.looks, [looks[2].clone()]);
    let rest = store.looks_before(&looks[0].of, page.next, 9).unwrap();
    assert_eq!((rest.looks, rest.next), (vec![looks[0].clone()], None));
    store.delete_older_than(at(9)).unwrap();
    assert_eq!(home.rows("audit"), 3, "who looked stays known");
}

on_both! {
    a_clip_is_pending_until_there_is_one_or_a_reason,
    a_clip_is_deleted_with_its_alert,
    the_clip_of_a_view_changes_the_event,
    alerts_without_clip_are_found_page_by_page_and_given_up,
    looks_at_a_camera_are_kept_apart_from_those_at_alerts,
}
