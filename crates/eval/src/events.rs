use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::assignment::{Matrix, least_cost};
use crate::comparison::ratio;
use crate::{EvalError, Event, EventKind, SequenceInfo, TrueEvent};

/// Cost of a pair that cannot match: more matches are always better than nearer ones.
const APART: f64 = 1e6;
/// Greatest distance of a match, as a fraction of the picture's width.
const REACH: f64 = 0.1;

/// Matches and errors among the events of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct KindScore {
    /// Detected true events.
    pub hits: u64,
    /// Detected events that are not true.
    pub false_alarms: u64,
    /// Missed true events.
    pub misses: u64,
}

impl KindScore {
    /// Fraction of the detected events that are true.
    #[must_use]
    pub fn precision(&self) -> f64 {
        ratio(self.hits as f64, (self.hits + self.false_alarms) as f64)
    }

    /// Fraction of the true events that were detected.
    #[must_use]
    pub fn recall(&self) -> f64 {
        ratio(self.hits as f64, (self.hits + self.misses) as f64)
    }

    /// Harmonic mean of precision and recall.
    #[must_use]
    pub fn f1(&self) -> f64 {
        ratio(2.0 * self.hits as f64, (2 * self.hits + self.false_alarms + self.misses) as f64)
    }

    fn add(&mut self, other: Self) {
        self.hits += other.hits;
        self.false_alarms += other.false_alarms;
        self.misses += other.misses;
    }
}

/// A labelled clip: its size and length, and its true events.
#[derive(Debug, Clone, Copy)]
pub struct SceneFacts<'a> {
    /// Its name, as in detected events.
    pub name: &'a str,
    /// Its size and length.
    pub info: &'a SequenceInfo,
    /// Its ground truth.
    pub truth: &'a [TrueEvent],
}

/// Scores of detected events.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct EventScore {
    /// Per kind.
    pub kinds: BTreeMap<EventKind, KindScore>,
    /// For each match: detected minus true time, in seconds.
    pub delays_s: Vec<f64>,
    /// Observed time, over all cameras.
    pub camera_hours: f64,
}

impl EventScore {
    /// Scores detected events. An event matches one true event of the same clip, rule and direction within
    /// [`EventKind::tolerance_s`] and a tenth of the picture's width; the assignment is the best one-to-one. Events of
    /// clips that are not in `scenes` are ignored.
    ///
    /// # Errors
    /// When the kind of a detected event is unknown.
    pub fn of(scenes: &[SceneFacts<'_>], found: &[Event]) -> Result<Self, EvalError> {
        let labelled: BTreeMap<&str, &EventKind> = scenes
            .iter()
            .flat_map(|scene| scene.truth.iter().map(|event| (event.rule.as_str(), &event.kind)))
            .collect();
        let mut score = Self::default();
        for scene in scenes {
            score.camera_hours += scene.info.seconds() / 3600.0;
            let found: Vec<&Event> = found.iter().filter(|event| event.sequence == scene.name).collect();
            for (rule, direction) in groups(scene.truth, &found) {
                let truth: Vec<&TrueEvent> = scene
                    .truth
                    .iter()
                    .filter(|event| (event.rule.as_str(), event.direction) == (rule, direction))
                    .collect();
                let found: Vec<&Event> = found
                    .iter()
                    .copied()
                    .filter(|event| (event.rule.as_str(), event.direction) == (rule, direction))
                    .collect();
                let kind = truth.first().map(|event| &event.kind).or_else(|| labelled.get(rule).copied());
                let kind = kind.or_else(|| found.iter().find_map(|event| event.kind.as_ref())).ok_or_else(|| {
                    let rule = "no true event has this rule and the event has no \"type\"; add one, such as \"line\"";
                    EvalError::Labels { what: format!("events of {}", scene.name), rule: rule.to_owned() }
                })?;
                let counts = score.matched(&truth, &found, f64::from(scene.info.size.width), kind);
                score.kinds.entry(kind.clone()).or_default().add(counts);
            }
        }
        Ok(score)
    }

    /// Which detected events of a clip are true, by the same assignment.
    #[must_use]
    pub fn judge(scene: &SceneFacts<'_>, found: &[Event]) -> Vec<bool> {
        let mut is_true = vec![false; found.len()];
        let ours: Vec<&Event> = found.iter().collect();
        for (rule, direction) in groups(scene.truth, &ours) {
            let of_group = |event: &(&str, i8)| *event == (rule, direction);
            let truth: Vec<&TrueEvent> =
                scene.truth.iter().filter(|event| of_group(&(event.rule.as_str(), event.direction))).collect();
            let numbered = found.iter().enumerate();
            let (numbers, found): (Vec<usize>, Vec<&Event>) =
                numbered.filter(|(_, event)| of_group(&(event.rule.as_str(), event.direction))).unzip();
            let kind =
                truth.first().map(|event| &event.kind).or_else(|| found.iter().find_map(|event| event.kind.as_ref()));
            let Some(kind) = kind else { continue };
            for (_, column) in pairs(&truth, &found, f64::from(scene.info.size.width), kind) {
                is_true[numbers[column]] = true;
            }
        }
        is_true
    }

    /// All kinds together.
    #[must_use]
    pub fn all(&self) -> KindScore {
        let mut sum = KindScore::default();
        self.kinds.values().for_each(|kind| sum.add(*kind));
        sum
    }

    /// False alarms per camera-hour.
    #[must_use]
    pub fn false_alarms_per_camera_hour(&self) -> f64 {
        self.all().false_alarms as f64 / self.camera_hours.max(1e-9)
    }

    /// Median of the absolute delays in seconds; none without a match.
    #[must_use]
    pub fn median_delay_s(&self) -> Option<f64> {
        let mut delays: Vec<f64> = self.delays_s.iter().map(|delay| delay.abs()).collect();
        delays.sort_unstable_by(f64::total_cmp);
        let middle = delays.len() / 2;
        let upper = delays.get(middle)?;
        Some(if delays.len() % 2 == 1 { *upper } else { (upper + delays[middle - 1]) / 2.0 })
    }

    fn matched(&mut self, truth: &[&TrueEvent], found: &[&Event], width: f64, kind: &EventKind) -> KindScore {
        let pairs = pairs(truth, found, width, kind);
        let hits = pairs.len() as u64;
        self.delays_s.extend(pairs.into_iter().map(|(row, column)| found[column].at_s - truth[row].at_s));
        KindScore { hits, false_alarms: found.len() as u64 - hits, misses: truth.len() as u64 - hits }
    }
}

/// The best one-to-one assignment of true events to detected ones of their rule and direction, as indices of both.
fn pairs(truth: &[&TrueEvent], found: &[&Event], width: f64, kind: &EventKind) -> Vec<(usize, usize)> {
    let costs = Matrix::from_fn(truth.len(), found.len(), |row, column| {
        let (truth, found) = (truth[row], found[column]);
        let late = (truth.at_s - found.at_s).abs();
        let away = match (truth.place, found.place()) {
            (None, _) => 0.0,
            (Some(_), None) => f64::INFINITY,
            (Some(a), Some(b)) => (a[0] - b[0]).hypot(a[1] - b[1]),
        };
        if late <= kind.tolerance_s() && away <= REACH * width { late + away / width } else { APART }
    });
    least_cost(&costs).into_iter().filter(|(row, column)| costs.at(*row, *column) < APART / 10.0).collect()
}

/// Rules and directions in use, each matched separately.
fn groups<'a>(truth: &'a [TrueEvent], found: &[&'a Event]) -> BTreeSet<(&'a str, i8)> {
    let truth = truth.iter().map(|event| (event.rule.as_str(), event.direction));
    truth.chain(found.iter().map(|event| (event.rule.as_str(), event.direction))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{read_events, read_true_events};

    const TRUTH: &str = r#"{"gate": [
        {"rule": "line_a", "type": "line", "dir": 1, "t": 10.0, "xy": [100, 50]},
        {"rule": "line_a", "type": "line", "dir": 1, "t": 11.5, "xy": [100, 50]},
        {"rule": "line_a", "type": "line", "dir": -1, "t": 20.0, "xy": [100, 50]},
        {"rule": "crowd", "type": "count", "dir": 0, "t": 30.0, "xy": null}]}"#;

