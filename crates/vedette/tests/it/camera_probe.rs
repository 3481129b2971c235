//! `vedette camera probe`, as someone uses it who is about to add a camera or recording.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer_rtsp_server::prelude::*;
use gstreamer_rtsp_server::{RTSPAuth, RTSPMediaFactory, RTSPServer, RTSPToken};
use serde_json::Value;

use crate::support::{finish, said, vedette};

const PASSWORD: &str = "s3cret-Pa55phrase";

fn probe(source: &str) -> Command {
    let mut command = vedette();
    command.args(["camera", "probe", source]);
    command
}

fn file(path: &Path) -> Command {
    probe(path.to_str().unwrap())
}

/// The report, and the codes of its warnings.
fn reported(mut command: Command) -> (Value, Vec<String>) {
    command.arg("--json");
    let output = finish(command);
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said(&output)));
    let warnings = report["warnings"].as_array().unwrap().iter();
    let codes: Vec<String> = warnings.map(|warning| warning["code"].as_str().unwrap().to_owned()).collect();
    assert_eq!(output.status.code(), Some(if codes.is_empty() { 0 } else { 2 }), "{report:#}");
    (report, codes)
}

fn record(pipeline: &str, path: &Path) {
    gst::init().unwrap();
    let pipeline = gst::parse::launch(&format!("{pipeline} ! filesink location=\"{}\"", path.display())).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(60), &kinds);
    assert_eq!(end.unwrap().type_(), gst::MessageType::Eos);
    pipeline.set_state(gst::State::Null).unwrap();
}

/// Writes a quarter turn into the track header of an MP4.
fn turn(path: &Path) {
    let mut data = std::fs::read(path).unwrap();
    let matrix = data.windows(4).position(|four| four == b"tkhd").unwrap() + 4 + 40;
    let turned: [i32; 9] = [0, 1 << 16, 0, -1 << 16, 0, 0, 240 << 16, 0, 1 << 30];
    for (index, value) in turned.into_iter().enumerate() {
        data[matrix + index * 4..][..4].copy_from_slice(&value.to_be_bytes());
    }
    std::fs::write(path, data).unwrap();
}

fn pictures(frames: u32) -> String {
    format!("videotestsrc num-buffers={frames} ! video/x-raw,format=I420,width=320,height=240,framerate=25/1")
}

#[test]
fn a_good_recording_is_described_and_its_still_has_a_grid() {
    let folder = tempfile::tempdir().unwrap();
    let (path, plain, grid) =
        (folder.path().join("gate.mp4"), folder.path().join("plain.png"), folder.path().join("grid.png"));
    record(&format!("{} ! x264enc bframes=0 key-int-max=25 ! h264parse ! mp4mux", pictures(75)), &path);
    let mut command = file(&path);
    command.arg("--still").arg(&plain);
    let (report, codes) = reported(command);
    assert!(codes.is_empty(), "{report:#}");
    assert_eq!((&report["codec"], &report["frames"]), (&"H.264".into(), &75.into()), "{report:#}");
    assert_eq!((&report["width_px"], &report["height_px"]), (&320.into(), &240.into()));
    assert_eq!(report["groups"]["longest_frames"], 25);
    assert!((report["frame_rate"]["measured"].as_f64().unwrap() - 25.0).abs() < 0.5, "{report:#}");
    assert!((report["frame_rate"]["told"].as_f64().unwrap() - 25.0).abs() < 0.5, "{report:#}");
    assert!(report["profile"].is_string() && report["key_frames"]["with_parameter_sets"] == 3, "{report:#}");
    assert_eq!((&report["clock"], &report["authentication"]), (&Value::Null, &Value::Null));

    let mut command = file(&path);
    command.arg("--grid").arg("--still").arg(&grid);
    let output = finish(command);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for words in ["H.264", "320 x 240, square pixels", "told 25.0, measured 25.0", "every 25 frames", "no warnings"] {
        assert!(text.contains(words), "`{words}` is not in:\n{text}");
    }
    let [plain, grid] = [plain, grid].map(|path| image::open(path).unwrap().to_rgb8());
    assert_eq!((grid.width(), grid.height()), (320, 240));
    let line = image::Rgb([255, 196, 0]);
    assert!((20..240).all(|y| y % 20 == 0 || grid.get_pixel(300, y) == &line || y < 30), "a line at x = 300");
    assert_eq!(grid.get_pixel(311, 231), plain.get_pixel(311, 231));
}

