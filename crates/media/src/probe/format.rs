use bytes::Bytes;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSrc};
use vedette_core::{Codec, FrameSize};

use super::report::ProbeReport;

/// How long the parser may take for one frame.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(10);

/// Reads format, profile and shape of the pictures from the headers of a key frame, without decoding it. Blocks.
pub(super) fn describe(codec: Codec, unit: Bytes, report: &mut ProbeReport) {
    match caps_of(codec, unit) {
        Ok(caps) => caps.structure(0).into_iter().for_each(|structure| fill(structure, report)),
        Err(error) => tracing::debug!(%error, "the headers of the key frame could not be read"),
    }
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

fn caps_of(codec: Codec, unit: Bytes) -> Result<gst::Caps, AnyError> {
    let (parser, caps) = match codec {
        Codec::H264 => ("h264parse", "video/x-h264,stream-format=byte-stream,alignment=au"),
        Codec::H265 => ("h265parse", "video/x-h265,stream-format=byte-stream,alignment=au"),
        Codec::Jpeg => ("jpegparse", "image/jpeg"),
    };
    let caps: gst::Caps = caps.parse()?;
    let pipeline = gst::Pipeline::new();
    let source = AppSrc::builder().caps(&caps).format(gst::Format::Time).build();
    let parser = gst::ElementFactory::make(parser).build()?;
    let sink = AppSink::builder().sync(false).build();
    pipeline.add_many([source.upcast_ref::<gst::Element>(), &parser, sink.upcast_ref()])?;
    gst::Element::link_many([source.upcast_ref::<gst::Element>(), &parser, sink.upcast_ref()])?;
    pipeline.set_state(gst::State::Playing)?;
    let found = source
        .push_buffer(gst::Buffer::from_slice(unit))
        .and_then(|_| source.end_of_stream())
        .map_err(AnyError::from)
        .and_then(|_| {
            let sample = sink.try_pull_sample(PATIENCE).ok_or("no picture in it")?;
            sample.caps_owned().ok_or_else(|| AnyError::from("no format in it"))
        });
    pipeline.set_state(gst::State::Null)?;
    found
}

fn fill(structure: &gst::StructureRef, report: &mut ProbeReport) {
    let text = |name: &str| structure.get::<String>(name).ok();
    let number = |name: &str| structure.get::<i32>(name).ok().and_then(|it| u32::try_from(it).ok());
    let side = |name: &str| number(name).filter(|side| *side > 0);
    if let Some((width, height)) = side("width").zip(side("height")) {
        report.size = Some(FrameSize { width, height });
    }
    report.profile = text("profile");
    report.level = text("level");
    report.bit_depth = structure.get::<u32>("bit-depth-luma").ok().or_else(|| number("bit-depth-luma"));
    report.chroma = text("chroma-format");
    report.interlaced |= is_interlaced(structure);
    report.rates.told = report.rates.told.or(rate(structure));
}

/// The frame rate that the parser or the container tells.
pub(super) fn rate(structure: &gst::StructureRef) -> Option<f64> {
    let rate = structure.get::<gst::Fraction>("framerate").ok()?;
    (rate.numer() > 0 && rate.denom() > 0).then(|| f64::from(rate.numer()) / f64::from(rate.denom()))
}

/// Whether the parser or the container says that the lines of a picture are of two instants.
pub(super) fn is_interlaced(structure: &gst::StructureRef) -> bool {
    structure.get::<&str>("interlace-mode").is_ok_and(|mode| mode != "progressive")
}
