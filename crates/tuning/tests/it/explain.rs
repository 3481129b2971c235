//! Explanations of invented scenes: what is said of a value is what the engine does with it.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use vedette_analysis::Setups;
use vedette_core::{
    Alert, Camera, CameraId, CameraRecord, Detection, FrameAccount, FrameAt, FrameSize, ModelRef, ObjectClass,
    PixelBox, Policy, ProcessedFrame, RecordBody, RuleId, Score, Span, Timestamp, TrackId,
};
use vedette_rules::SharedPolicy;
use vedette_tuning::{
    CameraTrial, Change, Explanation, MOST_REPLAYS, Margin, Question, Recording, Rung, RungEffect, Term, TrialError,
    Window, explain, tracks,
};

const FRAME: FrameSize = FrameSize { width: 640, height: 480 };
/// 2026-11-25T12:00:00Z, a Wednesday.
const BEGIN: i64 = 1_795_608_000_000_000;

fn at(seconds: f32) -> Timestamp {
    Timestamp::from_micros(BEGIN + (seconds * 1e6) as i64)
}

/// Somebody who goes in a straight line, by the middle of the lower edge of the box.
#[derive(Debug, Clone, Copy)]
struct Actor {
    score: f32,
    height: f32,
    /// Seconds.
    time: (f32, f32),
    from: (f32, f32),
    to: (f32, f32),
}

/// Stands in the zone of the rules below.
const INSIDE: Actor = Actor { score: 0.7, height: 100.0, time: (5.0, 15.0), from: (300.0, 300.0), to: (330.0, 300.0) };

impl Actor {
    fn seen(&self, seconds: f32) -> Option<Detection> {
        let (begin, end) = self.time;
        let part = (seconds - begin) / (end - begin);
        (0.0..1.0).contains(&part).then(|| {
            let x = self.from.0 + part * (self.to.0 - self.from.0);
            let y = self.from.1 + part * (self.to.1 - self.from.1);
            let bbox = PixelBox::new(x - 20.0, y - self.height, 40.0, self.height);
            Detection { class: ObjectClass::Person, score: Score::new(self.score).unwrap(), bbox }
        })
    }
}

/// Five frames a second.
fn scene(actors: &[Actor], seconds: f32) -> Vec<CameraRecord> {
    let frames = (seconds * 5.0) as u64;
    let record = |sequence: u64| {
        let seconds = sequence as f32 / 5.0;
        let detections = actors.iter().filter_map(|actor| actor.seen(seconds)).collect();
        let account = Some(FrameAccount { previous: sequence.checked_sub(1), shed: Vec::new() });
        CameraRecord {
            camera: CameraId::new("gate").unwrap(),
            at: FrameAt { epoch: 7, sequence, captured: at(seconds) },
            model: ModelRef { name: "m".into(), version: "1".into() },
            body: RecordBody::Processed(ProcessedFrame { detections, account, ..ProcessedFrame::empty(FRAME) }),
        }
    };
    (0..frames).map(record).collect()
}

fn rule(id: &str, when: Value, more: Value) -> Value {
    let mut rule = json!({"id": id, "name": id, "purpose": "t", "when": when});
    rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    rule
}

/// The zone from 200, 200 to 400, 400.
fn zone() -> Value {
    json!([[200, 200], [400, 200], [400, 400], [200, 400]])
}

fn setups(rules: &[Value]) -> Setups {
    let camera =
        json!({"id": "gate", "name": "Gate", "purpose": "t", "position": {"longitude": 114.0, "latitude": 22.5}});
    let camera: Camera = serde_json::from_value(camera).unwrap();
    let policy = json!({"applies_to": {"camera": "gate"}, "version": 3, "frame": FRAME, "rule": rules});
    let policy: Policy = serde_json::from_value(policy).unwrap();
    Setups::fixed(Arc::new(camera), Some(Arc::new(SharedPolicy::new(policy))))
}

fn trial(rules: &[Value], actors: &[Actor], seconds: f32) -> CameraTrial<'static> {
    let recording = Recording::new(scene(actors, seconds));
    CameraTrial::open(recording, Arc::new(setups(rules)), Window::default(), usize::MAX).unwrap().unwrap()
}

fn id(rule: &str) -> RuleId {
    RuleId::new(rule).unwrap()
}

/// The number of the track that is seen at a time.
fn track_at(trial: &CameraTrial<'_>, rule: &str, seconds: f32) -> TrackId {
    let seen = tracks(trial, &id(rule), at(seconds)).unwrap();
    seen.iter().find(|track| track.from <= at(seconds) && at(seconds) <= track.until).expect("a track").track
}

