//! CPU time of intake for one ordinary camera, 1080p at 25 frames a second in 4 Mbit/s of H.264 over RTSP, beside a bare GStreamer client
//! of the same camera, which plays in a process of its own. `cargo bench -p vedette-media --bench intake`; with `alone`, intake only.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer_app::AppSink;
use gstreamer_rtsp_server::prelude::*;
use gstreamer_rtsp_server::{RTSPMediaFactory, RTSPServer};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vedette_core::{CameraId, Span, Timestamp};
use vedette_media::{Clock, Intake, IntakeEvent, IntakeSettings, IntakeSource};

#[path = "../../../benches/figures.rs"]
mod figures;

/// Frames of the connection's start, which are not measured.
const START: usize = 25;
/// Frames that are measured: 30 s.
const MEASURED: usize = 750;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |wanted: &str| arguments.iter().any(|argument| argument == wanted);
    // `cargo test` builds and starts benches too; there is nothing to test here.
    if has("--test") {
        return;
    }
    vedette_media::init().expect("GStreamer is installed");
    if has("camera") {
        return serve(Path::new(arguments.last().expect("a file")));
    }
    let camera = Camera::start(&recording());
    let runtime = tokio::runtime::Runtime::new().expect("the async runtime starts");
    let intake = runtime.block_on(intake(&camera.url));
    println!("intake\t{intake:.3} ms of CPU per second of video");
    if has("alone") {
        return;
    }
    let bare = bare(&camera.url);
    println!("bare GStreamer\t{bare:.3} ms of CPU per second of video");
    figures::told("CPU of intake, a 1080p camera, against bare GStreamer", &format!("{:.3}", intake / bare));
    println!("ratio\t{:.3}", intake / bare);
}

/// The camera's pictures: noise, so that the encoder needs its bit rate. Made once.
fn recording() -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("intake-1080p25.mp4");
    if path.exists() {
        return path;
    }
    let part = path.with_extension(std::process::id().to_string());
    let text = format!(
        "videotestsrc num-buffers={} pattern=snow ! video/x-raw,format=I420,width=1920,height=1080,framerate=25/1 \
         ! x264enc bframes=0 key-int-max=50 bitrate=4000 speed-preset=ultrafast tune=zerolatency ! h264parse ! mp4mux \
         ! filesink location={}",
        START + MEASURED + 50,
        part.display()
    );
    let pipeline = gst::parse::launch(&text).expect("it parses");
    pipeline.set_state(gst::State::Playing).expect("it plays");
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = pipeline.bus().and_then(|bus| bus.timed_pop_filtered(None, &kinds)).expect("it ends");
    pipeline.set_state(gst::State::Null).expect("it stops");
    assert_eq!(end.type_(), gst::MessageType::Eos, "{end:?}");
    std::fs::rename(part, &path).expect("the folder is writable");
    path
}

/// The process of the camera.
struct Camera {
    child: Child,
    url: String,
}

impl Camera {
    fn start(recording: &Path) -> Self {
        let program = std::env::current_exe().expect("this program has a path");
        let mut command = Command::new(program);
        command.arg("camera").arg(recording).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut port = String::new();
        let told = BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut port);
        told.expect("the camera tells its port");
        Self { child, url: format!("rtsp://127.0.0.1:{}/live", port.trim()) }
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Plays the recording to each client until standard input ends.
fn serve(recording: &Path) {
    let server = RTSPServer::new();
    server.set_address("127.0.0.1");
    server.set_service("0");
    let factory = RTSPMediaFactory::new();
    let path = recording.display();
    factory.set_launch(&format!(
        "( filesrc location={path} ! qtdemux ! h264parse ! rtph264pay config-interval=-1 name=pay0 pt=96 )"
    ));
    server.mount_points().expect("it has some").add_factory("/live", factory);
    let source = server.attach(None).expect("a port is free");
    println!("{}", server.bound_port());
    std::io::stdout().flush().expect("the parent reads");
    let running = glib::MainLoop::new(None, false);
    let end = running.clone();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read(&mut [0]);
        end.quit();
    });
    running.run();
    source.remove();
}

/// Milliseconds of processor time per second of video.
async fn intake(url: &str) -> f64 {
    let source = IntakeSource::Rtsp { url: url.parse().expect("a URL"), credentials: None };
    let began = std::time::Instant::now();
    let clock: Clock = Arc::new(move || {
        Timestamp::from_micros(1_767_225_600_000_000) + Span::from_micros(began.elapsed().as_micros() as i64)
    });
    let (sender, mut events) = mpsc::channel(8);
    let stop = CancellationToken::new();
    let camera = CameraId::new("bench").expect("a constant");
    tokio::spawn(Intake::new(camera, source, IntakeSettings::default(), clock).run(sender, stop.clone()));
    let mut spent = Spent::default();
    while let Some(event) = events.recv().await {
        match event {
            IntakeEvent::Chunk(chunk) => {
                if let Some(spent) = spent.after(chunk.units.len()) {
                    stop.cancel();
                    return spent;
                }
            }
            IntakeEvent::Connected { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    panic!("intake ended");
}

/// The same of a client that only cuts the stream into access units.
fn bare(url: &str) -> f64 {
    let text = format!(
        "rtspsrc location={url} protocols=tcp latency=0 ! rtph264depay ! h264parse config-interval=-1 \
         ! video/x-h264,stream-format=byte-stream,alignment=au ! appsink name=out sync=false"
    );
    let pipeline = gst::parse::launch(&text).expect("it parses").downcast::<gst::Pipeline>().expect("a pipeline");
    let sink = pipeline.by_name("out").expect("it is there").downcast::<AppSink>().expect("an appsink");
    pipeline.set_state(gst::State::Playing).expect("it plays");
    let mut spent = Spent::default();
    loop {
        sink.pull_sample().expect("a picture");
        if let Some(spent) = spent.after(1) {
            pipeline.set_state(gst::State::Null).expect("it stops");
            return spent;
        }
    }
}

/// Processor time from the end of the start to the last frame that is measured.
#[derive(Default)]
struct Spent {
    frames: usize,
    read_at: usize,
    began: Option<(usize, u64)>,
    /// Nanoseconds of each thread, ended ones too.
    threads: BTreeMap<OsString, u64>,
}

impl Spent {
    /// Milliseconds per second of video, when this many more frames are the last ones.
    fn after(&mut self, frames: usize) -> Option<f64> {
        self.frames += frames;
        if self.frames < self.read_at {
            return None;
        }
        self.read_at = self.frames + 25;
        let now = self.read();
        let Some((first, before)) = self.began else {
            self.began = (self.frames >= START).then_some((self.frames, now));
            return None;
        };
        let measured = self.frames - first;
        (measured >= MEASURED).then(|| (now - before) as f64 / 1e6 / (measured as f64 / 25.0))
    }

    /// Nanoseconds of all threads, more finely than those of the process are told.
    fn read(&mut self) -> u64 {
        for task in std::fs::read_dir("/proc/self/task").expect("Linux has it").flatten() {
            let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            if let Some(spent) = text.split(' ').next().and_then(|first| first.parse().ok()) {
                self.threads.insert(task.file_name(), spent);
            }
        }
        self.threads.values().sum()
    }
}
