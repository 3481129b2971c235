use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use gstreamer::prelude::*;
use gstreamer::{self as gst, MessageView, PadProbeData, PadProbeReturn, PadProbeType};
use gstreamer_app::{AppSink, AppSinkCallbacks, AppSrc, AppStreamType};
use gstreamer_video as gst_video;
use vedette_core::{Codec, Display, FrameSize};

use super::{DecodeError, OutputSize, RgbImage};
use crate::cpu_time::thread_cpu_time;
use crate::init::{codec_complaints, expect_missing_pictures};
use crate::metrics;

/// Build parameters of a pipeline.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) codec: Codec,
    pub(super) output: OutputSize,
    pub(super) display: Display,
    pub(super) max_threads: u32,
    pub(super) max_side: u32,
}

/// What travels with a unit, and then with its picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) ticket: u64,
    /// Whether the picture is to be output.
    pub(super) wanted: bool,
    /// Whether it may refer to pictures that the decoder never had.
    pub(super) lacks: bool,
}

impl Label {
    fn to_time(self) -> gst::ClockTime {
        gst::ClockTime::from_nseconds(self.ticket << 2 | u64::from(self.lacks) << 1 | u64::from(self.wanted))
    }

    fn of(buffer: &gst::BufferRef) -> Option<Self> {
        let time = buffer
            .iter_meta::<gst::ReferenceTimestampMeta>()
            .find(|meta| meta.reference().structure(0).is_some_and(|structure| structure.name() == TICKET))?
            .timestamp()
            .nseconds();
        Some(Self { ticket: time >> 2, wanted: time & 1 == 1, lacks: time & 2 == 2 })
    }
}

/// The output of a pipeline, in order.
pub(super) enum Out {
    /// A picture.
    Frame { ticket: u64, corrupt: bool, frame: FrameSize, image: RgbImage },
    /// An unwanted picture.
    Skipped { ticket: u64, corrupt: bool },
    /// Everything pushed before the mark has passed; `cpu` is the processor time spent on it.
    Marked { complaints: u64, cpu: Duration },
}

/// An error is the end of the pipeline.
type Sent = Result<Out, DecodeError>;

/// Buffered output pictures. The decoding thread waits when there are more.
const FRAMES_IN_HAND: usize = 4;
const MARK: &str = "vedette-mark";
const TICKET: &str = "timestamp/x-vedette-ticket";

/// `appsrc ! decoder ! videoscale ! videoconvert ! capsfilter ! appsink`.
///
/// Units and pictures are identified by a ticket that travels as reference timestamp meta, so that neither lost frames
/// nor odd capture times confuse them. A mark is an event behind the last unit: when it reaches the decoder, everything
/// before it has passed through the whole pipeline, as all elements run in one thread.
pub(super) struct Pipeline {
    pipeline: gst::Pipeline,
    source: AppSrc,
    ticket_caps: gst::Caps,
    out: Option<Receiver<Sent>>,
    stuck: bool,
}

