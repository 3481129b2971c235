use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use vedette_core::{Span, Timestamp};

use crate::BusError;

/// The clocks of retention, in milliseconds: the wall clock since the Unix epoch, and a steady one that only counts time that
/// passes, from any origin.
#[derive(Clone)]
pub struct Clock {
    wall: Arc<dyn Fn() -> i64 + Send + Sync>,
    steady: Arc<dyn Fn() -> i64 + Send + Sync>,
}

impl Clock {
    /// The clocks of the machine.
    #[must_use]
    pub fn system() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one place where the embedded log asks for the time")]
        let wall = || {
            let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
        };
        let began = Instant::now();
        Self::with_steady(wall, move || i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX))
    }

    /// Any other source of time, in milliseconds since the Unix epoch; it is steady.
    pub fn new(now_ms: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        let wall: Arc<dyn Fn() -> i64 + Send + Sync> = Arc::new(now_ms);
        Self { steady: Arc::clone(&wall), wall }
    }

    /// A wall clock that may jump, and a steady one.
    pub fn with_steady(
        now_ms: impl Fn() -> i64 + Send + Sync + 'static,
        steady_ms: impl Fn() -> i64 + Send + Sync + 'static,
    ) -> Self {
        Self { wall: Arc::new(now_ms), steady: Arc::new(steady_ms) }
    }

    pub(super) fn now_ms(&self) -> i64 {
        (self.wall)()
    }

    pub(super) fn wall(&self) -> Timestamp {
        Timestamp::from_micros(self.now_ms().saturating_mul(1_000))
    }

    pub(super) fn steady(&self) -> Span {
        Span::from_micros((self.steady)().saturating_mul(1_000))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Clock")
    }
}

/// Storage settings of an [`super::EmbeddedBus`].
#[derive(Debug, Clone)]
pub struct EmbeddedSettings {
    /// Directory of the log; created if missing. One process at a time.
    pub dir: PathBuf,
    /// Size in bytes at which a partition starts a new segment file. Retention and compaction work on whole segments.
    pub segment_bytes: u64,
    /// Bytes of one topic that start a group commit.
    pub sync_bytes: usize,
    /// Longest wait of a record for its group commit to begin.
    pub sync_after: Duration,
    /// Bytes that may wait to be written, per topic; a send waits when they are used up.
    pub send_queue_bytes: usize,
    /// Bytes that may wait in each subscription and reader.
    pub receive_queue_bytes: usize,
    /// Interval of retention and compaction.
    pub sweep_interval: Duration,
    /// How long a deleted key of a compacted topic stays visible as a tombstone.
    pub tombstone_delay: Duration,
    /// The clock.
    pub clock: Clock,
}

impl EmbeddedSettings {
    /// The defaults for a log in `dir`: segments of 64 MiB, a commit per 1 MiB or 5 ms, queues of 16 MiB, a sweep every
    /// 30 s, deleted keys visible for a day.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            segment_bytes: 64 << 20,
            sync_bytes: 1 << 20,
            sync_after: Duration::from_millis(5),
            send_queue_bytes: 16 << 20,
            receive_queue_bytes: 16 << 20,
            sweep_interval: Duration::from_secs(30),
            tombstone_delay: Duration::from_hours(24),
            clock: Clock::system(),
        }
    }

    pub(super) fn check(&self) -> Result<(), BusError> {
        let wrong = if self.segment_bytes < 4096 {
            format!("`segment_bytes` is {}; the least is 4096", self.segment_bytes)
        } else if self.send_queue_bytes == 0 || self.receive_queue_bytes == 0 {
            "`send_queue_bytes` and `receive_queue_bytes` must be at least 1".to_owned()
        } else if self.sweep_interval.is_zero() {
            "`sweep_interval` must be longer than 0 s".to_owned()
        } else {
            return Ok(());
        };
        Err(BusError::Refused { action: "open", topic: self.dir.display().to_string(), cause: wrong })
    }
}
