//! Pictures to VP8, by libvpx through GStreamer, on the calling thread.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;
use vedette_core::FrameSize;

/// Pictures from one key frame to the next: a player seeks to key frames only.
const KEY_FRAME_EVERY: i32 = 50;

/// An encoded picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picture {
    pub(super) data: Vec<u8>,
    /// Time since the first one.
    pub(super) at: Duration,
    pub(super) key: bool,
}

/// `videoconvert ! vp8enc`, between two pads of our own, so that all work is done by [`Self::push`].
pub(super) struct Vp8Encoder {
    size: FrameSize,
    step: Duration,
    last: Option<Duration>,
    pushed: usize,
    info: gst_video::VideoInfo,
    input: gst::Pad,
    /// Linked as long as it is held.
    output: gst::Pad,
    elements: [gst::Element; 2],
    pictures: Arc<Mutex<Vec<Picture>>>,
}

impl Vp8Encoder {
    /// An encoder for pictures of `size`, about `step` from each other, at `rate` bits a second.
    pub(super) fn new(size: FrameSize, rate: f64, step: Duration) -> Result<Self, String> {
        let broken = |error: &dyn std::fmt::Display| format!("no encoder could be built: {error}");
        crate::init().map_err(|error| error.to_string())?;
        let make = |name| gst::ElementFactory::make(name).build().map_err(|error| broken(&error));
        let (convert, encoder) = (make("videoconvert")?, make("vp8enc")?);
        encoder.set_property_from_str("end-usage", "vbr");
        encoder.set_property("target-bitrate", (rate as i32).max(1_000));
        encoder.set_property("keyframe-max-dist", KEY_FRAME_EVERY);
        encoder.set_property("deadline", 1_i64);
        encoder.set_property("cpu-used", 4_i32);
        encoder.set_property("threads", 1_i32);
        let pictures = Arc::new(Mutex::new(Vec::new()));
        let input = gst::Pad::builder(gst::PadDirection::Src).name("pictures").build();
        let output = receive(pictures.clone());
        let wired = (|| -> Result<(), gst::glib::BoolError> {
            convert.link(&encoder)?;
            for (source, sink) in [
                (Some(&input), convert.static_pad("sink").as_ref()),
                (encoder.static_pad("src").as_ref(), Some(&output)),
            ] {
                if let (Some(source), Some(sink)) = (source, sink) {
                    source.link(sink).map_err(|error| gst::glib::bool_error!("{error}"))?;
                }
            }
            output.set_active(true)?;
            input.set_active(true)
        })();
        wired.map_err(|error| broken(&error))?;
        let elements = [convert, encoder];
        for element in &elements {
            element.set_state(gst::State::Playing).map_err(|error| broken(&error))?;
        }
        let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::Rgb, size.width, size.height)
            .fps(rate_of(step))
            .build()
            .map_err(|error| broken(&error))?;
        let caps = info.to_caps().map_err(|error| broken(&error))?;
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        for event in
            [gst::event::StreamStart::new("clip"), gst::event::Caps::new(&caps), gst::event::Segment::new(&segment)]
        {
            if !input.push_event(event) {
                return Err(broken(&"it refuses pictures of this size"));
            }
        }
        Ok(Self { size, step, last: None, pushed: 0, info, input, output, elements, pictures })
    }

    pub(super) const fn size(&self) -> FrameSize {
        self.size
    }

    /// Encodes a picture: 3 bytes a pixel without padding, shown `at` a time since the first one. One that is not later than the one before
    /// is shown a millisecond after it.
    pub(super) fn push(&mut self, pixels: &[u8], at: Duration) -> Result<(), String> {
        let at = self.last.map_or(Duration::ZERO, |last| at.max(last + Duration::from_millis(1)));
        self.last = Some(at);
        let row = self.size.width as usize * 3;
        let stride =
            self.info.stride().first().and_then(|stride| usize::try_from(*stride).ok()).unwrap_or(row).max(row);
        let mut padded = vec![0; stride * self.size.height as usize];
        for (to, from) in padded.chunks_exact_mut(stride).zip(pixels.chunks_exact(row)) {
            to[..row].copy_from_slice(from);
        }
        let mut buffer = gst::Buffer::from_mut_slice(padded);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(clock_time(at));
            buffer.set_duration(clock_time(self.step));
        }
        self.pushed += 1;
        self.input.push(buffer).map(drop).map_err(|error| format!("the encoder refused a picture: {error}"))
    }

    /// The encoded pictures, as many as were pushed.
    pub(super) fn finish(self) -> Result<Vec<Picture>, String> {
        self.input.push_event(gst::event::Eos::new());
        let pictures = std::mem::take(&mut *self.pictures.lock().unwrap_or_else(PoisonError::into_inner));
        match pictures.len() == self.pushed {
            true => Ok(pictures),
            false => Err(format!("{} of {} pictures came out of the encoder", pictures.len(), self.pushed)),
        }
    }
}

impl Drop for Vp8Encoder {
    fn drop(&mut self) {
        for element in &self.elements {
            // An encoder that is not running stops at once.
            let _ = element.set_state(gst::State::Null);
        }
        let _ = self.input.set_active(false);
        let _ = self.output.set_active(false);
    }
}

/// A pad that collects what comes.
fn receive(pictures: Arc<Mutex<Vec<Picture>>>) -> gst::Pad {
    let pad = gst::Pad::builder(gst::PadDirection::Sink).name("encoded");
    let pad = pad.chain_function(move |_, _, buffer| {
        let data = buffer.map_readable().map_err(|_| gst::FlowError::Error)?.to_vec();
        let at = buffer.pts().map_or(0, gst::ClockTime::useconds);
        let at = Duration::from_micros(at);
        let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        pictures.lock().unwrap_or_else(PoisonError::into_inner).push(Picture { data, at, key });
        Ok(gst::FlowSuccess::Ok)
    });
    pad.event_function(|_, _, _| true).build()
}

fn clock_time(time: Duration) -> gst::ClockTime {
    gst::ClockTime::from_useconds(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

/// Pictures a second, for the encoder's rate control.
fn rate_of(step: Duration) -> gst::Fraction {
    let step = i32::try_from(step.as_millis()).unwrap_or(i32::MAX).max(1);
    gst::Fraction::new(1_000, step)
}
