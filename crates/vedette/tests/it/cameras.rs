//! What `GET /api/v1/cameras` says of a camera: why it has no signal, and what its calibration is worth.

use std::path::Path;

use serde_json::Value;

use crate::product::Product;
use crate::support::{demo_site, eventually};

/// Beside the demo's camera one with a control point two metres off, one that looks at the sky and has no signal, and one without
/// calibration.
fn add_cameras(site: &Path) {
    let broken = site.join("broken.mp4");
    std::fs::write(&broken, "this is no video").unwrap();
    let path = site.join("cameras.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let points = text.split_once("[camera.calibration]").unwrap().1;
    let (kerb, off) = ("latitude = 22.53096519", "latitude = 22.53098319");
    assert!(points.contains(kerb));
    let camera = |id: &str, more: &str| {
        format!(
            "\n[[camera]]\nid = \"{id}\"\nname = \"{id}\"\npurpose = \"test\"\n\
             position = {{ latitude = 22.53077424, longitude = 113.938, error_m = 0.5 }}\n{more}"
        )
    };
    let sky = format!(
        "calibration = {{ method = \"pose\", height_m = 6.0, heading_deg = 0.0, pitch_deg = -30.0, field_of_view_deg = 70.0 }}\n\
         source = {{ kind = \"file\", path = \"{}\", looped = true }}\n",
        broken.display()
    );
    let added = [
        camera("odd", &format!("[camera.calibration]{}", points.replace(kerb, off))),
        camera("sky", &sky),
        camera("without", ""),
    ];
    std::fs::write(&path, text + &added.concat()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_says_why_it_is_away_and_what_its_calibration_is_worth() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    add_cameras(site.path());
    let product = Product::start(&config, |_| {}).await;
    let cameras: Vec<Value> = eventually("the loss of one camera and the picture of the other", async || {
        let cameras = product.json("/api/v1/cameras").await["cameras"].as_array().unwrap().clone();
        let named = |id: &str| cameras.iter().find(|camera| camera["id"] == id);
        (named("sky")?["signal_loss"].is_object() && named("campus-1")?["signal_loss"].is_null()).then_some(cameras)
    })
    .await;
    let ids: Vec<&str> = cameras.iter().map(|camera| camera["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["campus-1", "odd", "sky", "without"]);
    let [good, odd, sky, without] = &cameras[..] else { unreachable!() };

    let loss = &sky["signal_loss"];
    assert_eq!(loss["reason"], "recording_refused");
    assert_eq!(loss["text"], "the recording cannot be used; see the log of ingest");
    assert!(loss["text_zh"].as_str().unwrap().starts_with("录像无法使用"), "{loss}");
    assert!(loss["since"].as_str().unwrap().ends_with('Z'), "{loss}");
    assert_eq!((&odd["signal_loss"], &without["signal_loss"]), (&Value::Null, &Value::Null), "they have no source");

    let worst = |camera: &Value| -> f64 {
        let residuals = camera["calibration"]["residuals_m"].as_array().unwrap();
        residuals.iter().map(|metres| metres.as_f64().unwrap()).fold(0.0, f64::max)
    };
    assert_eq!(good["calibration"]["residuals_m"].as_array().unwrap().len(), 10);
    assert!(worst(good) < 1.0 && worst(odd) > worst(good), "{good} {odd}");
    assert_eq!((&good["calibration"]["odd_point"], &odd["calibration"]["odd_point"]), (&Value::Null, &7.into()));
    for (camera, is_lost) in [(good, false), (odd, false), (sky, true)] {
        assert_eq!(camera["calibration"]["mostly_above_horizon"], is_lost, "{camera}");
        assert_eq!(camera["calibration"]["ground_share"].as_f64().unwrap() < 0.5, is_lost, "{camera}");
    }
    assert_eq!(sky["calibration"]["residuals_m"], serde_json::json!([]), "a pose has none");
    assert_eq!(without["calibration"], Value::Null);
    product.end().await;
}
