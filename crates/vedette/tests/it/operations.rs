//! Every process says how it is and what it counts, whatever its roles; only the owner of the registry publishes.

use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::Value;
use vedette::cli::Role;
use vedette_core::{CameraSource, Span};
use vedette_runtime::health::{Condition, Health};

use crate::product::{ALL, Product};
use crate::support::{assert_refused, demo_site, edit, eventually, vedette};

async fn ask(product: &Product, path: &str) -> (u16, String) {
    let response = reqwest::get(format!("http://{}{path}", product.app.operations)).await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

async fn stages(product: &Product) -> Value {
    let (status, text) = ask(product, "/healthz").await;
    assert_eq!(status, 200, "{text}");
    serde_json::from_str::<Value>(&text).unwrap()["stages"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_alone_serves_health_and_metrics() {
    for (role, stage) in
        [(Role::Ingest, "ingest"), (Role::Detect, "detect"), (Role::Analyse, "analyse"), (Role::Console, "console")]
    {
        let site = tempfile::tempdir().unwrap();
        let product = Product::start_roles(&demo_site(site.path()), &[role], |_| {}).await;
        eventually(&format!("{stage} to be ready"), async || (ask(&product, "/readyz").await.0 == 200).then_some(()))
            .await;
        let stages = stages(&product).await;
        for expected in [stage, "operations", "bus", "cameras", "policies"] {
            assert_eq!(stages[expected]["condition"], "running", "{role:?}: {stages}");
        }
        let (status, metrics) = ask(&product, "/metrics").await;
        assert_eq!(status, 200);
        // Its value is the process's: the products of other tests set it too.
        assert!(metrics.contains(&format!("vedette_stage_up{{stage=\"{stage}\"}} ")), "{metrics}");
        assert_eq!(ask(&product, "/").await.0, 404);
        product.end().await;
    }
}

#[test]
fn the_gauge_of_a_stage_follows_its_condition() {
    let recorder = PrometheusBuilder::new().build_recorder();
    vedette_metrics::with_local_recorder(&recorder, || {
        let health = Health::default();
        health.set("ingest", Condition::Running, "");
        health.set("detect", Condition::Running, "");
        health.set("detect", Condition::Failed, "no model");
    });
    let shown = recorder.handle().render();
    for line in ["vedette_stage_up{stage=\"ingest\"} 1", "vedette_stage_up{stage=\"detect\"} 0"] {
        assert!(shown.contains(line), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_on_one_machine_have_ports_of_their_own_and_a_port_that_is_named_is_not_left() {
    let sites = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let first = Product::start_roles(&demo_site(sites[0].path()), &[Role::Analyse], |_| {}).await;
    let second = Product::start_roles(&demo_site(sites[1].path()), &[Role::Analyse], |_| {}).await;
    assert_ne!(first.app.operations, second.app.operations);
    let named = first.app.operations.to_string();
    let third = tempfile::tempdir().unwrap();
    let mut command = vedette();
    command.args(["run", "--roles", "analyse", "--for", "30s", "--operations-listen", &named, "--config"]);
    command.arg(demo_site(third.path()));
    assert_refused(command, &[&named, "operations.listen"]);
    first.end().await;
    second.end().await;
}

#[test]
fn the_address_of_the_page_is_refused_where_there_is_no_page() {
    let site = tempfile::tempdir().unwrap();
    let mut command = vedette();
    command.args(["run", "--roles", "analyse", "--listen", "127.0.0.1:0", "--for", "30s", "--config"]);
    command.arg(demo_site(site.path()));
    assert_refused(command, &["--listen", "no role `console`", "--operations-listen"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_without_frames_is_not_ready_and_says_why() {
    let site = tempfile::tempdir().unwrap();
    // Nobody takes in cameras, detects or analyses.
    let product = Product::start_roles(&demo_site(site.path()), &[Role::Console], |config| {
        config.settings.console.stale_after = Span::from_secs(5);
        config.settings.analyse.save_every = Span::from_millis(100);
        let source = CameraSource::Rtsp { url: "rtsp://127.0.0.1:1/none".into(), credential: None, login: None };
        config.cameras[0].source = Some(source);
    })
    .await;
    // Before that, it may not be ready because it starts.
    let frames = eventually("a console that is not ready for want of frames", async || {
        let response = product.get("/readyz").await;
        let status = response.status().as_u16();
        let frames = response.json::<Value>().await.unwrap()["stages"]["frames"].clone();
        (status == 503 && frames["condition"] == "failed").then_some(frames)
    })
    .await;
    assert!(frames["detail"].as_str().unwrap().contains("no frame of any camera was analysed since"), "{frames}");
    product.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_folder_puts_no_older_policy_back() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let policies = site.path().join("policies.toml");
    edit(&policies, "version = 1", "version = 2");
    let newest = Product::start_roles(&config, &ALL, |_| {}).await;
    newest.end().await;

    edit(&policies, "version = 2", "version = 1");
    // Without the role that takes in cameras it publishes nothing at all.
    let reader = Product::start_unowned(&config, &[Role::Analyse]).await;
    eventually("policies in order", async || {
        (stages(&reader).await["policies"]["condition"] == "running").then_some(())
    })
    .await;
    reader.end().await;
    // With it, the older version is refused, and health says so.
    let stale = Product::start_roles(&config, &ALL, |_| {}).await;
    let policies = eventually("the refusal in health", async || {
        let policies = stages(&stale).await["policies"].clone();
        (policies["condition"] == "degraded").then_some(policies)
    })
    .await;
    let detail = policies["detail"].as_str().unwrap();
    assert!(detail.contains("version 1") && detail.contains("version 2, which stays in force"), "{detail}");
    eventually("a product that works with the newer policy", async || {
        (ask(&stale, "/readyz").await.0 == 200).then_some(())
    })
    .await;
    stale.end().await;
}
