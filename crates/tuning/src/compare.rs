use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use utoipa::ToSchema;
use vedette_core::{Alert, AlertId, Timestamp};

use crate::window::Window;

/// A person's verdict on an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// The event was real.
    Confirmed,
    /// It was not.
    False,
}

/// The verdicts by alert; one that nobody judged is not there.
pub type Verdicts = BTreeMap<AlertId, Judgement>;

/// What becomes of an alert under another policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// No longer raised.
    Lost,
    /// Raised, and was not before.
    Gained,
    /// Raised as another alert: same rule, an object in common, times that overlap.
    Shifted,
    /// The same alert with another measured value, threshold, severity, name or end.
    Changed,
    /// The same alert. Only the version of its policy may differ.
    Kept,
}

impl Change {
    /// All of them, what matters most first.
    pub const ALL: [Self; 5] = [Self::Lost, Self::Gained, Self::Shifted, Self::Changed, Self::Kept];

    /// The name in JSON and text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Gained => "gained",
            Self::Shifted => "shifted",
            Self::Changed => "changed",
            Self::Kept => "kept",
        }
    }
}

/// One alert under two policies.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// What becomes of it.
    pub change: Change,
    /// The alert under the first policy; none when it is gained.
    pub before: Option<Alert>,
    /// The alert under the second; none when it is lost.
    pub after: Option<Alert>,
    /// The verdict on it, which it keeps when it is changed or shifted.
    pub judgement: Option<Judgement>,
}

impl Difference {
    /// The alert, under the first policy if it is raised there.
    ///
    /// # Panics
    /// Never: a difference has one alert at least.
    #[must_use]
    pub fn alert(&self) -> &Alert {
        self.before.as_ref().or(self.after.as_ref()).expect("a difference is about an alert")
    }
}

/// Numbers of alerts by verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct Tally {
    /// Confirmed ones.
    pub confirmed: usize,
    /// False ones.
    #[serde(rename = "false")]
    pub false_alarms: usize,
    /// Those that nobody judged.
    pub unjudged: usize,
}

impl Tally {
    /// All of them.
    #[must_use]
    pub const fn all(self) -> usize {
        self.confirmed + self.false_alarms + self.unjudged
    }

    pub(crate) fn add(&mut self, judgement: Option<Judgement>) {
        *match judgement {
            Some(Judgement::Confirmed) => &mut self.confirmed,
            Some(Judgement::False) => &mut self.false_alarms,
            None => &mut self.unjudged,
        } += 1;
    }
}

/// The alerts of a recording under two policies.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Comparison {
    /// By the time at which they are raised.
    pub differences: Vec<Difference>,
}

impl Comparison {
    /// The alerts of one change, by verdict.
    #[must_use]
    pub fn tally(&self, change: Change) -> Tally {
        let mut tally = Tally::default();
        let of_change = self.differences.iter().filter(|difference| difference.change == change);
        of_change.for_each(|difference| tally.add(difference.judgement));
        tally
    }

    /// The alerts under the first policy.
    #[must_use]
    pub fn before(&self) -> Tally {
        self.sum(|difference| difference.before.is_some())
    }

    /// The alerts under the second policy.
    #[must_use]
    pub fn after(&self) -> Tally {
        self.sum(|difference| difference.after.is_some())
    }

    fn sum(&self, counts: impl Fn(&Difference) -> bool) -> Tally {
        let mut tally = Tally::default();
        let counted = self.differences.iter().filter(|difference| counts(difference));
        counted.for_each(|difference| tally.add(difference.judgement));
        tally
    }

    /// The part of it in which alerts are raised at a time.
    #[must_use]
    pub fn part(&self, is_in: impl Fn(Timestamp) -> bool) -> Self {
        let part = self.differences.iter().filter(|difference| is_in(difference.alert().raised));
        Self { differences: part.cloned().collect() }
    }
}

