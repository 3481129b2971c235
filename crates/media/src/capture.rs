mod arrivals;
mod reports;
#[cfg(test)]
mod tests;
mod timeline;

use arrivals::Arrivals;
use reports::Reports;
use timeline::{LEAST, Timeline};
use vedette_core::{Span, Timestamp};

/// Largest error that is corrected within a stream session, microseconds.
const MOST_CORRECTED: i64 = 500_000;
/// The change of the difference between both clocks of the host that is a clock being set, microseconds.
const SET: u64 = 20_000;
/// Share of the passing time by which a session's times are corrected.
const CORRECTION: f64 = 0.05;
/// The error from which on, and until which, a session counts as drifting, microseconds.
const DRIFTS: u64 = 100_000;
const DRIFTS_NO_MORE: u64 = 20_000;
/// How long a new session waits for a key frame, microseconds: the frames before the next one cannot be decoded in it.
const KEY_FRAME_WAIT: i64 = 2_000_000;
/// How long frames have to be late by more than can be corrected, microseconds: perhaps the network only held them back.
const LATE_FOR: i64 = 1_000_000;
/// Frames at the stream time of the one before, in excess of others, and jumps of the stream time that make it useless.
const MOST_STUCK: u32 = 8;
const MOST_JUMPS: u32 = 4;
/// The time after which a jump is forgotten, microseconds.
const JUMP_FORGOTTEN: i64 = 60_000_000;

/// When a frame arrived, by both clocks of this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// The wall clock, which may be set.
    pub(crate) wall: Timestamp,
    /// A clock that is never set, from any instant on.
    pub(crate) steady: Span,
}

/// What a capture time is based on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum TimeSource {
    /// The camera's clock, by its sender reports.
    Camera,
    /// The earliest arrivals.
    #[default]
    Arrivals,
}

/// The capture time of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Captured {
    /// The time, by this host's clock.
    pub(crate) at: Timestamp,
    /// What it is based on.
    pub(crate) source: TimeSource,
    /// It is known to be off, and being corrected.
    pub(crate) drifting: bool,
    /// It does not continue the times before it: a stream session begins with this frame.
    pub(crate) new_session: bool,
}

/// Maps stream time (presentation time of the RTP clock) to capture time by this host's clock; pure.
///
/// The earliest arrivals give the offset and the rate of the stream time ([`Arrivals`]). The camera's sender reports are more exact, as
/// they know of the latency, and are used instead while they are plausible against the arrivals ([`Reports`]).
///
/// Within a session, times ascend with stream time ([`Timeline`]). An error of up to half a second, for example when the source changes,
/// is corrected by 5 % of the passing time; a larger one, a jump of the stream time and a host clock that was set begin a session. That
/// waits up to two seconds for a key frame.
#[derive(Debug, Default)]
pub(crate) struct CaptureClock {
    arrivals: Arrivals,
    reports: Reports,
    timeline: Timeline,
    /// The wall clock minus the steady clock, microseconds.
    host: Option<i64>,
    /// The steady clock at the last frame, microseconds.
    last_arrival: i64,
    restart: Option<Restart>,
    source: TimeSource,
    drifting: bool,
    stuck: u32,
    jumps: u32,
    last_jump: i64,
    /// The stream time says nothing: arrivals take its place.
    is_useless: bool,
}

/// A session that is about to begin.
#[derive(Debug, Clone, Copy)]
struct Restart {
    /// By the steady clock, microseconds.
    since: i64,
    /// When it may begin.
    from: i64,
    /// Whether it may turn out to be unnecessary.
    revocable: bool,
}

impl CaptureClock {
    /// Sender report: at stream time `stream` the camera's clock shows `wall`.
    pub(crate) fn report(&mut self, stream: Span, wall: Timestamp) {
        if !self.is_useless {
            self.reports.add(stream.as_micros(), wall.as_micros(), self.arrivals.rate());
        }
    }

    /// The capture time of the next frame to decode: `stream` is its presentation time, which in a stream with B-frames goes back by a
    /// few frames, `key` whether a stream session can begin with it.
    pub(crate) fn captured(&mut self, stream: Span, arrival: Arrival, key: bool) -> Captured {
        let steady = arrival.steady.as_micros();
        let stream = if self.is_useless { steady } else { stream.as_micros() };
        let host = arrival.wall.as_micros().saturating_sub(steady);
        let set = self.host.replace(host).map_or(0, |before| before.abs_diff(host));
        if set > SET {
            let far = set > MOST_CORRECTED.unsigned_abs();
            self.reports.host_was_set(far);
            if far {
                self.require_restart(steady, steady, false);
            }
        }
        let passed = steady.saturating_sub(self.last_arrival).max(0);
        let captured = match self.timeline.latest() {
            None => {
                self.arrivals.add((stream, steady));
                let target = self.target(stream, steady, true);
                self.timeline.begin(stream, target);
                self.told(target, false)
            }
            Some((latest, at)) if stream < latest => match self.timeline.between(stream) {
                Some(between) => self.told(between, false),
                None => self.jump(stream, steady, at.saturating_add(passed.max(LEAST)), key),
            },
            Some((latest, at)) => self.next(stream, (latest, at), (steady, passed), key),
        };
        self.last_arrival = steady;
        captured
    }

