//! Policies that change while the product runs, and between two runs: a replay of what was detected, with the history of the policies, gives
//! the alerts that were raised, byte for byte.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use vedette::cli::Role;
use vedette::config::Config;
use vedette_alerts::json::AlertJson;
use vedette_bus::StartAt;
use vedette_core::{Policy, Score, ScoreBand};
use vedette_stages::registry;
use vedette_topics::{reading, topics};

use crate::blind::{Worker, on_kafka};
use crate::broker;
use crate::product::Product;
use crate::support::{demo_site, edit, eventually, finish, said, vedette};

/// The policy as another version, with other scores.
fn version(policy: &Policy, version: u32, score: f32) -> Policy {
    let score = Score::new(score).unwrap();
    let mut policy = Policy { version, ..policy.clone() };
    for rule in &mut policy.rules {
        rule.score = ScoreBand { enter: score, stay: score };
    }
    policy
}

/// The alerts on the bus as lines of JSON, by id and revision.
async fn raised(product: &Product) -> Alerts {
    let (bus, topic) = (&product.app.bus, topics::ALERTS.name());
    let mut reader = bus.read(topic, StartAt::Earliest).await.unwrap();
    let mut alerts = BTreeMap::new();
    reading::to_end(bus, topic, &mut reader, |record| {
        let alert = topics::ALERTS.read(&record).unwrap();
        let line = serde_json::to_string(&AlertJson::new(&alert, None)).unwrap();
        alerts.insert((alert.id.to_string(), alert.revision), line);
    })
    .await
    .unwrap();
    alerts
}

