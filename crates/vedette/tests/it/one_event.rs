//! Two calibrated cameras that see the same ground: what both see is one entry with two views.

use std::collections::BTreeMap;

use serde_json::Value;
use vedette::config::Config;
use vedette_access::Areas;
use vedette_alert_store::{AlertFilter, AlertStore};
use vedette_alerts::{OneEvent, leads};
use vedette_core::{Alert, AlertId, Calibration, CameraSource, GroundPoint, Span};

use crate::product::Product;
use crate::support::{demo_site, eventually};

/// How much sooner the second camera sees everything.
const SOONER: Span = Span::from_millis(700);
/// How far its survey is off, degrees of latitude: a metre.
const OFF: f64 = 0.000_009;

/// The demo's camera, and a second one that sees the same: surveyed by other people, and with another delay.
fn two_cameras(config: &mut Config) {
    let mut second = config.cameras[0].clone();
    second.id = "campus-2".parse().unwrap();
    if let Some(CameraSource::File { offset, .. }) = &mut second.source {
        *offset = SOONER;
    }
    if let Some(Calibration::ControlPoints { points, .. }) = &mut second.calibration {
        for point in points {
            let it = point.ground;
            point.ground = GroundPoint::new(it.latitude() + OFF, it.longitude(), it.error_m()).unwrap();
        }
    }
    config.cameras.push(second);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_cameras_see_is_one_entry_with_two_views() {
    let site = tempfile::tempdir().unwrap();
    let product = Product::start(&demo_site(site.path()), two_cameras).await;
    let joined = eventually("two events that both cameras saw", async || {
        let entries = product.json("/api/v1/alerts").await["alerts"].as_array().unwrap().clone();
        let joined: Vec<Value> = entries.into_iter().filter(|it| it["views"][0].is_object()).collect();
        (joined.len() >= 2).then_some(joined)
    })
    .await;
    for entry in &joined {
        let view = &entry["views"][0];
        assert_eq!(entry["views"].as_array().unwrap().len(), 1, "{entry}");
        assert_ne!(entry["camera"], view["camera"], "{entry}");
        let alert = product.json(&format!("/api/v1/alerts/{}", view["id"].as_str().unwrap())).await;
        assert_eq!((&alert["view_of"], &alert["kind"]), (&entry["id"], &entry["kind"]));
        // Both have their own picture.
        for snapshot in [&entry["evidence"]["snapshot"], &view["snapshot"]] {
            let path = snapshot.as_str().unwrap();
            eventually("a snapshot", async || product.get(path).await.status().is_success().then_some(())).await;
        }
    }
    assert!(product.metric("vedette_alerts_joined_total", "").await >= 2.0);
    product.end().await;

    // The store came to what the alerts say, taken all at once.
    let store = AlertStore::open(&site.path().join("data/alerts.sqlite")).unwrap();
    let each = AlertFilter { each: true, limit: 1000, ..AlertFilter::default() };
    let stored = store.list(&each, &Areas::Everywhere).unwrap().alerts;
    let events: BTreeMap<AlertId, AlertId> = stored.iter().map(|it| (it.alert.id, it.event)).collect();
    let alerts: Vec<Alert> = stored.into_iter().map(|it| it.alert).collect();
    let expected = leads(&alerts, &OneEvent::default()).into_iter().map(|(id, lead)| (id, lead.id)).collect();
    assert_eq!(events, expected);
}
