//! Test streams made by GStreamer's own encoders.

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::AppSink;

/// H.264 with a key frame each ten pictures, parameter sets before each.
pub(crate) const H264: &str = "x264enc bframes=0 key-int-max=10 speed-preset=ultrafast tune=zerolatency ! \
     h264parse config-interval=-1 ! video/x-h264,stream-format=byte-stream,alignment=au";
/// Motion JPEG.
pub(crate) const JPEG: &str = "jpegenc ! image/jpeg";

/// The encoded pictures of a moving ball, 320 x 240.
pub(crate) fn encode(encoder: &str, pictures: u32) -> Vec<Vec<u8>> {
    vedette_media::init().unwrap();
    let source = format!(
        "videotestsrc num-buffers={pictures} pattern=ball ! \
         video/x-raw,format=I420,width=320,height=240,framerate=25/1"
    );
    let pipeline = gst::parse::launch(&format!("{source} ! {encoder} ! appsink name=out sync=false")).unwrap();
    let pipeline = pipeline.downcast::<gst::Pipeline>().unwrap();
    let sink = pipeline.by_name("out").unwrap().downcast::<AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut units = Vec::new();
    while let Ok(sample) = sink.pull_sample() {
        units.push(sample.buffer().unwrap().map_readable().unwrap().to_vec());
    }
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(units.len(), pictures as usize);
    units
}
