//! What an alert says, and how it is written down.

use crate::scene::{CODE, alert, at, camera, context, episode, frame, place};
use vedette_alerts::json::AlertJson;
use vedette_alerts::{alert_id, assemble, cloudevents};
use vedette_core::{AlertStatus, EpisodePhase, PixelBox, TrackId};

#[test]
fn raised_and_ended_are_revisions_of_one_alert() {
    let raised = alert("gate-1", 0, EpisodePhase::Raised);
    let ended = alert("gate-1", 0, EpisodePhase::Ended);
    assert_eq!((raised.revision, raised.status, raised.ended), (1, AlertStatus::Open, None));
    assert_eq!((ended.revision, ended.status, ended.ended), (2, AlertStatus::Ended, Some(at(9))));
    assert_eq!(raised.id, ended.id);
    assert_eq!(raised.id, alert_id(&raised.camera, &raised.rule, at(0), Some(TrackId(7))));
    assert_ne!(raised.id, alert("gate-2", 0, EpisodePhase::Raised).id);
}

#[test]
fn everybody_in_the_raising_frame_is_pixelated_however_unsure_the_model_was() {
    let raised = alert("gate-1", 0, EpisodePhase::Raised);
    let people = &raised.evidence.people;
    assert!(people.contains(&PixelBox::new(100.0, 200.0, 40.0, 120.0)), "the sure one");
    assert!(people.contains(&PixelBox::new(900.0, 200.0, 40.0, 120.0)), "the one at the floor score");
    assert!(
        people.contains(&PixelBox::new(100.5, 200.0, 40.0, 120.25)),
        "the followed one, where the tracker has them"
    );
    assert_eq!(people.len(), 3, "no cars");
    assert!(raised.evidence.video.is_some());
}

#[test]
fn another_frame_is_no_evidence() {
    let camera = camera("gate-1");
    let episode = episode("intrusion", 0, EpisodePhase::Ended);
    let later = frame(&camera, at(9));
    let alert = assemble(&episode, context(&camera, &later, place(None), vec![]));
    assert_eq!(alert.evidence.captured, episode.raised);
    assert_eq!(alert.evidence.video, None);
    assert_eq!(alert.evidence.people, [episode.objects[0].bbox]);
}

#[test]
fn cloudevents_headers_name_the_statement() {
    let raised = alert("gate-1", 0, EpisodePhase::Raised);
    let header = |name: &str| {
        let found: Vec<_> = cloudevents::headers(&raised).into_iter().filter(|(key, _)| key == name).collect();
        assert!(found.len() <= 1, "{name} comes once");
        found.into_iter().next().map(|(_, value)| value)
    };
    assert_eq!(header("ce_specversion").as_deref(), Some("1.0"));
    assert_eq!(header("ce_id"), Some(format!("{}.1", raised.id)));
    assert_eq!(header("ce_type").as_deref(), Some("dev.vedette.alert.raised.v1"));
    assert_eq!(header("ce_source").as_deref(), Some("/cameras/gate-1"));
    assert_eq!(header("ce_time").as_deref(), Some("2026-01-01T00:00:01.000000Z"));
    assert_eq!(header("ce_subject").as_deref(), Some(CODE));
    assert_eq!(header("ce_addressbase").as_deref(), Some("demo-1"));
    assert_eq!(header("ce_responsible").as_deref(), Some("fire:F01,police:P01,community:F01"));
    assert_eq!(header("ce_partitionkey").as_deref(), Some("gate-1"));
    assert_eq!(header("content-type").as_deref(), Some("application/protobuf"));

    let ended = cloudevents::headers(&alert("gate-1", 0, EpisodePhase::Ended));
    assert!(ended.contains(&("ce_type".into(), "dev.vedette.alert.ended.v1".into())));
    assert!(ended.contains(&("ce_time".into(), "2026-01-01T00:00:09.000000Z".into())));
    // CloudEvents allows lower-case letters and digits in attribute names.
    for (name, _) in ended.iter().filter_map(|(name, value)| Some((name.strip_prefix("ce_")?, value))) {
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()), "{name}");
    }
}

#[test]
fn json_is_as_documented() {
    let json = serde_json::to_value(AlertJson::new(&alert("gate-1", 0, EpisodePhase::Raised), None)).unwrap();
    assert_eq!(json["kind"], "presence");
    assert_eq!(json["severity"], "high");
    assert_eq!(json["started"], "2026-01-01T00:00:00.000000Z");
    assert_eq!(json["ended"], serde_json::Value::Null);
    assert_eq!(json["why"]["quantity"], "duration_seconds");
    assert_eq!(json["why"]["threshold"], 0.5);
    assert_eq!(json["place"]["latitude"], 22.543_123_456_789);
    assert_eq!(json["place"]["address"]["code"], CODE);
    assert_eq!(json["place"]["address"]["level"], "building");
    assert_eq!(json["place"]["address"]["text"], "深圳市南山区科技路1号");
    assert_eq!(json["place"]["address"]["alternatives"][0]["distance_m"], 3.5);
    assert_eq!(json["place"]["address"]["ambiguous"], false);
    assert_eq!(json["place"]["address"]["road"], serde_json::json!({ "name": "科技路", "distance_m": 6.5 }));
    assert_eq!(json["place"]["address"]["plate"]["code"], CODE);
    assert_eq!(
        json["place"]["address"]["responsible"][1],
        serde_json::json!({ "kind": "police", "code": "P01", "name": "合成单位" })
    );
    assert_eq!(json["evidence"]["snapshot"], format!("/api/v1/alerts/{}/snapshot", json["id"].as_str().unwrap()));
    assert_eq!(json["objects"][0]["box_px"]["height"], 120.25);
    assert_eq!(json["quality"]["shed_frames"], 2);
    let read: AlertJson = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), json);
}