#[test]
fn what_the_product_will_not_like_about_a_recording_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let interlaced = "video/x-raw,interlace-mode=interleaved,field-order=top-field-first";
    for (name, chain, expected) in [
        (
            "reordered.mp4",
            format!("{} ! x264enc bframes=2 b-adapt=false key-int-max=25 ! h264parse ! mp4mux", pictures(75)),
            &["probe.b-frames"][..],
        ),
        (
            "rare.mkv",
            format!(
                "{} ! x264enc bframes=0 key-int-max=1000 speed-preset=ultrafast ! h264parse ! matroskamux",
                pictures(260)
            ),
            &["probe.key-frames-rare"],
        ),
        (
            "squeezed.mp4",
            format!("{},pixel-aspect-ratio=1/2 ! x264enc bframes=0 key-int-max=25 ! h264parse ! mp4mux", pictures(50)),
            &[],
        ),
        (
            "lines.mkv",
            format!(
                "{} ! capssetter caps=\"{interlaced}\" ! x264enc interlaced=true bframes=0 key-int-max=25 ! h264parse ! matroskamux",
                pictures(50)
            ),
            &["probe.interlaced"],
        ),
        ("old.avi", format!("{} ! avenc_mpeg4 ! avimux", pictures(10)), &["probe.codec"]),
        ("turned.mp4", format!("{} ! x264enc bframes=0 key-int-max=25 ! h264parse ! mp4mux", pictures(50)), &[]),
    ] {
        record(&chain, &at(name));
        if name == "turned.mp4" {
            turn(&at(name));
        }
        let (report, codes) = reported(file(&at(name)));
        assert_eq!(codes, expected, "{name}: {report:#}");
        let has_fix = |warning: &Value| warning["fix"].as_str().is_some_and(|fix| !fix.is_empty());
        assert!(report["warnings"].as_array().unwrap().iter().all(has_fix), "{report:#}");
        let shown = (report["shown_width_px"].as_u64(), report["shown_height_px"].as_u64());
        match name {
            "squeezed.mp4" => assert_eq!(shown, (Some(320), Some(480)), "{report:#}"),
            "turned.mp4" => assert_eq!(shown, (Some(240), Some(320)), "{report:#}"),
            _ => {}
        }
    }
    let (report, _) = reported(file(&at("reordered.mp4")));
    assert!(report["reordered_frames"].as_u64().unwrap() > 20, "{report:#}");
}

#[test]
fn what_cannot_be_looked_at_has_its_reason_and_no_secret_is_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let noise = folder.path().join("noise.mp4");
    std::fs::write(&noise, [7; 5_000]).unwrap();
    let (missing, noise) = (folder.path().join("missing.mp4"), noise.to_str().unwrap().to_owned());
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (source, expected) in [
        (missing.to_str().unwrap(), "is not a video"),
        (&noise, "is not a video"),
        (&format!("rtsp://viewer:{PASSWORD}@127.0.0.1/live"), "--password-env"),
        (&format!("rtsp://viewer:{PASSWORD}#@127.0.0.1:99999/live"), "--password-env"),
        ("http://127.0.0.1/live", "rtsp://HOST/PATH"),
        (&format!("rtsp://127.0.0.1:{free}/live?token={PASSWORD}"), "cannot be reached"),
    ] {
        let output = finish(probe(source));
        let text = said(&output);
        assert_eq!(output.status.code(), Some(1), "{source}: {text}");
        assert!(text.contains(expected) && !text.contains(PASSWORD) && !text.contains("panicked"), "{source}: {text}");
    }
    let mut command = probe("rtsp://127.0.0.1/live");
    command.args(["--user", "viewer", "--password-env", "VEDETTE_TEST_NOT_SET"]);
    let text = said(&finish(command));
    assert!(text.contains("`VEDETTE_TEST_NOT_SET`"), "{text}");
}

/// A camera with sound that asks for Basic authentication.
struct Camera {
    server: RTSPServer,
    running: glib::MainLoop,
    thread: Option<std::thread::JoinHandle<()>>,
    context: glib::MainContext,
}

