//! Policies that change while the product runs, and between two runs: a replay of what was detected, with the history of the policies, gives
//! the alerts that were raised, byte for byte.

use std::collections::BTreeMap;

use vedette::config::Config;
use vedette_alerts::json::AlertJson;
use vedette_bus::StartAt;
use vedette_core::{Policy, Score, ScoreBand};
use vedette_stages::registry;
use vedette_topics::{reading, topics};

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
async fn raised(product: &Product) -> BTreeMap<(String, u32), String> {
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
    let Config { cameras, policies, settings } = Config::load(&config).unwrap();
    for (number, score) in [(3, 0.7), (4, 0.3)] {
        let changed = [version(&policies[0], number, score)];
        assert_eq!(registry::publish_onto(&second.app.bus, &cameras, &changed).await.unwrap(), 1);
        more_alerts(&second, 2).await;
    }
    let live = raised(&second).await;
    second.end().await;

    let history = site.path().join("history.jsonl");
    let mut export = vedette();
    export.args(["export", "--bus-directory"]).arg(&settings.bus.directory).arg("--history").arg(&history);
    let exported = finish(export);
    assert!(exported.status.success(), "{}", said(&exported));
    let versions = std::fs::read_to_string(&history).unwrap();
    assert_eq!(versions.lines().filter(|line| line.contains("\"kind\":\"policy\"")).count(), 4, "{versions}");
    let detections = site.path().join("detections.jsonl");
    std::fs::write(&detections, &exported.stdout).unwrap();

    let replay = |more: &[&str]| {
        let mut replay = vedette();
        replay.arg("replay").arg(&detections).arg("--config").arg(&config).args(more);
        let replayed = finish(replay);
        assert!(replayed.status.success(), "{}", said(&replayed));
        let mut alerts = BTreeMap::new();
        for line in String::from_utf8(replayed.stdout).unwrap().lines() {
            let alert: serde_json::Value = serde_json::from_str(line).unwrap();
            let revision = alert["revision"].as_u64().unwrap() as u32;
            alerts.insert((alert["id"].as_str().unwrap().to_owned(), revision), line.to_owned());
        }
        alerts
    };
    let mut replayed = replay(&["--history", &history.display().to_string()]);
    // A replay ends the alerts that are open, which the product does not; frames may have come after the alerts were read.
    let last = live.keys().filter(|key| !replayed.contains_key(*key)).collect::<Vec<_>>();
    assert_eq!(last, Vec::<&(String, u32)>::new(), "raised live, and not by the replay");
    replayed.retain(|key, _| live.contains_key(key));
    assert_eq!(replayed, live);
    // The files alone are not enough.
    let mut newest = replay(&[]);
    newest.retain(|key, _| live.contains_key(key));
    assert_ne!(newest, live);
}
