use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use vedette_access::Areas;
use vedette_alert_store::{EvidenceLook, Looked};
use vedette_alerts::Decision;
use vedette_console::{Console, ConsoleError, ConsoleSettings};
use vedette_core::Timestamp;

use crate::support::{BASE, CODE, FORMER_CODE, NEW_BASE, Running, alert, ended, settings, view_of};

pub(crate) async fn problem(response: reqwest::Response, status: u16) -> Value {
    assert_eq!(response.status(), status, "{}", response.url());
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["status"], status);
    for member in ["type", "title", "detail", "fix"] {
        assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {problem}");
    }
    problem
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_are_listed_newest_first_filtered_and_in_pages() {
    let console = Running::start().await;
    for number in 0..5 {
        console.raise(&alert(number));
    }
    console.raise(&ended(&alert(4)));
    let ids = |list: &Value| list["alerts"].as_array().unwrap().iter().map(|it| it["id"].clone()).collect::<Vec<_>>();
    let all = console.json("/api/v1/alerts").await;
    assert_eq!(ids(&all), [4, 3, 2, 1, 0].map(|number| json!(alert(number).id)));
    assert_eq!(all["next"], Value::Null);
    for (query, expected) in [
        ("kind=presence", vec![4, 0]),
        ("severity=critical", vec![3]),
        ("camera=gate-2", vec![3, 1]),
        ("rule=presence-east", vec![4, 0]),
        ("rule=nobody", vec![]),
        ("status=ended", vec![4]),
        ("status=open&kind=presence", vec![0]),
        ("address=440305007003&kind=count", vec![3]),
        ("address=440306", vec![]),
        ("responsible=police:P-0703", vec![4, 3, 2, 1, 0]),
        ("responsible=F-07&kind=count", vec![3]),
        ("responsible=community:P-0703", vec![]),
        ("from=2026-03-01T08:03:00Z", vec![4, 3]),
        ("until=2026-03-01T16:01:00%2B08:00", vec![0]),
        ("verdict=confirmed", vec![]),
        ("limit=2", vec![4, 3]),
        ("kind=", vec![4, 3, 2, 1, 0]),
    ] {
        let list = console.json(&format!("/api/v1/alerts?{query}")).await;
        assert_eq!(ids(&list), expected.into_iter().map(|n| json!(alert(n).id)).collect::<Vec<_>>(), "{query}");
    }
    let first = console.json("/api/v1/alerts?limit=3").await;
    let next = first["next"].as_str().unwrap();
    let second = console.json(&format!("/api/v1/alerts?limit=3&before={next}")).await;
    assert_eq!(ids(&second), [1, 0].map(|number| json!(alert(number).id)));
    let one = console.json(&format!("/api/v1/alerts/{}", alert(4).id)).await;
    assert_eq!((&one["status"], &one["revision"]), (&json!("ended"), &json!(2)));
    assert_eq!(one["place"]["address"]["code"], CODE);
    assert_eq!(one["place"]["address"]["responsible"][0]["kind"], "fire");
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_two_cameras_saw_is_one_entry_with_a_view() {
    let console = Running::start().await;
    let (lead, view) = (alert(0), view_of(&alert(0)));
    console.raise(&view);
    console.raise(&lead);
    let list = console.json("/api/v1/alerts").await;
    let entries = list["alerts"].as_array().unwrap();
    assert_eq!((entries.len(), &entries[0]["id"], &entries[0]["view_of"]), (1, &json!(lead.id), &Value::Null));
    let seen = &entries[0]["views"][0];
    assert_eq!((&seen["id"], &seen["camera"], &seen["status"]), (&json!(view.id), &json!("gate-2"), &json!("open")));
    assert_eq!(seen["place"]["address"]["code"], CODE);
    assert_eq!(console.get(seen["snapshot"].as_str().unwrap()).await.status(), 200);
    assert_eq!(console.json("/api/v1/alerts?camera=gate-2").await["alerts"][0]["id"], json!(lead.id));
    let all = console.json("/api/v1/alerts?views=all").await;
    assert_eq!((&all["alerts"][0]["view_of"], &all["alerts"][0]["views"]), (&json!(lead.id), &json!([])));
    assert_eq!(all["alerts"][1]["id"], json!(lead.id));
    assert_eq!(console.json(&format!("/api/v1/alerts/{}", view.id)).await["view_of"], json!(lead.id));

    let url = format!("{}/api/v1/alerts/{}/verdict", console.url, view.id);
    let verdict = json!({ "verdict": "confirmed", "by": "operator 7" });
    assert_eq!(reqwest::Client::new().post(url).json(&verdict).send().await.unwrap().status(), 200);
    let confirmed = console.json("/api/v1/alerts?verdict=confirmed").await;
    assert_eq!(confirmed["alerts"][0]["views"][0]["verdict"]["by"], "operator 7");
    assert_eq!(console.json("/api/v1/alerts?verdict=none").await["alerts"], json!([]));
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_names_parameter_value_rule_and_fix() {
    let console = Running::start().await;
    for (path, parameter, fix) in [
        ("/api/v1/alerts?camra=gate-1", "camra", "camera"),
        ("/api/v1/alerts?kind=party", "kind", "line_crossing"),
        ("/api/v1/alerts?address=4403", "address", "6, 9, 12, 14, 19"),
        ("/api/v1/alerts?responsible=police:", "responsible", "KIND:CODE"),
        ("/api/v1/alerts?responsible=a%20b", "responsible", "police:P-0101"),
        ("/api/v1/alerts?from=yesterday", "from", "RFC 3339"),
        ("/api/v1/alerts?until=2026-03-01", "until", "RFC 3339"),
        ("/api/v1/alerts?from=2026-03-02T00:00:00Z&until=2026-03-01T00:00:00Z", "until", "later"),
        ("/api/v1/alerts?views=some", "views", "joined, all"),
        ("/api/v1/alerts?limit=0", "limit", "before"),
        ("/api/v1/alerts?limit=many", "limit", "1 to 1000"),
        ("/api/v1/alerts?limit=5&limit=6", "limit", "once"),
        ("/api/v1/alerts?before=page2", "before", "next"),
        ("/api/v1/alerts?camera=a%20b", "camera", "/api/v1/cameras"),
        ("/api/v1/alerts?rule=a%20b", "rule", "/api/v1/policies"),
        ("/api/v1/alerts/first", "id", "/api/v1/alerts"),
        ("/api/v1/alerts/stream?since=5", "since", "no parameters"),
        ("/api/v1/map/footprints", "bbox", "west,south,east,north"),
        ("/api/v1/map/grids?bbox=1,2", "bbox", "west,south,east,north"),
        ("/api/v1/map/roads", "bbox", "west,south,east,north"),
        ("/api/v1/addresses", "lat", "`q` for a text"),
        ("/api/v1/addresses?q=a&lat=1&lon=2", "lat", "`q`, or"),
        ("/api/v1/addresses?lat=113.9&lon=22.5", "lat", "degrees"),
        ("/api/v1/addresses/4403", "code", "6, 9, 12, 14, 19"),
        ("/api/v1/addresses/base?x=1", "x", "no parameters"),
        ("/api/v1/cameras?name=x", "name", "no parameters"),
        ("/healthz?verbose=1", "verbose", "no parameters"),
        ("/api/v1/alerts?until=2026-03-01T16:01:00+08:00", "until", "write 2026-03-01T16:01:00%2B08:00"),
    ] {
        let problem = problem(console.get(path).await, 400).await;
        assert_eq!(problem["parameter"], parameter, "{path}");
        assert!(problem["rule"].is_string(), "{path}");
        assert!(problem["fix"].as_str().unwrap().contains(fix), "{path}: {problem}");
    }
    problem(console.get(&format!("/api/v1/alerts/{}", alert(9).id)).await, 404).await;
    problem(console.get("/api/v2/alerts").await, 404).await;
    problem(console.get("/assets/../Cargo.toml").await, 404).await;
    let post = reqwest::Client::new().post(format!("{}/api/v1/cameras", console.url)).send().await.unwrap();
    problem(post, 405).await;
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_made_once_and_every_view_is_logged() {
    let console = Running::start().await;
    let seen = alert(0);
    console.raise(&seen);
    let path = format!("/api/v1/alerts/{}/snapshot", seen.id);
    for query in ["", "?by=operator%207&reason=call%20from%20the%20gate"] {
        let response = console.get(&format!("{path}{query}")).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "image/jpeg");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let picture = image::load_from_memory(&response.bytes().await.unwrap()).unwrap();
        assert_eq!((picture.width(), picture.height()), (1280, 720));
    }
    assert_eq!(console.snapshots.made.load(Ordering::Relaxed), 1);
    let looks = console.json(&format!("/api/v1/alerts/{}/looks", seen.id)).await;
    assert_eq!(looks["looks"].as_array().unwrap().len(), 2);
    assert_eq!(
        looks["looks"][0],
        json!({ "at": "2026-03-01T08:00:00.000000Z", "by": "local", "peer": "127.0.0.1",
                "reason": "call from the gate", "what": "snapshot, people pixelated, as operator 7" })
    );
    assert_eq!((&looks["looks"][1]["by"], &looks["looks"][1]["reason"]), (&json!("local"), &json!("review")));

    let mut late = alert(1);
    late.evidence.video = None;
    console.raise(&late);
    let gone = problem(console.get(&format!("/api/v1/alerts/{}/snapshot", late.id)).await, 410).await;
    assert_eq!(gone["detail"], "the video is no longer kept");
    let looks = console.json(&format!("/api/v1/alerts/{}/looks", late.id)).await;
    assert_eq!(looks["looks"], json!([]), "nothing left, so nobody looked");
    let long = console.get(&format!("{path}?by={}", "x".repeat(65))).await;
    assert_eq!(problem(long, 400).await["parameter"], "by");
    for invisible in ["%0A", "%0D%0A", "%00", "%E2%80%AE", "%E2%80%8B", "%E2%80%A8"] {
        for name in ["by", "reason"] {
            let refused = problem(console.get(&format!("{path}?{name}=a{invisible}b")).await, 400).await;
            assert_eq!((&refused["code"], &refused["parameter"]), (&json!("parameter.control"), &json!(name)));
        }
    }
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn views_of_evidence_are_listed_in_pages() {
    let console = Running::start().await;
    let alert = alert(0);
    let look = |number: u32, alert| EvidenceLook {
        of: Looked::Alert(alert),
        at: Timestamp::from_micros(1_772_352_000_000_000),
        who: format!("operator {number}"),
        role: String::new(),
        session: String::new(),
        peer: "192.0.2.1".into(),
        reason: "review".into(),
        what: "snapshot".into(),
    };
    for number in 1..=1_003 {
        console.store.record_look(&look(number, alert.id)).unwrap();
        if number % 100 == 0 {
            console.store.record_look(&look(number, view_of(&alert).id)).unwrap();
        }
    }
    let path = format!("/api/v1/alerts/{}/looks", alert.id);
    let mut seen = Vec::new();
    let mut query = String::new();
    loop {
        let page = console.json(&format!("{path}{query}")).await;
        seen.extend(page["looks"].as_array().unwrap().iter().map(|look| look["by"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        query = format!("?before={next}");
    }
    assert_eq!(seen, (1..=1_003).rev().map(|number| format!("operator {number}")).collect::<Vec<_>>());
    let two = console.json(&format!("{path}?limit=2")).await;
    assert_eq!((two["looks"].as_array().unwrap().len(), &two["looks"][1]["by"]), (2, &json!("operator 1002")));
    for (query, parameter) in
        [("limit=0", "limit"), ("limit=1001", "limit"), ("before=page2", "before"), ("page=2", "page")]
    {
        assert_eq!(problem(console.get(&format!("{path}?{query}")).await, 400).await["parameter"], parameter);
    }
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_is_kept_and_must_be_well_formed() {
    let console = Running::start().await;
    console.raise(&alert(0));
    let url = format!("{}/api/v1/alerts/{}/verdict", console.url, alert(0).id);
    let client = reqwest::Client::new();
    let good = json!({ "verdict": "false_alarm", "by": " operator 7 ", "note": "a cat" });
    let answer: Value = client.post(&url).json(&good).send().await.unwrap().json().await.unwrap();
    assert_eq!(
        answer["verdict"],
        json!({ "verdict": "false_alarm", "by": "operator 7", "note": "a cat", "at": "2026-03-01T08:00:00.000000Z" })
    );
    let stored = console.store.get(alert(0).id, &Areas::Everywhere).unwrap().unwrap();
    assert_eq!(stored.verdict.unwrap().decision, Decision::FalseAlarm);
    for body in [
        json!({ "verdict": "maybe", "by": "x" }),
        json!({ "verdict": "confirmed" }),
        json!({ "verdict": "confirmed", "by": "  " }),
        json!({ "verdict": "confirmed", "by": "x", "nota": "" }),
        json!({ "verdict": "confirmed", "by": "x".repeat(65) }),
    ] {
        problem(client.post(&url).json(&body).send().await.unwrap(), 400).await;
    }
    for invisible in ["\u{1b}[2J", "\n", "\r\n", "\u{85}", "\u{200b}", "\u{202e}", "\u{2066}", "\u{2028}", "\u{feff}"] {
        for field in ["by", "note"] {
            let mut body = good.clone();
            body[field] = format!("operator{invisible}7").into();
            let refused = problem(client.post(&url).json(&body).send().await.unwrap(), 400).await;
            assert_eq!((&refused["code"], &refused["parameter"]), (&json!("parameter.control"), &json!(field)));
        }
    }
    let form = client.post(&url).header("content-type", "text/plain").body(good.to_string());
    problem(form.send().await.unwrap(), 415).await;
    let huge = client.post(&url).json(&json!({ "note": "x".repeat(20_000) })).send().await.unwrap();
    problem(huge, 413).await;
    let unknown = url.replace(&alert(0).id.to_string(), &alert(1).id.to_string());
    problem(client.post(unknown).json(&good).send().await.unwrap(), 404).await;
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_names_the_revision_that_was_seen() {
    let console = Running::start().await;
    console.raise(&alert(0));
    let url = format!("{}/api/v1/alerts/{}/verdict", console.url, alert(0).id);
    let send = |revision: Value| {
        let body = json!({ "verdict": "confirmed", "by": "operator 7", "revision": revision });
        reqwest::Client::new().post(&url).json(&body).send()
    };
    let unseen = problem(send(json!(2)).await.unwrap(), 409).await;
    for words in ["revision 2", "revision 1", &alert(0).id.to_string()] {
        assert!(unseen["detail"].as_str().unwrap().contains(words), "{unseen}");
    }
    assert_eq!(problem(send(json!(0)).await.unwrap(), 400).await["parameter"], "revision");
    problem(send(json!("1")).await.unwrap(), 400).await;
    assert_eq!(
        console.store.get(alert(0).id, &Areas::Everywhere).unwrap().unwrap().verdict,
        None,
        "a refusal stores nothing"
    );
    // It ended while the person looked: what they saw of it stays true.
    console.raise(&ended(&alert(0)));
    let answer = send(json!(1)).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.json::<Value>().await.unwrap()["revision"], 2);
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_map_has_cameras_and_buildings() {
    let console = Running::start().await;
    let cameras = console.json("/api/v1/cameras").await;
    assert_eq!(cameras["cameras"][0]["id"], "gate-1");
    assert_eq!(cameras["centre"]["latitude"], 22.54);
    let buildings = console.get("/api/v1/map/footprints?bbox=113.948,22.539,113.950,22.541").await;
    assert_eq!(buildings.headers()["content-type"], "application/geo+json");
    let buildings: Value = buildings.json().await.unwrap();
    assert_eq!(buildings["type"], "FeatureCollection");
    assert!(buildings["features"].as_array().unwrap().len() > 10);
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fits_no_answer_is_said_to_be_cut() {
    let console = Running::with(ConsoleSettings { max_footprints: 5, ..settings() }, true).await;
    let area = "bbox=113.948,22.539,113.950,22.541";
    for (path, count, truncated) in [("footprints", 5, true), ("grids", 1, false), ("roads", 1, false)] {
        let found: Value = console.get(&format!("/api/v1/map/{path}?{area}")).await.json().await.unwrap();
        assert_eq!((found["features"].as_array().unwrap().len(), &found["truncated"]), (count, &json!(truncated)));
    }
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_base_is_asked_by_code_text_and_point() {
    let console = Running::start().await;
    for code in [CODE, &CODE[..19], &CODE[..14]] {
        let entity = console.json(&format!("/api/v1/addresses/{code}")).await;
        assert_eq!(entity["code"], code.trim_end_matches('*'));
        assert_eq!(entity["geometry"]["type"], "Polygon");
        assert_eq!((&entity["names"][0]["text"], &entity["asked_by"]), (&json!("合成大厦"), &Value::Null));
        assert_eq!(entity["responsible"][0]["code"], "P-0703");
    }
    let moved = console.json(&format!("/api/v1/addresses/{FORMER_CODE}")).await;
    assert_eq!(moved["code"], &CODE[..19]);
    assert_eq!(moved["asked_by"], json!({ "former": FORMER_CODE, "changed": "2020-05-01" }));
    let unknown = problem(console.get("/api/v1/addresses/440399").await, 404).await;
    assert!(unknown["detail"].as_str().unwrap().contains("district 440399"), "{unknown}");

    let hits = console.json("/api/v1/addresses?q=%E9%AB%98%E6%96%B0%E5%8D%97&limit=3").await;
    assert_eq!((hits["hits"][0]["code"].as_str(), hits["at"].is_null()), (Some(&CODE[..19]), true));
    assert!(hits["hits"][0]["score"].as_f64().unwrap() > 0.9 && hits["base_version"] == NEW_BASE);
    assert_eq!(console.json("/api/v1/addresses?q=mars").await["hits"], json!([]), "no match is an answer");

    let found = console.json("/api/v1/addresses?lat=22.54&lon=113.949&error_m=3").await;
    assert_eq!((&found["at"]["code"], &found["hits"]), (&json!(CODE), &json!([])));
    assert_eq!(console.json("/api/v1/addresses?lat=21&lon=113.949").await["at"], Value::Null);

    let base = console.json("/api/v1/addresses/base").await;
    assert_eq!((&base["current"]["version"], &base["history"][0]["version"]), (&json!(NEW_BASE), &json!(BASE)));
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_metrics_are_told() {
    let console = Running::with(settings(), false).await;
    assert_eq!(console.json("/healthz").await["stages"]["analyse"]["condition"], "failed");
    assert_eq!(console.get("/readyz").await.status(), 503);
    let metrics = console.get("/metrics").await;
    assert!(metrics.headers()["content-type"].to_str().unwrap().starts_with("text/plain"));
    console.stop().await;
    let console = Running::start().await;
    assert_eq!(console.get("/readyz").await.status(), 200);
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_the_security_headers() {
    let console = Running::start().await;
    for path in ["/", "/assets/app.js", "/api/v1/alerts", "/nowhere", "/api/v1/alerts?x=1"] {
        let response = console.get(path).await;
        let policy = response.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self';"), "{path}");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff", "{path}");
        assert!(response.headers().contains_key("cache-control"), "{path}");
    }
    let page = console.get("/").await;
    let tag = page.headers()["etag"].clone();
    let again = reqwest::Client::new().get(&console.url).header("if-none-match", tag).send().await.unwrap();
    assert_eq!(again.status(), 304);
    console.stop().await;
}

#[tokio::test]
async fn a_port_in_use_is_named_with_the_setting() {
    let first = Console::bind(settings()).await.unwrap();
    let taken = vedette_console::ConsoleSettings::new(first.local_addr());
    let error = Console::bind(taken).await.unwrap_err();
    assert!(matches!(error, ConsoleError::Bind { .. }));
    let text = error.to_string();
    assert!(text.contains(&first.local_addr().to_string()) && text.contains("console.listen"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_became_of_frames_is_told() {
    let console = Running::start().await;
    let all = console.json("/api/v1/frames").await;
    assert_eq!((all["frames"].as_u64(), all["shed"]["overload"].as_u64()), (Some(51_234), Some(234)));
    assert_eq!(console.json("/api/v1/frames?camera=gate-1").await["cameras"], 1);
    assert_eq!(console.get("/api/v1/frames?camera=gate-9").await.status(), 404);
    assert_eq!(console.get("/api/v1/frames?cam=gate-1").await.status(), 400);
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rule_kinds_come_with_the_schema_of_their_parameters() {
    let console = Running::start().await;
    let kinds = console.json("/api/v1/rule-kinds").await;
    let kind = |name: &str| kinds.as_array().unwrap().iter().find(|kind| kind["name"] == name).unwrap().clone();
    let stopped = kind("stopped");
    let parameters = &stopped["schema"]["properties"];
    assert_eq!((&parameters["reach"]["default"], &parameters["reach"]["maximum"]), (&json!(0.3), &json!(5)));
    assert_eq!(stopped["schema"]["required"], json!(["kind", "zone", "duration"]));
    assert_eq!(stopped["title"], json!({"en": "Stopped", "zh": "违规停留"}));
    assert_eq!(kind("tailgating")["measures"][0]["at_most"], true);
    assert_eq!(kind("offline")["subject"], "camera");
    problem(console.get("/api/v1/rule-kinds?kind=speed").await, 400).await;
    console.stop().await;
}