/// Compares the alerts of two analyses of one recording.
#[must_use]
pub fn compare(before: &[Alert], after: &[Alert], verdicts: &Verdicts) -> Comparison {
    let mut rest: BTreeMap<AlertId, &Alert> = after.iter().map(|alert| (alert.id, alert)).collect();
    let mut differences = Vec::new();
    let mut unmatched = Vec::new();
    for alert in before {
        let judgement = verdicts.get(&alert.id).copied();
        match rest.remove(&alert.id) {
            Some(same) => differences.push(Difference {
                change: if is_equal(alert, same) { Change::Kept } else { Change::Changed },
                before: Some(alert.clone()),
                after: Some(same.clone()),
                judgement,
            }),
            None => unmatched.push((alert, judgement)),
        }
    }
    for (alert, judgement) in unmatched {
        let shifted = rest.values().filter(|other| is_shifted(alert, other));
        // The one with which it has most time in common, or else the earliest.
        let best = shifted.max_by_key(|other| (common_time(alert, other), std::cmp::Reverse((other.raised, other.id))));
        let best = best.map(|other| other.id).and_then(|id| rest.remove(&id));
        differences.push(Difference {
            change: if best.is_some() { Change::Shifted } else { Change::Lost },
            before: Some(alert.clone()),
            after: best.cloned(),
            judgement,
        });
    }
    differences.extend(rest.into_values().map(|alert| Difference {
        change: Change::Gained,
        before: None,
        after: Some(alert.clone()),
        // A gained alert may be one that was raised and judged under another policy.
        judgement: verdicts.get(&alert.id).copied(),
    }));
    differences.sort_by_key(|difference| (difference.alert().raised, difference.alert().id));
    Comparison { differences }
}

fn is_equal(one: &Alert, other: &Alert) -> bool {
    *one == Alert { policy_version: one.policy_version, ..other.clone() }
}

fn is_shifted(one: &Alert, other: &Alert) -> bool {
    let tracks = |alert: &Alert| alert.objects.iter().map(|object| object.track).collect::<BTreeSet<_>>();
    let (ours, theirs) = (tracks(one), tracks(other));
    let have_object_in_common = !ours.is_disjoint(&theirs) || (ours.is_empty() && theirs.is_empty());
    one.rule == other.rule && have_object_in_common && common_time(one, other) >= 0
}

/// Microseconds that both alerts last; negative when they are apart.
fn common_time(one: &Alert, other: &Alert) -> i64 {
    let end = |alert: &Alert| alert.ended.unwrap_or(alert.raised).max(alert.raised);
    let (from, until) = (one.started.max(other.started), end(one).min(end(other)));
    until.since(from).as_micros()
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.confirmed += other.confirmed;
        self.false_alarms += other.false_alarms;
        self.unjudged += other.unjudged;
    }
}

/// How the analysis of a recording compares with the alerts that were raised live: what is said about other policies is as exact as that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct Baseline {
    /// Alerts that were raised live.
    pub live: usize,
    /// Of these, the ones that the analysis raises under the same id.
    pub equal: usize,
    /// Of these, the ones that it raises under another id: its tracks are numbered from the recording's beginning.
    pub shifted: usize,
    /// Alerts that it raises, and which were not raised live.
    pub only_here: usize,
}

impl std::ops::AddAssign for Baseline {
    fn add_assign(&mut self, other: Self) {
        self.live += other.live;
        self.equal += other.equal;
        self.shifted += other.shifted;
        self.only_here += other.only_here;
    }
}

