//! The same records give the same alerts, byte for byte. The detections were recorded from the demo (`vedette export`); the
//! alerts are what the analysis makes of them. After a wanted change: `VEDETTE_BLESS=1 cargo test -p vedette-analysis --test it
//! golden::` and read the difference.

use std::path::PathBuf;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use vedette_address::AddressBase;
use vedette_analysis::{CameraAnalysis, STATE_FORMAT, Serving, Setups, record_line};
use vedette_core::{Alert, Camera, CameraRecord, Timestamp};
use vedette_rules::SharedPolicy;
use vedette_wire::encode_alert;

use crate::support::{cameras, policies, root};

struct Site {
    camera: Arc<Camera>,
    setups: Setups,
    base: Box<dyn Fn(Timestamp) -> Option<Arc<AddressBase>>>,
    frames: Vec<CameraRecord>,
}

fn folder() -> PathBuf {
    root().join("tests/golden")
}

fn site() -> Site {
    let demo = root().join("deploy/demo");
    let cameras = cameras(&demo.join("cameras.toml"));
    let policies = policies(&demo.join("policies.toml"));
    let base = Arc::new(AddressBase::open(demo.join("address.base")).unwrap());
    let text = std::fs::read_to_string(folder().join("vtest-detections.jsonl")).unwrap();
    let camera = Arc::new(cameras[0].clone());
    Site {
        setups: Setups::fixed(camera.clone(), Some(Arc::new(SharedPolicy::new(policies[0].clone())))),
        camera,
        base: Box::new(move |_| Some(base.clone())),
        frames: text.lines().map(|line| record_line::from_line(line).unwrap()).collect(),
    }
}

fn new(site: &Site) -> CameraAnalysis {
    CameraAnalysis::new(site.camera.clone(), &Default::default()).unwrap()
}

fn serving(site: &Site) -> Serving<'_> {
    Serving { setups: &site.setups, base: &site.base }
}

fn take(site: &Site, analysis: &mut CameraAnalysis, frames: &[CameraRecord]) -> Vec<Alert> {
    frames.iter().flat_map(|frame| analysis.take(frame, serving(site)).alerts).collect()
}

fn bytes(alerts: &[Alert]) -> Vec<Vec<u8>> {
    alerts.iter().map(|alert| encode_alert(alert).to_vec()).collect()
}

fn text(alerts: &[Alert]) -> String {
    alerts
        .iter()
        .map(|alert| serde_json::to_string(&vedette_alerts::json::AlertJson::new(alert, None)).unwrap() + "\n")
        .collect()
}

#[test]
fn the_recorded_detections_give_the_recorded_alerts() {
    let site = site();
    let mut analysis = new(&site);
    let mut alerts = take(&site, &mut analysis, &site.frames);
    alerts.extend(analysis.finish(serving(&site)).alerts);
    let golden = folder().join("vtest-alerts.jsonl");
    if std::env::var_os("VEDETTE_BLESS").is_some() {
        std::fs::write(&golden, text(&alerts)).unwrap();
    }
    let expected = std::fs::read_to_string(&golden).unwrap();
    for (index, (now, then)) in text(&alerts).lines().zip(expected.lines()).enumerate() {
        assert_eq!(now, then, "alert {}", index + 1);
    }
    assert_eq!(text(&alerts).lines().count(), expected.lines().count());
    assert!(alerts.len() >= 5, "the recording shows more than {} alerts", alerts.len());
}

/// The alerts of before there were event codes, as SHA-256 of each file: without its code every alert is what it was, byte for byte.
#[test]
fn an_event_code_is_all_that_is_new_in_the_alerts_of_before() {
    let before = std::fs::read_to_string(folder().join("alerts-before-event-codes.sha256")).unwrap();
    assert_eq!(before.lines().count(), 39);
    for (hash, path) in before.lines().map(|line| line.split_once("  ").unwrap()) {
        let mut text = std::fs::read_to_string(root().join(path)).unwrap();
        while let Some(begin) = text.find("\"event_code\":") {
            let end = begin + text[begin..].find(',').unwrap();
            text.replace_range(begin..=end, "");
        }
        let digest = Sha256::digest(text.as_bytes());
        assert_eq!(digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), hash, "{path}");
    }
}

#[test]
fn an_interruption_anywhere_changes_nothing() {
    let site = site();
    let mut analysis = new(&site);
    let expected = bytes(&take(&site, &mut analysis, &site.frames));
    for cut in (0..site.frames.len()).step_by(7) {
        let (before, after) = site.frames.split_at(cut);
        let mut first = new(&site);
        let mut alerts = take(&site, &mut first, before);
        let saved = first.save().unwrap();
        let mut second = CameraAnalysis::restore(&site.setups, STATE_FORMAT, &saved).unwrap();
        alerts.extend(take(&site, &mut second, after));
        assert_eq!(bytes(&alerts), expected, "cut at frame {cut}");
    }
}

#[test]
fn frames_that_come_again_change_nothing() {
    let site = site();
    let mut analysis = new(&site);
    let expected = bytes(&take(&site, &mut analysis, &site.frames));
    let mut again = new(&site);
    let mut alerts = Vec::new();
    for (index, frame) in site.frames.iter().enumerate() {
        alerts.extend(take(&site, &mut again, std::slice::from_ref(frame)));
        if index % 50 == 49 {
            // As after a restart of the detect stage: the last frames once more.
            assert!(take(&site, &mut again, &site.frames[index - 20..=index]).is_empty());
        }
    }
    assert_eq!(bytes(&alerts), expected);
}
