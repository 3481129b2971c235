//! Alerts of the running product at a receiver made of other people's libraries: `standardwebhooks` and `cloudevents` of npm.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::product::{ALL, Product};
use crate::support::{self, assert_refused, cache, demo_site, eventually, finish, said, vedette};

/// The product reads the secret from the environment of this process; cargo sets it there (`.cargo/config.toml`).
const VARIABLE: &str = "VEDETTE_TEST_WEBHOOK_SECRET";

fn secret() -> String {
    std::env::var(VARIABLE).unwrap_or_else(|_| panic!("{VARIABLE} is not set: run the tests by cargo"))
}

/// The receiver with its libraries, installed outside the clone.
fn receiver() -> PathBuf {
    let source = support::root().join("crates/vedette/tests/peers");
    let lock = std::fs::read(source.join("package-lock.json")).unwrap();
    let version = lock.iter().fold(7_u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    let folder = cache().join(format!("peers/{version:016x}"));
    if !folder.join("node_modules/cloudevents/package.json").is_file() {
        // Beside it, so that a test that is ended in the middle leaves nothing half there.
        std::fs::create_dir_all(cache().join("peers")).unwrap();
        let made = tempfile::tempdir_in(cache().join("peers")).unwrap();
        for name in ["package.json", "package-lock.json", ".npmrc"] {
            std::fs::copy(source.join(name), made.path().join(name)).unwrap();
        }
        let mut install = Command::new("npm");
        install.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(made.path());
        let output = finish(install);
        assert!(output.status.success(), "{}", said(&output));
        // Another test may have been quicker.
        let _ = std::fs::rename(made.path(), &folder);
    }
    std::fs::copy(source.join("receive.mjs"), folder.join("receive.mjs")).unwrap();
    folder.join("receive.mjs")
}

struct Peer {
    child: Child,
    port: u64,
    lines: Receiver<Value>,
}

impl Peer {
    fn start(answers: &str) -> Self {
        let mut command = Command::new("node");
        command.arg(receiver()).env("SECRET", secret()).env("ANSWERS", answers).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (send, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = send.send(serde_json::from_str::<Value>(&line).unwrap());
            }
        });
        let port = lines.recv_timeout(Duration::from_secs(60)).unwrap()["port"].as_u64().unwrap();
        Self { child, port, lines }
    }

    /// The requests until there were `count` that were answered with 200.
    fn requests(&self, count: usize) -> Vec<Value> {
        let (mut requests, started) = (Vec::new(), Instant::now());
        while requests.iter().filter(|request: &&Value| request["status"] == 200).count() < count {
            let left = Duration::from_secs(240).saturating_sub(started.elapsed());
            let next = self.lines.recv_timeout(left);
            requests.push(next.unwrap_or_else(|_| panic!("only these requests came: {requests:#?}")));
        }
        requests
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn with_sink(config: &std::path::Path, port: u64, more: &str) {
    let text = std::fs::read_to_string(config).unwrap();
    let sink = format!(
        "\n[[sinks]]\nname = \"police\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{port}/alerts?key=a\"\n\
         secret_env = \"{VARIABLE}\"\n{more}"
    );
    std::fs::write(config, text + &sink).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn others_receive_signed_events_of_every_alert_in_order() {
    let (site, peer) = (tempfile::tempdir().unwrap(), Peer::start("503,302,200"));
    let config = demo_site(site.path());
    support::edit(&config, "[console]", "[console]\nbase_path = \"/vedette\"");
    with_sink(&config, peer.port, "");
    let product = Product::start_roles(&config, &ALL, |_| {}).await;
    let requests = tokio::task::spawn_blocking(move || (peer.requests(4), peer)).await.unwrap();
    let (requests, _peer) = requests;
    let mut last: BTreeMap<String, String> = BTreeMap::new();
    for request in &requests {
        assert!(request["error"].is_null(), "{request}");
        assert_eq!((&request["method"], &request["path"]), (&"POST".into(), &"/alerts?key=a".into()), "no redirect");
        let event = &request["event"];
        assert_eq!(event["specversion"], "1.0");
        assert_eq!(event["id"], request["id"]);
        assert!(event["type"].as_str().unwrap().starts_with("dev.vedette.alert."), "{event}");
        let data = &event["data"];
        assert_eq!(event["id"], format!("{}-{}", data["id"].as_str().unwrap(), data["revision"]));
        assert_eq!(event["subject"], data["place"]["address"]["code"]);
        let snapshot = format!("/vedette/api/v1/alerts/{}/snapshot", data["id"].as_str().unwrap());
        assert_eq!(data["evidence"]["snapshot"], snapshot);
        assert_eq!(event["source"], format!("/cameras/{}", data["camera"].as_str().unwrap()));
        let previous = last.insert(data["camera"].to_string(), event["time"].as_str().unwrap().to_owned());
        assert!(previous.is_none_or(|previous| previous.as_str() <= event["time"].as_str().unwrap()), "{requests:#?}");
    }
    // The first alert was tried until it was taken.
    assert_eq!(requests[0]["id"], requests[1]["id"]);
    assert_eq!(requests[1]["id"], requests[2]["id"]);
    let stored = product.alerts_reach(2).await;
    assert!(stored.iter().any(|alert| requests[0]["event"]["data"]["id"] == alert["id"]), "{stored:#?}");
    assert!(product.metric("vedette_sink_delivered_total", "sink_police").await >= 4.0);
    assert!(product.metric("vedette_sink_retried_total", "sink_police").await >= 2.0);
    product.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_receiver_refuses_is_dead_lettered_and_what_is_not_for_it_is_not_sent() {
    let (site, peer) = (tempfile::tempdir().unwrap(), Peer::start("422"));
    let config = demo_site(site.path());
    with_sink(&config, peer.port, "[sinks.only]\nkinds = [\"line_crossing\"]\n");
    let product = Product::start_roles(&config, &ALL, |_| {}).await;
    eventually("a refused alert in the dead letters", async || {
        (product.metric("vedette_dead_letters_total", "sink_police").await >= 1.0).then_some(())
    })
    .await;
    let requests = tokio::task::spawn_blocking(move || (peer.requests(1), peer)).await.unwrap().0;
    assert!(requests.iter().all(|request| request["event"]["data"]["kind"] == "line_crossing"), "{requests:#?}");
    eventually("a sink that works although an alert was refused", async || {
        let health = product.json("/healthz").await;
        (health["stages"]["sink_police"]["condition"] == "running").then_some(())
    })
    .await;
    product.end().await;
}

#[test]
fn a_sink_that_cannot_work_is_refused_before_anything_runs() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    with_sink(&config, 1, "timeout = \"10m\"\n[sinks.only]\naddress = \"4403x\"\nunit = \"a b\"\n");
    with_sink(&config, 1, "");
    let mut check = vedette();
    check.env_remove(VARIABLE).arg("check").arg("--config").arg(&config);
    assert_refused(
        check,
        &["sinks[0] (police).timeout = 10m", "only.address = 4403x", "only.unit", "another sink has this name"],
    );
    let other = tempfile::tempdir().unwrap();
    let config = demo_site(other.path());
    with_sink(&config, 1, "");
    let mut run = vedette();
    run.env_remove(VARIABLE).args(["run", "--listen", "127.0.0.1:0", "--for", "30s", "--config"]).arg(&config);
    assert_refused(run, &["secret_env", VARIABLE, "not set"]);
    let mut check = vedette();
    check.env(VARIABLE, "whsec_tooshort").arg("check").arg("--config").arg(&config);
    assert_refused(check, &["sinks[0] (police).secret_env", "24 to 64 bytes"]);
}
