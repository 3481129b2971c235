//! Limits the log: of each kind of line (a place in the code) the first about a camera or sink in a minute, and not more than a few
//! of all; the others are counted, and their number is told once a minute. So neither a camera with a bad stream nor ten thousand
//! dead ones fill the disk of the log.
//!
//! Levels below `info` are not limited: who asks for them wants them.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::metrics;

/// The length of a window.
const WINDOW: Duration = Duration::from_secs(60);
/// Lines of one kind in a window.
const LINES: u32 = 30;
/// Cameras and sinks that are told apart, of one kind in a window.
const SUBJECTS: usize = 20_000;
/// How often ended windows are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Characters of a line that stand for its kind.
const SHOWN: usize = 120;
/// The target of the lines that tell the number of others; they are not limited.
const TARGET: &str = "vedette::log_limit";
/// Fields that say what a line is about.
const SUBJECT_FIELDS: [&str; 2] = ["camera", "sink"];

/// The layer.
pub(crate) struct LogLimit(Arc<Shared>);

struct Shared {
    began: Instant,
    windows: Mutex<Windows>,
}

/// Lines that were left out in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
struct LeftOut {
    lines: u64,
    subjects: usize,
    like: String,
}

#[derive(Default)]
struct Windows {
    began: Duration,
    kinds: HashMap<Identifier, Kind>,
}

#[derive(Default)]
struct Kind {
    lines: u32,
    like: String,
    subjects: HashSet<u64>,
    left_out: u64,
    left_out_subjects: HashSet<u64>,
}

impl Windows {
    /// Whether a line may be written. `like` gives its text.
    fn admit(&mut self, kind: Identifier, subject: Option<u64>, like: impl FnOnce() -> String) -> bool {
        let kind = self.kinds.entry(kind).or_default();
        let is_first = subject.is_none_or(|subject| !kind.subjects.contains(&subject));
        if is_first && kind.lines < LINES {
            if kind.lines == 0 {
                kind.like = like();
            }
            kind.lines += 1;
            kind.subjects.extend(subject);
            return true;
        }
        kind.left_out += 1;
        if kind.left_out_subjects.len() < SUBJECTS {
            kind.left_out_subjects.extend(subject);
        }
        false
    }

    /// The lines left out in a window that is over; the next one begins.
    fn end(&mut self, now: Duration) -> Vec<LeftOut> {
        if now.saturating_sub(self.began) < WINDOW {
            return Vec::new();
        }
        self.began = now;
        let kinds = std::mem::take(&mut self.kinds).into_values().filter(|kind| kind.left_out > 0);
        kinds
            .map(|kind| LeftOut { lines: kind.left_out, subjects: kind.left_out_subjects.len(), like: kind.like })
            .collect()
    }
}

impl Shared {
    fn windows(&self) -> MutexGuard<'_, Windows> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        let ended = self.windows().end(self.began.elapsed());
        for LeftOut { lines, subjects, like } in ended {
            tracing::warn!(target: TARGET, lines, cameras = subjects, like, "more lines of one kind in the last minute");
        }
    }
}

impl LogLimit {
    /// With the thread that tells the numbers; without it nothing is limited.
    pub(crate) fn start() -> Option<Self> {
        let shared = Arc::new(Shared { began: Instant::now(), windows: Mutex::default() });
        let telling = Arc::downgrade(&shared);
        let thread = std::thread::Builder::new().name("log-limit".to_owned()).spawn(move || {
            while let Some(shared) = telling.upgrade() {
                shared.tell();
                drop(shared);
                std::thread::sleep(LOOK_EVERY);
            }
        });
        thread.is_ok().then_some(Self(shared))
    }
}

/// The level of a line that is limited, as a label.
fn word(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        _ => "info",
    }
}

/// What the spans around a line are about.
struct Subject(u64);

/// Reads what a line or span is about, and the text of a line.
#[derive(Default)]
struct Reading {
    subject: Option<u64>,
    message: String,
}

