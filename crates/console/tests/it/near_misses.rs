//! Near-misses through the API.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use vedette_alert_store::NearMissLimits;
use vedette_core::{CameraNearMiss, Span, Timestamp};

use crate::api::problem;
use crate::support::{Running, alert, settings};

/// The console's clock stands here.
const NOW: i64 = 1_772_352_000_000_000;

/// One that ended so many seconds before now.
fn miss(ago: i64, more: &Value) -> CameraNearMiss {
    let ended = NOW - ago * 1_000_000;
    let mut miss = json!({
        "rule": "dwell-east", "kind": "dwell", "policy_version": 4, "subject": 7, "started": ended - 4_000_000,
        "ended": ended, "place": [608.0, 510.5], "term": "duration", "value": 4.0, "threshold": 5.0,
        "nearest": {
            "at": { "epoch": 5, "sequence": 300, "captured": ended - 500_000 },
            "frame": { "width": 1280, "height": 720 }, "video": { "partition": 0, "offset": 12, "sequence": 300 },
            "bbox": { "x": 560.0, "y": 250.25, "width": 96.0, "height": 260.0 },
        },
    });
    for (name, value) in more.as_object().unwrap() {
        miss[name] = value.clone();
    }
    let frame = json!({ "width": 640, "height": 360 });
    let camera = if ago % 2 == 0 { "gate-1" } else { "gate-2" };
    serde_json::from_value(json!({ "camera": camera, "frame": frame, "miss": miss })).unwrap()
}

fn keep(console: &Running, near_misses: &[CameraNearMiss]) {
    let limits = NearMissLimits { per_camera: 100_000, in_all: 100_000 };
    let all = Timestamp::from_micros(i64::MIN);
    console.store.add_near_misses(near_misses, &BTreeMap::new(), limits, all).unwrap();
}

fn ended(list: &Value) -> Vec<String> {
    let all = list["near_misses"].as_array().unwrap();
    all.iter().map(|it| it["ended"].as_str().unwrap().to_owned()).collect()
}