impl Pipeline {
    pub(super) fn new(shape: Shape) -> Result<Self, DecodeError> {
        crate::init()?;
        let broken = |error: &dyn std::fmt::Display| DecodeError::Broken(format!("no decoder could be built: {error}"));
        let (sender, out) = sync_channel(FRAMES_IN_HAND);
        let ticket_caps = gst::Caps::new_empty_simple(TICKET);
        let source = source(shape.codec);
        let decoder = decoder(shape).map_err(|error| broken(&error))?;
        let scale = make("videoscale").map_err(|error| broken(&error))?;
        scale.set_property("add-borders", false);
        let convert = make("videoconvert").map_err(|error| broken(&error))?;
        let filter = make("capsfilter").map_err(|error| broken(&error))?;
        filter.set_property("caps", rgb_caps(None));
        let native = Arc::new(Mutex::new(FrameSize { width: 0, height: 0 }));
        let sink = AppSink::builder().sync(false).qos(false).async_(false).max_buffers(1).build();
        sink.set_callbacks(deliver(sender.clone(), Arc::clone(&native), shape.display));

        let pipeline = gst::Pipeline::new();
        let chain = [source.upcast_ref(), &decoder, &scale, &convert, &filter, sink.upcast_ref()];
        pipeline.add_many(chain).map_err(|error| broken(&error))?;
        gst::Element::link_many(chain).map_err(|error| broken(&error))?;
        watch_marks(&decoder, sender.clone());
        watch_pictures(&decoder, &filter, shape, native, sender.clone());
        if let Some(bus) = pipeline.bus() {
            bus.set_sync_handler(move |_, message| {
                if let MessageView::Error(error) = message.view() {
                    let _ = sender.send(Err(DecodeError::Broken(error.error().message().to_string())));
                }
                gst::BusSyncReply::Drop
            });
        }
        pipeline.set_state(gst::State::Playing).map_err(|error| broken(&error))?;
        metrics::DECODERS_BUILT.get().increment(1);
        Ok(Self { pipeline, source, ticket_caps, out: Some(out), stuck: false })
    }

    /// Passes a unit to the decoder; does not wait.
    pub(super) fn push(&self, label: Label, data: Bytes) -> Result<(), DecodeError> {
        let mut buffer = gst::Buffer::from_slice(data);
        {
            let buffer = buffer.make_mut();
            buffer.set_pts(gst::ClockTime::from_mseconds(label.ticket));
            gst::ReferenceTimestampMeta::add(buffer, &self.ticket_caps, label.to_time(), gst::ClockTime::NONE);
        }
        self.source.push_buffer(buffer).map(|_| ()).map_err(|_| self.failure())
    }

    /// Requests [`Out::Marked`] once everything pushed has passed.
    pub(super) fn mark(&self) -> Result<(), DecodeError> {
        let event = gst::event::CustomDownstream::new(gst::Structure::new_empty(MARK));
        if self.source.send_event(event) { Ok(()) } else { Err(self.failure()) }
    }

    /// Makes the decoder output everything it holds back, then marks. The next unit has to be a key frame.
    pub(super) fn drain(&self) -> Result<(), DecodeError> {
        // Of the events that drain a decoder the only one after which it continues as before. A gap does not
        // drain avdec.
        let done = gst::event::SegmentDone::new(gst::ClockTime::ZERO);
        if !self.source.send_event(done) {
            return Err(self.failure());
        }
        self.mark()
    }

    /// The next output.
    pub(super) fn next(&mut self, patience: Duration) -> Result<Out, DecodeError> {
        let gone = || DecodeError::Broken("the decoder ended".into());
        match self.out.as_ref().ok_or_else(gone)?.recv_timeout(patience) {
            Ok(sent) => sent,
            Err(RecvTimeoutError::Timeout) => {
                self.stuck = true;
                Err(DecodeError::Stuck(patience))
            }
            Err(RecvTimeoutError::Disconnected) => Err(gone()),
        }
    }

    /// Why the pipeline accepts no more input.
    fn failure(&self) -> DecodeError {
        let waiting = self.out.iter().flat_map(Receiver::try_iter);
        let reason = waiting.filter_map(Result::err).next();
        reason.unwrap_or_else(|| DecodeError::Broken("the decoder takes nothing more".into()))
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        // A decoding thread that waits for room must find the receiver gone, or stopping it would block forever.
        self.out = None;
        let pipeline = self.pipeline.clone();
        let stop = move || {
            let _ = pipeline.set_state(gst::State::Null);
            if let Some(bus) = pipeline.bus() {
                bus.unset_sync_handler();
            }
        };
        if !self.stuck {
            return stop();
        }
        // Stopping waits for the stuck thread: leave that to another thread.
        metrics::DECODERS_STUCK.get().increment(1);
        if let Err(error) = std::thread::Builder::new().name("vedette-reaper".into()).spawn(stop) {
            tracing::error!(%error, "a stuck decoder could not be stopped");
        }
    }
}

