//! A recording being demuxed: encoded frames of its first usable video stream, and what the container says about them.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gstreamer::prelude::*;
use gstreamer::{self as gst, MessageView};
use gstreamer_app::AppSink;
use vedette_core::{Codec, FrameSize, PixelAspect, Rotation, Span};

use super::source_display::SourceDisplay;

/// The format of encoded frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) codec: Codec,
    /// Encoded size.
    pub(crate) frame: FrameSize,
    pub(crate) display: SourceDisplay,
}

/// By the caps of a stream of pictures that have to be turned by `rotation`.
pub(crate) fn format_of(caps: &gst::CapsRef, rotation: Rotation) -> Option<Format> {
    let structure = caps.structure(0)?;
    let side = |name| structure.get::<i32>(name).ok().and_then(|side| u32::try_from(side).ok()).filter(|s| *s > 0);
    let aspect = structure.get::<gst::Fraction>("pixel-aspect-ratio").ok();
    let aspect = aspect.and_then(|aspect| Some((aspect.numer().try_into().ok()?, aspect.denom().try_into().ok()?)));
    Some(Format {
        codec: codec_of(structure.name())?,
        frame: FrameSize { width: side("width")?, height: side("height")? },
        display: SourceDisplay {
            rotation,
            pixel_aspect: aspect.map(|(width, height)| PixelAspect::new(width, height)),
        },
    })
}

fn codec_of(media_type: &str) -> Option<Codec> {
    match media_type {
        "video/x-h264" => Some(Codec::H264),
        "video/x-h265" => Some(Codec::H265),
        "image/jpeg" => Some(Codec::Jpeg),
        _ => None,
    }
}

pub(crate) enum Problem {
    /// There is video, in an unsupported codec.
    Codec(String),
    Error(String),
}

/// The streams of a file beside the one that is read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Streams {
    /// Video in a codec that is not supported.
    pub(crate) unsupported: Option<String>,
    /// Media types of the others.
    pub(crate) beside: Vec<String>,
    /// All of them are known.
    pub(crate) complete: bool,
}

impl Streams {
    /// There is no other video than one in a codec that is not supported.
    pub(crate) fn is_unsupported(&self) -> bool {
        self.complete && self.unsupported.is_some()
    }
}

/// A file being demuxed.
pub(crate) struct Open {
    pipeline: gst::Pipeline,
    sink: AppSink,
    streams: Arc<Mutex<Streams>>,
}

impl Drop for Open {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

impl Open {
    pub(crate) fn new(path: &Path) -> Result<Self, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let file = std::fs::metadata(path).map_err(|error| text(&error))?;
        if !file.is_file() {
            // Opening a pipe would wait for its writer.
            return Err("it is no regular file".into());
        }
        if file.len() == 0 {
            return Err("it is empty".into());
        }
        let pipeline = gst::Pipeline::new();
        let source = gst::ElementFactory::make("filesrc").property("location", path).build().map_err(|e| text(&e))?;
        let parse = gst::ElementFactory::make("parsebin").build().map_err(|e| text(&e))?;
        let sink = AppSink::builder().sync(false).max_buffers(16).build();
        pipeline.add_many([&source, &parse, sink.upcast_ref()]).map_err(|e| text(&e))?;
        source.link(&parse).map_err(|e| text(&e))?;
        let streams = Arc::new(Mutex::new(Streams::default()));
        let (weak, target, found) = (pipeline.downgrade(), sink.clone(), Arc::clone(&streams));
        parse.connect_pad_added(move |_, pad| {
            let Some(pipeline) = weak.upgrade() else { return };
            let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
            let name = caps.structure(0).map_or_else(String::new, |s| s.name().to_string());
            let wanted = codec_of(&name).filter(|_| target.static_pad("sink").is_some_and(|pad| !pad.is_linked()));
            let linked = match wanted {
                Some(codec) => frame_to(&pipeline, pad, codec, &target),
                None => {
                    if codec_of(&name).is_none() && (name.starts_with("video/") || name.starts_with("image/")) {
                        lock(&found).unsupported = Some(caps.structure(0).map_or(name, describe));
                    } else {
                        lock(&found).beside.push(name);
                    }
                    swallow(&pipeline, pad, &target)
                }
            };
            if let Err(error) = linked {
                tracing::debug!(%error, "a stream of the file could not be linked");
            }
        });
        let found = Arc::clone(&streams);
        parse.connect_no_more_pads(move |_| lock(&found).complete = true);
        let open = Self { pipeline, sink, streams };
        match open.pipeline.set_state(gst::State::Playing) {
            Ok(_) => Ok(open),
            Err(_) => Err(match open.problem() {
                Some(Problem::Error(detail)) => detail,
                _ => "it cannot be opened".into(),
            }),
        }
    }

