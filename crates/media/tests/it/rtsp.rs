//! Network cameras, played by a real RTSP server.

use std::io::Write;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::glib;
use gstreamer_rtsp_server::gst_rtsp::{RTSPAuthMethod, RTSPLowerTrans};
use gstreamer_rtsp_server::prelude::*;
use gstreamer_rtsp_server::{RTSPAuth, RTSPFilterResult, RTSPMediaFactory, RTSPServer, RTSPToken};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vedette_core::{CameraId, Codec, FrameSize, SignalLoss, Span, VideoChunk};
use vedette_media::{
    Clock, Credentials, Decoder, DecoderSettings, Intake, IntakeEvent, IntakeSettings, IntakeSource, LossReason,
};

use crate::common::{START, encoder, next, start};

const PASSWORD: &str = "s3cret-Pa55phrase";

struct Camera {
    server: RTSPServer,
    running: glib::MainLoop,
    source: glib::SourceId,
    thread: Option<std::thread::JoinHandle<()>>,
    context: glib::MainContext,
}

impl Camera {
    /// Serves `launch` at `/live`; `port` 0 takes a free one.
    fn new(launch: &str, port: u16, password: Option<&str>) -> Self {
        Self::adjusted(launch, port, |server, factory| {
            let Some(password) = password else { return };
            let auth = RTSPAuth::new();
            let token = RTSPToken::builder().field("media.factory.role", "operator").build();
            auth.add_basic(&RTSPAuth::make_basic("operator", password), &token);
            admit(server, factory, &auth);
        })
    }

    fn adjusted(launch: &str, port: u16, adjust: impl FnOnce(&RTSPServer, &RTSPMediaFactory)) -> Self {
        vedette_media::init().unwrap();
        let server = RTSPServer::new();
        server.set_address("127.0.0.1");
        server.set_service(&port.to_string());
        // No thread but the one that runs the loop serves clients.
        server.thread_pool().unwrap().set_max_threads(0);
        let factory = RTSPMediaFactory::new();
        factory.set_launch(&format!("( {launch} )"));
        factory.set_shared(true);
        adjust(&server, &factory);
        server.mount_points().unwrap().add_factory("/live", factory);
        let context = glib::MainContext::new();
        let running = glib::MainLoop::new(Some(&context), false);
        let source = server.attach(Some(&context)).unwrap();
        let thread = std::thread::spawn({
            let (context, running) = (context.clone(), running.clone());
            move || context.with_thread_default(|| running.run()).unwrap()
        });
        Self { server, running, source, thread: Some(thread), context }
    }

    fn live(codec: Codec) -> String {
        let pay = match codec {
            Codec::H264 => "rtph264pay",
            Codec::H265 => "rtph265pay",
            Codec::Jpeg => "rtpjpegpay",
        };
        let source =
            "videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=320,height=240,framerate=25/1";
        format!("{source} ! {} ! {pay} name=pay0 pt=96", encoder(codec))
    }

    fn port(&self) -> u16 {
        u16::try_from(self.server.bound_port()).unwrap()
    }

    fn source(&self, credentials: Option<Credentials>) -> IntakeSource {
        rtsp(&format!("rtsp://127.0.0.1:{}/live", self.port()), credentials)
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        // Clients are closed where they are served: from another thread a read could find its stream gone.
        let (server, running) = (self.server.clone(), self.running.clone());
        self.context.invoke(move || {
            server.client_filter(Some(&mut |_, _| RTSPFilterResult::Remove));
            running.quit();
        });
        let _ = self.thread.take().unwrap().join();
        if let Some(source) = self.context.find_source_by_id(&self.source) {
            source.destroy();
        }
    }
}

/// Only who logs in may see the stream.
fn admit(server: &RTSPServer, factory: &RTSPMediaFactory, auth: &RTSPAuth) {
    server.set_auth(Some(auth));
    let allowed = gst::Structure::builder("operator")
        .field("media.factory.access", true)
        .field("media.factory.construct", true)
        .build();
    factory.add_role_from_structure(&allowed);
}

