//! Demuxes recordings on a thread of its own: container and framing only, nothing is decoded.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use gstreamer::prelude::*;
use gstreamer::{self as gst, MessageView};
use gstreamer_app::AppSink;
use tokio::sync::mpsc;
use vedette_core::{Codec, FrameSize, Span};

use super::RefusalReason;

/// Output of the reader.
pub(super) enum Item {
    /// Format of the following units.
    Format(Codec, FrameSize),
    /// An encoded frame and its time since the first one, continuing over repetitions.
    Unit(Bytes, Span),
    /// The file is shorter than its index declares; the pass continues to its end.
    Truncated(String),
    /// The end of the file was reached.
    PassEnded,
    /// The file is unusable. The last item.
    Refused(RefusalReason),
}

/// Parameters of the reader.
pub(super) struct Order {
    pub(super) path: PathBuf,
    pub(super) looped: bool,
    pub(super) offset: Span,
    /// Timeout for the file's next data.
    pub(super) timeout: Duration,
    /// Most bytes in a chunk; for the error message when nothing is usable.
    pub(super) max_bytes: usize,
}

/// Starts a reader. It ends with the file, or when `items` is closed.
pub(super) fn spawn(order: Order, items: mpsc::Sender<Item>) -> std::io::Result<()> {
    std::thread::Builder::new().name("vedette-reader".into()).spawn(move || {
        let mut reader = Reader { order, items, base: None, skip: Span::ZERO, format: None };
        reader.skip = reader.order.offset;
        reader.run();
    })?;
    Ok(())
}

/// The receiver is gone.
struct Closed;

struct Reader {
    order: Order,
    items: mpsc::Sender<Item>,
    /// Offset added to a unit's time in the file; none until the first unit was sent.
    base: Option<Span>,
    /// Time left to skip before the first unit.
    skip: Span,
    format: Option<(Codec, FrameSize)>,
}

/// Outcome of a pass through the file.
struct Pass {
    units: u64,
    /// From the first frame's time to the end of the last one.
    length: Span,
    error: Option<String>,
}

impl Reader {
    fn run(&mut self) {
        loop {
            match self.pass() {
                Err(Closed) => return,
                Ok(Err(reason)) => {
                    let _ = self.items.blocking_send(Item::Refused(reason));
                    return;
                }
                Ok(Ok(pass)) => {
                    if let Some(detail) = pass.error
                        && self.items.blocking_send(Item::Truncated(detail)).is_err()
                    {
                        return;
                    }
                    if self.items.blocking_send(Item::PassEnded).is_err() || !self.order.looped {
                        return;
                    }
                    if let Some(base) = &mut self.base {
                        *base = Span::from_micros(base.as_micros().saturating_add(pass.length.as_micros()));
                    } else if self.skip > Span::ZERO {
                        self.wrap_offset(pass.length);
                    } else {
                        let _ = self.items.blocking_send(Item::Refused(self.nothing_usable()));
                        return;
                    }
                }
            }
        }
    }

    /// Nothing was sent although the file ended: the offset lies behind its end, or behind its last key frame.
    fn wrap_offset(&mut self, length: Span) {
        let (skip, length) = (self.skip.as_micros(), length.as_micros().max(1));
        self.skip = Span::from_micros(if skip >= length { skip % length } else { 0 });
    }

