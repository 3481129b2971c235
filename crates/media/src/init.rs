use std::cell::Cell;
use std::sync::OnceLock;

use gstreamer as gst;

/// Why GStreamer cannot be used on this machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    /// The library failed to start.
    #[error("GStreamer did not start: {0}")]
    Start(String),
    /// Elements are missing.
    #[error("GStreamer elements are missing: {}; install the Debian packages named", list(.0))]
    MissingElements(Vec<MissingElement>),
}

/// A missing element, and its package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingElement {
    /// Name of the element.
    pub element: &'static str,
    /// Debian package that holds it.
    pub package: &'static str,
}

fn list(missing: &[MissingElement]) -> String {
    let each: Vec<_> = missing.iter().map(|m| format!("`{}` (package {})", m.element, m.package)).collect();
    each.join(", ")
}

/// The elements of intake and decoding, and the encoder of clips. No others are ever instantiated for bytes from outside, except
/// for files.
const ELEMENTS: &[MissingElement] = &[
    MissingElement { element: "appsrc", package: "gstreamer1.0-plugins-base" },
    MissingElement { element: "appsink", package: "gstreamer1.0-plugins-base" },
    MissingElement { element: "videoscale", package: "gstreamer1.0-plugins-base" },
    MissingElement { element: "videoconvert", package: "gstreamer1.0-plugins-base" },
    MissingElement { element: "parsebin", package: "gstreamer1.0-plugins-base" },
    MissingElement { element: "jpegdec", package: "gstreamer1.0-plugins-good" },
    MissingElement { element: "qtdemux", package: "gstreamer1.0-plugins-good" },
    MissingElement { element: "matroskademux", package: "gstreamer1.0-plugins-good" },
    MissingElement { element: "avidemux", package: "gstreamer1.0-plugins-good" },
    MissingElement { element: "h264parse", package: "gstreamer1.0-plugins-bad" },
    MissingElement { element: "h265parse", package: "gstreamer1.0-plugins-bad" },
    MissingElement { element: "jpegparse", package: "gstreamer1.0-plugins-bad" },
    MissingElement { element: "avdec_h264", package: "gstreamer1.0-libav" },
    MissingElement { element: "avdec_h265", package: "gstreamer1.0-libav" },
    MissingElement { element: "vp8enc", package: "gstreamer1.0-plugins-good" },
];

/// Starts GStreamer once for the process and checks that every element that is needed is installed.
///
/// It redirects GStreamer's own log: complaints of the codec library become a damage count of the frame being
/// decoded and a `debug` line, instead of text on stderr. If `GST_DEBUG` is set, GStreamer's log also stays as it is.
///
/// # Errors
/// When the library does not start or elements are missing; the error names the Debian packages.
pub fn init() -> Result<(), MediaError> {
    static DONE: OnceLock<Result<(), MediaError>> = OnceLock::new();
    DONE.get_or_init(|| {
        gst::init().map_err(|error| MediaError::Start(error.to_string()))?;
        listen_to_the_codec_library();
        let missing: Vec<_> =
            ELEMENTS.iter().filter(|wanted| gst::ElementFactory::find(wanted.element).is_none()).copied().collect();
        if missing.is_empty() { Ok(()) } else { Err(MediaError::MissingElements(missing)) }
    })
    .clone()
}

thread_local! {
    static COMPLAINTS: Cell<u64> = const { Cell::new(0) };
    static MISSING_EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// How complaints begin that a picture is missing to which a header of H.264 refers.
const MISSING: [&str; 4] =
    ["mmco: unref", "Missing reference picture", "reference picture missing", "co located POCs unavailable"];

/// Number of errors that the codec library has logged on this thread.
///
/// It conceals damage and outputs the frame without a flag; the log is the only place where it reports that. With one decoding
/// thread per pipeline, a complaint belongs to the frame being decoded.
pub(crate) fn codec_complaints() -> u64 {
    COMPLAINTS.get()
}

/// Whether from now on no complaint on this thread counts that a picture is missing: where decoding begins in the
/// middle of a stream, headers refer to earlier pictures, and those that cannot be right the library flags itself.
pub(crate) fn expect_missing_pictures(expected: bool) {
    MISSING_EXPECTED.set(expected);
}

fn listen_to_the_codec_library() {
    if std::env::var_os("GST_DEBUG").is_none() {
        gst::log::remove_default_log_function();
        gst::log::set_default_threshold(gst::DebugLevel::None);
    }
    gst::log::set_active(true);
    gst::log::set_threshold_for_name("libav", gst::DebugLevel::Error);
    gst::log::add_log_function(|category, level, _, _, _, _, message| {
        if category.name() == "libav" && level == gst::DebugLevel::Error {
            let text = message.get().unwrap_or_default();
            let expected = MISSING_EXPECTED.get() && MISSING.iter().any(|missing| text.starts_with(missing));
            COMPLAINTS.set(COMPLAINTS.get() + u64::from(!expected));
            tracing::debug!(message = %text.trim_end(), "message of the codec library");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_element_names_its_package() {
        let missing = MissingElement { element: "avdec_h264", package: "gstreamer1.0-libav" };
        let text = MediaError::MissingElements(vec![missing]).to_string();
        assert!(text.contains("`avdec_h264` (package gstreamer1.0-libav)"), "{text}");
        assert_eq!(init(), Ok(()));
        assert_eq!(init(), Ok(()));
    }
}
