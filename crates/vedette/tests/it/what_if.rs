//! Drafts that are tried through the API: the answers are those of `vedette tune` and `vedette replay`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use vedette::cli::Role;

use crate::product::Product;
use crate::support::{demo_site, edit, eventually, finish, said, vedette};

/// A site on which alerts were raised and judged, and whose detections are stored.
struct Site {
    folder: tempfile::TempDir,
    product: Product,
}

impl Site {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = demo_site(folder.path());
        let product = Product::start(&config, |_| {}).await;
        for (number, alert) in product.alerts_reach(8).await.iter().enumerate() {
            let url = format!("{}/api/v1/alerts/{}/verdict", product.url, alert["id"].as_str().unwrap());
            let verdict = if number % 3 == 0 { "false_alarm" } else { "confirmed" };
            let body = json!({"verdict": verdict, "by": "test"});
            let answer = reqwest::Client::new().post(url).json(&body).send().await.unwrap();
            assert!(answer.status().is_success());
        }
        product.end().await;
        let product = Product::start_unowned(&config, &[Role::Analyse, Role::Console]).await;
        Self { folder, product }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, String) {
        let url = format!("{}/api/v1/{path}", self.product.url);
        let answer = reqwest::Client::new().post(url).json(body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// A question about the whole time.
    async fn ask(&self, path: &str, more: &Value) -> (u16, String) {
        let mut body =
            json!({"cameras": ["campus-1"], "from": "2000-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.post(path, &body).await
    }

    async fn refused(&self, path: &str, more: &Value) -> (u16, Value) {
        let (status, text) = self.ask(path, more).await;
        (status, serde_json::from_str(&text).unwrap())
    }

    /// The lines of an answer.
    async fn lines(&self, path: &str, more: &Value) -> Vec<Value> {
        let (status, text) = self.ask(path, more).await;
        assert_eq!(status, 200, "{text}");
        lines(&text)
    }

    fn command(&self, words: &[&str]) -> String {
        let mut command = vedette();
        command.args(words).current_dir(self.folder.path());
        let output = finish(command);
        assert!(matches!(output.status.code(), Some(0 | 3)), "{words:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The alerts of one side, by id.
fn side(lines: &[Value], side: &str) -> BTreeMap<String, Value> {
    let alerts = lines.iter().filter_map(|line| Some((line[side]["id"].as_str()?.to_owned(), line[side].clone())));
    alerts.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_what_if_through_the_api_is_what_replay_gives() {
    let site = Site::start().await;
    let draft = json!({"set": {"west-gate.score.enter": 0.6, "west-gate.score.stay": 0.6}, "kept": true});
    let answer = site.lines("what-if", &draft).await;
    let summary = &answer.last().unwrap()["summary"];
    assert_eq!(summary["baseline"]["equal"], summary["baseline"]["live"], "{summary}");
    assert!(summary["baseline"]["live"].as_u64().unwrap() >= 8, "{summary}");
    let camera = &summary["cameras"][0];
    assert!(camera["frames"].as_u64() > Some(100) && camera["models"].as_array().unwrap().len() == 1, "{camera}");
    assert_eq!(summary["warnings"], json!([]), "{summary}");
    assert!(answer.iter().any(|line| line["progress"] == json!({"done": 1, "of": 1})));

    // The records of the same time, as `vedette export` writes them.
    let span = "from=2000-01-01T00:00:00Z&until=2100-01-01T00:00:00Z";
    let records = site.product.get(&format!("/api/v1/cameras/campus-1/detections?{span}")).await;
    assert_eq!(records.headers()["content-type"], "application/x-ndjson");
    std::fs::write(site.path("detections.jsonl"), records.text().await.unwrap()).unwrap();
    let replay = |more: &[&str]| {
        let text = site.command(&[&["replay", "detections.jsonl", "-c", "vedette.toml"], more].concat());
        let alerts = lines(&text).into_iter().map(|alert| (alert["id"].as_str().unwrap().to_owned(), alert));
        alerts.collect::<BTreeMap<_, _>>()
    };
    assert_eq!(side(&answer, "before"), replay(&[]));
    let text = std::fs::read_to_string(site.path("policies.toml")).unwrap();
    std::fs::write(site.path("draft.toml"), text).unwrap();
    let score = "id = \"west-gate\"\nscore = { enter = 0.6, stay = 0.6 }";
    edit(&site.folder.path().join("draft.toml"), "id = \"west-gate\"", score);
    assert_eq!(side(&answer, "after"), replay(&["--policies", "draft.toml"]));

    // The same draft as a whole policy, on the cameras of its scope, and on the command line.
    let policy = site.product.json("/api/v1/policies/group/campus").await["policy"].clone();
    let mut draft = policy.clone();
    let gate = draft["rule"].as_array_mut().unwrap().iter_mut().find(|rule| rule["id"] == "west-gate").unwrap();
    gate["score"] = json!({"enter": 0.6, "stay": 0.6});
    let of_scope = json!({"cameras": [], "policies": [{"scope": "group/campus", "policy": draft}], "kept": true});
    assert_eq!(site.lines("what-if", &of_scope).await, answer);
    let set = ["--set", "west-gate.score.enter=0.6", "--set", "west-gate.score.stay=0.6", "--json"];
    let told = lines(&site.command(&[&["tune", "what-if", "-c", "vedette.toml"], &set[..]].concat()));
    let differences =
        |lines: &[Value]| lines.iter().filter(|line| line["change"].is_string()).cloned().collect::<Vec<_>>();
    assert_eq!(differences(&told), differences(&answer));
    assert_eq!(told.last().unwrap()["summary"]["changes"], summary["changes"]);

    // Fewer are listed, all are counted.
    let nothing = site.lines("what-if", &json!({"set": {"west-gate.score.enter": 0.99}, "limit": 1})).await;
    let lost = nothing.last().unwrap()["summary"]["changes"]["lost"].clone();
    assert!(differences(&nothing).len() == 1 && lost["confirmed"].as_u64() > Some(0), "{lost}");
    site.product.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sweeps_suggestions_and_scores_are_asked_for_while_the_product_runs() {
    let site = Site::start().await;
    let terms = json!({"terms": [{"term": "west-gate.score.enter", "values": [0.3, 0.6, 2]}]});
    let (status, problem) = site.refused("what-if/sweep", &terms).await;
    assert_eq!((status, &problem["code"]), (400, &json!("what-if.question")), "{problem}");
    let terms = json!({"terms": [{"term": "west-gate.score.enter", "values": [0.3, 0.6, 0.8]}, {"term": "lawn.min_duration", "values": ["1s", "3s"]}]});
    let (status, sweep) = site.refused("what-if/sweep", &terms).await;
    assert_eq!((status, sweep["points"].as_array().map(Vec::len)), (200, Some(6)), "{sweep}");
    let single =
        site.lines("what-if", &json!({"set": {"west-gate.score.enter": 0.8, "lawn.min_duration": "3s"}})).await;
    assert_eq!(sweep["points"][5]["alerts"], single.last().unwrap()["summary"]["after"]);

    let (status, suggested) = site.refused("policies/group/campus/suggest", &json!({"cameras": []})).await;
    assert_eq!((status, &suggested[0]["camera"]), (200, &json!("campus-1")), "{suggested}");
    assert!(suggested[0]["none"].is_string() || suggested[0]["changes"].is_array(), "{suggested}");
    let (status, problem) = site.refused("policies/group/campus/suggest", &json!({"rules": ["south"]})).await;
    assert!(status == 400 && problem["detail"].as_str().unwrap().contains("no rule `south`"), "{problem}");

    let span = "from=2000-01-01T00:00:00Z&until=2100-01-01T00:00:00Z";
    let scores = site.product.json(&format!("/api/v1/cameras/campus-1/scores?{span}")).await;
    let people: u64 = scores["objects"]["person"].as_array().unwrap().iter().filter_map(Value::as_u64).sum();
    let of_alerts =
        |verdict: &str| -> u64 { scores["alerts"][verdict].as_array().unwrap().iter().filter_map(Value::as_u64).sum() };
    assert!(people > 10 && of_alerts("confirmed") > of_alerts("false") && of_alerts("false") > 0, "{scores}");
    site.product.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explanation_through_the_api_is_that_of_the_command() {
    let site = Site::start().await;
    let alerts = site.product.json("/api/v1/alerts?kind=line_crossing").await;
    let alert = &alerts["alerts"][0];
    let (id, rule, raised) = (text(&alert["id"]), text(&alert["why"]["rule"]), text(&alert["raised"]));
    let answer = site.product.json(&format!("/api/v1/alerts/{id}/explain")).await;
    let explanation = &answer["explanation"];
    assert_eq!((&explanation["alert"]["id"], &explanation["rule"]), (&alert["id"], &json!(rule)), "{answer}");
    assert!(answer["coverage"]["frames"].as_u64() > Some(100), "{answer}");
    let rung = |term: &str| {
        let ladder = explanation["ladder"].as_array().unwrap();
        ladder.iter().find(|rung| rung["term"] == format!("{rule}.{term}")).unwrap().clone()
    };
    // Its score could be required up to there: a what-if says so, too.
    let enter = rung("score.enter");
    assert_eq!((&enter["met"], &enter["effect"]), (&json!(true), &json!("decides")), "{enter}");
    for (value, is_lost) in [("raised_at", false), ("not_raised_at", true)] {
        let draft = json!({"set": {format!("{rule}.score.enter"): enter["margins"][0][value]}, "kept": true});
        let lines = site.lines("what-if", &draft).await;
        let found = lines.iter().find(|line| line["before"]["id"] == alert["id"]).unwrap();
        assert_eq!(found["change"] == "lost", is_lost, "{value}: {found}");
    }
    let told = lines(&site.command(&["tune", "explain", "-c", "vedette.toml", "--json", "--alert", id]));
    assert_eq!(told, std::slice::from_ref(explanation));
    // Asked by its track, and of a track about which another rule raised none.
    let track = explanation["tracks"][0].to_string();
    let asked = |rule: &str| format!("/api/v1/explain?camera=campus-1&rule={rule}&track={track}&at={raised}");
    assert_eq!(site.product.json(&asked(rule)).await["explanation"], *explanation);
    let none = site.product.json(&asked("crossing-loiter")).await["explanation"].clone();
    assert!(none["alert"].is_null() && none["frames"][0]["track"] == explanation["tracks"][0], "{none}");
    let words =
        ["tune", "explain", "-c", "vedette.toml", "--json", "--camera", "campus-1", "--rule", "crossing-loiter"];
    let told = lines(&site.command(&[&words[..], &["--track", &track, "--at", raised]].concat()));
    assert_eq!(told, [none]);
    // What is not there.
    for (path, status, code) in [
        (asked("south"), 400, "what-if.question"),
        (asked(rule).replace(&format!("track={track}"), "track=99999"), 400, "what-if.question"),
        (asked(rule).replace(&format!("track={track}&"), ""), 400, "what-if.question"),
        (asked(rule).replace("campus-1", "campus-9"), 404, "camera.none"),
        (asked(rule).replace(raised, "2001-01-01T00:00:00Z"), 410, "what-if.no-detections"),
        (asked(rule).replace(raised, "yesterday"), 400, "parameter.instant"),
        (asked(rule).replace(&format!("track={track}"), "track=-1"), 400, "parameter.number"),
        ("/api/v1/explain?camera=campus-1".to_owned(), 400, "parameter.missing"),
        ("/api/v1/alerts/00000000-0000-0000-0000-000000000001/explain".to_owned(), 404, "not-found.alert"),
    ] {
        let answer = site.product.get(&path).await;
        let found = answer.status().as_u16();
        let problem: Value = answer.json().await.unwrap();
        assert_eq!((found, &problem["code"]), (status, &json!(code)), "{path}: {problem}");
    }
    let problem: Value = site.product.get(&asked("south")).await.json().await.unwrap();
    assert!(text(&problem["detail"]).contains("no rule `south`; it has lawn"), "{problem}");
    site.product.end().await;
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_that_cannot_be_answered_say_why() {
    let site = Site::start().await;
    let set = json!({"west-gate.score.enter": 0.6});
    let policy = site.product.json("/api/v1/policies/group/campus").await["policy"].clone();
    let mut outside = policy.clone();
    outside["rule"][0]["when"]["zone"] = json!([[0, 0], [9000, 0], [9000, 9000]]);
    let drafted = |policy: &Value| json!([{"scope": "group/campus", "policy": policy}]);
    let deep = format!("west-gate.when{}", ".a".repeat(200_000));
    let many: serde_json::Map<String, Value> =
        (0..20_000).map(|number| (format!("west-gate.when.x{number}"), json!(1))).collect();
    for (more, status, code) in [
        (json!({"set": set, "cameras": ["campus-9"]}), 404, "camera.none"),
        (
            json!({"set": set, "from": "2001-01-01T00:00:00Z", "until": "2002-01-01T00:00:00Z"}),
            410,
            "what-if.no-detections",
        ),
        (json!({"set": set, "until": "1999-01-01T00:00:00Z"}), 400, "parameter.until"),
        (json!({"set": set, "from": "yesterday"}), 400, "parameter.instant"),
        (json!({"set": {"south.score.enter": 0.6}}), 400, "what-if.question"),
        (json!({"set": {"west-gate": 0.6}}), 400, "body.field"),
        // A value so deep that reading it would take the process with it, and so many that nobody else would have a turn.
        (json!({ "set": { deep: 1 } }), 400, "body.field"),
        (json!({ "set": many }), 400, "parameter.most"),
        (json!({"set": set, "policies": drafted(&policy)}), 400, "what-if.draft"),
        (json!({}), 400, "what-if.draft"),
        (json!({"set": set, "cameras": []}), 400, "what-if.cameras"),
        (json!({"set": set, "cameras": ["campus-1", "campus-1"]}), 400, "parameter.twice"),
        (json!({"set": set, "limit": 10_001}), 400, "parameter.most"),
        (json!({"set": set, "threshold": 1}), 400, "body.field"),
        (json!({"policies": drafted(&outside)}), 422, "what-if.refused"),
        (json!({"policies": [{"scope": "group/nobody", "policy": policy}], "cameras": []}), 400, "what-if.question"),
        (json!({"policies": [{"scope": "campus", "policy": policy}]}), 400, "parameter.unknown-word"),
    ] {
        let (found, problem) = site.refused("what-if", &more).await;
        assert_eq!((found, &problem["code"]), (status, &json!(code)), "{more}: {problem}");
    }
    let (_, problem) = site.refused("what-if", &json!({"policies": drafted(&outside)})).await;
    let refusal = &problem["refusals"][0];
    assert!(refusal["camera"] == "campus-1" && refusal["path"].as_str().unwrap().contains("zone"), "{problem}");

    // Fifty at once: each is answered or refused, and the page is served meanwhile.
    let draft = json!({"set": {"west-gate.score.enter": 0.7}});
    let asked = (0..50).map(|_| site.ask("what-if", &draft));
    let (answers, health) = tokio::join!(futures::future::join_all(asked), site.product.get("/api/v1/alerts"));
    assert!(health.status().is_success());
    assert!(answers.iter().all(|(status, text)| *status == 200 || (*status == 503 && text.contains("busy.what-if"))));
    let answered: Vec<&String> = answers.iter().filter(|(status, _)| *status == 200).map(|(_, text)| text).collect();
    assert!(!answered.is_empty() && answered.iter().all(|text| *text == answered[0]));

    // One that leaves holds nobody up.
    let scores: Vec<f64> = (1..=90).map(|hundredths| f64::from(hundredths) / 100.0).collect();
    let sweep = json!({"terms": [{"term": "lawn.score.enter", "values": scores}]});
    for _ in 0..8 {
        let left = site.ask("what-if/sweep", &sweep);
        let _ = tokio::time::timeout(std::time::Duration::from_millis(20), left).await;
    }
    eventually("an answer", async || {
        let (status, _) = site.ask("what-if", &draft).await;
        (status == 200).then_some(())
    })
    .await;
    site.product.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_of_the_store_is_told_and_the_rest_is_analysed() {
    let site = Site::start().await;
    let mut files: Vec<PathBuf> = Vec::new();
    find(&site.folder.path().join("data"), "detections", &mut files);
    let file = files.first().unwrap();
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    std::fs::write(file, bytes).unwrap();
    let draft = json!({"set": {"west-gate.score.enter": 0.6}});
    let (status, text) = site.ask("what-if", &draft).await;
    assert_eq!(status, 200, "{text}");
    let summary = lines(&text).pop().unwrap()["summary"].clone();
    let gaps = summary["cameras"][0]["gaps"].to_string();
    assert!(gaps.contains("checksum does not match") && gaps.contains("are missing"), "{gaps}");
    assert!(summary["baseline"]["equal"].as_u64() < summary["baseline"]["live"].as_u64(), "{summary}");
    site.product.end().await;
}

fn find(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, ending, found);
        } else if path.extension().is_some_and(|it| it == ending) {
            found.push(path);
        }
    }
}
