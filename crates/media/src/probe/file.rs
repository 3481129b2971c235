use std::path::Path;
use std::time::Instant;

use bytes::Bytes;
use gstreamer as gst;
use tokio_util::sync::CancellationToken;
use vedette_core::{Codec, Span};

use super::observer::{Observer, Received};
use super::report::ProbeReport;
use super::{MOST_BYTES, MOST_FRAMES, ProbeError, ProbeSettings, format, still};
use crate::RefusalReason;
use crate::intake::demux::{Format, Open, Problem, format_of};
use crate::intake::source_display::SourceDisplay;
use crate::sps::pixel_aspect;

/// Looks at the beginning of a recording. Blocks.
pub(super) fn probe(
    path: &Path,
    settings: &ProbeSettings,
    stop: &CancellationToken,
) -> Result<ProbeReport, ProbeError> {
    let refused = |detail: String| RefusalReason::NotVideo { path: path.display().to_string(), detail };
    let open = Open::new(path).map_err(refused)?;
    let mut seen: Option<Seen> = None;
    let mut heard = Instant::now();
    let mut error = None;
    while !stop.is_cancelled() {
        if let Some(sample) = open.sample(gst::ClockTime::from_mseconds(50)) {
            heard = Instant::now();
            let format = sample.caps().and_then(|caps| Some((caps, format_of(caps, open.rotation())?)));
            if let (Some((caps, format)), Some((data, time))) = (format, unit_of(&sample)) {
                let seen = seen.get_or_insert_with(|| Seen::new(format, time));
                seen.rate = seen.rate.or(caps.structure(0).and_then(format::rate));
                seen.interlaced |= caps.structure(0).is_some_and(format::is_interlaced);
                if seen.add(data, time, settings) {
                    break;
                }
            }
            continue;
        }
        if let Some(Problem::Error(detail)) = open.problem() {
            error = Some(detail);
        }
        let is_over = open.is_eos() || error.is_some() || heard.elapsed() > settings.timeout;
        if is_over || seen.is_none() && open.streams().is_unsupported() {
            break;
        }
    }
    let streams = open.streams();
    let mut report = ProbeReport { beside: streams.beside, ..ProbeReport::default() };
    match (seen, streams.unsupported) {
        (Some(seen), _) => seen.report(&mut report),
        (None, Some(encoding)) => report.encoding = encoding,
        (None, None) if stop.is_cancelled() => return Err(ProbeError::Stopped),
        (None, None) => return Err(refused(error.unwrap_or_else(|| "it holds no frame".into())).into()),
    }
    Ok(report)
}

/// Bytes and presentation time of a frame.
fn unit_of(sample: &gst::Sample) -> Option<(Bytes, Span)> {
    let buffer = sample.buffer_owned()?;
    let pts = sample
        .segment()
        .and_then(|segment| segment.downcast_ref::<gst::ClockTime>())
        .and_then(|segment| segment.to_running_time(buffer.pts()?));
    let time = i64::try_from(pts.unwrap_or_default().useconds()).unwrap_or(i64::MAX);
    let map = buffer.into_mapped_buffer_readable().ok()?;
    Some((Bytes::copy_from_slice(&map), Span::from_micros(time)))
}

struct Seen {
    format: Format,
    observer: Observer,
    first: Span,
    key: Option<Bytes>,
    rate: Option<f64>,
    interlaced: bool,
}

impl Seen {
    fn new(format: Format, first: Span) -> Self {
        Self { format, observer: Observer::new(format.codec), first, key: None, rate: None, interlaced: false }
    }

    /// Adds a frame; whether that is enough.
    fn add(&mut self, data: Bytes, time: Span, settings: &ProbeSettings) -> bool {
        let time = Span::from_micros(time.as_micros().saturating_sub(self.first.as_micros()));
        let is_key = self.observer.add(&Received { data: &data, time, arrival: None, lost: 0 });
        if is_key {
            self.key.get_or_insert(data);
        }
        time.to_std() >= settings.length || self.observer.bytes() >= MOST_BYTES || self.observer.frames() >= MOST_FRAMES
    }

    fn report(self, report: &mut ProbeReport) {
        let Format { codec, display, .. } = self.format;
        self.observer.fill(report);
        (report.rates.told, report.interlaced) = (self.rate, self.interlaced);
        report.encoding = format!("{codec:?}");
        let Some(key) = self.key else { return };
        describe_key(codec, key, display, report);
    }
}

/// What the first key frame shows. Blocks.
pub(super) fn describe_key(codec: Codec, key: Bytes, display: SourceDisplay, report: &mut ProbeReport) {
    report.display = display.of(pixel_aspect(codec, &key));
    format::describe(codec, key.clone(), report);
    let Some(size) = report.size else { return };
    match still::decode(codec, (size, report.display), key) {
        Ok(still) => report.still = Some(still),
        Err(reason) => report.undecodable = Some(reason),
    }
}