impl Visit for Reading {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if SUBJECT_FIELDS.contains(&field.name()) {
            let mut hasher = DefaultHasher::new();
            format!("{value:?}").hash(&mut hasher);
            self.subject = Some(hasher.finish());
        } else if field.name() == "message" {
            self.message = format!("{value:?}").chars().take(SHOWN).collect();
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LogLimit {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut reading = Reading::default();
        attributes.record(&mut reading);
        if let (Some(subject), Some(span)) = (reading.subject, context.span(id)) {
            span.extensions_mut().insert(Subject(subject));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let mut reading = Reading::default();
        values.record(&mut reading);
        if let (Some(subject), Some(span)) = (reading.subject, context.span(id)) {
            span.extensions_mut().replace(Subject(subject));
        }
    }

    fn event_enabled(&self, event: &Event<'_>, context: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if *metadata.level() > Level::INFO || metadata.target() == TARGET {
            return true;
        }
        let mut reading = Reading::default();
        event.record(&mut reading);
        let around = || {
            let mut scope = context.event_scope(event)?;
            scope.find_map(|span| span.extensions().get::<Subject>().map(|subject| subject.0))
        };
        let subject = reading.subject.or_else(around);
        let is_written = self.0.windows().admit(metadata.callsite(), subject, || reading.message);
        if !is_written {
            metrics::LOG_LINES_LEFT_OUT.with([word(*metadata.level())]).increment(1);
        }
        is_written
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by it")]

    use std::io;

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that `work` logs, and those left out of the window.
    fn logged(work: impl FnOnce()) -> (Vec<String>, Vec<LeftOut>) {
        let (log, shared) = (Log::default(), Arc::new(Shared { began: Instant::now(), windows: Mutex::default() }));
        let written = log.clone();
        let format = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || written.clone());
        let subscriber = tracing_subscriber::registry().with(LogLimit(shared.clone())).with(format);
        tracing::subscriber::with_default(subscriber, work);
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let left_out = shared.windows().end(WINDOW);
        (text.lines().map(str::to_owned).collect(), left_out)
    }

    #[test]
    fn a_camera_has_its_first_line_and_the_others_are_counted() {
        let (lines, left_out) = logged(|| {
            for camera in ["gate", "yard"] {
                let _span = tracing::error_span!("record", camera).entered();
                for _ in 0..50 {
                    tracing::warn!("chunk refused");
                }
            }
            tracing::warn!(camera = "gate", "of another kind");
        });
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert_eq!(left_out, [LeftOut { lines: 98, subjects: 2, like: "chunk refused".to_owned() }]);
    }

    #[test]
    fn ten_thousand_cameras_are_a_few_lines_and_a_count() {
        let (lines, left_out) = logged(|| {
            for camera in 0..10_000 {
                tracing::info!(camera, "connection lost");
            }
        });
        assert_eq!(lines.len(), LINES as usize);
        let rest = 10_000 - LINES as usize;
        assert_eq!(left_out, [LeftOut { lines: rest as u64, subjects: rest, like: "connection lost".to_owned() }]);
    }

    #[test]
    fn lines_about_no_camera_have_a_bound_and_details_have_none() {
        let (lines, left_out) = logged(|| {
            for number in 0..200 {
                tracing::error!("accept error {number}");
                tracing::debug!("detail");
            }
        });
        assert_eq!(lines.len(), LINES as usize + 200);
        assert_eq!(left_out.len(), 1);
        assert_eq!((left_out[0].lines, left_out[0].subjects), (200 - u64::from(LINES), 0));
    }

    #[test]
    fn what_is_left_out_is_counted_by_level() {
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        vedette_metrics::with_local_recorder(&recorder, || {
            logged(|| {
                for _ in 0..LINES + 7 {
                    tracing::error!("accept error");
                }
                for _ in 0..LINES + 2 {
                    tracing::info!("connection lost");
                }
            });
        });
        let text = handle.render();
        for line in ["{level=\"error\"} 7", "{level=\"info\"} 2"] {
            assert!(text.contains(&format!("vedette_log_lines_left_out_total{line}")), "{text}");
        }
    }

    #[test]
    fn a_window_ends_and_the_next_begins() {
        let mut windows = Windows::default();
        assert_eq!(windows.end(WINDOW / 2), []);
        windows.began = WINDOW;
        assert_eq!(windows.end(WINDOW + WINDOW / 2), []);
        assert_eq!(windows.end(WINDOW * 2), [], "nothing was left out");
        assert_eq!(windows.began, WINDOW * 2);
    }
}