fn rtsp(url: &str, credentials: Option<Credentials>) -> IntakeSource {
    IntakeSource::Rtsp { url: url.parse().unwrap(), credentials }
}

fn settings() -> IntakeSettings {
    IntakeSettings {
        chunk_max_duration: Duration::from_millis(200),
        backoff_min: Duration::from_millis(50),
        backoff_max: Duration::from_millis(200),
        ..IntakeSettings::default()
    }
}

async fn connected(events: &mut mpsc::Receiver<IntakeEvent>) -> (u64, Codec, FrameSize) {
    loop {
        if let IntakeEvent::Connected { epoch, codec, frame } = next(events).await.unwrap() {
            return (epoch, codec, frame);
        }
    }
}

async fn signal_loss(events: &mut mpsc::Receiver<IntakeEvent>) -> SignalLoss {
    loop {
        if let IntakeEvent::SignalLoss(loss) = next(events).await.unwrap() {
            return loss;
        }
    }
}

async fn chunk(events: &mut mpsc::Receiver<IntakeEvent>) -> VideoChunk {
    match next(events).await.unwrap() {
        IntakeEvent::Chunk(chunk) => chunk,
        other => panic!("{other:?}"),
    }
}

async fn first_loss(source: IntakeSource, settings: IntakeSettings) -> LossReason {
    let (mut events, _stop) = start(source, settings);
    loop {
        match next(&mut events).await.unwrap() {
            IntakeEvent::Lost { reason, .. } => return reason,
            IntakeEvent::SignalLoss(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn cameras_of_every_codec_are_followed() {
    for codec in [Codec::H264, Codec::H265, Codec::Jpeg] {
        let camera = Camera::new(&Camera::live(codec), 0, None);
        let (mut events, stop) = start(camera.source(None), settings());
        let (epoch, found, frame) = connected(&mut events).await;
        assert_eq!((found, frame), (codec, FrameSize { width: 320, height: 240 }));
        let mut decoder = Decoder::new(codec, DecoderSettings::default());
        let (mut last, mut units, mut next_sequence) = (None, 0, None);
        while units < 30 {
            let chunk = chunk(&mut events).await;
            assert_eq!((chunk.epoch, chunk.codec, chunk.part == 0), (epoch, codec, chunk.units[0].key));
            assert!(next_sequence.is_none_or(|next| next == chunk.first_sequence));
            next_sequence = Some(chunk.first_sequence + chunk.units.len() as u64);
            for unit in &chunk.units {
                assert!(last.is_none_or(|last| unit.captured > last));
                last = Some(unit.captured);
            }
            let frames = decoder.decode(&chunk).unwrap();
            assert_eq!(frames.len(), chunk.units.len(), "{codec:?}");
            assert!(frames.iter().all(|frame| !frame.corrupt));
            units += chunk.units.len();
        }
        stop.cancel();
        while next(&mut events).await.is_some() {}
    }
}

#[tokio::test]
async fn a_camera_that_vanishes_is_found_again_in_a_new_epoch() {
    let camera = Camera::new(&Camera::live(Codec::H264), 0, None);
    let port = camera.port();
    let (mut events, _stop) = start(camera.source(None), settings());
    let (first, ..) = connected(&mut events).await;
    chunk(&mut events).await;
    drop(camera);
    let reason = loop {
        if let IntakeEvent::Lost { reason, retry_in } = next(&mut events).await.unwrap() {
            assert!(retry_in <= Duration::from_millis(200));
            break reason;
        }
    };
    assert!(matches!(reason, LossReason::StreamEnded | LossReason::BrokenStream(_)), "{reason:?}");
    loop {
        match next(&mut events).await.unwrap() {
            IntakeEvent::Lost { reason: LossReason::Unreachable(_), .. } => break,
            IntakeEvent::Lost { .. } | IntakeEvent::SignalLoss(_) => {}
            other => panic!("{other:?}"),
        }
    }
    let loss = signal_loss(&mut events).await;
    assert!(loss.epoch > first);
    assert!(signal_loss(&mut events).await.at > loss.at);
    let _again = Camera::new(&Camera::live(Codec::H264), port, None);
    let (second, ..) = connected(&mut events).await;
    assert!(second > loss.epoch);
    let chunk = chunk(&mut events).await;
    assert_eq!((chunk.epoch, chunk.first_sequence, chunk.part), (second, 0, 0));
}

#[tokio::test]
async fn a_host_clock_that_is_set_begins_a_session_at_the_new_time() {
    const HOUR: i64 = 3_600_000_000;
    let camera = Camera::new(&Camera::live(Codec::H264), 0, None);
    let (began, set) = (tokio::time::Instant::now(), Arc::new(AtomicI64::new(0)));
    let of_host = set.clone();
    let clock: Clock = Arc::new(move || {
        let passed = i64::try_from(began.elapsed().as_micros()).unwrap();
        START + Span::from_micros(passed + of_host.load(Ordering::SeqCst))
    });
    let (sender, mut events) = mpsc::channel(8);
    let stop = CancellationToken::new();
    let intake = Intake::new(CameraId::new("gate").unwrap(), camera.source(None), settings(), clock);
    tokio::spawn(intake.run(sender, stop.clone()));
    let (mut epoch, ..) = connected(&mut events).await;
    for offset in [-HOUR, HOUR] {
        for _ in 0..3 {
            assert_eq!(chunk(&mut events).await.epoch, epoch);
        }
        set.store(offset, Ordering::SeqCst);
        let (mut before, mut reached) = (None, false);
        while !reached {
            match next(&mut events).await.unwrap() {
                IntakeEvent::Connected { epoch: next, .. } => {
                    assert!(next > epoch);
                    (epoch, before) = (next, None);
                }
                IntakeEvent::Chunk(chunk) => {
                    for unit in &chunk.units {
                        let step = before.map_or(Span::from_secs(1), |before| unit.captured.since(before));
                        assert!(step >= Span::from_millis(5), "frames {step} apart");
                        before = Some(unit.captured);
                    }
                    let off = chunk.units[0].captured.since(START).as_micros() - offset;
                    let passed = i64::try_from(began.elapsed().as_micros()).unwrap();
                    reached = chunk.epoch == epoch && (-1_000_000..=passed).contains(&off);
                }
                other => panic!("{other:?}"),
            }
        }
    }
    stop.cancel();
}

#[tokio::test]
async fn each_failure_has_its_reason() {
    let camera = Camera::new(&Camera::live(Codec::H264), 0, None);
    let elsewhere = rtsp(&format!("rtsp://127.0.0.1:{}/other", camera.port()), None);
    assert_eq!(first_loss(elsewhere, settings()).await, LossReason::NotFound);

    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = rtsp(&format!("rtsp://127.0.0.1:{free}/live"), None);
    assert!(matches!(first_loss(nobody, settings()).await, LossReason::Unreachable(_)));

    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = rtsp(&format!("rtsp://127.0.0.1:{}/live", mute.local_addr().unwrap().port()), None);
    let timeout = Duration::from_millis(100);
    assert_eq!(first_loss(silent, IntakeSettings { timeout, ..settings() }).await, LossReason::Timeout(timeout));

    let sound = Camera::new("audiotestsrc is-live=true ! mulawenc ! rtppcmupay name=pay0 pt=0", 0, None);
    assert_eq!(first_loss(sound.source(None), settings()).await, LossReason::NoVideo);

    let old = "videotestsrc is-live=true ! avenc_mpeg4 ! rtpmp4vpay name=pay0 pt=96";
    let old = Camera::new(old, 0, None);
    let reason = first_loss(old.source(None), settings()).await;
    assert_eq!(reason, LossReason::UnsupportedCodec("mp4v-es".into()));
}

#[tokio::test]
async fn b_frames_are_handed_on() {
    let launch = "videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=320,height=240,framerate=25/1 \
                  ! x264enc bframes=2 b-adapt=false key-int-max=10 speed-preset=fast ! video/x-h264,profile=main ! rtph264pay name=pay0 pt=96";
    let camera = Camera::new(launch, 0, None);
    let (mut events, _stop) = start(camera.source(None), settings());
    connected(&mut events).await;
    let mut units = 0;
    while units < 50 {
        units += chunk(&mut events).await.units.len();
    }
}

#[tokio::test]
async fn cameras_that_serve_udp_only_are_followed() {
    for codec in [Codec::H264, Codec::H265, Codec::Jpeg] {
        let camera = Camera::adjusted(&Camera::live(codec), 0, |_, factory| factory.set_protocols(RTSPLowerTrans::UDP));
        let (mut events, _stop) = start(camera.source(None), settings());
        let (_, found, frame) = connected(&mut events).await;
        assert_eq!((found, frame), (codec, FrameSize { width: 320, height: 240 }));
        let mut decoder = Decoder::new(codec, DecoderSettings::default());
        let mut decoded = 0;
        while decoded < 20 {
            if let IntakeEvent::Chunk(chunk) = next(&mut events).await.unwrap() {
                decoded += decoder.decode(&chunk).map_or(0, |frames| frames.len());
            }
        }
    }
}

#[tokio::test]
async fn cameras_that_ask_for_a_digest_are_followed() {
    let with = |password: &str| Credentials::new("operator".into(), password.into());
    let camera = Camera::adjusted(&Camera::live(Codec::H264), 0, |server, factory| {
        let auth = RTSPAuth::new();
        let token = RTSPToken::builder().field("media.factory.role", "operator").build();
        auth.set_supported_methods(RTSPAuthMethod::Digest);
        auth.add_digest("operator", PASSWORD, &token);
        admit(server, factory, &auth);
    });
    assert_eq!(first_loss(camera.source(Some(with("wrong"))), settings()).await, LossReason::Unauthorized);
    let (mut events, _stop) = start(camera.source(Some(with(PASSWORD))), settings());
    connected(&mut events).await;
    chunk(&mut events).await;
}

#[tokio::test]
async fn unusable_addresses_are_refused_without_showing_them() {
    for address in ["rtsp://operator:s3cret-Pa55phrase@127.0.0.1/live", "http://127.0.0.1/live"] {
        let (mut events, _stop) = start(rtsp(address, None), settings());
        let event = next(&mut events).await.unwrap();
        assert!(matches!(event, IntakeEvent::Refused { .. }));
        assert!(!format!("{event:?}").contains(PASSWORD));
        let after = next(&mut events).await;
        assert!(matches!(after, Some(IntakeEvent::SignalLoss(_))), "a camera without signal: {after:?}");
    }
}

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn credentials_open_the_camera_and_appear_nowhere() {
    let captured = Captured::default();
    let writer = captured.clone();
    // Threads of the intake and of GStreamer log too, so it is the whole process's; no other test installs one.
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).init();
    let camera = Camera::new(&Camera::live(Codec::H264), 0, Some(PASSWORD));
    let with = |password: &str| camera.source(Some(Credentials::new("operator".into(), password.into())));
    assert_eq!(first_loss(camera.source(None), settings()).await, LossReason::Unauthorized);
    assert_eq!(first_loss(with("wr0ng-guess"), settings()).await, LossReason::Unauthorized);
    let (mut events, stop) = start(with(PASSWORD), settings());
    connected(&mut events).await;
    let mut shown = format!("{:?}", with(PASSWORD));
    chunk(&mut events).await;
    drop(camera);
    loop {
        let event = next(&mut events).await.unwrap();
        if !matches!(event, IntakeEvent::Chunk(_)) {
            shown += &format!("{event:?}");
        }
        if let IntakeEvent::Lost { reason: LossReason::Unreachable(_), .. } = event {
            break;
        }
    }
    stop.cancel();
    while next(&mut events).await.is_some() {}
    tracing::info!("the end of the log");
    let log = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("the end of the log") && log.contains("vedette_rtsp"), "the log was captured");
    // `operator:password` in Base64 is what HTTP Basic sends.
    let basic = RTSPAuth::make_basic("operator", PASSWORD);
    for secret in [PASSWORD, "wr0ng-guess", "operator", basic.as_str()] {
        assert!(!log.contains(secret), "the log shows `{secret}`");
        assert!(!shown.contains(secret), "an event shows `{secret}`");
    }
}
