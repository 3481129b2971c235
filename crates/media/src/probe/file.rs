use std::path::Path;
use std::time::Instant;

use bytes::Bytes;
use gstreamer as gst;
use tokio_util::sync::CancellationToken;
use vedette_core::{FrameSize, Span};

use super::container::Container;
use super::observer::{Observer, Received};
use super::report::ProbeReport;
use super::{MOST_BYTES, MOST_FRAMES, ProbeError, ProbeSettings, format, still};
use crate::RefusalReason;

/// Looks at the beginning of a recording. Blocks.
pub(super) fn probe(
    path: &Path,
    settings: &ProbeSettings,
    stop: &CancellationToken,
) -> Result<ProbeReport, ProbeError> {
    let refused = |detail: String| RefusalReason::NotVideo { path: path.display().to_string(), detail };
    let container = Container::open(path).map_err(|error| refused(error.to_string()))?;
    let mut seen: Option<Seen> = None;
    let mut heard = Instant::now();
    loop {
        if stop.is_cancelled() {
            break;
        }
        if let Some(sample) = container.sink.try_pull_sample(gst::ClockTime::from_mseconds(50)) {
            heard = Instant::now();
            if let (Some(codec), Some((data, time))) = (container.told().codec, unit_of(&sample)) {
                let seen = seen.get_or_insert_with(|| Seen::new(codec, time));
                let format = sample.caps().and_then(|caps| caps.structure(0));
                seen.interlaced |= format.is_some_and(format::is_interlaced);
                if seen.add(data, time, settings) {
                    break;
                }
            }
            continue;
        }
        let (told, error) = (container.told(), container.error());
        let is_over = container.sink.is_eos() || error.is_some() || heard.elapsed() > settings.timeout;
        let only_unsupported = told.complete && told.codec.is_none() && told.unsupported.is_some();
        if is_over || only_unsupported {
            if seen.is_none() && told.unsupported.is_none() {
                return Err(refused(error.unwrap_or_else(|| "it holds no frame".into())).into());
            }
            break;
        }
    }
    let told = container.told();
    let mut report = ProbeReport {
        beside: told.beside,
        rotation: told.rotation,
        encoding: told.unsupported.unwrap_or_default(),
        ..ProbeReport::default()
    };
    report.rates.told = told.rate;
    match seen {
        Some(seen) => seen.report(&mut report),
        None if report.encoding.is_empty() => return Err(ProbeError::Stopped),
        None => {}
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
    codec: vedette_core::Codec,
    observer: Observer,
    first: Span,
    key: Option<Bytes>,
    interlaced: bool,
}

impl Seen {
    fn new(codec: vedette_core::Codec, first: Span) -> Self {
        Self { codec, observer: Observer::new(codec), first, key: None, interlaced: false }
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
        self.observer.fill(report);
        report.interlaced = self.interlaced;
        report.encoding = format!("{:?}", self.codec);
        let Some(key) = self.key else { return };
        describe_key(self.codec, key, report);
    }
}

/// What the first key frame shows. Blocks.
pub(super) fn describe_key(codec: vedette_core::Codec, key: Bytes, report: &mut ProbeReport) {
    format::describe(codec, key.clone(), report);
    match still::decode(codec, report.size.unwrap_or(FrameSize { width: 1, height: 1 }), key) {
        Ok(still) => report.still = Some(still),
        Err(reason) => report.undecodable = Some(reason),
    }
}
