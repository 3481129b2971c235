//! Whether suggestions are of use, on labelled clips that we may not distribute (`VEDETTE_EVAL`, docs/EVALUATION.md): all alerts that a
//! loose policy raises in the first half of each clip are judged by the true events, `suggest` chooses from these verdicts, and the
//! chosen policy is scored on the second halves, beside fixed ones.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a bench fails by panicking, in its helpers too")]

use std::path::Path;
use std::sync::Arc;

use vedette_analysis::Setups;
use vedette_core::{
    Alert, Camera, CameraRecord, Detection, FrameAt, ModelRef, ObjectClass, PixelBox, Policy, ProcessedFrame,
    RecordBody, RuleId, Score, ScoreBand, Timestamp,
};
use vedette_eval::{
    Event, EventScore, KindScore, SceneFacts, SceneRule, SequenceInfo, TrueEvent, by_frame, read_mot, read_scene_rules,
    read_true_events,
};
use vedette_rules::SharedPolicy;
use vedette_tuning::{Goal, Judgement, Recording, Source, Verdicts, suggest};

#[path = "../../../benches/figures.rs"]
mod figures;

/// Resamples of the clips' rules for an interval.
const RESAMPLES: usize = 2_000;

fn main() {
    // `cargo test` builds and starts benches too; there is nothing to test here.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let Some(folder) = std::env::var_os("VEDETTE_EVAL") else {
        figures::told("event F1 of suggested policies", "not measured: VEDETTE_EVAL names no folder");
        eprintln!("nothing judged: set VEDETTE_EVAL to a folder with labelled sequences (docs/EVALUATION.md)");
        return;
    };
    let root = Path::new(&folder);
    let mut clips = Clip::all(root, "data/mot15", "det/det_sort_frcnn.txt", ["rules.json", "true_events.json"]);
    let labels = ["rules-mot17.json", "true_events-mot17.json"];
    clips.extend(Clip::all(root, "data/mot17", "det/det.txt", labels));
    let (loose, defaults, fixed) = (band(0.3, 0.3), band(0.5, 0.35), band(0.95, 0.5));
    let mut rows: Vec<(&str, Vec<KindScore>)> =
        ["loose", "defaults", "enter 0.95, stay 0.5", "suggested"].map(|name| (name, Vec::new())).into();
    for clip in &clips {
        let suggested = clip.suggested(loose);
        let policies = [clip.policy(loose), clip.policy(defaults), clip.policy(fixed), suggested];
        for ((_, scores), policy) in rows.iter_mut().zip(&policies) {
            scores.extend(clip.second_half(policy));
        }
    }
    for (name, scores) in &rows {
        let sum = sum(scores);
        let (low, high) = interval(scores.len(), |drawn| f1(drawn.iter().map(|index| scores[*index])));
        println!(
            "{name}: F1 {:.3} ({low:.3} to {high:.3}), P {:.3}, R {:.3}, {} false alarms",
            sum.f1(),
            sum.precision(),
            sum.recall(),
            sum.false_alarms
        );
    }
    let better = |than: usize| {
        let difference = |drawn: &[usize]| {
            let of = |row: usize| f1(drawn.iter().map(|index| rows[row].1[*index]));
            of(3) - of(than)
        };
        let all: Vec<usize> = (0..rows[3].1.len()).collect();
        (difference(&all), interval(all.len(), difference))
    };
    for (than, name, target) in [(1, "defaults", 0.0), (2, "enter 0.95, stay 0.5", -0.01)] {
        let (difference, (low, high)) = better(than);
        println!("suggested less {name}: {difference:.3} ({low:.3} to {high:.3})");
        figures::at_least(
            &format!("event F1 of suggested policies on second halves, less {name}"),
            difference,
            target,
            "",
        );
    }
}

fn band(enter: f32, stay: f32) -> ScoreBand {
    ScoreBand { enter: Score::new(enter).unwrap(), stay: Score::new(stay).unwrap() }
}

fn sum(scores: &[KindScore]) -> KindScore {
    scores.iter().fold(KindScore::default(), |sum, score| KindScore {
        hits: sum.hits + score.hits,
        false_alarms: sum.false_alarms + score.false_alarms,
        misses: sum.misses + score.misses,
    })
}

fn f1(scores: impl Iterator<Item = KindScore>) -> f64 {
    sum(&scores.collect::<Vec<_>>()).f1()
}

/// The 95 % bootstrap interval of a figure over units that are drawn with replacement.
fn interval(units: usize, figure: impl Fn(&[usize]) -> f64) -> (f64, f64) {
    let mut chance = fastrand::Rng::with_seed(7);
    let mut drawn: Vec<f64> =
        (0..RESAMPLES).map(|_| figure(&(0..units).map(|_| chance.usize(..units)).collect::<Vec<_>>())).collect();
    drawn.sort_by(f64::total_cmp);
    (drawn[RESAMPLES / 40], drawn[RESAMPLES - RESAMPLES / 40])
}

/// A labelled clip.
struct Clip {
    name: String,
    info: SequenceInfo,
    camera: Arc<Camera>,
    rules: Vec<SceneRule>,
    truth: Vec<TrueEvent>,
    records: Vec<CameraRecord>,
}

