use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vedette_core::{Alert, Direction, Episode, EpisodePhase};

use crate::{EvalError, EventKind};

/// A detected event. Its JSON line is the input of event scorers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The labelled clip.
    pub sequence: String,
    /// The rule.
    pub rule: String,
    /// The rule's kind; when absent, that of true events of the same rule.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<EventKind>,
    /// 1 when the anchor moved to the right side of the line (seen from `a` towards `b` in the picture), -1 to the left
    /// one, 0 for other kinds.
    #[serde(rename = "dir", default)]
    pub direction: i8,
    /// When it was raised: seconds, frame number (from 1) by frame rate.
    #[serde(rename = "t")]
    pub at_s: f64,
    /// The anchor in pixels; absent for a rule about a whole zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<f64>,
    /// See `x`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<f64>,
}

impl Event {
    /// The event of an episode just raised in a clip whose time begins at 0; none for an ended one.
    #[must_use]
    pub fn raised(sequence: &str, episode: &Episode) -> Option<Self> {
        let placed = episode.subject.is_some();
        (episode.phase == EpisodePhase::Raised).then(|| Self {
            sequence: sequence.to_owned(),
            rule: episode.rule.to_string(),
            kind: Some(EventKind::of(episode.kind)),
            direction: number(episode.direction),
            at_s: episode.raised.as_micros() as f64 / 1e6,
            x: placed.then_some(episode.anchor.x.into()),
            y: placed.then_some(episode.anchor.y.into()),
        })
    }

    /// The event of an alert in a clip whose time begins at 0.
    #[must_use]
    pub fn of_alert(sequence: &str, alert: &Alert) -> Self {
        // A rule about a zone counts objects; one about an object has one.
        let anchor = Some(&alert.objects).filter(|objects| objects.len() == 1).map(|objects| objects[0].bbox.anchor());
        Self {
            sequence: sequence.to_owned(),
            rule: alert.rule.to_string(),
            kind: Some(EventKind::of(alert.kind)),
            direction: number(alert.direction),
            at_s: alert.raised.as_micros() as f64 / 1e6,
            x: anchor.map(|anchor| anchor.x.into()),
            y: anchor.map(|anchor| anchor.y.into()),
        }
    }

    pub(crate) fn place(&self) -> Option<[f64; 2]> {
        Some([self.x?, self.y?])
    }
}

/// See [`Event::direction`].
const fn number(direction: Option<Direction>) -> i8 {
    match direction {
        Some(Direction::LeftToRight) => 1,
        Some(_) => -1,
        None => 0,
    }
}

/// A true event, to be detected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrueEvent {
    /// The rule.
    pub rule: String,
    /// The rule's kind.
    #[serde(rename = "type")]
    pub kind: EventKind,
    /// As in [`Event`].
    #[serde(rename = "dir", default)]
    pub direction: i8,
    /// As in [`Event`].
    #[serde(rename = "t")]
    pub at_s: f64,
    /// The anchor in pixels; null for a count.
    #[serde(rename = "xy", default)]
    pub place: Option<[f64; 2]>,
}

/// Reads events, one JSON object a line.
///
/// # Errors
/// At the first line that is not an event.
pub fn read_events(text: &str) -> Result<Vec<Event>, EvalError> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            serde_json::from_str(line).map_err(|error| EvalError::Labels {
                what: format!("events, line {}", index + 1),
                rule: error.to_string(),
            })
        })
        .collect()
}

/// Reads true events: a JSON object with a list for each clip.
///
/// # Errors
/// When it is not such an object.
pub fn read_true_events(text: &str) -> Result<BTreeMap<String, Vec<TrueEvent>>, EvalError> {
    serde_json::from_str(text)
        .map_err(|error| EvalError::Labels { what: "true events".to_owned(), rule: error.to_string() })
}