    fn pass(&mut self) -> Result<Result<Pass, RefusalReason>, Closed> {
        let open = match Open::new(&self.order.path) {
            Ok(open) => open,
            Err(detail) => return Ok(Err(self.not_video(detail))),
        };
        let mut pass = Pass { units: 0, length: Span::ZERO, error: None };
        let mut times = Times::default();
        let mut heard = Instant::now();
        loop {
            if self.items.is_closed() {
                return Err(Closed);
            }
            if let Some(sample) = open.sink.try_pull_sample(gst::ClockTime::from_mseconds(50)) {
                heard = Instant::now();
                pass.units += 1;
                self.sample(&sample, &mut times)?;
                continue;
            }
            let ended = open.sink.is_eos();
            match open.problem() {
                Some(Problem::Codec(codec)) if pass.units == 0 => {
                    let path = self.order.path.display().to_string();
                    return Ok(Err(RefusalReason::UnsupportedCodec { path, codec }));
                }
                Some(Problem::Codec(_)) => {}
                Some(Problem::Error(detail)) if pass.units == 0 => return Ok(Err(self.not_video(detail))),
                Some(Problem::Error(detail)) => {
                    pass.error = Some(detail);
                    break;
                }
                None if ended => break,
                None if heard.elapsed() > self.order.timeout => {
                    let detail = format!("it gave nothing for {:?}", self.order.timeout);
                    if pass.units == 0 {
                        return Ok(Err(self.not_video(detail)));
                    }
                    pass.error = Some(detail);
                    break;
                }
                None => {}
            }
        }
        if pass.units == 0 {
            return Ok(Err(self.not_video("it holds no frame".into())));
        }
        pass.length = times.length();
        if let Some(announced) = open.announced()
            && pass.error.is_none()
            && pass.length.as_micros() + 1_000_000 < announced.as_micros()
        {
            pass.error = Some(format!("{} of {announced} are there", pass.length));
        }
        Ok(Ok(pass))
    }

    fn sample(&mut self, sample: &gst::Sample, times: &mut Times) -> Result<(), Closed> {
        let (Some(buffer), Some(caps)) = (sample.buffer_owned(), sample.caps()) else { return Ok(()) };
        let pts = sample
            .segment()
            .and_then(|segment| segment.downcast_ref::<gst::ClockTime>())
            .and_then(|segment| segment.to_running_time(buffer.pts()?));
        let time = times.next(pts, frame_interval(caps));
        let Some((codec, frame)) = format_of(caps) else { return Ok(()) };
        let Ok(map) = buffer.into_mapped_buffer_readable() else { return Ok(()) };
        let data = Bytes::copy_from_slice(&map);
        let base = match self.base {
            Some(base) => base,
            None => {
                let starts = crate::nal::unit_kind(codec, &data) == crate::nal::UnitKind::Key;
                if time < self.skip || !starts {
                    return Ok(());
                }
                let base = Span::from_micros(-time.as_micros());
                self.base = Some(base);
                base
            }
        };
        if self.format != Some((codec, frame)) {
            self.format = Some((codec, frame));
            self.items.blocking_send(Item::Format(codec, frame)).map_err(|_| Closed)?;
        }
        let time = Span::from_micros(base.as_micros() + time.as_micros());
        self.items.blocking_send(Item::Unit(data, time)).map_err(|_| Closed)
    }

    fn nothing_usable(&self) -> RefusalReason {
        RefusalReason::NothingUsable { path: self.order.path.display().to_string(), max_bytes: self.order.max_bytes }
    }

    fn not_video(&self, detail: String) -> RefusalReason {
        RefusalReason::NotVideo { path: self.order.path.display().to_string(), detail }
    }
}

/// Times of a pass, relative to its first frame.
#[derive(Default)]
struct Times {
    first: Option<i64>,
    last: i64,
    latest: i64,
    interval: i64,
}

impl Times {
    /// The time of the next unit: from the file, else one interval after the last.
    fn next(&mut self, pts: Option<gst::ClockTime>, interval: i64) -> Span {
        let time = match pts {
            Some(pts) => {
                let micros = i64::try_from(pts.useconds()).unwrap_or(i64::MAX);
                micros - *self.first.get_or_insert(micros)
            }
            None if self.first.is_none() => {
                self.first = Some(0);
                0
            }
            None => self.last + interval,
        };
        self.interval = interval;
        self.last = time;
        self.latest = self.latest.max(time);
        Span::from_micros(time)
    }

    fn length(&self) -> Span {
        Span::from_micros(self.latest + self.interval)
    }
}

