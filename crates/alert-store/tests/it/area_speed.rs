//! What areas cost a list, printed:
//! `cargo test --release -p vedette-alert-store --test it -- --ignored --nocapture listing_one_area`.

use std::time::{Duration, Instant};

use crate::areas::only;
use crate::support::{Home, START, seen};
use vedette_access::Areas;
use vedette_alert_store::{AlertFilter, AlertStore, Cursor};
use vedette_core::{AlertId, Timestamp};

const ALERTS: i64 = 1_000_000;
const ROUNDS: usize = 101;

/// A million alerts of a thousand cameras, a millisecond apart: ten districts of ten streets of ten communities, and two camera groups.
/// Their ids scatter, as those of real alerts do.
fn city(home: &Home) -> AlertStore {
    let store = home.open();
    let mut alert = seen("gate-1", 0, 0.0);
    alert.place.address = None;
    store.upsert(&alert, None).unwrap();
    home.sql(&format!(
        "PRAGMA synchronous = OFF;
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ALERTS})
         INSERT INTO alert (id, revision, change, camera, kind, severity, status, raised_us, code, payload, event, event_us, own_change)
         SELECT printf('%08x-0000-4000-8000-000000000000', i * 2654435761 & 0xffffffff), 1, i + 1, 'c-' || (i * 7919 % 1000), 'presence', 2, 'open',
             {START} + i * 1000,
             printf('44030%d00%d00%d01************', i % 10, i / 10 % 10, i / 100 % 10), payload,
             printf('%08x-0000-4000-8000-000000000000', i * 2654435761 & 0xffffffff), {START} + i * 1000, i + 1
         FROM n CROSS JOIN (SELECT payload FROM alert LIMIT 1);
         UPDATE counter SET value = {ALERTS} + 1 WHERE name = 'change';"
    ));
    for number in 0..100 {
        let camera = format!("c-{number}").parse().unwrap();
        let names: &[&str] = if number < 10 { &["one", "ten"] } else { &["ten"] };
        store.set_camera_groups(&camera, &names.iter().map(|name| (*name).to_owned()).collect()).unwrap();
    }
    store
}

fn timed(store: &AlertStore, areas: &Areas, before: Option<Cursor>) -> Duration {
    let filter = AlertFilter { before, ..AlertFilter::default() };
    let began = Instant::now();
    assert_eq!(store.list(&filter, areas).unwrap().alerts.len(), 100);
    began.elapsed()
}

#[test]
#[ignore = "it measures"]
fn listing_one_area() {
    let store = city(&Home::file());
    let middle = Cursor { at: Timestamp::from_micros(START + ALERTS / 2 * 1_000), id: AlertId(0) };
    for (name, areas) in [
        ("a district, 10 %", only(&["address:440304"])),
        ("a street, 1 %", only(&["address:440304004"])),
        ("a community, 0.1 %", only(&["address:440304004004"])),
        ("a group, 1 %", only(&["group:one"])),
        ("a group, 10 %", only(&["group:ten"])),
        ("two districts and a group", only(&["address:440304", "address:440305", "group:one"])),
    ] {
        for (page, before) in [("first page", None), ("from the middle", Some(middle))] {
            let mut times = [Vec::new(), Vec::new()];
            for _ in 0..ROUNDS {
                times[0].push(timed(&store, &Areas::Everywhere, before));
                times[1].push(timed(&store, &areas, before));
            }
            let [whole, part] = times.map(|mut times| {
                times.sort();
                times[ROUNDS / 2].as_secs_f64() * 1e3
            });
            eprintln!(
                "{name}, {page}: 100 of {ALERTS} alerts in {part:.2} ms, of the whole site in {whole:.2} ms ({:.2})",
                part / whole
            );
        }
    }
}