/// What is said of the track that is seen at a time.
fn explained(trial: &CameraTrial<'_>, rule: &str, seconds: f32) -> Explanation {
    let track = Some(track_at(trial, rule, seconds));
    explain(trial, &Question::Track { rule: id(rule), track, at: at(seconds) }, MOST_REPLAYS).unwrap()
}

fn rung<'a>(explanation: &'a Explanation, term: &str) -> &'a Rung {
    let found = explanation.ladder.iter().find(|rung| rung.term.split_once('.').is_some_and(|(_, path)| path == term));
    found.unwrap_or_else(|| panic!("{term}: {:?}", explanation.ladder))
}

/// The terms that decide alone.
fn deciding(explanation: &Explanation) -> Vec<&str> {
    let deciding = explanation.ladder.iter().filter(|rung| rung.effect == RungEffect::Decides);
    deciding.map(|rung| rung.term.split_once('.').unwrap().1).collect()
}

fn margin(raised_at: Value, not_raised_at: Value) -> Vec<Margin> {
    vec![Margin { raised_at, not_raised_at }]
}

/// Whether a what-if with other values of the rule has the alert in question.
fn is_raised(trial: &CameraTrial<'_>, explanation: &Explanation, values: &[(String, Value)]) -> bool {
    let values: Vec<(Term, Value)> = values
        .iter()
        .map(|(term, value)| (Term::new(&explanation.rule, &term.split('.').collect::<Vec<_>>()), value.clone()))
        .collect();
    let draft = trial.with_values(&values).unwrap();
    let comparison = trial.what_if(Some(&draft)).unwrap();
    let is_about = |alert: &Alert| {
        alert.rule == explanation.rule && alert.objects.iter().any(|object| explanation.tracks.contains(&object.track))
    };
    comparison.differences.iter().any(|difference| match &explanation.alert {
        Some(alert) => {
            difference.before.as_ref().is_some_and(|before| before.id == alert.id) && difference.change != Change::Lost
        }
        None => difference.after.as_ref().is_some_and(is_about),
    })
}

/// Every margin is where a what-if says that it is.
fn assert_true(trial: &CameraTrial<'_>, explanation: &Explanation) {
    for rung in &explanation.ladder {
        let path = rung.term.split_once('.').unwrap().1.to_owned();
        for Margin { raised_at, not_raised_at } in &rung.margins {
            let with = |value: &Value| is_raised(trial, explanation, &[(path.clone(), value.clone())]);
            assert!(with(raised_at), "{path} = {raised_at} raises it");
            assert!(!with(not_raised_at), "{path} = {not_raised_at} does not");
        }
        assert_eq!(rung.margins.is_empty(), rung.effect != RungEffect::Decides, "{rung:?}");
    }
}

#[test]
fn a_score_that_is_too_low_is_the_rung_that_fails() {
    let rules =
        [rule("in", json!({"kind": "presence", "zone": zone()}), json!({"score": {"enter": 0.9, "stay": 0.5}}))];
    let trial = trial(&rules, &[INSIDE], 20.0);
    let explanation = explained(&trial, "in", 10.0);
    assert_eq!((explanation.alert.as_ref(), deciding(&explanation)), (None, vec!["score.enter"]));
    let enter = rung(&explanation, "score.enter");
    assert_eq!((&enter.in_force, &enter.measured, enter.met), (&json!(0.9), &Some(json!(0.7)), Some(false)));
    assert_eq!(enter.margins, margin(json!(0.7), json!(0.701)));
    assert_true(&trial, &explanation);
    // The others are met, or have nothing to do with it.
    assert_eq!(rung(&explanation, "when.zone").met, Some(true));
    assert_eq!(rung(&explanation, "size.min_height").effect, RungEffect::AtLimit);
    assert!(explanation.together.is_none() && explanation.waits_for.is_none() && !explanation.is_cut_short);
    assert_eq!(explanation.policy_version, 3);
    let frame = explanation.frames[explanation.frames.len() / 2];
    assert!(frame.in_zone == Some(true) && !frame.counts && frame.armed && (frame.height - 100.0 / 480.0).abs() < 0.02);
    assert!(explanation.near_misses.iter().any(|miss| miss.term == "score"), "{:?}", explanation.near_misses);
}

