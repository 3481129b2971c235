//! What joining costs, printed: `cargo test --release -p vedette-alert-store --test it -- --ignored --nocapture joining_costs`.

use std::time::Instant;

use crate::support::{Home, seen};
use vedette_access::Areas;
use vedette_alert_store::AlertStore;
use vedette_alerts::OneEvent;
use vedette_core::{Alert, GroundPoint};

const STORED: i64 = 100_000;
const MORE: i64 = 10_000;
const BATCH: usize = 500;

/// Alerts of a city: ten a second, at a thousand crossings of two cameras each, and every other event is seen by both.
fn city(numbers: std::ops::Range<i64>) -> Vec<Alert> {
    let alert = |number: i64| {
        let (event, second) = (number * 2 / 3, number % 3 == 1);
        let place = event * 7_919 % 1_000;
        let camera = format!("c-{place}-{}", i64::from(second));
        let mut alert = seen(&camera, event * 150 + i64::from(second) * 300, 0.0);
        let (row, column) = ((place / 32) as f64, (place % 32) as f64);
        alert.place.ground = GroundPoint::new(22.5 + row * 0.002, 113.9 + column * 0.002, 1.5).unwrap();
        alert
    };
    numbers.map(alert).collect()
}

fn write(store: &AlertStore, alerts: &[Alert]) -> f64 {
    let began = Instant::now();
    for batch in alerts.chunks(BATCH) {
        store.upsert_all(batch.iter().map(|alert| (alert, None))).unwrap();
    }
    alerts.len() as f64 / began.elapsed().as_secs_f64()
}

fn one_by_one(store: &AlertStore, alerts: &[Alert]) -> f64 {
    let began = Instant::now();
    for alert in alerts {
        store.upsert(alert, None).unwrap();
    }
    alerts.len() as f64 / began.elapsed().as_secs_f64()
}

fn measure(name: &str, home: fn() -> Home) {
    let stored = city(0..STORED);
    let more = city(STORED..STORED + MORE);
    let single = city(STORED + MORE..STORED + MORE + 500);
    let homes = [home(), home()];
    let stores = [homes[0].open(), homes[1].open().joining(OneEvent::default())];
    for store in &stores {
        write(store, &stored);
    }
    let [alone, joined] = stores.each_ref().map(|store| write(store, &more));
    let [alone_one, joined_one] = stores.each_ref().map(|store| one_by_one(store, &single));
    let counts = stores[1].counts(&Areas::Everywhere).unwrap();
    assert!(counts.events < counts.alerts * 7 / 10, "{counts:?}");
    eprintln!(
        "{name}, {STORED} alerts stored: {alone:.0} upserts a second in batches of {BATCH} without joining, {joined:.0} with \
         ({:.2}); one a transaction {alone_one:.0} and {joined_one:.0} ({:.2}); {} alerts are {} events",
        joined / alone,
        joined_one / alone_one,
        counts.alerts,
        counts.events
    );
}

#[test]
#[ignore = "it measures"]
fn joining_costs_in_a_file() {
    measure("file", Home::file);
}

#[test]
#[ignore = "it measures"]
fn joining_costs_on_a_server() {
    measure("server", Home::server);
}