impl Baseline {
    /// Compares the alerts under the policies that were in force with those raised live in that window, and carries the verdicts on the
    /// latter over.
    #[must_use]
    pub fn of(alerts: &[Alert], live: &[Alert], verdicts: &Verdicts, window: Window) -> (Self, Verdicts) {
        let comparison = compare(live, alerts, verdicts).part(|at| window.has(at));
        let count = |change| comparison.tally(change).all();
        let baseline = Self {
            live: comparison.before().all(),
            equal: count(Change::Kept) + count(Change::Changed),
            shifted: count(Change::Shifted),
            only_here: count(Change::Gained),
        };
        let here = comparison.differences.iter();
        let carried = here.filter_map(|difference| Some((difference.after.as_ref()?.id, difference.judgement?)));
        (baseline, carried.collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// An alert of a rule about a track, from a second to another.
    fn alert(id: u128, rule: &str, track: u64, from: i64, until: i64) -> Alert {
        let at = |secs: i64| Value::from(secs * 1_000_000);
        serde_json::from_value(json!({
            "id": AlertId(id), "revision": 2, "status": "ended", "kind": "presence", "severity": "medium", "camera": "gate",
            "rule": rule, "rule_name": rule, "policy_version": 1, "started": at(from), "raised": at(from), "ended": at(until),
            "objects": [{"track": track, "class": "person", "score": 0.9, "bbox": {"x": 0.0, "y": 0.0, "width": 9.0, "height": 9.0}}],
            "direction": null, "measured": {"quantity": "duration", "value": 1.0, "threshold": 1.0},
            "place": {"ground": {"latitude": 0.0, "longitude": 0.0}, "source": "camera_position", "address": null},
            "evidence": {"captured": at(from), "frame": {"width": 64, "height": 48}, "video": null, "people": [], "path": []},
            "quality": vedette_core::Quality::default(), "model": {"name": "m", "version": "1"},
        }))
        .unwrap()
    }

    fn changes(before: &[Alert], after: &[Alert], verdicts: &Verdicts) -> Vec<(u128, Change, Option<Judgement>)> {
        let comparison = compare(before, after, verdicts);
        comparison.differences.iter().map(|it| (it.alert().id.0, it.change, it.judgement)).collect()
    }

    #[test]
    fn every_alert_is_kept_changed_shifted_lost_or_gained() {
        let before = [alert(1, "a", 7, 0, 9), alert(2, "a", 8, 1, 9), alert(3, "a", 9, 2, 9), alert(4, "b", 9, 3, 9)];
        let other_version = Alert { policy_version: 2, ..before[0].clone() };
        let higher = Alert { severity: vedette_core::Severity::High, ..before[1].clone() };
        let after = [other_version, higher, alert(5, "a", 9, 4, 12), alert(6, "b", 9, 30, 40)];
        let verdicts = [(AlertId(3), Judgement::Confirmed), (AlertId(4), Judgement::False)].into();
        let expected = [
            (1, Change::Kept, None),
            (2, Change::Changed, None),
            (3, Change::Shifted, Some(Judgement::Confirmed)),
            (4, Change::Lost, Some(Judgement::False)),
            (6, Change::Gained, None),
        ];
        assert_eq!(changes(&before, &after, &verdicts), expected);
        // The other way around, what was lost is gained.
        let back = changes(&after, &before, &Verdicts::default());
        assert_eq!(back.iter().map(|(_, change, _)| *change).filter(|change| *change == Change::Gained).count(), 1);
    }

    #[test]
    fn one_alert_is_the_shift_of_one_other() {
        // Two of one track, which become one: the longer overlap is the shift, the other is lost.
        let before = [alert(1, "a", 7, 0, 3), alert(2, "a", 7, 4, 20)];
        let changed = changes(&before, &[alert(3, "a", 7, 2, 20)], &Verdicts::default());
        assert_eq!(changed.iter().filter(|(_, change, _)| *change == Change::Lost).count(), 1);
        assert_eq!(changed.iter().filter(|(_, change, _)| *change == Change::Shifted).count(), 1);
        for (rule, track, from) in [("b", 7, 0), ("a", 8, 0), ("a", 7, 21)] {
            let apart = changes(&before[..1], &[alert(3, rule, track, from, from + 2)], &Verdicts::default());
            assert!(apart.iter().all(|(_, change, _)| matches!(change, Change::Lost | Change::Gained)), "{apart:?}");
        }
    }

    #[test]
    fn verdicts_on_live_alerts_are_carried_to_those_with_other_tracks() {
        let live = [alert(1, "a", 7, 0, 9), alert(2, "a", 8, 100, 109), alert(9, "a", 3, 200, 209)];
        let here = [alert(1, "a", 7, 0, 9), alert(12, "a", 8, 101, 109)];
        let verdicts = [(AlertId(1), Judgement::Confirmed), (AlertId(2), Judgement::False)].into();
        let (baseline, carried) = Baseline::of(&here, &live, &verdicts, Window::default());
        assert_eq!(baseline, Baseline { live: 3, equal: 1, shifted: 1, only_here: 0 });
        assert_eq!(carried, [(AlertId(1), Judgement::Confirmed), (AlertId(12), Judgement::False)].into());
    }
}