#[test]
fn sizes_zones_and_schedules_are_rungs() {
    let presence = json!({"kind": "presence", "zone": zone()});
    let outside = Actor { from: (450.0, 300.0), to: (460.0, 300.0), ..INSIDE };
    let night = json!({"time_zone": "UTC", "windows": [{"from": "22:00", "until": "23:00"}]});
    for (more, actor, term, met) in [
        (json!({"size": {"min_height": 0.3}}), INSIDE, "size.min_height", Some(false)),
        (json!({"size": {"max_height": 0.15}}), INSIDE, "size.max_height", Some(false)),
        (json!({}), outside, "when.zone", Some(false)),
        (json!({"schedule": night}), INSIDE, "schedule", Some(false)),
        (json!({"classes": ["car"]}), INSIDE, "classes", Some(false)),
    ] {
        let trial = trial(&[rule("in", presence.clone(), more)], &[actor], 20.0);
        let explanation = explained(&trial, "in", 10.0);
        assert_eq!((deciding(&explanation), rung(&explanation, term).met), (vec![term], met));
        assert_true(&trial, &explanation);
        let not_met = explanation.ladder.iter().filter(|rung| rung.met == Some(false)).count();
        assert_eq!(not_met, 1, "{term}: {:?}", explanation.ladder);
    }
    let trial = trial(&[rule("in", presence, json!({}))], &[outside], 20.0);
    let nearest = rung(&explained(&trial, "in", 10.0), "when.zone").measured.clone().unwrap();
    assert!((45.0..55.0).contains(&nearest.as_f64().unwrap()), "pixels from the zone: {nearest}");
}

#[test]
fn a_stay_that_is_too_short_would_be_raised_with_a_shorter_duration() {
    let rules = [rule("stay", json!({"kind": "dwell", "zone": zone(), "duration": "20s"}), json!({}))];
    let trial = trial(&rules, &[INSIDE], 30.0);
    let explanation = explained(&trial, "stay", 10.0);
    assert_eq!(deciding(&explanation), ["when.duration"]);
    let [Margin { raised_at, .. }] = &rung(&explanation, "when.duration").margins[..] else { panic!("one side") };
    let raised_at: Span = raised_at.as_str().unwrap().parse().unwrap();
    assert!((8.5..10.0).contains(&raised_at.as_secs_f64()), "{raised_at}");
    assert_true(&trial, &explanation);
}

#[test]
fn an_alert_that_a_cooldown_holds_back_says_how_short_it_would_have_to_be() {
    let rules = [rule("in", json!({"kind": "presence", "zone": zone()}), json!({"cooldown": "60s"}))];
    let second = Actor { time: (40.0, 45.0), ..INSIDE };
    let trial = trial(&rules, &[INSIDE, second], 60.0);
    assert!(explained(&trial, "in", 10.0).alert.is_some());
    let explanation = explained(&trial, "in", 42.0);
    assert!(explanation.alert.is_none());
    assert!(deciding(&explanation).contains(&"cooldown"), "{:?}", deciding(&explanation));
    let [Margin { raised_at, .. }] = &rung(&explanation, "cooldown").margins[..] else { panic!("one side") };
    let raised_at: Span = raised_at.as_str().unwrap().parse().unwrap();
    // From the end of the first alert to the end of the second stay.
    assert!((24.0..31.0).contains(&raised_at.as_secs_f64()), "{raised_at}");
    assert_true(&trial, &explanation);
}

#[test]
fn an_alert_that_names_no_object_is_about_no_track() {
    // Both are hidden when their time together is long enough; a third one watches.
    let rules = [rule("two", json!({"kind": "count", "zone": zone(), "at_least": 2}), json!({"min_duration": "8s"}))];
    let (left, right) = ((210.0, 210.0), (385.0, 390.0));
    let one = Actor { time: (5.0, 10.0), from: left, to: left, ..INSIDE };
    let other = Actor { time: (5.0, 10.0), from: right, to: right, ..INSIDE };
    let beside = Actor { time: (1.0, 24.0), from: (600.0, 300.0), to: (610.0, 300.0), ..INSIDE };
    let trial = trial(&rules, &[one, other, beside], 25.0);
    let draft = trial.with_values(&[(Term::new(&id("two"), &["gap_tolerance"]), json!("6s"))]).unwrap();
    let raised = trial.what_if(Some(&draft)).unwrap().differences[0].after.clone().unwrap();
    assert!(raised.objects.is_empty());
    let explanation = explained(&trial, "two", 7.0);
    assert!(!deciding(&explanation).contains(&"gap_tolerance"), "{:?}", deciding(&explanation));
    // Without a track any alert of the zone counts.
    let question = Question::Track { rule: id("two"), track: None, at: at(7.0) };
    let of_zone = explain(&trial, &question, MOST_REPLAYS).unwrap();
    assert!(deciding(&of_zone).contains(&"gap_tolerance") && of_zone.frames.is_empty(), "{:?}", deciding(&of_zone));
}

