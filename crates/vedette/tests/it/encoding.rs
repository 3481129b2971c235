//! Test streams made by GStreamer's own encoders.

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSrc};

/// H.264 with a key frame each ten pictures, parameter sets before each.
pub(crate) const H264: &str = "x264enc bframes=0 key-int-max=10 speed-preset=ultrafast tune=zerolatency ! \
     h264parse config-interval=-1 ! video/x-h264,stream-format=byte-stream,alignment=au";
/// Motion JPEG.
pub(crate) const JPEG: &str = "jpegenc ! image/jpeg";

/// An encoded stream.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    /// Its access units, in decoding order.
    pub(crate) units: Vec<Vec<u8>>,
    /// By how many pictures each is shown after it comes; 0 for all without B-frames.
    pub(crate) delays: Vec<u32>,
}

/// A moving ball; `caps` with more than the size, such as a pixel aspect ratio.
pub(crate) fn ball(caps: &str, pictures: u32) -> String {
    format!("videotestsrc num-buffers={pictures} pattern=ball ! video/x-raw,format=I420,framerate=25/1,{caps}")
}

/// The encoded pictures of a moving ball, 320 x 240.
pub(crate) fn encode(encoder: &str, pictures: u32) -> Vec<Vec<u8>> {
    let stream = encode_with(&ball("width=320,height=240", pictures), encoder);
    assert_eq!(stream.units.len(), pictures as usize);
    stream.units
}

/// The encoded pictures of a source of 25 a second.
pub(crate) fn encode_with(source: &str, encoder: &str) -> Stream {
    let pipeline = pipeline(source, encoder);
    pipeline.set_state(gst::State::Playing).unwrap();
    pull(&pipeline)
}

/// The same picture `pictures` times, a byte a pixel.
pub(crate) fn encode_still((width, height): (u32, u32), picture: &[u8], pictures: u32, encoder: &str) -> Stream {
    let caps = format!("video/x-raw,format=GRAY8,width={width},height={height},framerate=25/1");
    let pipeline =
        pipeline(&format!("appsrc name=in format=time caps={caps} ! videoconvert ! video/x-raw,format=I420"), encoder);
    let source = pipeline.by_name("in").unwrap().downcast::<AppSrc>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    for frame in 0..u64::from(pictures) {
        let mut buffer = gst::Buffer::from_slice(picture.to_vec());
        buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(frame * 40));
        source.push_buffer(buffer).unwrap();
    }
    source.end_of_stream().unwrap();
    pull(&pipeline)
}

fn pipeline(source: &str, encoder: &str) -> gst::Pipeline {
    vedette_media::init().unwrap();
    let pipeline = gst::parse::launch(&format!("{source} ! {encoder} ! appsink name=out sync=false")).unwrap();
    pipeline.downcast().unwrap()
}

fn pull(pipeline: &gst::Pipeline) -> Stream {
    let sink = pipeline.by_name("out").unwrap().downcast::<AppSink>().unwrap();
    let (mut units, mut shown) = (Vec::new(), Vec::new());
    while let Ok(sample) = sink.pull_sample() {
        let buffer = sample.buffer().unwrap();
        units.push(buffer.map_readable().unwrap().to_vec());
        shown.push((buffer.pts().unwrap().mseconds() / 40) as i64);
    }
    pipeline.set_state(gst::State::Null).unwrap();
    let later: Vec<i64> = (0..).zip(&shown).map(|(index, shown)| shown - index).collect();
    let least = later.iter().min().copied().unwrap_or(0);
    Stream { units, delays: later.iter().map(|later| (later - least) as u32).collect() }
}