/// Waits until so many more alerts were raised.
async fn more_alerts(product: &Product, more: usize) {
    let before = raised(product).await.len();
    eventually("further alerts", async || (raised(product).await.len() >= before + more).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_over_three_changes_gives_the_alerts_that_were_raised() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let first = Product::start(&config, |_| {}).await;
    more_alerts(&first, 2).await;
    first.end().await;

    // The file is changed between two runs.
    edit(&site.path().join("policies.toml"), "version = 1", "version = 2");
    let text = std::fs::read_to_string(site.path().join("policies.toml")).unwrap();
    let text = text.replace("[[policy.rule]]\n", "[[policy.rule]]\nscore = { enter = 0.3, stay = 0.3 }\n");
    std::fs::write(site.path().join("policies.toml"), text).unwrap();
    let second = Product::start(&config, |_| {}).await;
    more_alerts(&second, 2).await;

    // Then while it runs, twice.
    let Config { cameras, policies, .. } = Config::load(&config).unwrap();
    for (number, score) in [(3, 0.7), (4, 0.3)] {
        let changed = [version(&policies[0], number, score)];
        assert_eq!(registry::publish_onto(&second.app.bus, &cameras, &changed).await.unwrap(), 1);
        more_alerts(&second, 2).await;
    }
    let live = raised(&second).await;
    second.end().await;

    let recorded = Recorded::export(&config, &site);
    let history = std::fs::read_to_string(site.path().join("history.jsonl")).unwrap();
    assert_eq!(history.lines().filter(|line| line.contains("\"kind\":\"policy\"")).count(), 4, "{history}");
    recorded.assert_replay_gives(&live);
    // The files alone are not enough.
    let mut newest = recorded.replay(&[]);
    newest.retain(|key, _| live.contains_key(key));
    assert_ne!(newest, live);
}

/// Alerts as lines of JSON, by id and revision.
type Alerts = BTreeMap<(String, u32), String>;

/// The detections of a site and the history of its cameras and policies, in files.
struct Recorded {
    config: PathBuf,
    detections: PathBuf,
    history: PathBuf,
}

impl Recorded {
    /// Of the bus, on which no process of the site runs any more.
    fn export(config: &Path, site: &tempfile::TempDir) -> Self {
        let (detections, history) = (site.path().join("detections.jsonl"), site.path().join("history.jsonl"));
        let mut export = vedette();
        export.arg("export").arg("--config").arg(config).arg("--history").arg(&history);
        let exported = finish(export);
        assert!(exported.status.success(), "{}", said(&exported));
        std::fs::write(&detections, &exported.stdout).unwrap();
        Self { config: config.to_owned(), detections, history }
    }

    fn replay(&self, more: &[&str]) -> Alerts {
        let mut replay = vedette();
        replay.arg("replay").arg(&self.detections).arg("--config").arg(&self.config).args(more);
        let replayed = finish(replay);
        assert!(replayed.status.success(), "{}", said(&replayed));
        let mut alerts = BTreeMap::new();
        for line in String::from_utf8(replayed.stdout).unwrap().lines() {
            let alert: serde_json::Value = serde_json::from_str(line).unwrap();
            let revision = alert["revision"].as_u64().unwrap() as u32;
            alerts.insert((alert["id"].as_str().unwrap().to_owned(), revision), line.to_owned());
        }
        alerts
    }

    fn assert_replay_gives(&self, live: &Alerts) {
        let mut replayed = self.replay(&["--history", &self.history.display().to_string()]);
        // A replay ends the alerts that are open, which the product does not; frames may have come after the alerts were read.
        let last = live.keys().filter(|key| !replayed.contains_key(*key)).collect::<Vec<_>>();
        assert_eq!(last, Vec::<&(String, u32)>::new(), "raised live, and not by the replay");
        replayed.retain(|key, _| live.contains_key(key));
        assert_eq!(replayed, *live);
    }
}

/// Applies the policy with other scores until it is in force: right after a worker was killed it may be refused.
async fn apply(desk: &Product, policy: &Value, score: f64) {
    let mut policy = policy.clone();
    for rule in policy["rule"].as_array_mut().unwrap() {
        rule["score"] = json!({ "enter": score, "stay": score });
    }
    let url = format!("{}/api/v1/policies/group/campus/apply", desk.url);
    let body = json!({ "policy": policy, "by": "anna", "reason": "dusk", "take_over": true });
    eventually("a change in force", async || {
        let answer = reqwest::Client::new().post(&url).json(&body).send().await.unwrap();
        let status = answer.status().as_u16();
        assert!(matches!(status, 200 | 503), "{}", answer.text().await.unwrap());
        (status == 200).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_kafka_a_replay_gives_the_alerts_although_each_worker_was_killed_during_a_change() {
    let Some(broker) = broker::shared() else { return };
    let sites = [(); 4].map(|()| tempfile::tempdir().unwrap());
    let [desk, eyes, one, two] = [0, 1, 2, 3].map(|index| {
        let config = demo_site(sites[index].path());
        on_kafka(&config, "changes", broker);
        config
    });
    let product = Product::start_roles(&desk, &[Role::Console], |_| {}).await;
    let _eyes = Worker::start(&eyes, "ingest,detect");
    let (first, second) = (Worker::start(&one, "analyse"), Worker::start(&two, "analyse"));
    more_alerts(&product, 2).await;
    let policy = product.json("/api/v1/policies/group/campus").await["policy"].clone();

    apply(&product, &policy, 0.7).await;
    more_alerts(&product, 1).await;
    // One of the two has the camera.
    tokio::join!(apply(&product, &policy, 0.3), async { drop(first) });
    let _first = Worker::start(&one, "analyse");
    more_alerts(&product, 2).await;
    tokio::join!(apply(&product, &policy, 0.4), async { drop(second) });
    let _second = Worker::start(&two, "analyse");
    more_alerts(&product, 2).await;

    let live = raised(&product).await;
    product.end().await;
    let recorded = Recorded::export(&desk, &sites[0]);
    let history = std::fs::read_to_string(&recorded.history).unwrap();
    assert!(history.lines().filter(|line| line.contains("\"kind\":\"policy\"")).count() >= 4, "{history}");
    recorded.assert_replay_gives(&live);
}
