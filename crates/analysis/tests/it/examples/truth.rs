//! The known truth of a scripted scene: the episodes that follow from its script, worked out by hand.

use std::path::Path;

use serde::Deserialize;
use vedette_core::Alert;

use super::scene::START;

/// Seconds by which a time or a duration may be off.
const SECONDS: f64 = 1.0;

/// `truth.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Truth {
    episode: Vec<TrueEpisode>,
}

/// One episode, times in seconds of the scene.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrueEpisode {
    rule: String,
    started: f64,
    /// None when it is open at the end of the scene.
    ended: Option<f64>,
    /// The greatest measured value of the whole episode.
    measured: f64,
    /// How much that may be off: one object, or one second.
    within: f64,
}

/// Compares the alerts of a scene, raised and ended, with its truth.
pub(crate) fn compare(file: &Path, alerts: &[Alert], length: f64) {
    let Truth { episode: expected } = toml::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let seconds = |at: vedette_core::Timestamp| at.since(START).as_secs_f64();
    let mut found: Vec<&Alert> = alerts.iter().filter(|alert| alert.ended.is_some()).collect();
    found.sort_by_key(|alert| (alert.started, alert.rule.clone()));
    let told: Vec<String> = found
        .iter()
        .map(|it| {
            format!(
                "{} {:.1} to {:.1}: {:.2}",
                it.rule,
                seconds(it.started),
                seconds(it.ended.unwrap()),
                it.measured.value
            )
        })
        .collect();
    assert_eq!(found.len(), expected.len(), "{}: found {told:#?}", file.display());
    for (alert, truth) in found.iter().zip(&expected) {
        let ended = truth.ended.unwrap_or(length);
        let close = alert.rule.as_str() == truth.rule
            && (seconds(alert.started) - truth.started).abs() <= SECONDS
            && (seconds(alert.ended.unwrap()) - ended).abs() <= SECONDS
            && (alert.measured.value - truth.measured).abs() <= truth.within;
        assert!(close, "{}: {truth:?} is not among {told:#?}", file.display());
    }
}