fn before(ago: i64) -> String {
    (Timestamp::from_micros(NOW) - Span::from_secs(ago)).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn near_misses_are_listed_newest_first_filtered_and_in_pages() {
    let console = Running::start().await;
    keep(
        &console,
        &[
            miss(1, &json!({})),
            miss(2, &json!({ "rule": "count-east", "kind": "count", "term": "objects" })),
            miss(3, &json!({ "term": "score" })),
            miss(4, &json!({})),
        ],
    );
    for (query, expected) in [
        ("", vec![1, 2, 3, 4]),
        ("camera=gate-1", vec![2, 4]),
        ("rule=dwell-east", vec![1, 3, 4]),
        ("kind=count", vec![2]),
        ("term=score", vec![3]),
        ("term=something_of_later", vec![]),
        ("from=2026-03-01T07:59:58Z", vec![1, 2]),
        ("until=2026-03-01T07:59:57Z&camera=gate-1", vec![4]),
        ("limit=2", vec![1, 2]),
        ("term=", vec![1, 2, 3, 4]),
    ] {
        let list = console.json(&format!("/api/v1/near-misses?{query}")).await;
        assert_eq!(ended(&list), expected.into_iter().map(before).collect::<Vec<_>>(), "{query}");
    }
    let first = console.json("/api/v1/near-misses?limit=3").await;
    let next = first["next"].as_str().unwrap();
    let second = console.json(&format!("/api/v1/near-misses?limit=3&before={next}")).await;
    assert_eq!((ended(&second), &second["next"]), (vec![before(4)], &Value::Null));
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_near_miss_has_its_box_and_a_picture_as_long_as_the_video_is_kept() {
    let base = vedette_console::ConsoleSettings { base_path: "/vedette".parse().unwrap(), ..settings() };
    let console = Running::with(base, true).await;
    let mut no_video = miss(4, &json!({}));
    no_video.miss.nearest.as_mut().unwrap().video = None;
    keep(
        &console,
        &[
            miss(2, &json!({})),
            no_video,
            miss(6, &json!({ "nearest": null, "subject": null })),
            // Its video is kept for ten minutes.
            miss(598, &json!({})),
            miss(600, &json!({})),
        ],
    );
    let list = console.json("/api/v1/near-misses").await;
    let all = list["near_misses"].as_array().unwrap();
    let mut first = all[0].clone();
    let id = first.as_object_mut().unwrap().remove("id").unwrap();
    assert_eq!(id.as_str().unwrap().len(), 36);
    let captured = "2026-03-01T07:59:57.500000Z";
    assert_eq!(
        first,
        json!({
            "camera": "gate-1", "rule": "dwell-east", "kind": "dwell", "policy_version": 4, "track": 7,
            "started": before(6), "ended": before(2), "term": "duration", "value": 4.0, "threshold": 5.0, "distance": 1.0,
            "place": { "x_px": 608.0, "y_px": 510.5, "frame_width_px": 640, "frame_height_px": 360 },
            "nearest": {
                "epoch": 5, "sequence": 300, "captured": captured, "frame_width_px": 1280, "frame_height_px": 720,
                "box_px": { "x": 560.0, "y": 250.25, "width": 96.0, "height": 260.0 },
            },
            "picture": format!("/vedette/api/v1/cameras/gate-1/still?at={captured}"),
            "picture_until": "2026-03-01T08:09:57.500000Z", "no_picture": null,
        })
    );
    let reasons: Vec<&Value> = all.iter().map(|one| &one["no_picture"]).collect();
    assert_eq!(reasons, [&Value::Null, &json!("no_video"), &json!("no_frame"), &Value::Null, &json!("expired")]);
    for one in all {
        assert_eq!(one["picture"].is_null(), !one["no_picture"].is_null(), "{one}");
        assert_eq!(one["picture"].is_null(), one["picture_until"].is_null(), "{one}");
    }
    assert_eq!((&all[2]["nearest"], &all[2]["track"]), (&Value::Null, &Value::Null));
    assert!(all[4]["nearest"]["box_px"].is_object(), "the box outlasts the video");
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn near_misses_are_counted_around_their_threshold_beside_alerts() {
    let console = Running::start().await;
    keep(&console, &(0..8).map(|ago| miss(ago, &json!({ "value": 3.0 + ago as f64 / 4.0 }))).collect::<Vec<_>>());
    // Raised later, with 6 s of 5.
    console.raise(&alert(1));
    console.raise(&alert(5));
    let client = reqwest::Client::new();
    let verdict = json!({ "verdict": "false_alarm", "by": "operator 7" });
    let url = format!("{}/api/v1/alerts/{}/verdict", console.url, alert(5).id);
    assert!(client.post(url).json(&verdict).send().await.unwrap().status().is_success());
    let path = "/api/v1/near-misses/histogram?rule=dwell-east&term=duration&bins=4";
    let counts = console.json(path).await;
    assert_eq!(counts["thresholds"], json!([{ "threshold": 5.0, "near_misses": 8 }]));
    assert_eq!((&counts["quantity"], &counts["complete"]), (&json!("duration_seconds"), &json!(true)));
    let bins: Vec<Value> = counts["bins"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bin| json!([bin["near_misses"], bin["confirmed"], bin["false_alarms"], bin["unjudged"]]))
        .collect();
    assert_eq!(bins, [json!([3, 0, 0, 0]), json!([3, 0, 0, 0]), json!([2, 0, 0, 0]), json!([0, 0, 1, 1])]);
    let one = console.json(&format!("{path}&camera=gate-1&until=2026-03-01T08:00:00Z")).await;
    let count = |of: &str| one["bins"].as_array().unwrap().iter().map(|bin| bin[of].as_u64().unwrap()).sum::<u64>();
    assert_eq!((count("near_misses"), count("unjudged")), (3, 0));
    let none = console.json("/api/v1/near-misses/histogram?rule=no-such&term=score").await;
    assert_eq!((&none["bins"], &none["quantity"]), (&json!([]), &Value::Null));
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_question_about_near_misses_is_refused_with_the_parameter_and_the_remedy() {
    let console = Running::start().await;
    for (path, parameter, code) in [
        ("near-misses?camera=a%20b", "camera", "parameter.camera"),
        ("near-misses?rule=a%0Ab", "rule", "parameter.rule"),
        ("near-misses?rule=%1b[31m", "rule", "parameter.rule"),
        ("near-misses?kind=party", "kind", "parameter.unknown-word"),
        ("near-misses?term=Score", "term", "parameter.term"),
        ("near-misses?from=today", "from", "parameter.instant"),
        ("near-misses?from=2026-03-02T00:00:00Z&until=2026-03-01T00:00:00Z", "until", "parameter.until"),
        ("near-misses?limit=1001", "limit", "parameter.page"),
        ("near-misses?before=5.x", "before", "parameter.cursor"),
        ("near-misses?rules=a", "rules", "parameter.unknown-of"),
        ("near-misses?rule=a&rule=b", "rule", "parameter.twice"),
        ("near-misses/histogram?term=score", "rule", "parameter.missing"),
        ("near-misses/histogram?rule=a", "term", "parameter.missing"),
        ("near-misses/histogram?rule=a&term=score&bins=0", "bins", "parameter.range"),
        ("near-misses/histogram?rule=a&term=score&bins=201", "bins", "parameter.range"),
        ("near-misses/histogram?rule=a&term=score&bins=x", "bins", "parameter.number"),
    ] {
        let problem = problem(console.get(&format!("/api/v1/{path}")).await, 400).await;
        assert_eq!((&problem["parameter"], &problem["code"]), (&json!(parameter), &json!(code)), "{path}");
    }
    console.stop().await;
}