impl Clip {
    fn all(root: &Path, data: &str, det: &str, [rules, truth]: [&str; 2]) -> Vec<Self> {
        let text = |name: &str| std::fs::read_to_string(root.join("eval").join(name)).unwrap();
        let (rules, truth) = (read_scene_rules(&text(rules)).unwrap(), read_true_events(&text(truth)).unwrap());
        rules
            .into_iter()
            .map(|(name, rules)| {
                Self::open(&root.join(data).join(&name), det, name.clone(), rules, truth[&name].clone())
            })
            .collect()
    }

    fn open(folder: &Path, det: &str, name: String, rules: Vec<SceneRule>, truth: Vec<TrueEvent>) -> Self {
        let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let info = SequenceInfo::read(&text("seqinfo.ini")).unwrap();
        let rows = read_mot(&text(det), info.frames).unwrap();
        let camera: Camera = serde_json::from_value(serde_json::json!({
            "id": name, "name": name, "purpose": "evaluation", "position": {"latitude": 0.0, "longitude": 0.0},
        }))
        .unwrap();
        let records = (1..).zip(by_frame(&rows, info.frames)).map(|(frame, rows)| {
            let detections = rows.iter().map(|row| Detection {
                class: ObjectClass::Person,
                score: Score::new(row.confidence.clamp(0.0, 1.0) as f32).unwrap(),
                bbox: PixelBox::new(
                    row.bbox.left as f32,
                    row.bbox.top as f32,
                    row.bbox.width as f32,
                    row.bbox.height as f32,
                ),
            });
            let body = ProcessedFrame { detections: detections.collect(), ..ProcessedFrame::empty(info.size) };
            CameraRecord {
                camera: camera.id.clone(),
                at: FrameAt { epoch: 1, sequence: u64::from(frame), captured: info.at(frame) },
                model: ModelRef { name: "public".into(), version: "1".into() },
                body: RecordBody::Processed(body),
            }
        });
        Self { records: records.collect(), name, info, camera: Arc::new(camera), rules, truth }
    }

    fn policy(&self, score: ScoreBand) -> Policy {
        let mut policy = SceneRule::policy(&self.name, &self.rules, self.info.size).unwrap();
        policy.rules.iter_mut().for_each(|rule| rule.score = score);
        policy
    }

    fn half(&self) -> Timestamp {
        self.info.at(self.info.frames / 2)
    }

    fn recording(&self) -> Recording<'static> {
        Recording::new(Source::from(self.records.clone()))
    }

    fn setups(&self, policy: &Policy) -> Setups {
        Setups::fixed(self.camera.clone(), Some(Arc::new(SharedPolicy::new(policy.clone()))))
    }

    fn alerts(&self, policy: &Policy, second: bool) -> Vec<Alert> {
        let alerts = self.recording().alerts(&self.setups(policy)).expect("the rules are valid");
        alerts.into_iter().filter(|alert| (alert.raised >= self.half()) == second).collect()
    }

    fn truth(&self, second: bool) -> Vec<TrueEvent> {
        let half = self.half().as_micros() as f64 / 1e6;
        self.truth.iter().filter(|event| (event.at_s >= half) == second).cloned().collect()
    }

    /// The policy that verdicts on the first half speak for; the loose one where they speak for none.
    fn suggested(&self, loose: ScoreBand) -> Policy {
        let policy = self.policy(loose);
        let first = self.alerts(&policy, false);
        let events: Vec<Event> = first.iter().map(|alert| Event::of_alert(&self.name, alert)).collect();
        let scene = SceneFacts { name: &self.name, info: &self.info, truth: &self.truth(false) };
        let judged = EventScore::judge(&scene, &events);
        let judgement = |is_true| if is_true { Judgement::Confirmed } else { Judgement::False };
        let verdicts: Verdicts = first.iter().zip(&judged).map(|(alert, it)| (alert.id, judgement(*it))).collect();
        let rules: Vec<RuleId> = policy.rules.iter().map(|rule| rule.id.clone()).collect();
        let setups = |policy: &Policy| self.setups(policy);
        match suggest(&self.recording(), &policy, &setups, &verdicts, &rules, self.half(), Goal::BestF1) {
            Ok(suggestion) => {
                let first = &suggestion.changes;
                let of_rule = first.iter().filter(|(term, ..)| term.rule == first[0].0.rule);
                let values: Vec<String> =
                    of_rule.map(|(term, _, value)| format!("{} = {value}", term.path.join("."))).collect();
                println!("{}: {} verdicts; {}", self.name, verdicts.len(), values.join(", "));
                suggestion.policy
            }
            Err(none) => {
                println!("{}: {none}", self.name);
                policy
            }
        }
    }

    /// The score of each rule on the second half.
    fn second_half(&self, policy: &Policy) -> Vec<KindScore> {
        let (truth, alerts) = (self.truth(true), self.alerts(policy, true));
        let events: Vec<Event> = alerts.iter().map(|alert| Event::of_alert(&self.name, alert)).collect();
        policy
            .rules
            .iter()
            .map(|rule| {
                let truth: Vec<TrueEvent> =
                    truth.iter().filter(|event| event.rule == rule.id.as_str()).cloned().collect();
                let events: Vec<Event> =
                    events.iter().filter(|event| event.rule == rule.id.as_str()).cloned().collect();
                let scene = SceneFacts { name: &self.name, info: &self.info, truth: &truth };
                EventScore::of(&[scene], &events).unwrap().all()
            })
            .collect()
    }
}
