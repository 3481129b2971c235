//! `vedette tune` on detections of the demo: what it says is what `vedette replay` gives, and the commands of docs/TUNING.md run.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use vedette_access::Areas;
use vedette_alert_store::AlertStore;
use vedette_alerts::{Decision, Verdict};
use vedette_core::{Alert, RuleId, Timestamp};
use vedette_tuning::{CameraTrial, Change, Explanation, MOST_REPLAYS, Question, Term, Window, explain, tracks};

use crate::product::Product;
use crate::support::{assert_refused, commands, demo_site, finish, root, said, vedette};

/// The site of the demo and its recorded detections.
struct Site {
    folder: tempfile::TempDir,
    detections: String,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        demo_site(folder.path());
        let detections = root().join("tests/golden/vtest-detections.jsonl").display().to_string();
        Self { folder, detections }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn command(&self, words: &[&str], more: &[&str]) -> Command {
        let mut command = vedette();
        command.args(words).arg(&self.detections).args(["--config", &self.path("vedette.toml")]).args(more);
        command
    }

    fn run(&self, words: &[&str], more: &[&str]) -> Output {
        finish(self.command(words, more))
    }

    /// The last revision of each alert of a replay.
    fn replayed(&self, more: &[&str]) -> BTreeMap<String, Value> {
        let output = self.run(&["replay"], more);
        assert!(output.status.success(), "{}", said(&output));
        let lines = String::from_utf8(output.stdout).unwrap();
        let alerts = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        alerts.map(|alert| (alert["id"].as_str().unwrap().to_owned(), alert)).collect()
    }

    /// The detections with the site's policy.
    fn trial(&self) -> CameraTrial<'static> {
        let config = vedette::config::Config::load(&self.folder.path().join("vedette.toml")).unwrap();
        let records = std::fs::read_to_string(&self.detections).unwrap();
        let records = records.lines().map(|line| vedette_analysis::record_line::from_line(line).unwrap());
        let base = vedette_address::AddressBase::open(self.folder.path().join("address.base")).unwrap();
        let base = std::sync::Arc::new(base);
        let source = vedette_tuning::Source::from(records.collect::<Vec<_>>());
        let mut recording = vedette_tuning::Recording::new(source).with_base(move |_| Some(base.clone()));
        recording.tracker = config.settings.analyse.tracker;
        recording.sort_window = config.settings.analyse.sort_window;
        let registry = vedette_stages::registry::Registry::of(&config.cameras, &config.policies);
        let setups = registry.entry(&config.cameras[0].id).unwrap().setups;
        CameraTrial::open(recording, setups, Window::default(), usize::MAX).unwrap().unwrap()
    }

    /// Stores the alerts of the site's policy as raised live, each judged.
    fn judge(&self, judge: impl Fn(usize, &Alert) -> Option<Decision>) -> usize {
        let config = vedette::config::Config::load(&self.folder.path().join("vedette.toml")).unwrap();
        let vedette_stages::StoreSetting::File(path) = config.settings.console.store else { panic!("it is a file") };
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let store = AlertStore::open(&path).unwrap();
        let alerts = self.trial().alerts().to_vec();
        for (number, alert) in alerts.iter().enumerate() {
            store.upsert(alert, None).unwrap();
            if let Some(decision) = judge(number, alert) {
                let (by, note, at) = ("test".to_owned(), String::new(), Timestamp::default());
                store.set_verdict(alert.id, &Verdict { decision, by, note, at }, &Areas::Everywhere, None).unwrap();
            }
        }
        alerts.len()
    }
}

