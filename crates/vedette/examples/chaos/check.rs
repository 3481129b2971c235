//! Checks the delivery guarantee from the contents of the topics alone, independently of the stages: the detections there, each
//! frame once and in order, are analysed as by `vedette replay`, and the results must equal the alerts, counts and states there.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use vedette_address::AddressBase;
use vedette_analysis::{CameraAnalysis, Serving};
use vedette_core::{AlertId, Camera, CameraId, FrameCounts, ShedReason, Timestamp};
use vedette_stages::registry::Registry;
use vedette_wire::{decode_alert, encode_alert};

use crate::content::{Content, Lying};

/// Inputs of the analysis.
pub(crate) struct Rules<'a> {
    pub(crate) cameras: &'a [Camera],
    pub(crate) registry: &'a Registry,
    pub(crate) base: &'a Arc<AddressBase>,
}

/// Comparisons made, and findings.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Alerts by id and revision that were compared between replay and topic.
    pub(crate) alerts: usize,
    /// Times at which those of revision 1 were raised.
    pub(crate) raised: Vec<Timestamp>,
    /// Alerts compared with the store.
    pub(crate) stored: usize,
    /// Frames on `video`.
    pub(crate) frames: u64,
    /// Frame accounting of the states.
    pub(crate) counts: FrameCounts,
    /// States compared.
    pub(crate) states: usize,
    /// Repeated records of `detections`.
    pub(crate) repeated_detections: usize,
    /// Repeated records of `alerts`.
    pub(crate) repeated_alerts: usize,
    /// Each with the part of the guarantee that it violates.
    pub(crate) wrong: Vec<String>,
}

type Alerts = BTreeMap<(AlertId, u32), Bytes>;

/// Result of replaying one camera's detections.
struct Replayed {
    counts: FrameCounts,
    /// The state before the first record at or after the offset of the newest state on the bus.
    state: Bytes,
    /// The offset after the last record that is the first of its frame. Repetitions may follow: the next owner of the camera's
    /// video processes the last group of pictures again.
    end: u64,
}

/// Checks all but P4. `least` is the number of alerts below which the comparison proves nothing.
pub(crate) fn check(rules: &Rules<'_>, content: &Content, least: usize) -> anyhow::Result<Findings> {
    let mut findings = Findings::default();
    let mut expected = Alerts::new();
    for camera in rules.cameras {
        let replayed = replay(rules, camera, content, &mut expected, &mut findings)?;
        check_frames(camera, content, &mut findings);
        check_state(camera, content, &replayed, &mut findings);
    }
    if content.dead_letters > 0 {
        findings.wrong.push(format!("P3: {} dead letters, of a recording that has no bad frame", content.dead_letters));
    }
    check_alerts(&expected, content, &mut findings)?;
    if findings.alerts < least {
        findings.wrong.push(format!("only {} alerts to compare, {least} are wanted", findings.alerts));
    }
    Ok(findings)
}

fn replay(
    rules: &Rules<'_>,
    camera: &Camera,
    content: &Content,
    expected: &mut Alerts,
    findings: &mut Findings,
) -> anyhow::Result<Replayed> {
    let mut analysis = CameraAnalysis::new(Arc::new(camera.clone()), &Default::default())?;
    let setups = rules.registry.entry(&camera.id).context("the camera is in the registry")?.setups;
    let base = |_| Some(rules.base.clone());
    let until = content.states.get(&camera.id).map_or(u64::MAX, |state| state.next_offset);
    let (mut seen, mut state, mut end) = (HashSet::new(), None, 0);
    let home = content.states.get(&camera.id).map(|state| state.partition);
    for Lying { partition, offset, frame } in content.detections.iter().filter(|lying| lying.frame.camera == camera.id)
    {
        if home.is_some_and(|home| home != *partition) {
            findings.wrong.push(format!("P5: {} has detections on partition {partition}, not {home:?}", camera.id));
        }
        if *offset >= until && state.is_none() {
            state = Some(analysis.save()?);
        }
        if !seen.insert((frame.at.epoch, frame.at.sequence)) {
            findings.repeated_detections += 1;
            continue;
        }
        end = offset + 1;
        for alert in analysis.take(frame, Serving { setups: &setups, base: &base }).alerts {
            if alert.revision == 1 {
                findings.raised.push(alert.raised);
            }
            expected.insert((alert.id, alert.revision), encode_alert(&alert));
        }
    }
    let state = match state {
        Some(state) => state,
        None => analysis.save()?,
    };
    Ok(Replayed { counts: analysis.counts().clone(), state: state.into(), end })
}

