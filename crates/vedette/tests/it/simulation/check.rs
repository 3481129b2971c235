//! What a run comes to, and how two runs differ.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use vedette_alerts::{OneEvent, leads};
use vedette_bus::simulated::Traced;
use vedette_core::{Alert, AlertId, CameraId, FrameCounts};
use vedette_wire::decode_alert;

/// What a run comes to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome {
    /// Every alert on the bus, by id and revision, with its different payloads.
    pub(crate) alerts: BTreeMap<(AlertId, u32), BTreeSet<Bytes>>,
    /// The alerts of the store, as payload.
    pub(crate) stored: BTreeMap<AlertId, Vec<Bytes>>,
    /// The alert that leads the event of each alert of the store.
    pub(crate) events: BTreeMap<AlertId, AlertId>,
    pub(crate) counts: BTreeMap<CameraId, FrameCounts>,
    /// Final states, as bytes.
    pub(crate) states: BTreeMap<CameraId, Bytes>,
    /// Where the records lay that are in the dead letters.
    pub(crate) dead_letters: Vec<(u32, u64)>,
    /// What did not come to rest.
    pub(crate) unrest: Vec<String>,
    /// All that happened on the bus.
    pub(crate) trace: Vec<Traced>,
}

impl Outcome {
    pub(crate) fn note(&mut self, id: AlertId, revision: u32, payload: Bytes) {
        self.alerts.entry((id, revision)).or_default().insert(payload);
    }

    /// The store as it must be after these alerts: of each the last revision, once, those of one event joined.
    pub(crate) fn close(&mut self) {
        for ((id, _), payloads) in &self.alerts {
            self.stored.insert(*id, payloads.iter().cloned().collect());
        }
        let stored = self.stored.values().flatten().cloned();
        let alerts: Vec<Alert> = stored.map(|payload| decode_alert(payload).expect("it was encoded here")).collect();
        self.events = leads(&alerts, &OneEvent::default()).into_iter().map(|(id, lead)| (id, lead.id)).collect();
    }
}

/// Each difference with the guarantee that it breaks.
pub(crate) fn differences(expected: &Outcome, found: &Outcome) -> Vec<String> {
    let mut wrong = found.unrest.iter().map(|what| format!("P4: {what}")).collect::<Vec<_>>();
    for (key, payloads) in &expected.alerts {
        let what = || payloads.first().map(summary).unwrap_or_default();
        match found.alerts.get(key) {
            None => wrong.push(format!("P1: alert {} revision {} is lost: {}", key.0, key.1, what())),
            Some(found) if found != payloads => {
                let many = found.len();
                let other = found.difference(payloads).next().map(|other| unlike(payloads, other)).unwrap_or_default();
                wrong.push(format!("P2: alert {} revision {} has {many} payloads: {other}", key.0, key.1));
            }
            Some(_) => {}
        }
    }
    for (id, revision) in found.alerts.keys().filter(|key| !expected.alerts.contains_key(key)) {
        wrong.push(format!("P2: alert {id} revision {revision} is one too many"));
    }
    for (id, payloads) in &expected.stored {
        if found.stored.get(id) != Some(payloads) {
            wrong.push(format!("P2: the store has {:?} of alert {id}", found.stored.get(id).map(Vec::len)));
        }
    }
    for id in found.stored.keys().filter(|id| !expected.stored.contains_key(id)) {
        wrong.push(format!("P2: the store has alert {id}, which is one too many"));
    }
    for (id, lead) in &expected.events {
        match found.events.get(id) {
            Some(other) if other != lead => wrong.push(format!("P2: alert {id} is of event {other}, not {lead}")),
            _ => {}
        }
    }
    for (camera, counts) in &expected.counts {
        let found = found.counts.get(camera);
        if found != Some(counts) {
            wrong.push(format!("P3: {camera} counts {found:?}, not {counts:?}"));
        }
    }
    for (camera, state) in &expected.states {
        let found = found.states.get(camera);
        if found != Some(state) {
            wrong.push(format!(
                "P5: the state of {camera} differs: {:?} bytes, not {}",
                found.map(Bytes::len),
                state.len()
            ));
        }
    }
    if found.dead_letters != expected.dead_letters {
        wrong.push(format!("P3: dead letters of {:?}, not {:?}", found.dead_letters, expected.dead_letters));
    }
    wrong
}

fn summary(payload: &Bytes) -> String {
    decode_alert(payload.clone()).map_or_else(
        |error| error.to_string(),
        |alert| format!("{} of {} raised {}", alert.rule, alert.camera, alert.raised),
    )
}

/// Where two payloads begin to differ, in words.
fn unlike(expected: &BTreeSet<Bytes>, other: &Bytes) -> String {
    let words = |bytes: &Bytes| format!("{:?}", decode_alert(bytes.clone()));
    let (expected, other) = (expected.first().map(words).unwrap_or_default(), words(other));
    let at = expected.chars().zip(other.chars()).position(|(one, two)| one != two).unwrap_or_default();
    let part = |text: &str| text.chars().skip(at.saturating_sub(40)).take(70).collect::<String>();
    format!("`{}` should be `{}`", part(&other), part(&expected))
}
