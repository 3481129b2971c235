//! The streams of a file and what it tells about them.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::AppSink;
use vedette_core::Codec;

/// What a file tells.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    /// The video that is read.
    pub(super) codec: Option<Codec>,
    /// Names of other streams.
    pub(super) beside: Vec<String>,
    /// Video in a codec that is not supported.
    pub(super) unsupported: Option<String>,
    /// The turn that makes the picture upright, degrees clockwise.
    pub(super) rotation: u32,
    /// Frames per second.
    pub(super) rate: Option<f64>,
    /// All streams are known.
    pub(super) complete: bool,
}

/// A file that is being taken apart. Dropping it closes the file.
pub(super) struct Container {
    pipeline: gst::Pipeline,
    pub(super) sink: AppSink,
    told: Arc<Mutex<Told>>,
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

impl Container {
    /// # Errors
    /// When there is no such file, or it cannot be opened.
    pub(super) fn open(path: &Path) -> Result<Self, AnyError> {
        std::fs::File::open(path)?;
        let pipeline = gst::Pipeline::new();
        let source = gst::ElementFactory::make("filesrc").property("location", path).build()?;
        let parse = gst::ElementFactory::make("parsebin").build()?;
        let sink = AppSink::builder().sync(false).max_buffers(16).build();
        pipeline.add_many([&source, &parse, sink.upcast_ref()])?;
        source.link(&parse)?;
        let told = Arc::new(Mutex::new(Told::default()));
        let (weak, target, shared) = (pipeline.downgrade(), sink.clone(), Arc::clone(&told));
        parse.connect_pad_added(move |_, pad| {
            let Some(pipeline) = weak.upgrade() else { return };
            if let Err(error) = take(&pipeline, pad, &target, &shared) {
                tracing::debug!(%error, "a stream of the file could not be linked");
            }
        });
        let shared = Arc::clone(&told);
        parse.connect_no_more_pads(move |_| lock(&shared).complete = true);
        let container = Self { pipeline, sink, told };
        let playing = container.pipeline.set_state(gst::State::Playing);
        if let Some(detail) = container.error() {
            return Err(detail.into());
        }
        playing?;
        Ok(container)
    }

    pub(super) fn told(&self) -> Told {
        lock(&self.told).clone()
    }

    /// The error since the last call.
    pub(super) fn error(&self) -> Option<String> {
        let message = self.pipeline.bus()?.pop_filtered(&[gst::MessageType::Error])?;
        match message.view() {
            gst::MessageView::Error(error) => Some(error.error().message().to_string()),
            _ => None,
        }
    }
}

fn lock(told: &Mutex<Told>) -> std::sync::MutexGuard<'_, Told> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Leads the first supported video to the sink, and everything else away, so that the demuxer does not stall.
fn take(pipeline: &gst::Pipeline, pad: &gst::Pad, sink: &AppSink, told: &Arc<Mutex<Told>>) -> Result<(), AnyError> {
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    let name = caps.structure(0).map_or_else(String::new, |structure| structure.name().to_string());
    let codec = match name.as_str() {
        "video/x-h264" => Some((Codec::H264, "h264parse", "video/x-h264,stream-format=byte-stream,alignment=au")),
        "video/x-h265" => Some((Codec::H265, "h265parse", "video/x-h265,stream-format=byte-stream,alignment=au")),
        "image/jpeg" => Some((Codec::Jpeg, "jpegparse", "image/jpeg")),
        _ => None,
    };
    let is_free = sink.static_pad("sink").is_some_and(|pad| !pad.is_linked());
    let Some((codec, parser, wanted)) = codec.filter(|_| is_free) else {
        let is_video = name.starts_with("video/") || name.starts_with("image/");
        match (is_video, codec) {
            (true, None) => lock(told).unsupported = Some(name),
            _ => lock(told).beside.push(name),
        }
        let away = gst::ElementFactory::make("fakesink").property("sync", false).property("async", false).build()?;
        pipeline.add(&away)?;
        away.sync_state_with_parent()?;
        pad.link(&away.static_pad("sink").ok_or("a sink has a sink pad")?)?;
        return Ok(());
    };
    let rate = caps.structure(0).and_then(|structure| structure.get::<gst::Fraction>("framerate").ok());
    {
        let mut told = lock(told);
        told.codec = Some(codec);
        told.rate = rate
            .filter(|rate| rate.numer() > 0 && rate.denom() > 0)
            .map(|rate| f64::from(rate.numer()) / f64::from(rate.denom()));
    }
    let shared = Arc::clone(told);
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if let Some(gst::EventView::Tag(tag)) = info.event().map(|event| event.view())
            && let Some(orientation) = tag.tag().get::<gst::tags::ImageOrientation>()
        {
            let digits: String = orientation.get().chars().filter(char::is_ascii_digit).collect();
            lock(&shared).rotation = digits.parse().unwrap_or(0);
        }
        gst::PadProbeReturn::Ok
    });
    let mut parser = gst::ElementFactory::make(parser);
    if codec != Codec::Jpeg {
        // -1: with every key frame.
        parser = parser.property("config-interval", -1);
    }
    let parser = parser.build()?;
    sink.set_caps(Some(&wanted.parse::<gst::Caps>()?));
    pipeline.add(&parser)?;
    parser.link(sink)?;
    parser.sync_state_with_parent()?;
    pad.link(&parser.static_pad("sink").ok_or("a parser has a sink pad")?)?;
    Ok(())
}