#[test]
fn where_no_value_alone_is_enough_the_fewest_that_are_are_named() {
    let more = json!({"score": {"enter": 0.9, "stay": 0.5}, "size": {"min_height": 0.3}, "min_duration": "2s"});
    let trial = trial(&[rule("in", json!({"kind": "presence", "zone": zone()}), more)], &[INSIDE], 20.0);
    let explanation = explained(&trial, "in", 10.0);
    assert!(deciding(&explanation).is_empty() && explanation.waits_for.is_none());
    let together = explanation.together.clone().unwrap();
    let values: Vec<(String, Value)> = together
        .iter()
        .map(|loosened| (loosened.term.strip_prefix("in.").unwrap().to_owned(), loosened.value.clone()))
        .collect();
    let names: Vec<&str> = values.iter().map(|(term, _)| term.as_str()).collect();
    assert_eq!(names, ["score.enter", "size.min_height"]);
    assert_eq!(values[0].1, json!(0.7));
    assert!(is_raised(&trial, &explanation, &values));
    for (index, stricter) in [(0, json!(0.701)), (1, json!(values[1].1.as_f64().unwrap() + 0.001))] {
        let mut values = values.clone();
        values[index].1 = stricter;
        assert!(!is_raised(&trial, &explanation, &values), "{values:?}");
        values.remove(index);
        assert!(!is_raised(&trial, &explanation, &values), "{values:?}");
    }
}

#[test]
fn an_event_that_did_not_happen_is_named_and_not_guessed_around() {
    let line = json!({"kind": "line_crossing", "a": [500, 100], "b": [500, 400]});
    let trial_of = |when: &Value, more: Value, actor: Actor| trial(&[rule("line", when.clone(), more)], &[actor], 20.0);
    let beside = trial_of(&line, json!({}), INSIDE);
    let explanation = explained(&beside, "line", 10.0);
    assert!(deciding(&explanation).is_empty() && explanation.together.is_none());
    assert_eq!(explanation.waits_for.as_deref(), Some("An object crosses the line."));
    assert!(explanation.frames.iter().all(|frame| frame.distance.is_some_and(|pixels| pixels > 150.0)));
    // It crosses, but is not sure enough; or in the other direction.
    let across = Actor { from: (420.0, 300.0), to: (580.0, 300.0), ..INSIDE };
    let faint = trial_of(&line, json!({"score": {"enter": 0.9, "stay": 0.5}}), across);
    let explanation = explained(&faint, "line", 10.0);
    assert_eq!((deciding(&explanation), explanation.waits_for.as_ref()), (vec!["score.enter"], None));
    assert_true(&faint, &explanation);
    let mut one_way = line;
    let crossed = trial_of(&one_way, json!({}), across).alerts()[0].direction.unwrap();
    let other = if crossed.as_str() == "left_to_right" { "right_to_left" } else { "left_to_right" };
    one_way["direction"] = json!(other);
    let trial = trial_of(&one_way, json!({}), across);
    let explanation = explained(&trial, "line", 10.0);
    assert_eq!(deciding(&explanation), ["when.direction"]);
    assert_true(&trial, &explanation);
}