    /// A frame that is not before the latest one.
    fn next(&mut self, stream: i64, (latest, at): (i64, i64), (steady, passed): (i64, i64), key: bool) -> Captured {
        let ahead = stream.saturating_sub(latest);
        self.stuck = if ahead < LEAST { self.stuck + 1 } else { self.stuck.saturating_sub(1) };
        if self.stuck > MOST_STUCK && !self.is_useless {
            self.is_useless = true;
            return self.jump(steady, steady, at.saturating_add(passed.max(LEAST)), key);
        }
        let step = self.arrivals.rate() * ahead as f64;
        let early = self.arrivals.captured(stream).map_or(0, |line| line.saturating_sub(steady));
        if early > MOST_CORRECTED && step - passed as f64 > MOST_CORRECTED as f64 {
            return self.jump(stream, steady, at.saturating_add(passed.max(LEAST)), key);
        }
        if ahead > 0 {
            self.arrivals.add((stream, steady));
        }
        let target = self.target(stream, steady, false);
        let step = self.arrivals.rate() * ahead as f64;
        let expected = at.saturating_add(step as i64);
        let error = target.saturating_sub(expected);
        if error.unsigned_abs() > MOST_CORRECTED.unsigned_abs() {
            self.require_restart(steady, if error > 0 { steady.saturating_add(LATE_FOR) } else { steady }, true);
        } else if self.restart.is_some_and(|restart| restart.revocable) {
            self.restart = None;
        }
        if self.restart_is_due(steady, key && !self.arrivals.in_burst()) {
            return self.begin(stream, target);
        }
        let most = CORRECTION * step;
        let correction = if self.restart.is_some() { 0.0 } else { (error as f64).clamp(-most, most) };
        let captured = expected.saturating_add(correction as i64).max(at.saturating_add(LEAST));
        self.timeline.advance(stream, captured);
        let left = target.saturating_sub(captured).unsigned_abs();
        self.drifting = self.restart.is_some() || left > if self.drifting { DRIFTS_NO_MORE } else { DRIFTS };
        self.told(captured, false)
    }

    /// The stream time does not continue: times go on at `continued` until a session begins.
    fn jump(&mut self, stream: i64, steady: i64, continued: i64, key: bool) -> Captured {
        self.jumps = if steady.saturating_sub(self.last_jump) > JUMP_FORGOTTEN { 1 } else { self.jumps + 1 };
        self.last_jump = steady;
        self.is_useless |= self.jumps > MOST_JUMPS;
        let stream = if self.is_useless { steady } else { stream };
        self.arrivals.restart((stream, steady));
        self.reports.restart();
        self.stuck = 0;
        self.require_restart(steady, steady, false);
        let target = self.target(stream, steady, false);
        if self.restart_is_due(steady, key) {
            return self.begin(stream, target);
        }
        self.timeline.begin(stream, continued);
        self.drifting = true;
        self.told(continued, false)
    }

    /// Begins a session.
    fn begin(&mut self, stream: i64, target: i64) -> Captured {
        self.restart = None;
        self.drifting = false;
        self.timeline.begin(stream, target);
        self.told(target, true)
    }

    /// The best estimate of a frame's capture time by the wall clock, microseconds.
    fn target(&mut self, stream: i64, steady: i64, first: bool) -> i64 {
        let line = self.arrivals.captured(stream).unwrap_or(steady);
        let arrivals = line.saturating_add(self.host.unwrap_or(0));
        let reported = self.reports.captured(stream, arrivals, (steady, first), self.arrivals.rate());
        self.source = if reported.is_some() { TimeSource::Camera } else { TimeSource::Arrivals };
        reported.unwrap_or(arrivals)
    }

    fn require_restart(&mut self, since: i64, from: i64, revocable: bool) {
        let restart = self.restart.get_or_insert(Restart { since, from, revocable });
        restart.revocable &= revocable;
        restart.from = restart.from.min(from);
    }

    fn restart_is_due(&self, steady: i64, possible: bool) -> bool {
        self.restart
            .is_some_and(|it| possible && steady >= it.from || steady.saturating_sub(it.since) >= KEY_FRAME_WAIT)
    }

    fn told(&self, captured: i64, new_session: bool) -> Captured {
        Captured { at: Timestamp::from_micros(captured), source: self.source, drifting: self.drifting, new_session }
    }
}
