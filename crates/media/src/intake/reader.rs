//! Reads recordings on a thread of its own: container and framing only, nothing is decoded.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gstreamer as gst;
use tokio::sync::mpsc;
use vedette_core::Span;

use super::RefusalReason;
use super::demux::{Format, Open, Problem, format_of};
use crate::nal::{UnitKind, unit_kind};

/// Output of the reader.
pub(super) enum Item {
    /// Format of the following units.
    Format(Format),
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
    format: Option<Format>,
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
            if let Some(sample) = open.sample(gst::ClockTime::from_mseconds(50)) {
                heard = Instant::now();
                pass.units += 1;
                self.sample(&open, &sample, &mut times)?;
                continue;
            }
            let ended = open.is_eos();
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

    fn sample(&mut self, open: &Open, sample: &gst::Sample, times: &mut Times) -> Result<(), Closed> {
        let (Some(buffer), Some(caps)) = (sample.buffer_owned(), sample.caps()) else { return Ok(()) };
        let pts = sample
            .segment()
            .and_then(|segment| segment.downcast_ref::<gst::ClockTime>())
            .and_then(|segment| segment.to_running_time(buffer.pts()?));
        let time = times.next(pts, frame_interval(caps));
        let Some(format) = format_of(caps, open.rotation()) else { return Ok(()) };
        let Ok(map) = buffer.into_mapped_buffer_readable() else { return Ok(()) };
        let data = Bytes::copy_from_slice(&map);
        let base = match self.base {
            Some(base) => base,
            None => {
                let starts = matches!(unit_kind(format.codec, &data), UnitKind::Key(_));
                if time < self.skip || !starts {
                    return Ok(());
                }
                let base = Span::from_micros(-time.as_micros());
                self.base = Some(base);
                base
            }
        };
        if self.format != Some(format) {
            self.format = Some(format);
            self.items.blocking_send(Item::Format(format)).map_err(|_| Closed)?;
        }
        let time = Span::from_micros(base.as_micros() + time.as_micros());
        self.items.blocking_send(Item::Unit(data, time)).map_err(|_| Closed)
    }

    fn nothing_usable(&self) -> RefusalReason {
        RefusalReason::NothingUsable { path: self.order.path.display().to_string() }
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