#[test]
fn a_sequence_says_when_its_rules_fired_and_how_far_apart() {
    let line = |x: u32| json!({"kind": "line_crossing", "a": [x, 100], "b": [x, 400]});
    let rules = [
        rule("first", line(150), json!({"alert": false, "cooldown": "0s"})),
        rule("second", line(500), json!({"alert": false, "cooldown": "0s"})),
        rule("both", json!({"kind": "sequence", "first": "first", "then": "second", "within": "5s"}), json!({})),
        // Has nothing to do with it.
        rule("in", json!({"kind": "presence", "zone": zone()}), json!({})),
    ];
    let across = Actor { time: (5.0, 25.0), from: (60.0, 300.0), to: (600.0, 300.0), ..INSIDE };
    let trial = trial(&rules, &[across], 30.0);
    let explanation = explained(&trial, "both", 10.0);
    assert_eq!((explanation.alert.as_ref(), deciding(&explanation)), (None, vec!["when.within"]));
    let named: Vec<(&str, &str, usize)> = explanation
        .rules
        .iter()
        .map(|other| (other.parameter.as_str(), other.rule.as_str(), other.fired.len()))
        .collect();
    assert_eq!(named, [("first", "first", 1), ("then", "second", 1)]);
    let gap = explanation.rules[1].fired[0].since(explanation.rules[0].fired[0]).as_secs_f64();
    let [Margin { raised_at, .. }] = &rung(&explanation, "when.within").margins[..] else { panic!("one side") };
    let within: Span = raised_at.as_str().unwrap().parse().unwrap();
    assert!((within.as_secs_f64() - gap).abs() <= 0.1, "{within} for {gap}");
    assert_true(&trial, &explanation);
    // A rule that only serves the combination is explained as if it raised alerts itself.
    let first = explained(&trial, "first", 10.0);
    assert!(first.is_silent && first.alert.is_some() && !explanation.is_silent && !first.policy_changed);
}

#[test]
fn an_alert_says_how_far_its_rule_can_be_tightened() {
    let rules = [
        rule("in", json!({"kind": "presence", "zone": zone()}), json!({"score": {"enter": 0.5, "stay": 0.35}})),
        rule("line", json!({"kind": "line_crossing", "a": [500, 100], "b": [500, 400]}), json!({})),
    ];
    let trial = trial(&rules, &[INSIDE], 20.0);
    let alert = trial.alerts()[0].clone();
    let explanation = explain(&trial, &Question::Alert(alert.id), MOST_REPLAYS).unwrap();
    assert_eq!(explanation.alert.as_ref(), Some(&alert));
    assert_eq!(explained(&trial, "in", 10.0), explanation, "asked by its track");
    assert_eq!(rung(&explanation, "score.enter").margins, margin(json!(0.7), json!(0.701)));
    let tightened = deciding(&explanation);
    assert!(tightened.contains(&"min_duration") && tightened.contains(&"size.min_height"), "{tightened:?}");
    assert!(!tightened.contains(&"cooldown"), "a single alert is not held back: {tightened:?}");
    assert_true(&trial, &explanation);
    assert!(explanation.together.is_none() && explanation.waits_for.is_none());
    let listed = tracks(&trial, &id("in"), at(10.0)).unwrap();
    assert_eq!((listed.len(), listed[0].alert, listed[0].in_zone), (1, Some(alert.id), Some(listed[0].frames)));
    assert_eq!(tracks(&trial, &id("line"), at(10.0)).unwrap()[0].alert, None);
    // As JSON: what the API answers.
    let json = serde_json::to_value(&explanation).unwrap();
    assert_eq!((&json["alert"]["id"], &json["frames"][0]["track"]), (&json!(alert.id.to_string()), &json["tracks"][0]));
    assert!(json["frames"][0]["at"].as_str().unwrap().starts_with("2026-"), "{}", json["frames"][0]);
}

#[test]
fn a_budget_that_is_used_up_is_told() {
    let trial =
        trial(&[rule("stay", json!({"kind": "dwell", "zone": zone(), "duration": "20s"}), json!({}))], &[INSIDE], 30.0);
    let track = Some(track_at(&trial, "stay", 10.0));
    let question = Question::Track { rule: id("stay"), track, at: at(10.0) };
    let whole = explain(&trial, &question, MOST_REPLAYS).unwrap();
    assert!(!whole.is_cut_short && whole.replays < MOST_REPLAYS, "{}", whole.replays);
    for most in [0, 3, whole.replays - 1] {
        let cut = explain(&trial, &question, most).unwrap();
        assert!(cut.is_cut_short && cut.replays <= most, "{most}");
        let not_tried = cut.ladder.iter().filter(|rung| rung.effect == RungEffect::NotTried).count();
        assert!(not_tried > 0 || most > 3, "{most}");
    }
    assert_eq!(explain(&trial, &question, whole.replays).unwrap(), whole);
}