impl Camera {
    fn new() -> Self {
        gst::init().unwrap();
        let server = RTSPServer::new();
        server.set_address("127.0.0.1");
        server.set_service("0");
        // No thread but the one that runs the loop serves clients.
        server.thread_pool().unwrap().set_max_threads(0);
        let auth = RTSPAuth::new();
        let token = RTSPToken::builder().field("media.factory.role", "operator").build();
        auth.add_basic(&RTSPAuth::make_basic("operator", PASSWORD), &token);
        server.set_auth(Some(&auth));
        let factory = RTSPMediaFactory::new();
        factory.set_launch(
            "( videotestsrc is-live=true ! video/x-raw,format=I420,width=320,height=240,framerate=10/1 \
             ! x264enc bframes=0 key-int-max=10 speed-preset=ultrafast tune=zerolatency ! rtph264pay name=pay0 pt=96 \
             audiotestsrc is-live=true ! mulawenc ! rtppcmupay name=pay1 pt=0 )",
        );
        factory.set_shared(true);
        let allowed = gst::Structure::builder("operator")
            .field("media.factory.access", true)
            .field("media.factory.construct", true)
            .build();
        factory.add_role_from_structure(&allowed);
        server.mount_points().unwrap().add_factory("/live", factory);
        let context = glib::MainContext::new();
        let running = glib::MainLoop::new(Some(&context), false);
        server.attach(Some(&context)).unwrap();
        let thread = std::thread::spawn({
            let (context, running) = (context.clone(), running.clone());
            move || context.with_thread_default(|| running.run()).unwrap()
        });
        Self { server, running, thread: Some(thread), context }
    }

    fn probe(&self, password: &str) -> Command {
        let mut command = probe(&format!("rtsp://127.0.0.1:{}/live", self.server.bound_port()));
        command
            .args(["--user", "operator", "--password-env", "VEDETTE_TEST_PROBE"])
            .env("VEDETTE_TEST_PROBE", password);
        command
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        let (server, running) = (self.server.clone(), self.running.clone());
        self.context.invoke(move || {
            server.client_filter(Some(&mut |_, _| gstreamer_rtsp_server::RTSPFilterResult::Remove));
            running.quit();
        });
        let _ = self.thread.take().unwrap().join();
    }
}

#[test]
fn a_camera_is_described_with_what_is_beside_its_video() {
    let camera = Camera::new();
    let output = finish(camera.probe("wr0ng-guess"));
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("credentials") && !said(&output).contains("wr0ng"), "{}", said(&output));

    let folder = tempfile::tempdir().unwrap();
    let still = folder.path().join("still.png");
    let mut command = camera.probe(PASSWORD);
    command.args(["--for", "3s", "--still"]).arg(&still);
    let (report, codes) = reported(command);
    assert!(codes.contains(&"probe.basic-auth".to_owned()), "{report:#}");
    for code in ["probe.codec", "probe.undecodable", "probe.no-key-frame", "probe.b-frames", "probe.clock-offset"] {
        assert!(!codes.contains(&code.to_owned()), "{report:#}");
    }
    assert_eq!((&report["codec"], &report["width_px"]), (&"H.264".into(), &320.into()), "{report:#}");
    assert!(report["beside"][0].as_str().is_some_and(|beside| beside.starts_with("audio")), "{report:#}");
    assert!(report["frames"].as_u64().unwrap() > 5, "{report:#}");
    assert!(report["clock"].is_object() && report["jitter_seconds"].is_number(), "{report:#}");
    assert!(!report.to_string().contains("/live") && !report.to_string().contains(PASSWORD), "{report:#}");
    assert_eq!(image::open(&still).unwrap().width(), 320);
}

#[test]
fn an_interrupt_ends_the_look_with_what_was_seen() {
    let camera = Camera::new();
    let mut command = camera.probe(PASSWORD);
    command.args(["--for", "10m", "--json"]);
    let child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let watched = child.id();
    let (done, waiting) = std::sync::mpsc::channel::<()>();
    // Frames come once it is connected; however long that takes here, the look is far from its end.
    let stopper = std::thread::spawn(move || {
        for _ in 0..30 {
            if waiting.recv_timeout(Duration::from_secs(4)) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let _ = Command::new("kill").args(["-INT", &watched.to_string()]).status();
        }
        let _ = Command::new("kill").args(["-9", &watched.to_string()]).status();
    });
    let output: Output = child.wait_with_output().unwrap();
    drop(done);
    stopper.join().unwrap();
    // Interrupted before the first picture, it has nothing to report.
    match output.status.code() {
        Some(0 | 2) => {
            let report: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert!(report["frames"].as_u64().unwrap() > 0, "{report:#}");
        }
        Some(1) => assert!(said(&output).contains("stopped before a picture"), "{}", said(&output)),
        _ => panic!("{:?}: {}", output.status, said(&output)),
    }
}
