//! Network cameras as they are in the field: whatever one does, its pictures are analysed, or it has no signal for a typed reason, and
//! the cameras beside it work.

use std::time::Duration;

use vedette_core::{CameraId, CameraSource, Codec, Span};
use vedette_rtsp::testing::{End, Guard, Misdeed, Scheme, Script, Server, Transports, nal_units};

use crate::encoding::{H264, JPEG, encode};
use crate::product::{ALL, Product};
use crate::support::{add_offline_rule, demo_site, edit, eventually};

/// What becomes of a camera.
#[derive(Debug, Clone, Copy)]
enum Outcome {
    /// Its pictures are analysed.
    Analysed,
    /// It has no signal, for this reason.
    Lost(&'static str),
    /// First the one, then the other.
    AnalysedThenLost(&'static str),
}

/// Five pictures a second.
pub(crate) fn script(codec: Codec, units: Vec<Vec<u8>>) -> Script {
    Script { pace: Duration::from_millis(200), ticks: 18_000, ..Script::new(codec, units) }
}

pub(crate) fn without_key_frames(units: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let is_key = |unit: &&Vec<u8>| nal_units(unit).iter().any(|nal| nal.first().is_some_and(|byte| byte & 0x1f == 5));
    units.iter().filter(|unit| !is_key(unit)).cloned().collect()
}

/// Every camera with what becomes of it.
fn table(elsewhere: &Server) -> Vec<(&'static str, Script, Outcome)> {
    use Outcome::{Analysed, AnalysedThenLost, Lost};
    let units = encode(H264, 20);
    let plain = script(Codec::H264, units.clone());
    let jpeg = script(Codec::Jpeg, encode(JPEG, 5));
    let describes = |misdeed| plain.clone().with("DESCRIBE", misdeed);
    let guarded = |password| Some(Guard { one_time: true, ..Guard::new(password, &[Scheme::Sha256, Scheme::Md5]) });
    let redirected = Misdeed::Status(302, vec![("Location", elsewhere.url().to_string())]);
    let huge = b"RTSP/1.0 200 OK\r\nContent-Length: 4000000000\r\n\r\n".to_vec();
    vec![
        ("plain", plain.clone(), Analysed),
        ("redirects", describes(redirected), Analysed),
        ("nonce-a-request", Script { guard: guarded("geheim"), ..plain.clone() }, Analysed),
        ("udp-only", Script { transports: Transports::Udp, ..plain.clone() }, Analysed),
        ("undefined-nal", Script { undefined_every: Some(5), ..plain.clone() }, Analysed),
        ("broken-nal", Script { broken_every: Some(15), ..plain.clone() }, Analysed),
        ("sets-in-sdp-only", Script { strips_sets: true, ..plain.clone() }, Analysed),
        ("other-media", Script { other_media: true, ..plain.clone() }, Analysed),
        ("time-jumps-back", Script { jump: Some((25, -30 * 90_000)), ..plain.clone() }, Analysed),
        ("jpeg-with-header", Script { hides_size: true, header_extension: true, ..jpeg.clone() }, Analysed),
        ("falls-silent", Script { end: End::Silence, ..plain.clone() }, AnalysedThenLost("no_data")),
        ("no-key-frame", script(Codec::H264, without_key_frames(&units)), Lost("no_key_frame")),
        (
            "no-parameter-sets",
            Script { strips_sets: true, describes_sets: false, ..plain.clone() },
            Lost("no_parameter_sets"),
        ),
        ("jpeg-without-size", Script { hides_size: true, ..jpeg }, Lost("no_parameter_sets")),
        ("wrong-password", Script { guard: guarded("another"), ..plain.clone() }, Lost("unauthorized")),
        ("no-such-stream", describes(Misdeed::Status(404, vec![])), Lost("not_found")),
        ("error-503", describes(Misdeed::Status(503, vec![])), Lost("refused")),
        ("huge-answer", describes(Misdeed::Bytes(huge)), Lost("protocol")),
        ("endless-headers", describes(Misdeed::Endless(b"X-Header: 1\r\n".to_vec())), Lost("protocol")),
        ("never-answers", describes(Misdeed::Silence), Lost("no_data")),
        ("hangs-up", describes(Misdeed::Close), Lost("broken_stream")),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_camera_is_analysed_or_has_no_signal_for_a_reason() {
    let units = encode(H264, 20);
    let elsewhere = Server::start(script(Codec::H264, units)).await;
    let mut cameras = Vec::new();
    for (name, script, outcome) in table(&elsewhere) {
        cameras.push((name, Server::start(script).await, outcome));
    }
    let site = tempfile::tempdir().unwrap();
    let path = demo_site(site.path());
    add_offline_rule(site.path());
    let login = "[ingest.credentials.operator]\nuser = \"operator\"\npassword_env = \"VEDETTE_TEST_CAMERA_PASSWORD\"\n\n[detect]";
    edit(&path, "[detect]", login);
    let product = Product::start_roles(&path, &ALL, |config| {
        config.settings.ingest.timeout = Span::from_secs(5);
        config.settings.detect.max_fps = Some(1.0);
        let first = config.cameras.remove(0);
        config.cameras.extend(cameras.iter().map(|(name, server, _)| vedette_core::Camera {
            id: CameraId::new(name).unwrap(),
            calibration: None,
            source: Some(CameraSource::Rtsp { url: server.url().to_string(), credential: Some("operator".into()) }),
            ..first.clone()
        }));
    })
    .await;
    for (name, _, outcome) in &cameras {
        match *outcome {
            Outcome::Analysed => is_analysed(&product, name).await,
            Outcome::Lost(reason) => is_lost(&product, name, reason).await,
            Outcome::AnalysedThenLost(reason) => {
                is_analysed(&product, name).await;
                is_lost(&product, name, reason).await;
            }
        }
    }
    product.end().await;
}

pub(crate) async fn is_analysed(product: &Product, camera: &str) {
    eventually(&format!("analysed frames of `{camera}`"), async || {
        let counts = product.get(&format!("/api/v1/frames?camera={camera}")).await;
        (counts.status().is_success()
            && counts.json::<serde_json::Value>().await.unwrap()["analysed"].as_u64() >= Some(5))
        .then_some(())
    })
    .await;
}

async fn is_lost(product: &Product, camera: &str, reason: &str) {
    eventually(&format!("`{camera}` without signal, with the reason {reason}"), async || {
        let list = product.json("/api/v1/cameras").await;
        let found = list["cameras"].as_array().unwrap().iter().find(|it| it["id"] == camera).cloned();
        (found.unwrap()["signal_loss"]["reason"] == reason).then_some(())
    })
    .await;
    eventually(&format!("an alert that `{camera}` is offline"), async || {
        let alerts = product.alerts().await;
        alerts.iter().any(|alert| alert["camera"] == camera && alert["kind"] == "offline").then_some(())
    })
    .await;
}