fn make(name: &str) -> Result<gst::Element, gst::glib::BoolError> {
    gst::ElementFactory::make(name).build()
}

fn source(codec: Codec) -> AppSrc {
    let caps = match codec {
        Codec::H264 => gst::Caps::builder("video/x-h264"),
        Codec::H265 => gst::Caps::builder("video/x-h265"),
        Codec::Jpeg => gst::Caps::builder("image/jpeg"),
    };
    let caps = match codec {
        Codec::Jpeg => caps.build(),
        _ => caps.field("stream-format", "byte-stream").field("alignment", "au").build(),
    };
    // No limit of its own: it holds at most one chunk.
    AppSrc::builder()
        .caps(&caps)
        .format(gst::Format::Time)
        .stream_type(AppStreamType::Stream)
        .is_live(false)
        .max_bytes(0)
        .max_buffers(0)
        .max_time(gst::ClockTime::ZERO)
        .build()
}

fn decoder(shape: Shape) -> Result<gst::Element, gst::glib::BoolError> {
    let decoder = make(match shape.codec {
        Codec::H264 => "avdec_h264",
        Codec::H265 => "avdec_h265",
        Codec::Jpeg => "jpegdec",
    })?;
    decoder.set_property("max-errors", 0);
    if shape.codec != Codec::Jpeg {
        decoder.set_property("max-threads", i32::try_from(shape.max_threads.max(1)).unwrap_or(1));
        decoder.set_property("output-corrupt", true);
    }
    Ok(decoder)
}

fn rgb_caps(size: Option<FrameSize>) -> gst::Caps {
    let caps = gst_video::VideoCapsBuilder::new().format(gst_video::VideoFormat::Rgb);
    match size {
        None => caps.build(),
        Some(size) => {
            let side = |length: u32| i32::try_from(length).unwrap_or(i32::MAX);
            let caps = caps.width(side(size.width)).height(side(size.height));
            caps.pixel_aspect_ratio(gst::Fraction::new(1, 1)).build()
        }
    }
}

/// Reports when a mark reaches the decoder, and removes it.
fn watch_marks(decoder: &gst::Element, sender: SyncSender<Sent>) {
    let Some(pad) = decoder.static_pad("sink") else { return };
    let seen = Mutex::new(None);
    let kinds = PadProbeType::EVENT_DOWNSTREAM | PadProbeType::BUFFER;
    pad.add_probe(kinds, move |_, info| {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = (codec_complaints(), thread_cpu_time());
        // GStreamer reuses threads: complaints and work before the first unit are about another stream.
        let before = *seen.get_or_insert_with(|| {
            complained();
            now
        });
        if let Some(PadProbeData::Buffer(buffer)) = &info.data {
            expect_missing_pictures(Label::of(buffer).is_some_and(|label| label.lacks));
        }
        let Some(PadProbeData::Event(event)) = &info.data else { return PadProbeReturn::Ok };
        if event.structure().is_none_or(|structure| structure.name() != MARK) {
            return PadProbeReturn::Ok;
        }
        *seen = Some(now);
        drop(seen);
        let (complaints, cpu) = (now.0.saturating_sub(before.0), now.1.saturating_sub(before.1));
        let _ = sender.send(Ok(Out::Marked { complaints, cpu }));
        info.data = None;
        PadProbeReturn::Handled
    });
}

