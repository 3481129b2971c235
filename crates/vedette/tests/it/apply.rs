//! Policies that are changed while the product runs: by `vedette apply` and through the API.

use std::process::{Command, Output};

use serde_json::{Value, json};
use vedette_bus::StartAt;
use vedette_core::{Span, Timestamp};
use vedette_runtime::clock;
use vedette_topics::{reading, topics};

use crate::product::Product;
use crate::support::{demo_site, edit, eventually, finish, root, said, vedette};

struct Site {
    folder: tempfile::TempDir,
    product: Product,
}

impl Site {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let product = Product::start(&demo_site(folder.path()), |_| {}).await;
        Self { folder, product }
    }

    fn apply(&self, more: &[&str]) -> Output {
        let mut apply = vedette();
        apply.args(["apply", "--console", &self.product.url, "--by", "operator 7", "--reason", "dusk", "--config"]);
        apply.arg(self.folder.path().join("vedette.toml")).args(more);
        finish(apply)
    }

    fn edit(&self, from: &str, to: &str) {
        edit(&self.folder.path().join("policies.toml"), from, to);
    }

    async fn post(&self, action: &str, tag: Option<&str>, body: &Value) -> (u16, Value) {
        let url = format!("{}/api/v1/policies/group/campus/{action}", self.product.url);
        let mut request = reqwest::Client::new().post(url).json(body);
        if let Some(tag) = tag {
            request = request.header("if-match", tag);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn versions(&self) -> Vec<Value> {
        self.product.json("/api/v1/policies/group/campus/versions").await.as_array().unwrap().clone()
    }

    /// How many stream sessions there were.
    async fn sessions(&self) -> usize {
        let (bus, topic) = (&self.product.app.bus, topics::SESSIONS.name());
        let (mut reader, mut count) = (bus.read(topic, StartAt::Earliest).await.unwrap(), 0);
        reading::to_end(bus, topic, &mut reader, |_| count += 1).await.unwrap();
        count
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_planned_and_applied_while_the_product_runs() {
    let site = Site::start().await;
    site.product.alerts_reach(1).await;
    let sessions = site.sessions().await;
    let same = site.apply(&["--plan"]);
    assert_eq!(same.status.code(), Some(0), "{}", said(&same));
    assert!(said(&same).contains("nothing differs"), "{}", said(&same));

    site.edit("version = 1", "version = 2");
    site.edit("id = \"west-gate\"", "id = \"west-gate\"\nscore = { enter = 0.3, stay = 0.3 }");
    let plan = site.apply(&["--plan"]);
    assert_eq!(plan.status.code(), Some(2), "{}", said(&plan));
    assert!(said(&plan).contains("~ policy group/campus"), "{}", said(&plan));
    assert!(said(&plan).contains("rule west-gate.score.enter: 0.5 -> 0.3"), "{}", said(&plan));
    let unasked = site.apply(&[]);
    assert!(!unasked.status.success() && said(&unasked).contains("--yes"), "{}", said(&unasked));
    assert_eq!(site.versions().await.len(), 1);

    let applied = site.apply(&["--yes"]);
    assert!(applied.status.success(), "{}", said(&applied));
    assert!(said(&applied).contains("on 1 workers"), "{}", said(&applied));
    let newest = site.versions().await.remove(0);
    assert_eq!((&newest["version"], &newest["owner"]), (&json!(2), &json!("file")), "{newest}");
    assert_eq!((&newest["by"], &newest["reason"]), (&json!("operator 7"), &json!("dusk")));
    assert!(said(&site.apply(&["--yes"])).contains("nothing differs"));
    eventually("an alert of the new version", async || {
        site.product.alerts().await.iter().find(|alert| alert["why"]["policy_version"] == 2).map(drop)
    })
    .await;
    assert_eq!(site.sessions().await, sessions, "no camera was connected again");

    // A mistake that only this camera's picture shows.
    site.edit("version = 2", "version = 3");
    site.edit("zone = [[0, 262]", "zone = [[0, 2620]");
    let wrong = site.apply(&["--yes"]);
    assert!(!wrong.status.success() && said(&wrong).contains("when.zone"), "{}", said(&wrong));
    assert_eq!(site.versions().await.len(), 2);
    site.product.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_changes_a_policy_and_nobody_is_overwritten_unseen() {
    let site = Site::start().await;
    let page = site.product.get("/api/v1/policies/group/campus").await;
    let tag = page.headers()["etag"].to_str().unwrap().to_owned();
    let mut policy = page.json::<Value>().await.unwrap()["policy"].clone();
    policy["rule"][0]["cooldown"] = json!("1m");
    let wanted = json!({ "policy": policy, "by": "anna", "reason": "quieter", "take_over": true });

    let (status, problem) = site.post("apply", None, &json!({ "policy": policy, "by": "anna" })).await;
    assert_eq!((status, &problem["code"]), (409, &json!("change.kept-elsewhere")), "{problem}");
    let (status, plan) = site
        .post("apply", Some(&tag), &json!({ "plan": true, "policy": policy, "by": "anna", "take_over": true }))
        .await;
    assert_eq!((status, &plan["cameras"], &plan["applied"]), (200, &json!(1), &Value::Null), "{plan}");
    assert_eq!(plan["planned"][0]["differences"][0]["path"], "rule lawn.cooldown", "{plan}");
    let (status, answer) = site.post("apply", Some(&tag), &wanted).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["applied"]["workers"].as_array().unwrap().len(), 1, "{answer}");
    // Somebody else had the same page open.
    let other = json!({ "policy": null, "by": "ben" });
    // A proxy that compresses answers weakens their tags.
    for tag in [&tag, &format!("W/{tag}")] {
        let (status, problem) = site.post("apply", Some(tag), &other).await;
        assert_eq!((status, &problem["code"]), (412, &json!("change.stale")), "{problem}");
    }
    let (_, problem) = site.post("apply", Some(&tag), &other).await;
    assert!(problem["detail"].as_str().unwrap().contains("anna"), "{problem}");
    // The files no longer change it.
    let apply = site.apply(&["--yes"]);
    assert!(!apply.status.success() && said(&apply).contains("kept in the console"), "{}", said(&apply));

    let mut outside = policy.clone();
    outside["rule"][0]["when"]["zone"][0] = json!([-9, 0]);
    let (status, problem) = site.post("apply", None, &json!({ "policy": outside, "by": "anna" })).await;
    assert_eq!((status, &problem["refusals"][0]["camera"]), (422, &json!("campus-1")), "{problem}");
    let (status, problem) =
        site.post("apply", None, &json!({ "policy": { "frame": {}, "rule": [] }, "by": "anna" })).await;
    assert_eq!((status, &problem["parameter"]), (400, &json!("policy.frame")), "{problem}");

    let (status, answer) = site.post("rollback", None, &json!({ "to": 1, "by": "anna" })).await;
    assert_eq!(status, 200, "{answer}");
    let versions = site.versions().await;
    let numbers: Vec<&Value> = versions.iter().map(|version| &version["version"]).collect();
    assert_eq!(numbers, [3, 2, 1]);
    assert_eq!(versions[0]["policy"], versions[2]["policy"]);
    assert_eq!(site.post("rollback", None, &json!({ "to": 9, "by": "anna" })).await.0, 404);

    let until = (clock::now() + Span::from_secs(3_600)).to_string();
    let (status, answer) =
        site.post("pause", None, &json!({ "rule": "lawn", "until": until, "by": "anna", "reason": "a fair" })).await;
    assert_eq!(status, 200, "{answer}");
    let versions = site.versions().await;
    assert_eq!((&versions[0]["effective_from"], &versions[0]["policy"]), (&json!(until), &versions[2]["policy"]));
    assert!(versions[1]["policy"]["rule"].as_array().unwrap().iter().all(|rule| rule["id"] != "lawn"));
    let paused_until = until.clone();
    for (rule, until) in [("nothing", until), ("lawn", Timestamp::default().to_string())] {
        let (status, problem) = site.post("pause", None, &json!({ "rule": rule, "until": until, "by": "anna" })).await;
        assert_eq!(status, 400, "{problem}");
    }
    let (status, plan) = site.post("apply", None, &json!({ "plan": true, "policy": policy, "by": "anna" })).await;
    assert_eq!((status, &plan["planned"][0]["takes_back"]), (200, &json!([paused_until])), "{plan}");
    let changes = site.product.json("/api/v1/changes").await;
    let phases: Vec<&Value> = changes.as_array().unwrap().iter().map(|change| &change["phase"]).collect();
    assert_eq!(phases, ["published"; 3], "{changes}");
    site.product.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_is_added_changed_and_removed_while_the_product_runs() {
    let site = Site::start().await;
    let url = |id: &str| format!("{}/api/v1/cameras/{id}/apply", site.product.url);
    let post = async |id: &str, body: &Value| {
        let answer = reqwest::Client::new().post(url(id)).json(body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let first = site.product.json("/api/v1/cameras/campus-1").await;
    let mut camera = first["camera"].clone();
    let (status, problem) = post("campus-2", &json!({ "camera": camera, "by": "anna" })).await;
    assert_eq!((status, &problem["parameter"]), (400, &json!("camera.id")), "{problem}");
    camera["id"] = json!("campus-2");
    camera["purpose"] = json!(" ");
    let (status, problem) = post("campus-2", &json!({ "camera": camera, "by": "anna" })).await;
    assert_eq!((status, &problem["refusals"][0]["path"]), (422, &json!("purpose")), "{problem}");
    camera["purpose"] = json!("safety");
    let (status, answer) = post("campus-2", &json!({ "camera": camera, "by": "anna" })).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["planned"][0]["action"], "add");
    eventually("frames of the new camera", async || {
        let counts = site.product.get("/api/v1/frames?camera=campus-2").await;
        (counts.status().is_success() && counts.json::<Value>().await.unwrap()["analysed"].as_u64() >= Some(5))
            .then_some(())
    })
    .await;
    let sessions = site.sessions().await;
    camera["name"] = json!("The other one");
    let (status, answer) = post("campus-2", &json!({ "camera": camera, "by": "ben" })).await;
    assert_eq!((status, &answer["planned"][0]["differences"][0]["path"]), (200, &json!("name")), "{answer}");
    assert_eq!(site.sessions().await, sessions, "a name is no reason to connect again");
    let (status, answer) = post("campus-2", &json!({ "camera": null, "by": "ben" })).await;
    assert_eq!(status, 200, "{answer}");
    eventually("the end of its intake", async || {
        (site.product.metric("vedette_ingest_cameras", "").await == 1.0).then_some(())
    })
    .await;
    let versions = site.product.json("/api/v1/cameras/campus-2/versions").await;
    let names: Vec<&Value> = versions.as_array().unwrap().iter().map(|version| &version["camera"]["name"]).collect();
    assert_eq!(names[..2], [&Value::Null, &json!("The other one")], "{versions}");
    site.product.end().await;
}

/// The commands of docs/TUNING.md that begin so, each with the lines that continue it.
fn requests(page: &str) -> Vec<String> {
    let section = page.split("## Drafts").nth(1).unwrap().split("## ").next().unwrap();
    let block = section.split("```").nth(1).unwrap();
    block.split("\n$ ").skip(1).map(|command| command.trim().trim_start_matches("$ ").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_checked_tried_and_applied_as_the_page_about_tuning_says() {
    let site = Site::start().await;
    site.edit("id = \"west-gate\"", "id = \"west-gate\"\nscore = { enter = 0.6, stay = 0.35 }");
    let page = std::fs::read_to_string(root().join("docs/TUNING.md")).unwrap();
    let requests = requests(&page);
    assert_eq!(requests.len(), 4, "{requests:?}");
    let mut answers = Vec::new();
    for request in requests {
        let line = request.replace("http://127.0.0.1:8080", &site.product.url);
        let mut command = Command::new("bash");
        command.args(["-c", &line]).current_dir(site.folder.path());
        let output = finish(command);
        assert!(output.status.success(), "{line}: {}", said(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        let last = text.lines().last().unwrap_or_default();
        answers.push(serde_json::from_str::<Value>(last).unwrap_or_else(|_| panic!("{line}: {text}")));
    }
    let [draft, checked, tried, applied] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!((&draft["based_on_version"], &draft["policy_changed"]), (&json!(1), &json!(false)), "{draft}");
    assert_eq!((&checked["usable"], &checked["cameras"]), (&json!(true), &json!(1)), "{checked}");
    // The newest minute is not stored yet.
    assert!(tried["summary"].is_object() || tried["code"] == "what-if.no-detections", "{tried}");
    assert_eq!(applied["planned"][0]["differences"][0]["path"], "rule west-gate.score.enter", "{applied}");
    assert!(applied["applied"].is_object(), "{applied}");
    let newest = site.product.json("/api/v1/policies/group/campus").await;
    assert_eq!((&newest["version"], &newest["by"]), (&json!(2), &json!("anna")), "{newest}");
    let path = "/api/v1/policies/group/campus/draft";
    assert_eq!(site.product.get(path).await.status(), 404, "it is no draft any more");

    // Every mistake of every camera at once.
    let mut policy = newest["policy"].clone();
    policy["rule"][0]["when"]["zone"][0] = json!([-9, 0]);
    policy["rule"][1]["purpose"] = json!("");
    let draft = |condition: &'static str, value: String, body: Value| {
        let request = reqwest::Client::new().put(format!("{}{path}", site.product.url)).json(&body);
        async move { request.header(condition, value).send().await.unwrap() }
    };
    let written = draft("if-none-match", "*".into(), json!({ "policy": policy })).await;
    let tag = written.headers()["etag"].to_str().unwrap().to_owned();
    let (status, checked) = site.post("check", None, &json!({ "draft": tag })).await;
    let refusals = checked["refusals"].as_array().unwrap();
    assert_eq!((status, refusals.len(), &checked["usable"]), (200, 2, &json!(false)), "{checked}");
    for refusal in refusals {
        assert_eq!(refusal["camera"], "campus-1", "{refusal}");
        assert!(["path", "rule", "fix"].iter().all(|name| refusal[name].as_str().is_some_and(|it| !it.is_empty())));
    }
    let (status, problem) = site.post("apply", None, &json!({ "draft": tag, "by": "anna" })).await;
    assert_eq!((status, problem["refusals"].as_array().map(Vec::len)), (422, Some(2)), "{problem}");

    // Tried on some cameras first, then in force on all.
    policy = newest["policy"].clone();
    policy["rule"][0]["cooldown"] = json!("1m");
    let written = draft("if-match", tag.clone(), json!({ "policy": policy })).await;
    let second = written.headers()["etag"].to_str().unwrap().to_owned();
    let (status, problem) = site.post("apply", None, &json!({ "draft": tag, "by": "anna" })).await;
    assert_eq!((status, &problem["code"]), (412, &json!("draft.changed")), "{problem}");
    let some = json!({ "draft": second, "by": "anna", "only": ["campus-1"] });
    assert_eq!(site.post("apply", None, &some).await.0, 200);
    let kept = site.product.get(path).await;
    assert_eq!(kept.headers()["etag"], second.as_str());
    let kept: Value = kept.json().await.unwrap();
    assert_eq!((&kept["based_on_version"], &kept["policy_changed"]), (&json!(3), &json!(false)), "{kept}");
    // Somebody else changes the policy meanwhile.
    let (status, answer) = site.post("rollback", None, &json!({ "to": 1, "by": "ben" })).await;
    assert_eq!(status, 200, "{answer}");
    let all = json!({ "draft": second, "by": "anna" });
    let (status, problem) = site.post("apply", None, &all).await;
    assert_eq!((status, &problem["code"]), (412, &json!("change.stale")), "{problem}");
    assert_eq!(site.product.json(path).await["policy_changed"], true);
    let newest = site.product.get("/api/v1/policies/group/campus").await;
    let base = newest.headers()["etag"].to_str().unwrap().to_owned();
    draft("if-match", second, json!({ "policy": policy, "based_on": base })).await;
    let (status, answer) = site.post("apply", None, &json!({ "draft": "mine", "by": "anna" })).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(site.product.get(path).await.status(), 404);
    site.product.end().await;
}
