//! A simulated network camera: serves a recording over RTSP in real time, from the beginning for the first client. Killed and
//! restarted it is a camera that was offline; its clock may be wrong.
//!
//! `cargo run -p vedette-media --example camera -- vtest.mp4 8554 -3`, then `rtsp://127.0.0.1:8554/live`.

use std::error::Error;
use std::path::Path;

use gstreamer as gst;
use gstreamer::glib;
use gstreamer_rtsp_server::prelude::*;
use gstreamer_rtsp_server::{RTSPMedia, RTSPMediaFactory, RTSPServer};

const USAGE: &str = "usage: camera FILE.mp4 PORT [SECONDS]   FILE: H.264 without B-frames, as `vedette transcode` makes it; \
                     SECONDS: by how much the camera's clock is ahead, below 0 behind";
/// Seconds from 1900, where NTP begins, to 1970.
const NTP_TO_UNIX: i64 = 2_208_988_800;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (file, port) = arguments.next().zip(arguments.next()).ok_or(USAGE)?;
    let ahead = arguments.next().map_or(Ok(0), |given| given.parse::<i64>());
    let ahead = ahead.map_err(|error| format!("the clock is ahead by a number of seconds: {error}; {USAGE}"))?;
    let port: u16 = port.parse().map_err(|error| format!("`{port}` is not a valid port: {error}; {USAGE}"))?;
    let file = Path::new(&file).canonicalize().map_err(|error| format!("`{file}`: {error}; {USAGE}"))?;
    vedette_media::init()?;
    let server = RTSPServer::new();
    server.set_address("127.0.0.1");
    server.set_service(&port.to_string());
    let factory = RTSPMediaFactory::new();
    factory.set_launch(&format!(
        "( filesrc location=\"{}\" ! qtdemux ! h264parse config-interval=-1 ! rtph264pay name=pay0 pt=96 )",
        file.display()
    ));
    factory.set_shared(true);
    factory.connect_media_configure(move |_, media| set_clock(media, ahead));
    server.mount_points().ok_or("the server has no mount points")?.add_factory("/live", factory);
    let _attached = server.attach(None)?;
    eprintln!("serving {} at rtsp://127.0.0.1:{port}/live until it is killed", file.display());
    glib::MainLoop::new(None, false).run();
    Ok(())
}

/// Sender reports contain a time `ahead` seconds ahead of the true one.
fn set_clock(media: &RTSPMedia, ahead: i64) {
    let clock: gst::SystemClock = glib::Object::builder().property("clock-type", gst::ClockType::Realtime).build();
    let shift = u64::try_from(NTP_TO_UNIX.saturating_add(ahead)).unwrap_or_default();
    clock.set_calibration(gst::ClockTime::ZERO, gst::ClockTime::from_seconds(shift), 1, 1);
    media.set_clock(Some(&clock));
    media.connect_prepared(|media| {
        let pipeline = media.element().parent().and_then(|parent| parent.downcast::<gst::Bin>().ok());
        let sessions = pipeline.into_iter().flat_map(|bin| bin.children());
        for element in sessions.filter(|element| element.has_property("ntp-time-source")) {
            element.set_property_from_str("ntp-time-source", "clock-time");
        }
    });
}