/// Inspects the decoder's output: sets the output size (with square pixels), rejects oversized pictures, drops unwanted ones.
fn watch_pictures(
    decoder: &gst::Element,
    filter: &gst::Element,
    shape: Shape,
    native: Arc<Mutex<FrameSize>>,
    sender: SyncSender<Sent>,
) {
    let Some(pad) = decoder.static_pad("src") else { return };
    let filter = filter.downgrade();
    let kinds = PadProbeType::EVENT_DOWNSTREAM | PadProbeType::BUFFER;
    pad.add_probe(kinds, move |_, info| match &info.data {
        Some(PadProbeData::Event(event)) => {
            let gst::EventView::Caps(caps) = event.view() else { return PadProbeReturn::Ok };
            let Some(frame) = frame_size(caps.caps()) else { return PadProbeReturn::Ok };
            if frame.width.max(frame.height) > shape.max_side {
                let _ = sender.send(Err(DecodeError::TooLarge { frame, max_side: shape.max_side }));
                return PadProbeReturn::Drop;
            }
            let shown = shape.display.shown(frame);
            *native.lock().unwrap_or_else(PoisonError::into_inner) = shown;
            if let Some(filter) = filter.upgrade() {
                // The turn comes after.
                filter.set_property("caps", rgb_caps(Some(shape.display.turned(shape.output.of(shown)))));
            }
            PadProbeReturn::Ok
        }
        Some(PadProbeData::Buffer(buffer)) => match Label::of(buffer) {
            Some(Label { ticket, wanted: false, .. }) => {
                let corrupt = buffer.flags().contains(gst::BufferFlags::CORRUPTED) || complained();
                let _ = sender.send(Ok(Out::Skipped { ticket, corrupt }));
                PadProbeReturn::Drop
            }
            _ => PadProbeReturn::Ok,
        },
        _ => PadProbeReturn::Ok,
    });
}

fn frame_size(caps: &gst::CapsRef) -> Option<FrameSize> {
    let structure = caps.structure(0)?;
    let side = |name| structure.get::<i32>(name).ok().and_then(|side| u32::try_from(side).ok());
    Some(FrameSize { width: side("width")?, height: side("height")? })
}

/// Whether the codec library complained on this thread since the last call.
fn complained() -> bool {
    thread_local! {
        static SEEN: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
    }
    let now = codec_complaints();
    SEEN.replace(now) != now
}

fn deliver(sender: SyncSender<Sent>, native: Arc<Mutex<FrameSize>>, display: Display) -> AppSinkCallbacks {
    AppSinkCallbacks::builder()
        .new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            let frame = *native.lock().unwrap_or_else(PoisonError::into_inner);
            let (ticket, corrupt, image) = picture(&sample).ok_or(gst::FlowError::Error)?;
            let image = image.turned(display.rotation);
            let out = Out::Frame { ticket, corrupt: corrupt || complained(), frame, image };
            sender.send(Ok(out)).map(|()| gst::FlowSuccess::Ok).map_err(|_| gst::FlowError::Flushing)
        })
        .build()
}

fn picture(sample: &gst::Sample) -> Option<(u64, bool, RgbImage)> {
    let buffer = sample.buffer_owned()?;
    let ticket = Label::of(&buffer)?.ticket;
    let corrupt = buffer.flags().contains(gst::BufferFlags::CORRUPTED);
    let info = gst_video::VideoInfo::from_caps(sample.caps()?).ok()?;
    let row = info.width() as usize * 3;
    let length = row * info.height() as usize;
    let stride = usize::try_from(*info.stride().first()?).ok()?;
    let plane = buffer.into_mapped_buffer_readable().ok()?;
    let data = if stride == row && plane.len() == length {
        // The picture stays in GStreamer's buffer.
        Bytes::from_owner(plane)
    } else {
        let mut packed = Vec::with_capacity(length);
        for line in plane.chunks(stride).take(info.height() as usize) {
            packed.extend_from_slice(line.get(..row)?);
        }
        packed.into()
    };
    Some((ticket, corrupt, RgbImage { size: FrameSize { width: info.width(), height: info.height() }, data }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipeline_that_gives_nothing_is_given_up_and_can_be_dropped() {
        let shape = Shape {
            codec: Codec::H264,
            output: OutputSize::Native,
            display: Display::default(),
            max_threads: 1,
            max_side: 8192,
        };
        let mut pipeline = Pipeline::new(shape).unwrap();
        let patience = Duration::from_millis(1);
        assert_eq!(pipeline.next(patience).err(), Some(DecodeError::Stuck(patience)));
    }
}
