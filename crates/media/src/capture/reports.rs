use super::arrivals::Point;

/// Latency of a camera by its own clock that is believed, microseconds. A camera whose clock is further off, in either direction, may
/// not know the time.
const PLAUSIBLE: std::ops::RangeInclusive<i64> = -20_000..=400_000;
/// How far a latency may be from the known one, microseconds: to be believed again, and to remain so.
const SAME: u64 = 60_000;
const STEADY: u64 = 70_000;
/// For how long it may be further off, microseconds: the network may delay every frame for a while.
const PATIENCE: i64 = 2_000_000;
/// How far a report may be from those before it: microseconds, and the part of the time between them.
const AGREE: f64 = 50e3;
const AGREE_PART: f64 = 0.005;
/// A rate closer to 1 is that of an honest stream time; the difference is an error of the reports.
const HONEST: f64 = 0.02;
/// A rate of the arrivals closer to 1 is not exact enough to be used from one report to the next.
const CERTAIN: f64 = 0.1;
/// Reports in agreement before the camera's clock is believed: at first, and again after it was not.
const FIRST: u32 = 2;
const AGAIN: u32 = 4;
/// Reports in disagreement after which it is not: the first may be damaged.
const WRONG: u32 = 2;

/// The camera's clock, by its sender reports; pure.
///
/// It is believed when reports agree with each other and with the arrivals, and kept until several do not.
#[derive(Debug, Default)]
pub(super) struct Reports {
    /// Stream time and the camera's clock by the last report in agreement, microseconds.
    last: Option<Point>,
    /// Time that passes per stream time by the last two reports, and how much stream time lies between them.
    rate: Option<(f64, f64)>,
    agreeing: u32,
    disagreeing: u32,
    believed: bool,
    doubted_before: bool,
    /// The least latency while the clock was believed.
    latency: Option<i64>,
    /// A plausible latency while it is not believed yet.
    candidate: Option<i64>,
    off_since: Option<i64>,
}

impl Reports {
    /// The camera's clock shows `wall` at `stream`; `rate` is that of the arrivals.
    pub(super) fn add(&mut self, stream: i64, wall: i64, rate: f64) {
        let Some((s, w)) = self.last else {
            (self.last, self.agreeing) = (Some((stream, wall)), 1);
            return;
        };
        let passed = stream.saturating_sub(s) as f64;
        let expected = self.rate_over(passed, rate) * passed;
        let told = wall.saturating_sub(w) as f64;
        if (told - expected).abs() <= AGREE + AGREE_PART * passed.abs() {
            if passed >= 1e6 {
                self.rate = Some((told / passed, passed));
            }
            self.last = Some((stream, wall));
            self.agreeing = self.agreeing.saturating_add(1);
            self.disagreeing = 0;
            return;
        }
        self.disagreeing += 1;
        if self.disagreeing >= WRONG || self.agreeing < FIRST || self.off_since.is_some() {
            self.doubt();
            (self.last, self.rate, self.agreeing, self.disagreeing) = (Some((stream, wall)), None, 1, 0);
        }
    }

    /// The stream time jumped: reports before it say nothing.
    pub(super) fn restart(&mut self) {
        self.doubt();
        (self.last, self.rate, self.agreeing, self.disagreeing) = (None, None, 0, 0);
    }

    /// The capture time of a frame by the camera's clock, if that is believed. `arrivals` is the same by arrivals, `steady` the present
    /// by a clock that is never set, `first` whether no frame was seen before.
    pub(super) fn captured(
        &mut self,
        stream: i64,
        arrivals: i64,
        (steady, first): (i64, bool),
        rate: f64,
    ) -> Option<i64> {
        let (s, w) = self.last?;
        let passed = stream.saturating_sub(s) as f64;
        let rate = if (rate - 1.0).abs() > CERTAIN { rate } else { 1.0 };
        let captured = w.saturating_add((passed * self.rate_over(passed, rate)) as i64);
        let latency = arrivals.saturating_sub(captured);
        if self.believed {
            let off = self.latency.is_some_and(|known| known.abs_diff(latency) > STEADY);
            if !off {
                self.off_since = None;
                self.latency = self.latency.map(|known| known.min(latency.max(*PLAUSIBLE.start())));
            } else if steady.saturating_sub(*self.off_since.get_or_insert(steady)) > PATIENCE {
                self.doubt();
            }
        } else {
            let enough = if self.doubted_before { AGAIN } else { FIRST };
            let plausible =
                PLAUSIBLE.contains(&latency) && self.latency.is_none_or(|known| known.abs_diff(latency) <= SAME);
            self.candidate = plausible.then_some(latency);
            // Before the first frame nothing has to be corrected: one report will do.
            self.believed = plausible && (first || self.agreeing >= enough);
            if self.believed {
                self.latency.get_or_insert(latency);
            }
        }
        self.believed.then_some(captured)
    }

    /// This host's clock was set: by a little, or so that no latency is known any more.
    pub(super) fn host_was_set(&mut self, far: bool) {
        self.doubt();
        self.latency = self.latency.or(self.candidate).filter(|_| !far);
    }

    /// Time that passes per stream time, `passed` after the last report.
    fn rate_over(&self, passed: f64, arrivals: f64) -> f64 {
        self.rate
            .filter(|(rate, over)| (rate - 1.0).abs() > HONEST && passed.abs() <= 2.0 * over)
            .map_or(arrivals, |(rate, _)| rate)
    }

    fn doubt(&mut self) {
        self.doubted_before |= self.believed;
        (self.believed, self.off_since) = (false, None);
        self.agreeing = 0;
    }
}