#[test]
fn what_is_not_there_is_named() {
    let trial = trial(&[rule("in", json!({"kind": "presence", "zone": zone()}), json!({}))], &[INSIDE], 20.0);
    let track = track_at(&trial, "in", 10.0);
    let ask = |rule: &str, track| {
        let question = Question::Track { rule: id(rule), track, at: at(10.0) };
        explain(&trial, &question, MOST_REPLAYS).unwrap_err()
    };
    let known = format!("{} (person from", track.0);
    assert!(matches!(ask("out", Some(track)), TrialError::NoRule { known, .. } if known == "in"));
    let said = ask("in", Some(TrackId(999))).to_string();
    assert!(said.contains("track 999 was not seen") && said.contains(&known), "{said}");
    let said = ask("in", None).to_string();
    assert!(said.contains("is about single objects") && said.contains(&known), "{said}");
    let unknown = explain(&trial, &Question::Alert(vedette_core::AlertId(5)), MOST_REPLAYS).unwrap_err();
    assert!(matches!(unknown, TrialError::NoAlert(_)), "{unknown}");
}

#[test]
fn a_narrowed_recording_explains_as_the_whole_does() {
    let rules =
        [rule("in", json!({"kind": "presence", "zone": zone()}), json!({"score": {"enter": 0.9, "stay": 0.5}}))];
    let early = Actor { time: (5.0, 15.0), score: 0.95, ..INSIDE };
    let late = Actor { time: (2_000.0, 2_010.0), ..INSIDE };
    let mut narrow = trial(&rules, &[early, late], 2_100.0);
    let of_whole = explained(&narrow, "in", 2_005.0);
    let window = Window { from: Some(at(1_990.0)), until: Some(at(2_020.0)) };
    narrow.narrow(window, usize::MAX).unwrap();
    let of_part = explained(&narrow, "in", 2_005.0);
    assert_eq!((&of_part.ladder, &of_part.frames), (&of_whole.ladder, &of_whole.frames));
    assert_eq!(of_part.tracks, of_whole.tracks, "tracks keep their numbers");
    assert_eq!(narrow.coverage().span.unwrap().0, at(1_390.0), "ten minutes before");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn margins_are_where_a_what_if_says_that_they_are(
        (enter, min_height, seconds, cooldown, gap) in (0.5_f32..0.95, 0.0_f32..0.3, 1_u32..14, 0_u32..40, 0_u32..2),
        dwells in any::<bool>(),
        walkers in proptest::collection::vec((0.62_f32..0.95, 60.0_f32..150.0, 1.0_f32..40.0, 3.0_f32..15.0, 150.0_f32..450.0), 1..4),
        asked in any::<prop::sample::Index>(),
    ) {
        let actors: Vec<Actor> = walkers
            .iter()
            .enumerate()
            .map(|(number, &(score, height, from, length, x))| {
                let y = 220.0 + 60.0 * number as f32;
                Actor { score, height, time: (from, from + length), from: (x, y), to: (x + 60.0, y) }
            })
            .collect();
        let when = if dwells {
            json!({"kind": "dwell", "zone": zone(), "duration": format!("{seconds}s")})
        } else {
            json!({"kind": "presence", "zone": zone()})
        };
        let more = json!({
            "score": {"enter": enter, "stay": 0.3}, "size": {"min_height": min_height}, "cooldown": format!("{cooldown}s"),
            "gap_tolerance": format!("{gap}s"), "min_duration": format!("{}s", seconds / 2),
        });
        let trial = trial(&[rule("in", when, more)], &actors, 60.0);
        let seen = tracks(&trial, &id("in"), at(30.0)).unwrap();
        prop_assume!(!seen.is_empty());
        let track = asked.get(&seen);
        let question = Question::Track { rule: id("in"), track: Some(track.track), at: track.from };
        let explanation = explain(&trial, &question, MOST_REPLAYS).unwrap();
        prop_assert_eq!(explanation.alert.as_ref().map(|alert| alert.id), track.alert);
        prop_assert!(!explanation.is_cut_short && !explanation.policy_changed);
        assert_true(&trial, &explanation);
        let together = explanation.together.iter().flatten();
        let values: Vec<(String, Value)> =
            together.map(|it| (it.term.strip_prefix("in.").unwrap().to_owned(), it.value.clone())).collect();
        if !values.is_empty() {
            prop_assert!(is_raised(&trial, &explanation, &values), "{:?}", values);
            for left_out in 0..values.len() {
                let mut fewer = values.clone();
                fewer.remove(left_out);
                prop_assert!(!is_raised(&trial, &explanation, &fewer), "{:?}", fewer);
            }
        }
        let is_decided = explanation.ladder.iter().any(|rung| rung.effect == RungEffect::Decides);
        let is_answered = explanation.alert.is_some() || is_decided || !values.is_empty() || explanation.waits_for.is_some();
        prop_assert!(is_answered, "{:?}", explanation.ladder);
    }
}