fn lines(output: &Output) -> Vec<Value> {
    String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_what_if_is_a_replay_before_and_after() {
    let site = Site::new();
    let text = std::fs::read_to_string(site.path("policies.toml")).unwrap();
    let (gate, other) = ("id = \"west-gate\"\n", "min_duration = \"1s\"");
    for (number, (from, to)) in [
        (gate, "id = \"west-gate\"\nscore = { enter = 0.92, stay = 0.9 }\n"),
        (other, "min_duration = \"4s\""),
        ("cooldown = \"3s\"", "cooldown = \"90s\""),
        ("severity = \"medium\"", "severity = \"high\""),
        ("at_least = 4", "at_least = 3"),
        ("version = 1", "version = 2"),
    ]
    .into_iter()
    .enumerate()
    {
        assert!(text.contains(from), "{from}");
        let draft = site.path(&format!("draft-{number}.toml"));
        std::fs::write(&draft, text.replace(from, to)).unwrap();
        let (before, after) = (site.replayed(&[]), site.replayed(&["--policies", &draft]));
        let output = site.run(&["tune", "what-if"], &["--draft", &draft, "--json"]);
        assert!(output.status.success(), "{}", said(&output));
        let (mut ours_before, mut ours_after, mut changes) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        for line in lines(&output) {
            for (alerts, side) in [(&mut ours_before, "before"), (&mut ours_after, "after")] {
                if let Some(id) = line[side]["id"].as_str() {
                    alerts.insert(id.to_owned(), line[side].clone());
                }
            }
            changes.extend(line["change"].as_str().map(ToOwned::to_owned));
        }
        assert_eq!(ours_before, before, "draft {number}");
        assert_eq!(ours_after, after, "draft {number}");
        if to.starts_with("version") {
            assert!(changes.iter().all(|change| change == "kept"), "another version changes nothing: {changes:?}");
        } else {
            assert!(changes.iter().any(|change| change != "kept"), "draft {number} changes nothing");
        }
    }
}

#[test]
fn detections_of_two_models_are_told_with_the_time_of_the_change() {
    let mut site = Site::new();
    let set = ["--set", "west-gate.score.enter=0.6"];
    let same = site.run(&["tune", "what-if"], &set);
    assert!(!said(&same).contains("warning"), "{}", said(&same));
    let text = std::fs::read_to_string(&site.detections).unwrap();
    let half = text.lines().count() / 2;
    let mut changed_at = String::new();
    let mut mixed = String::new();
    for (number, line) in text.lines().enumerate() {
        let mut record: Value = serde_json::from_str(line).unwrap();
        if number >= half {
            record["model"]["version"] = "next".into();
        }
        if number == half {
            let record = vedette_analysis::record_line::from_line(line).unwrap();
            changed_at = record.at.captured.to_string();
        }
        mixed += &format!("{record}\n");
    }
    site.detections = site.path("mixed.jsonl");
    std::fs::write(&site.detections, mixed).unwrap();
    let told = said(&site.run(&["tune", "what-if"], &set));
    let warning = told.lines().find(|line| line.starts_with("warning: camera campus-1: ")).unwrap_or_default();
    assert!(warning.contains(&changed_at) && warning.contains(" next:"), "{told}");
    let as_json = lines(&site.run(&["tune", "what-if"], &[&set[..], &["--json"]].concat()));
    let summary = &as_json.last().unwrap()["summary"];
    assert_eq!(summary["warnings"].as_array().unwrap().len(), 1, "{summary}");
    let change = &summary["cameras"][0]["model_changes"][0];
    assert_eq!(change["at"], Value::from(changed_at), "{summary}");
    assert!(change["after"].as_str().unwrap().ends_with(" next") && change["before"] != change["after"], "{summary}");
}

#[test]
fn a_lost_confirmed_alert_is_told_by_the_exit_code() {
    let site = Site::new();
    let count = site.judge(|number, _| (number % 2 == 0).then_some(Decision::Confirmed));
    let lose = ["--set", "west-gate.score.enter=0.99", "--set", "north-road.score.enter=0.99"];
    let output = site.run(&["tune", "what-if"], &lose);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains(&format!("baseline equals what was raised live: {count} of {count}")), "{text}");
    assert!(text.contains("lost    confirmed"), "{text}");
    let output = site.run(&["tune", "what-if"], &["--set", "west-gate.severity=high"]);
    assert!(!output.status.success() && said(&output).contains("west-gate.severity"), "{}", said(&output));
    let output = site.run(&["tune", "what-if"], &["--set", "west-gate.cooldown=4s"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn a_sweep_counts_what_single_what_ifs_give() {
    let site = Site::new();
    site.judge(|number, _| Some(if number % 3 == 0 { Decision::FalseAlarm } else { Decision::Confirmed }));
    let terms = ["--term", "west-gate.score.enter=0.3,0.6,2", "--json"];
    let refused = site.run(&["tune", "sweep"], &terms);
    assert!(!refused.status.success() && said(&refused).contains("west-gate.score.enter = 2"), "{}", said(&refused));
    let terms = ["--term", "west-gate.score.enter=0.3,0.6,0.8", "--term", "lawn.min_duration=1s,3s", "--json"];
    let points = lines(&site.run(&["tune", "sweep"], &terms));
    assert_eq!(points.len(), 6);
    for point in points {
        let score = format!("west-gate.score.enter={}", point["values"]["west-gate.score.enter"]);
        let duration = format!("lawn.min_duration={}", point["values"]["lawn.min_duration"].as_str().unwrap());
        let output = site.run(&["tune", "what-if"], &["--set", &score, "--set", &duration, "--json"]);
        let summary = lines(&output).pop().unwrap();
        assert_eq!(point["alerts"], summary["summary"]["after"], "{score} {duration}");
        assert_eq!(point["lost"], summary["summary"]["changes"]["lost"], "{score} {duration}");
    }
}

#[test]
fn suggestions_need_verdicts_and_say_how_many() {
    let site = Site::new();
    let output = site.run(&["tune", "suggest"], &[]);
    assert!(output.status.success() && said(&output).contains("too few verdicts: 0 confirmed"), "{}", said(&output));
    // Small people are false alarms.
    site.judge(|_, alert| {
        let height = alert.objects.iter().map(|object| object.bbox.height).fold(0.0, f32::max);
        Some(if height < 90.0 { Decision::FalseAlarm } else { Decision::Confirmed })
    });
    let output = site.run(&["tune", "suggest"], &["--newer-from", "2100-01-01T00:00:00Z"]);
    let text = said(&output);
    assert!(output.status.success() && text.contains("->"), "{text}");
    assert!(text.contains("do not bear it out"), "nothing is newer: {text}");
    assert_refused(site.command(&["tune", "suggest"], &["--rule", "south-gate"]), &["no rule `south-gate`"]);
}

/// Whether the alert in question is raised with another value.
fn is_raised(trial: &CameraTrial<'_>, explanation: &Explanation, term: &str, value: &Value) -> bool {
    let term: Term = term.parse().unwrap_or_else(|_| {
        let path = term.split_once('.').unwrap().1;
        Term::new(&explanation.rule, &path.split('.').collect::<Vec<_>>())
    });
    let draft = trial.with_values(&[(term, value.clone())]).unwrap();
    let is_about = |alert: &Alert| {
        alert.rule == explanation.rule && alert.objects.iter().any(|object| explanation.tracks.contains(&object.track))
    };
    trial.what_if(Some(&draft)).unwrap().differences.iter().any(|found| match &explanation.alert {
        Some(alert) => found.before.as_ref().is_some_and(|it| it.id == alert.id) && found.change != Change::Lost,
        None => found.after.as_ref().is_some_and(is_about),
    })
}

#[test]
fn explanations_of_the_demo_are_what_what_ifs_say() {
    let site = Site::new();
    let trial = site.trial();
    let (mut why, mut why_not) = (0, 0);
    for rule in ["lawn", "west-gate", "crossing-loiter", "crossing-crowd"] {
        let rule = RuleId::new(rule).unwrap();
        let at =
            trial.alerts().iter().find(|alert| alert.rule == rule).map_or(trial.alerts()[0].raised, |it| it.raised);
        let seen = tracks(&trial, &rule, at).unwrap();
        let raised = seen.iter().find(|track| track.alert.is_some());
        let missed = seen.iter().find(|track| track.alert.is_none() && track.frames > 20);
        for track in [raised, missed].into_iter().flatten() {
            let question = Question::Track { rule: rule.clone(), track: Some(track.track), at: track.from };
            let explanation = explain(&trial, &question, MOST_REPLAYS).unwrap();
            assert_eq!(explanation.alert.is_some(), track.alert.is_some());
            for rung in &explanation.ladder {
                for margin in &rung.margins {
                    let with = |value| is_raised(&trial, &explanation, &rung.term, value);
                    let found = (with(&margin.raised_at), with(&margin.not_raised_at));
                    assert_eq!(found, (true, false), "{} of track {}: {margin:?}", rung.term, track.track.0);
                    *if track.alert.is_some() { &mut why } else { &mut why_not } += 1;
                }
            }
        }
    }
    assert!(why > 8 && why_not > 1, "{why} {why_not}");
}

#[test]
fn an_explanation_is_told_for_people_and_as_json() {
    let site = Site::new();
    let trial = site.trial();
    let alert = trial.alerts().iter().find(|alert| alert.rule.as_str() == "west-gate").unwrap();
    let (id, at) = (alert.id.to_string(), alert.raised.to_string());
    let ask = |more: &[&str]| {
        let output = site.run(&["tune", "explain"], more);
        assert!(output.status.success(), "{}", said(&output));
        output
    };
    // With and without an alert store that knows it.
    for _ in 0..2 {
        let text = said(&ask(&["--alert", &id]));
        for words in ["raised about track", &id, "met      west-gate.score.enter", "not at"] {
            assert!(text.contains(words), "{words}: {text}");
        }
        site.judge(|_, _| None);
    }
    let explanation = explain(&trial, &Question::Alert(alert.id), MOST_REPLAYS).unwrap();
    let told = lines(&ask(&["--alert", &id, "--json"])).remove(0);
    let margins =
        |ladder: Value| ladder.as_array().unwrap().iter().map(|rung| rung["margins"].clone()).collect::<Vec<_>>();
    assert_eq!(margins(told["ladder"].clone()), margins(serde_json::to_value(&explanation.ladder).unwrap()));
    // The tracks near that time, and the same track with another rule.
    let near = ["--camera", "campus-1", "--at", &at];
    let listed = lines(&ask(&[&["--rule", "west-gate", "--json"], &near[..]].concat()));
    assert!(listed.iter().any(|track| track["alert"] == *id), "{listed:?}");
    let track = alert.objects[0].track.0.to_string();
    let text = said(&ask(&[&["--rule", "crossing-loiter", "--track", &track], &near[..]].concat()));
    assert!(
        text.contains("no alert was raised about track") && text.contains("crossing-loiter.when.duration"),
        "{text}"
    );
    for (more, expected) in [
        (&["--rule", "south", "--track", &track][..], "no rule `south`; it has lawn"),
        (&["--rule", "lawn", "--track", "99999"], "track 99999 was not seen near"),
    ] {
        assert_refused(site.command(&["tune", "explain"], &[more, &near[..]].concat()), &[expected]);
    }
    for (more, expected) in [
        (&["--rule", "lawn"][..], "--camera"),
        (&[], "--alert"),
        (&["--alert", "00000000-0000-0000-0000-000000000001"], "no detections of that time give this alert"),
    ] {
        assert_refused(site.command(&["tune", "explain"], more), &[expected]);
    }
}

#[test]
fn input_that_is_wrong_is_named() {
    let site = Site::new();
    for (words, more, expected) in [
        (&["tune", "what-if"][..], &["--set", "gate"][..], &["`gate` is no RULE.PATH=VALUE"][..]),
        (&["tune", "what-if"], &["--set", "south.score.enter=0.5"], &["no rule `south`", "west-gate"]),
        (&["tune", "what-if"], &["--draft", "nowhere.toml"], &["nowhere.toml"]),
        (&["tune", "what-if"], &[], &["--draft"]),
        (
            &["tune", "sweep"],
            &["--camera", "campus-9", "--term", "lawn.score.enter=0.5"],
            &["no detections of camera campus-9"],
        ),
    ] {
        assert_refused(site.command(words, more), expected);
    }
    let broken = site.path("broken.jsonl");
    std::fs::write(&broken, "{}\n").unwrap();
    let site = Site { detections: broken, ..site };
    let more = ["--set", "lawn.score.enter=0.5"];
    assert_refused(site.command(&["tune", "what-if"], &more), &["broken.jsonl:1: not a record of detections"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_page_about_tuning_run() {
    let site = tempfile::tempdir().unwrap();
    let product = Product::start(&demo_site(site.path()), |_| {}).await;
    let alerts = product.alerts_reach(6).await;
    for alert in &alerts {
        let url = format!("{}/api/v1/alerts/{}/verdict", product.url, alert["id"].as_str().unwrap());
        let body = serde_json::json!({"verdict": "confirmed", "by": "test"});
        let answer = reqwest::Client::new().post(url).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }
    product.end().await;
    let binary = Path::new(env!("CARGO_BIN_EXE_vedette")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let commands = commands("TUNING.md");
    assert!(commands.len() >= 6, "{commands:?}");
    for line in commands {
        let mut command = Command::new("bash");
        command.args(["-c", &line]).current_dir(site.path()).env("PATH", &path);
        let output = finish(command);
        // 3: a confirmed alert is lost.
        assert!(matches!(output.status.code(), Some(0 | 3)), "{line}: {}", said(&output));
        if line.contains("what-if") {
            let said = said(&output);
            let tail = said.lines().find(|line| line.starts_with("baseline equals")).unwrap();
            let numbers: Vec<usize> =
                tail.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect();
            assert!(numbers[0] == numbers[1] && numbers[1] >= 6, "{said}");
        }
    }
    // The store has what the bus had: twice, the second time with the tracks of the first.
    let answer = |detections: &str| {
        let line = format!("vedette tune what-if {detections} -c vedette.toml --set west-gate.score.enter=0.6 --json");
        let mut command = Command::new("bash");
        command.args(["-c", &line]).current_dir(site.path()).env("PATH", &path);
        let mut answer = lines(&finish(command));
        // The last frame may have come when the stage that stores detections had ended.
        answer.last_mut().unwrap()["summary"].as_object_mut().unwrap().remove("cameras");
        answer
    };
    let of_file = answer("detections.jsonl --history history.jsonl");
    assert!(of_file.len() > 6, "{of_file:?}");
    assert_eq!(answer(""), of_file);
    assert_eq!(answer(""), of_file);
}
