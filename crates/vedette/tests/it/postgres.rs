//! The whole product with its alerts in a real PostgreSQL server, which is killed while alerts come.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;
use vedette_bus::StartAt;
use vedette_topics::topics;
use vedette_wire::decode_alert;

use crate::cluster::Cluster;
use crate::product::Product;
use crate::support::{assert_refused, demo_site, edit, eventually, vedette};

#[tokio::test(flavor = "multi_thread")]
async fn alerts_come_through_a_server_that_dies_and_none_is_lost_or_twice() {
    let cluster = tokio::task::spawn_blocking(Cluster::start).await.unwrap();
    let address = cluster.database();
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    edit(&config, "[console]\n", &format!("[console]\nstore = \"{address}\"\n"));
    let product = Product::start(&config, |_| {}).await;
    product.alerts_reach(2).await;

    cluster.kill();
    let before = ids_on_the_bus(&product).await;
    // An alert that comes now waits on the bus; the process stays alive and says what is wrong.
    eventually("health that says so", async || {
        let health = product.json("/healthz").await;
        let store = stage(&health, "alert_store")?;
        (store["condition"] == "failed" && store["detail"].as_str()?.contains(&address)).then_some(())
    })
    .await;
    assert_eq!(product.get("/readyz").await.status(), 503);
    // Nobody knows now whether an account was made: only health and metrics are served.
    for path in ["/api/v1/alerts", "/api/v1/changes", "/api/v1/cameras", "/api/v1/session"] {
        assert_eq!(product.get(path).await.status(), 503, "{path}");
    }
    assert_eq!(product.get("/metrics").await.status(), 200);
    let at_least = eventually("an alert while the server is away", async || {
        let raised = ids_on_the_bus(&product).await;
        (raised.len() > before.len()).then_some(raised)
    })
    .await;

    cluster.restart();
    eventually("the store again, with what waited", async || {
        let response = product.get("/api/v1/alerts?limit=1000").await;
        if !response.status().is_success() {
            return None;
        }
        let page: Value = response.json().await.unwrap();
        let stored = page["alerts"].as_array().unwrap();
        let ids: HashSet<String> = stored.iter().map(|alert| alert["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(ids.len(), stored.len(), "an alert is there twice");
        at_least.is_subset(&ids).then_some(())
    })
    .await;
    let near_misses = eventually("a near-miss", async || {
        Some(product.near_misses_on_the_bus().await).filter(|published| !published.is_empty())
    })
    .await;
    eventually("the near-misses that waited", async || {
        let page = product.json("/api/v1/near-misses?limit=1000").await;
        let stored = page["near_misses"].as_array().unwrap();
        let ids: BTreeSet<String> = stored.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(ids.len(), stored.len(), "a near-miss is there twice");
        near_misses.is_subset(&ids).then_some(())
    })
    .await;
    eventually("health that is well", async || product.get("/readyz").await.status().is_success().then_some(())).await;
    product.end().await;
}

fn stage<'a>(health: &'a Value, name: &str) -> Option<&'a Value> {
    health["stages"].get(name)
}

async fn ids_on_the_bus(product: &Product) -> HashSet<String> {
    let bus = &product.app.bus;
    let held: u64 = bus.watermarks(topics::ALERTS.name()).await.unwrap().iter().map(|mark| mark.high - mark.low).sum();
    let mut reader = bus.read(topics::ALERTS.name(), StartAt::Earliest).await.unwrap();
    let mut ids = HashSet::new();
    for _ in 0..held {
        ids.insert(decode_alert(reader.next().await.unwrap().record.value.unwrap()).unwrap().id.to_string());
    }
    ids
}

#[test]
fn a_store_that_cannot_be_used_is_said_by_check_and_by_run() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    edit(&config, "[console]\n", "[console]\nstore = \"postgresql://vedette:s3cret@127.0.0.1:1/alerts\"\n");
    let mut check = vedette();
    check.arg("check").arg("-c").arg(&config);
    assert_refused(check, &["console.store", "holds a password", "store_password_env"]);

    edit(&config, "vedette:s3cret@", "vedette@");
    let mut run = vedette();
    run.args(["run", "--roles", "console", "-c"]).arg(&config).args(["--listen", "127.0.0.1:0"]);
    assert_refused(
        run,
        &["postgresql://vedette@127.0.0.1:1/alerts", "cannot be reached", "check that the server runs"],
    );

    edit(&config, "store = ", "store_password_env = \"NO_SUCH_VARIABLE\"\nstore = ");
    let mut run = vedette();
    run.args(["run", "--roles", "console", "-c"]).arg(&config).args(["--listen", "127.0.0.1:0"]);
    assert_refused(run, &["NO_SUCH_VARIABLE", "store_password_env"]);
}
