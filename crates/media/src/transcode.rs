use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use gstreamer::prelude::*;
use gstreamer::{self as gst, MessageView};
use vedette_core::Span;

/// Encoding settings of a recording.
#[derive(Debug, Clone)]
pub struct TranscodeSettings {
    /// Most frames from one key frame to the next. Default 10.
    pub gop_frames: NonZeroU32,
    /// Frames per second; as in the input if absent.
    pub fps: Option<NonZeroU32>,
    /// Constant quality, 0 (best) to 50. Default 21.
    pub quantizer: u32,
}

impl Default for TranscodeSettings {
    fn default() -> Self {
        Self { gop_frames: NonZeroU32::new(10).expect("10 is not 0"), fps: None, quantizer: 21 }
    }
}

/// Progress of the conversion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TranscodeProgress {
    /// The converted part.
    pub done: Span,
    /// The total length, if the file declares it.
    pub total: Option<Span>,
}

/// Why the conversion failed.
#[derive(Debug, thiserror::Error)]
pub enum TranscodeError {
    /// GStreamer cannot be used.
    #[error(transparent)]
    Media(#[from] crate::MediaError),
    /// An encoder is missing.
    #[error("GStreamer element `{element}` is missing; install the Debian package {package}")]
    Missing {
        /// Name of the element.
        element: &'static str,
        /// Debian package that holds it.
        package: &'static str,
    },
    /// The input cannot be converted.
    #[error("`{}` cannot be converted: {detail}", .input.display())]
    Input {
        /// The input.
        input: PathBuf,
        /// GStreamer's message.
        detail: String,
    },
    /// The output cannot be written.
    #[error("`{}` cannot be written: {source}", .output.display())]
    Output {
        /// The output.
        output: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

/// Re-encodes a recording as H.264 in MP4, without B-frames and with a short key frame interval, the best format for intake.
///
/// `output` appears complete or not at all. Any element may be used to read `input`: for trusted local files only. Blocks;
/// `progress` is called a few times a second.
///
/// # Errors
/// When the input holds no decodable video, an encoder is missing, or the output cannot be written.
pub fn transcode_to_h264(
    input: &Path,
    output: &Path,
    settings: &TranscodeSettings,
    mut progress: impl FnMut(TranscodeProgress),
) -> Result<(), TranscodeError> {
    crate::init()?;
    let unfinished = unfinished_name(output);
    let written = |source| TranscodeError::Output { output: output.to_owned(), source };
    std::fs::File::create(&unfinished).map_err(written)?;
    let result = encode(input, &unfinished, settings, &mut progress)
        .and_then(|()| std::fs::rename(&unfinished, output).map_err(written));
    if result.is_err() {
        let _ = std::fs::remove_file(&unfinished);
    }
    result
}

fn unfinished_name(output: &Path) -> PathBuf {
    let mut name = output.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    output.with_file_name(name)
}

fn make(element: &'static str, package: &'static str) -> Result<gst::Element, TranscodeError> {
    gst::ElementFactory::make(element).build().map_err(|_| TranscodeError::Missing { element, package })
}

fn encode(
    input: &Path,
    output: &Path,
    settings: &TranscodeSettings,
    progress: &mut dyn FnMut(TranscodeProgress),
) -> Result<(), TranscodeError> {
    let refused = |detail: String| TranscodeError::Input { input: input.to_owned(), detail };
    let source = make("filesrc", "libgstreamer1.0-0")?;
    source.set_property("location", input);
    let decode = make("decodebin", "gstreamer1.0-plugins-base")?;
    let rate = make("videorate", "gstreamer1.0-plugins-base")?;
    let convert = make("videoconvert", "gstreamer1.0-plugins-base")?;
    let filter = make("capsfilter", "libgstreamer1.0-0")?;
    let mut caps = gst::Caps::builder("video/x-raw").field("format", "I420");
    if let Some(fps) = settings.fps {
        caps = caps.field("framerate", gst::Fraction::new(i32::try_from(fps.get()).unwrap_or(i32::MAX), 1));
    }
    filter.set_property("caps", caps.build());
    let encoder = make("x264enc", "gstreamer1.0-plugins-ugly")?;
    encoder.set_property("bframes", 0_u32);
    encoder.set_property("key-int-max", settings.gop_frames.get());
    encoder.set_property("quantizer", settings.quantizer.min(50));
    for (name, value) in [("speed-preset", "veryfast"), ("tune", "zerolatency"), ("pass", "qual")] {
        encoder.set_property_from_str(name, value);
    }
    let parse = make("h264parse", "gstreamer1.0-plugins-bad")?;
    let mux = make("mp4mux", "gstreamer1.0-plugins-good")?;
    let sink = make("filesink", "libgstreamer1.0-0")?;
    sink.set_property("location", output);

    let pipeline = Playing(gst::Pipeline::new());
    let tail = [&rate, &convert, &filter, &encoder, &parse, &mux, &sink];
    let built = (|| {
        pipeline.0.add_many([&source, &decode])?;
        pipeline.0.add_many(tail)?;
        source.link(&decode)?;
        gst::Element::link_many(tail)
    })();
    built.map_err(|error| refused(error.to_string()))?;
    connect_video(&decode, &rate);
    let bus = pipeline.0.bus().ok_or_else(|| refused("the pipeline has no bus".into()))?;
    let started = pipeline.0.set_state(gst::State::Playing);
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
    loop {
        let patience = gst::ClockTime::from_mseconds(if started.is_err() { 0 } else { 200 });
        let message = bus.timed_pop_filtered(patience, &kinds);
        match message.as_ref().map(|message| message.view()) {
            Some(MessageView::Eos(_)) => return Ok(()),
            Some(MessageView::Error(error)) => return Err(refused(error.error().message().to_string())),
            _ if started.is_err() => return Err(refused("it cannot be opened".into())),
            _ => {
                let span = |time: gst::ClockTime| Span::from_micros(i64::try_from(time.useconds()).unwrap_or(i64::MAX));
                let done = pipeline.0.query_position::<gst::ClockTime>().map_or(Span::ZERO, span);
                let total = pipeline.0.query_duration::<gst::ClockTime>().map(span);
                progress(TranscodeProgress { done, total });
            }
        }
    }
}

/// Connects the first video stream; without one there is nothing to convert.
fn connect_video(decode: &gst::Element, next: &gst::Element) {
    let target = next.clone();
    decode.connect_pad_added(move |_, pad| {
        let is_video = pad
            .current_caps()
            .and_then(|caps| caps.structure(0).map(|structure| structure.name().starts_with("video/")))
            .unwrap_or(false);
        if let Some(sink) = target.static_pad("sink").filter(|sink| is_video && !sink.is_linked())
            && let Err(error) = pad.link(&sink)
        {
            tracing::warn!(%error, "the video stream cannot be linked");
        }
    });
    let target = next.clone();
    decode.connect_no_more_pads(move |decode| {
        if target.static_pad("sink").is_some_and(|sink| !sink.is_linked()) {
            gst::element_error!(decode, gst::StreamError::WrongType, ("it holds no video stream"));
        }
    });
}

struct Playing(gst::Pipeline);

impl Drop for Playing {
    fn drop(&mut self) {
        let _ = self.0.set_state(gst::State::Null);
    }
}
