//! Measurements of the login, which `benches/run access` prints; no test asserts them, because a machine may be busy.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::access::{Guarded, PASSWORD};
use crate::figures::Durations;

const STORM: Duration = Duration::from_secs(20);
/// Clients that log in all the time.
const CLIENTS: usize = 48;

/// Requests of somebody who has a token.
async fn ask(site: &Guarded, until: Instant) -> Durations {
    let mut took = Vec::new();
    for path in ["/api/v1/frames", "/api/v1/alerts?limit=50", "/api/v1/session", "/api/v1/cameras"].iter().cycle() {
        let began = Instant::now();
        if began >= until {
            break;
        }
        let (status, _) = site.get("administrator", path).await;
        assert_eq!(status, 200, "{path}");
        took.push(began.elapsed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Durations::new(took)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: benches/run access"]
async fn how_many_log_in_and_how_long_others_wait() {
    let (site, target) = (Arc::new(Guarded::start().await), Duration::from_millis(100));
    let (began, mut count) = (Instant::now(), 0_u32);
    while began.elapsed() < Duration::from_secs(5) {
        assert_eq!(site.log_in("root", PASSWORD).await.status(), 200);
        count += 1;
    }
    let rate = f64::from(count) / began.elapsed().as_secs_f64();
    println!("logins a second, one after the other, argon2id of 19 MiB on one core: {rate:.1}");

    ask(&site, Instant::now() + Duration::from_secs(5)).await.print("requests while nobody logs in", target);
    let (over, done, refused) =
        (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut storm = JoinSet::new();
    for _ in 0..CLIENTS {
        let (site, over, done, refused) = (site.clone(), over.clone(), done.clone(), refused.clone());
        storm.spawn(async move {
            while !over.load(Ordering::Relaxed) {
                let is_in = site.log_in("root", PASSWORD).await.status() == 200;
                (if is_in { &done } else { &refused }).fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let took = ask(&site, Instant::now() + STORM).await;
    over.store(true, Ordering::Relaxed);
    storm.join_all().await;
    took.print(&format!("requests while {CLIENTS} clients log in all the time"), target);
    let rate = done.load(Ordering::Relaxed) as f64 / STORM.as_secs_f64();
    println!("logins a second meanwhile: {rate:.1}, and {} were told to wait", refused.load(Ordering::Relaxed));
    Arc::into_inner(site).expect("nobody else has it").stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: benches/run access"]
async fn how_long_a_stream_outlives_its_session() {
    let site = Guarded::start().await;
    let mut took = Vec::new();
    for _ in 0..20 {
        let cookie = site.cookie("root").await;
        let mut stream = site.with_cookie(Method::GET, "/api/v1/alerts/stream", &cookie).await;
        stream.chunk().await.unwrap().expect("the beginning");
        let (_, sessions) = site.get("administrator", "/api/v1/sessions").await;
        let path = format!("/api/v1/sessions/{}", sessions[0]["id"].as_str().expect("an id"));
        let (status, answer) = site.ask(Some("administrator"), &Method::DELETE, &path, &Value::Null).await;
        assert_eq!(status, 204, "{answer}");
        let ended = Instant::now();
        while stream.chunk().await.unwrap_or(None).is_some() {}
        took.push(ended.elapsed());
    }
    Durations::new(took).print("a session ended on the server to the last byte of its stream", Duration::from_secs(1));
    site.stop().await;
}
