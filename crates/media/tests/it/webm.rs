//! Reads clips back with GStreamer's demultiplexer and decoder.

use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::AppSink;
use image::RgbImage;

/// A clip as a player sees it.
pub(crate) struct Played {
    /// Its pictures, each with its time.
    pub(crate) pictures: Vec<(Duration, RgbImage)>,
    /// The length that the file declares.
    pub(crate) duration: Duration,
    /// Names of the tags of the file.
    #[allow(dead_code, reason = "each user reads its own part")]
    pub(crate) tags: Vec<String>,
}

pub(crate) fn play(webm: &[u8]) -> Played {
    vedette_media::init().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.webm");
    std::fs::write(&path, webm).unwrap();
    let description = format!(
        "filesrc location={} ! matroskademux ! vp8dec ! videoconvert ! video/x-raw,format=RGB ! appsink name=out sync=false",
        path.display()
    );
    let pipeline = gst::parse::launch(&description).unwrap().downcast::<gst::Pipeline>().unwrap();
    let sink = pipeline.by_name("out").unwrap().downcast::<AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut pictures = Vec::new();
    let mut duration = None;
    while let Ok(sample) = sink.pull_sample() {
        duration = duration.or_else(|| pipeline.query_duration::<gst::ClockTime>());
        let structure = sample.caps().unwrap().structure(0).unwrap();
        let side = |name| structure.get::<i32>(name).unwrap() as usize;
        let (width, height) = (side("width"), side("height"));
        let buffer = sample.buffer().unwrap();
        let data = buffer.map_readable().unwrap();
        let stride = data.len() / height;
        let rows = data.chunks(stride).flat_map(|row| &row[..width * 3]).copied().collect();
        let at = Duration::from_nanos(buffer.pts().unwrap().nseconds());
        pictures.push((at, RgbImage::from_raw(width as u32, height as u32, rows).unwrap()));
    }
    let mut tags = Vec::new();
    let bus = pipeline.bus().unwrap();
    while let Some(message) = bus.pop() {
        match message.view() {
            gst::MessageView::Tag(tag) => tags.extend(tag.tags().iter().map(|(name, _)| name.to_string())),
            gst::MessageView::Error(error) => panic!("{error:?}"),
            _ => {}
        }
    }
    pipeline.set_state(gst::State::Null).unwrap();
    Played { pictures, duration: Duration::from_nanos(duration.unwrap().nseconds()), tags }
}

/// Mean of the differences of neighbouring pixels of an area: how much detail there is.
pub(crate) fn detail(image: &RgbImage, left: u32, top: u32, width: u32, height: u32) -> f64 {
    let mut sum = 0.0;
    for y in top..top + height {
        for x in left..left + width - 1 {
            sum += f64::from(image.get_pixel(x, y)[0].abs_diff(image.get_pixel(x + 1, y)[0]));
        }
    }
    sum / f64::from(width * height)
}