    /// The next frame, if one comes within `patience`.
    pub(crate) fn sample(&self, patience: gst::ClockTime) -> Option<gst::Sample> {
        self.sink.try_pull_sample(patience)
    }

    /// Whether all frames have been taken.
    pub(crate) fn is_eos(&self) -> bool {
        self.sink.is_eos()
    }

    /// The turn that makes the pictures upright, by the tags of the container. Mirrored pictures stay mirrored.
    pub(crate) fn rotation(&self) -> Rotation {
        let Some(pad) = self.sink.static_pad("sink") else { return Rotation::default() };
        let tags = (0..).map_while(|index| pad.sticky_event::<gst::event::Tag>(index));
        let orientation = tags.filter_map(|event| {
            let value = event.tag().get::<gst::tags::ImageOrientation>()?;
            value.get().strip_prefix("rotate-").and_then(|degrees| degrees.parse().ok())
        });
        orientation.last().and_then(Rotation::from_degrees).unwrap_or_default()
    }

    /// What is known of the other streams.
    pub(crate) fn streams(&self) -> Streams {
        lock(&self.streams).clone()
    }

    /// The problem since the last call.
    pub(crate) fn problem(&self) -> Option<Problem> {
        if let Some(codec) = lock(&self.streams).unsupported.clone()
            && self.sink.static_pad("sink").is_some_and(|pad| !pad.is_linked())
        {
            return Some(Problem::Codec(codec));
        }
        let message = self.pipeline.bus()?.pop_filtered(&[gst::MessageType::Error])?;
        match message.view() {
            MessageView::Error(error) => Some(Problem::Error(error.error().message().to_string())),
            _ => None,
        }
    }

    /// The declared length of the file.
    pub(super) fn announced(&self) -> Option<Span> {
        let length = self.pipeline.query_duration::<gst::ClockTime>()?;
        Some(Span::from_micros(i64::try_from(length.useconds()).ok()?))
    }
}

fn lock(streams: &Mutex<Streams>) -> MutexGuard<'_, Streams> {
    streams.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The codec as text: its media type, and its version where one type stands for several.
fn describe(structure: &gst::StructureRef) -> String {
    match structure.get::<i32>("mpegversion").or_else(|_| structure.get::<i32>("msmpegversion")) {
        Ok(version) => format!("{} version {version}", structure.name()),
        Err(_) => structure.name().to_string(),
    }
}

/// Frames of `pad` to `sink`: Annex B with parameter sets at each key frame, or JPEG.
fn frame_to(
    pipeline: &gst::Pipeline,
    pad: &gst::Pad,
    codec: Codec,
    sink: &AppSink,
) -> Result<(), Box<dyn std::error::Error>> {
    let (name, caps) = match codec {
        Codec::H264 => ("h264parse", "video/x-h264,stream-format=byte-stream,alignment=au"),
        Codec::H265 => ("h265parse", "video/x-h265,stream-format=byte-stream,alignment=au"),
        Codec::Jpeg => ("jpegparse", "image/jpeg"),
    };
    let mut parser = gst::ElementFactory::make(name);
    if codec != Codec::Jpeg {
        // -1: with every key frame.
        parser = parser.property("config-interval", -1);
    }
    let parser = parser.build()?;
    sink.set_caps(Some(&caps.parse::<gst::Caps>()?));
    pipeline.add(&parser)?;
    parser.link(sink)?;
    parser.sync_state_with_parent()?;
    pad.link(&parser.static_pad("sink").ok_or("a parser has a sink pad")?)?;
    Ok(())
}

/// Discards audio and further streams, so that the demuxer does not stall on them. If one of them ends before any
/// video has appeared, there is none: `parsebin` does not report that.
fn swallow(pipeline: &gst::Pipeline, pad: &gst::Pad, video: &AppSink) -> Result<(), Box<dyn std::error::Error>> {
    let sink = gst::ElementFactory::make("fakesink").property("sync", false).property("async", false).build()?;
    pipeline.add(&sink)?;
    sink.sync_state_with_parent()?;
    let entry = sink.static_pad("sink").ok_or("a sink has a sink pad")?;
    let (sink, video) = (sink.downgrade(), video.clone());
    entry.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if let Some(gst::PadProbeData::Event(event)) = &info.data
            && event.type_() == gst::EventType::Eos
            && video.static_pad("sink").is_some_and(|pad| !pad.is_linked())
            && let Some(sink) = sink.upgrade()
        {
            gst::element_error!(sink, gst::StreamError::WrongType, ("it holds no video stream"));
        }
        gst::PadProbeReturn::Ok
    });
    pad.link(&entry)?;
    Ok(())
}
