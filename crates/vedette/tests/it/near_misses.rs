//! Near-misses of the demo's recording, through the whole product: from detections to the API.

use std::collections::BTreeSet;

use serde_json::Value;
use vedette::cli::Role;
use vedette_topics::topics;

use crate::broker;
use crate::product::{Product, send_garbage};
use crate::support::{demo_site, edit, eventually, root};

/// All in the store, by id.
async fn listed(product: &Product) -> Vec<Value> {
    let (mut found, mut before) = (Vec::new(), String::new());
    loop {
        let page = product.json(&format!("/api/v1/near-misses?limit=3{before}")).await;
        found.extend(page["near_misses"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => before = format!("&before={next}"),
            None => return found,
        }
    }
}

fn ids(found: &[Value]) -> BTreeSet<String> {
    found.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

/// Waits until the store has so many.
async fn reach(product: &Product, count: usize) -> Vec<Value> {
    eventually(&format!("{count} near-misses"), async || {
        let found = listed(product).await;
        (found.len() >= count).then_some(found)
    })
    .await
}

/// The picture of a near-miss that has one.
async fn picture(product: &Product) -> (Value, Vec<u8>) {
    eventually("a picture of a near-miss", async || {
        for one in listed(product).await {
            let Some(path) = one["picture"].as_str() else { continue };
            let response = product.get(path).await;
            // Its video may go at any moment.
            if response.status().is_success() {
                return Some((one, response.bytes().await.unwrap().to_vec()));
            }
        }
        None
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn near_misses_of_a_recorded_camera_are_listed_with_box_and_picture_and_fill_a_lost_store_again() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let product = Product::start(&config, |_| {}).await;
    let found = reach(&product, 4).await;
    for one in &found {
        assert_eq!(one["camera"], "campus-1");
        let (value, threshold) = (one["value"].as_f64().unwrap(), one["threshold"].as_f64().unwrap());
        assert!((one["distance"].as_f64().unwrap() - (value - threshold).abs()).abs() < 1e-9, "{one}");
        if one["track"].is_null() {
            continue;
        }
        let nearest = &one["nearest"];
        let right = nearest["box_px"]["x"].as_f64().unwrap() + nearest["box_px"]["width"].as_f64().unwrap();
        assert!(right > 0.0 && nearest["frame_width_px"] == 768, "{one}");
        assert!(nearest["captured"].as_str() <= one["ended"].as_str(), "{one}");
    }
    let (one, jpeg) = picture(&product).await;
    assert!(image::load_from_memory(&jpeg).unwrap().width() >= 640);
    assert!(one["picture"].as_str().unwrap().ends_with(one["nearest"]["captured"].as_str().unwrap()), "{one}");
    assert!(one["picture_until"].as_str() > one["nearest"]["captured"].as_str() && one["no_picture"].is_null());

    // The commands of the page about tuning.
    let page = std::fs::read_to_string(root().join("docs/TUNING.md")).unwrap();
    let commands: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("$ curl 'http://127.0.0.1:8080")).collect();
    assert_eq!(commands.len(), 2, "{commands:?}");
    for path in commands {
        product.json(path.strip_suffix('\'').unwrap()).await;
    }

    // Counted by value.
    let rule = one["rule"].as_str().unwrap();
    let path = format!("/api/v1/near-misses/histogram?rule={rule}&term={}&bins=7", one["term"].as_str().unwrap());
    let counts = product.json(&path).await;
    let in_bins: u64 = counts["bins"].as_array().unwrap().iter().map(|bin| bin["near_misses"].as_u64().unwrap()).sum();
    let of_thresholds: u64 =
        counts["thresholds"].as_array().unwrap().iter().map(|of| of["near_misses"].as_u64().unwrap()).sum();
    assert!(in_bins > 0 && counts["bins"].as_array().unwrap().len() == 7, "{counts}");
    assert!(of_thresholds >= 1 && counts["complete"] == true, "{counts}");
    product.end().await;

    // The store is lost; the analysis rests.
    for name in ["alerts.sqlite", "alerts.sqlite-wal", "alerts.sqlite-shm"] {
        let _ = std::fs::remove_file(site.path().join("data").join(name));
    }
    let product = Product::start_unowned(&config, &[Role::Console]).await;
    send_garbage(&product.app.bus, topics::NEAR_MISSES.name()).await;
    let distinct = product.near_misses_on_the_bus().await;
    let again = reach(&product, distinct.len()).await;
    assert_eq!((ids(&again), again.len()), (distinct.clone(), distinct.len()));
    assert!(distinct.is_superset(&ids(&found)));
    let letters = eventually("the dead letter", async || {
        let marks = product.app.bus.watermarks(topics::DEAD_LETTERS.name()).await.unwrap();
        let letters: u64 = marks.iter().map(|mark| mark.high).sum();
        (letters > 0).then_some(letters)
    })
    .await;
    assert_eq!(letters, 1);
    product.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn near_misses_come_over_kafka() {
    let Some(broker) = broker::shared() else { return };
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let kafka =
        format!("kind = \"kafka\"\nkafka = {{ brokers = [\"{}\"], prefix = \"near-misses.\" }}", broker.brokers());
    edit(&config, "kind = \"embedded\"", &kafka);
    let product = Product::start(&config, |_| {}).await;
    let found = reach(&product, 2).await;
    assert_eq!(ids(&found).len(), found.len(), "one is there twice");
    picture(&product).await;
    product.end().await;
    // What the analysis published up to its end, each once.
    let product = Product::start_unowned(&config, &[Role::Console]).await;
    let distinct = product.near_misses_on_the_bus().await;
    let again = reach(&product, distinct.len()).await;
    assert_eq!((ids(&again), again.len()), (distinct.clone(), distinct.len()));
    product.end().await;
}