/// P3: every frame on `video` is accounted for, and frames numbered by intake that never reached it count as not received.
fn check_frames(camera: &Camera, content: &Content, findings: &mut Findings) {
    let id = &camera.id;
    let (mut frames, mut holes) = (0, 0);
    for numbers in content.video.get(id).iter().flat_map(|epochs| epochs.values()) {
        let length = numbers.last().map_or(0, |last| last + 1);
        frames += numbers.len() as u64;
        holes += length - numbers.len() as u64;
    }
    findings.frames += frames;
    if frames == 0 {
        findings.wrong.push(format!("P3: {id} has no video"));
    }
    let Some(state) = content.states.get(id) else { return };
    let counts = &state.counts;
    findings.counts.analysed += counts.analysed;
    counts.shed.iter().for_each(|(reason, count)| findings.counts.add_shed(*reason, *count));
    if counts.frames() != frames + holes || counts.shed_for(ShedReason::NotReceived) != holes {
        findings.wrong.push(format!(
            "P3: {id} has {frames} frames on `video` and {holes} numbers without one, but counts {} with {} not received",
            counts.frames(),
            counts.shed_for(ShedReason::NotReceived)
        ));
    }
    for reason in [ShedReason::Missing, ShedReason::Late] {
        let count = counts.shed_for(reason);
        if count > 0 {
            findings.wrong.push(format!("P3: {id} counts {count} frames as {}", reason.as_str()));
        }
    }
}

/// P5: the newest state is that of an uninterrupted analysis at its offset, and no record follows it.
fn check_state(camera: &Camera, content: &Content, replayed: &Replayed, findings: &mut Findings) {
    let id = &camera.id;
    let Some(state) = content.states.get(id) else {
        findings.wrong.push(format!("P5: {id} has no state"));
        return;
    };
    findings.states += 1;
    if state.next_offset < replayed.end {
        findings.wrong.push(format!(
            "P5: the state of {id} stands at offset {}, its last record lies before {}",
            state.next_offset, replayed.end
        ));
    } else if state.counts != replayed.counts {
        findings.wrong.push(format!("P5: the state of {id} counts {:?}, not {:?}", state.counts, replayed.counts));
    }
    if state.state != replayed.state {
        let (found, wanted) = (state.state.len(), replayed.state.len());
        findings.wrong.push(format!("P5: the state of {id} differs ({found} bytes, {wanted} by the replay)"));
    }
}

/// P1 and P2: the topic has the alerts of the replay, each revision with one payload; the store has the last revision of each,
/// once.
fn check_alerts(expected: &Alerts, content: &Content, findings: &mut Findings) -> anyhow::Result<()> {
    let mut found: BTreeMap<(AlertId, u32), BTreeSet<Bytes>> = BTreeMap::new();
    let mut distinct = 0;
    for bytes in &content.alerts {
        let alert = decode_alert(bytes.clone()).context("a record of `alerts`")?;
        distinct += usize::from(found.entry((alert.id, alert.revision)).or_default().insert(bytes.clone()));
    }
    findings.repeated_alerts = content.alerts.len() - distinct;
    findings.alerts = expected.len();
    for (key, payload) in expected {
        let (id, revision) = key;
        match found.get(key) {
            None => findings.wrong.push(format!("P1: alert {id} revision {revision} is lost: {}", words(payload))),
            Some(payloads) if payloads.len() > 1 => {
                findings.wrong.push(format!("P2: alert {id} revision {revision} has {} payloads", payloads.len()));
            }
            Some(payloads) if !payloads.contains(payload) => {
                findings.wrong.push(format!("P1: alert {id} revision {revision} differs from the replay"));
            }
            Some(_) => {}
        }
    }
    for (id, revision) in found.keys().filter(|key| !expected.contains_key(key)) {
        findings.wrong.push(format!("P1: alert {id} revision {revision} is one that the replay does not give"));
    }
    check_store(&found, content, findings);
    Ok(())
}

fn check_store(found: &BTreeMap<(AlertId, u32), BTreeSet<Bytes>>, content: &Content, findings: &mut Findings) {
    let last: BTreeMap<String, (u32, &BTreeSet<Bytes>)> =
        found.iter().map(|((id, revision), payloads)| (id.to_string(), (*revision, payloads))).collect();
    let mut kept = BTreeSet::new();
    for row in &content.store {
        if !kept.insert(&row.id) {
            findings.wrong.push(format!("P2: the store has alert {} twice", row.id));
        }
        match last.get(&row.id) {
            None => findings.wrong.push(format!("P2: the store has alert {}, which is not on the topic", row.id)),
            Some((revision, payloads)) => {
                findings.stored += 1;
                if row.revision != *revision || !payloads.contains(&encode_alert(&row.alert)) {
                    findings.wrong.push(format!(
                        "P2: the store has revision {} of alert {}, not revision {revision} as it is on the topic",
                        row.revision, row.id
                    ));
                }
            }
        }
    }
    for id in last.keys().filter(|id| !kept.contains(id)) {
        findings.wrong.push(format!("P1: alert {id} is on the topic, but not in the store"));
    }
}

fn words(payload: &Bytes) -> String {
    let alert = decode_alert(payload.clone());
    alert.map_or_else(
        |error| error.to_string(),
        |alert| format!("{} of {}, raised {}", alert.rule, alert.camera, alert.raised),
    )
}

/// The cameras of a site.
pub(crate) fn ids(cameras: &[Camera]) -> BTreeSet<CameraId> {
    cameras.iter().map(|camera| camera.id.clone()).collect()
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