    fn scored(found: &str) -> Result<EventScore, EvalError> {
        let info = SequenceInfo::read("frameRate=10\nseqLength=18000\nimWidth=1000\nimHeight=500").unwrap();
        let truth = read_true_events(TRUTH).unwrap();
        let scene = SceneFacts { name: "gate", info: &info, truth: &truth["gate"] };
        EventScore::of(&[scene], &read_events(found).unwrap())
    }

    #[test]
    fn hits_misses_and_false_alarms_by_hand() {
        let score = scored(
            r#"{"sequence": "gate", "rule": "line_a", "dir": 1, "t": 10.8, "x": 110, "y": 50}
            {"sequence": "gate", "rule": "line_a", "dir": 1, "t": 12.4, "x": 100, "y": 60}
            {"sequence": "gate", "rule": "line_a", "dir": -1, "t": 20.0, "x": 250, "y": 50}
            {"sequence": "gate", "rule": "crowd", "t": 31.0}
            {"sequence": "gate", "rule": "line_a", "dir": 1, "t": 99.0, "x": 100, "y": 60}
            {"sequence": "elsewhere", "rule": "line_a", "dir": 1, "t": 1.0, "x": 1, "y": 1}"#,
        )
        .unwrap();
        // The first two are 0.8 and 0.9 s late; swapped, only one pair would be within 1 s. The third lies 150 pixels away, more
        // than a tenth of the width.
        let line = score.kinds[&EventKind("line".into())];
        assert_eq!(line, KindScore { hits: 2, false_alarms: 2, misses: 1 });
        assert_eq!(score.all(), KindScore { hits: 3, false_alarms: 2, misses: 1 });
        assert!((score.all().f1() - 6.0 / 9.0).abs() < 1e-12);
        // Half an hour was observed.
        assert!((score.false_alarms_per_camera_hour() - 4.0).abs() < 1e-9);
        assert!((score.median_delay_s().unwrap() - 0.9).abs() < 1e-9);
    }

    #[test]
    fn an_event_of_unknown_kind_is_refused_and_nothing_found_has_no_delay() {
        let unknown = r#"{"sequence": "gate", "rule": "other", "t": 1.0}"#;
        assert!(scored(unknown).unwrap_err().to_string().contains("\"type\""));
        assert!(scored(&unknown.replace("\"t\"", "\"type\": \"dwell\", \"t\"")).is_ok());
        let nothing = scored("").unwrap();
        assert_eq!((nothing.median_delay_s(), nothing.all().misses), (None, 4));
        assert!(read_events("{\"sequence\": 4}").unwrap_err().to_string().starts_with("events, line 1:"));
    }
}