/// Microseconds per frame as the stream declares it; 40 ms when it does not.
fn frame_interval(caps: &gst::CapsRef) -> i64 {
    let rate = caps.structure(0).and_then(|s| s.get::<gst::Fraction>("framerate").ok());
    match rate {
        Some(rate) if rate.numer() > 0 && rate.denom() > 0 => {
            i64::from(rate.denom()) * 1_000_000 / i64::from(rate.numer())
        }
        _ => 40_000,
    }
}

fn format_of(caps: &gst::CapsRef) -> Option<(Codec, FrameSize)> {
    let structure = caps.structure(0)?;
    let side = |name| structure.get::<i32>(name).ok().and_then(|side| u32::try_from(side).ok()).filter(|s| *s > 0);
    Some((codec_of(structure.name())?, FrameSize { width: side("width")?, height: side("height")? }))
}

fn codec_of(media_type: &str) -> Option<Codec> {
    match media_type {
        "video/x-h264" => Some(Codec::H264),
        "video/x-h265" => Some(Codec::H265),
        "image/jpeg" => Some(Codec::Jpeg),
        _ => None,
    }
}

enum Problem {
    /// There is video, in an unsupported codec.
    Codec(String),
    Error(String),
}

/// A file being demuxed.
struct Open {
    pipeline: gst::Pipeline,
    sink: AppSink,
    codec: Arc<Mutex<Option<String>>>,
}

impl Drop for Open {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

impl Open {
    fn new(path: &Path) -> Result<Self, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        if std::fs::metadata(path).map_err(|error| text(&error))?.len() == 0 {
            return Err("it is empty".into());
        }
        let pipeline = gst::Pipeline::new();
        let source = gst::ElementFactory::make("filesrc").property("location", path).build().map_err(|e| text(&e))?;
        let parse = gst::ElementFactory::make("parsebin").build().map_err(|e| text(&e))?;
        let sink = AppSink::builder().sync(false).max_buffers(16).build();
        pipeline.add_many([&source, &parse, sink.upcast_ref()]).map_err(|e| text(&e))?;
        source.link(&parse).map_err(|e| text(&e))?;
        let codec = Arc::new(Mutex::new(None));
        let (weak, target, unknown) = (pipeline.downgrade(), sink.clone(), Arc::clone(&codec));
        parse.connect_pad_added(move |_, pad| {
            let Some(pipeline) = weak.upgrade() else { return };
            let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
            let name = caps.structure(0).map_or_else(String::new, |s| s.name().to_string());
            let wanted = codec_of(&name).filter(|_| target.static_pad("sink").is_some_and(|pad| !pad.is_linked()));
            let linked = match wanted {
                Some(codec) => frame_to(&pipeline, pad, codec, &target),
                None => {
                    if codec_of(&name).is_none() && (name.starts_with("video/") || name.starts_with("image/")) {
                        let described = caps.structure(0).map_or(name, describe);
                        *unknown.lock().unwrap_or_else(PoisonError::into_inner) = Some(described);
                    }
                    swallow(&pipeline, pad, &target)
                }
            };
            if let Err(error) = linked {
                tracing::debug!(%error, "a stream of the file could not be linked");
            }
        });
        let open = Self { pipeline, sink, codec };
        match open.pipeline.set_state(gst::State::Playing) {
            Ok(_) => Ok(open),
            Err(_) => Err(match open.problem() {
                Some(Problem::Error(detail)) => detail,
                _ => "it cannot be opened".into(),
            }),
        }
    }

    /// The problem since the last call.
    fn problem(&self) -> Option<Problem> {
        if let Some(codec) = self.codec.lock().unwrap_or_else(PoisonError::into_inner).take()
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
    fn announced(&self) -> Option<Span> {
        let length = self.pipeline.query_duration::<gst::ClockTime>()?;
        Some(Span::from_micros(i64::try_from(length.useconds()).ok()?))
    }
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
