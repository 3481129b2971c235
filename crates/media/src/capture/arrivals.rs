use std::collections::VecDeque;

/// How much stream time the estimate looks back on, microseconds. A change is recognised after half of it; a longer disturbance of the
/// network looks like one.
const WINDOW: f64 = 4e6;
/// At low frame rates as many frames count, however old.
const FEWEST: usize = 6;
/// At high frame rates no more than these count.
const MOST: usize = 256;
/// A window shorter than this says nothing about the rate, microseconds.
const SHORTEST: i64 = 1_000_000;
/// A camera whose stream time is off by less is followed by correction, without another rate.
const HONEST: f64 = 0.02;
/// Rates outside of these are taken for a fault of another kind.
const RATES: std::ops::RangeInclusive<f64> = 0.1..=10.0;
/// A rate has to bring the line closer to the arrivals by this much in the mean, microseconds, and to this part of the distance at rate 1.
const GAIN: f64 = 30e3;
const REST: f64 = 0.35;
/// To half of it where there are so many frames.
const REST_OF_MANY: (usize, f64) = (40, 0.5);
/// A frame this much before the line, microseconds, proves that every earlier one was late.
const EARLY: i64 = 50_000;
/// Frames that come in less than this part of their distance are a burst.
const BURST: f64 = 0.25;
/// How far back the rate is read after a sudden change, microseconds; by how much the present rate has to be off in that time, and the
/// frames that show it.
const RECENT: i64 = 1_000_000;
const RECENT_OFF: u64 = 300_000;
const RECENT_FRAMES: usize = 5;

/// One frame: its stream time, and when it arrived by a clock that is never set; microseconds.
pub(super) type Point = (i64, i64);

/// When frames were captured, as a line over stream time.
#[derive(Debug, Clone, Copy)]
struct Line {
    through: Point,
    slope: f64,
}

impl Line {
    fn at(self, stream: i64) -> i64 {
        let (s, h) = self.through;
        h.saturating_add((stream.saturating_sub(s) as f64 * self.slope) as i64)
    }
}

/// Estimates from arrivals alone when a frame was captured; pure.
///
/// A frame arrives after its capture, with a delay that varies. So captures lie on the line below all arrivals that is closest to them:
/// the edge of their lower convex hull over the mean stream time. Delays of some of the frames do not move it, and one half of the
/// window has to agree on a change.
#[derive(Debug)]
pub(super) struct Arrivals {
    /// Ascending in stream time.
    points: VecDeque<Point>,
    /// The newest frames, kept over a restart of the estimate.
    recent: VecDeque<Point>,
    line: Option<Line>,
    /// Time that passes per stream time.
    rate: f64,
    burst: bool,
}

impl Default for Arrivals {
    fn default() -> Self {
        Self { points: VecDeque::new(), recent: VecDeque::new(), line: None, rate: 1.0, burst: false }
    }
}

impl Arrivals {
    /// A frame that is later in stream time than all before it.
    pub(super) fn add(&mut self, point: Point) {
        let (stream, steady) = point;
        self.burst = self.recent.back().is_some_and(|(s, h)| {
            (steady.saturating_sub(*h) as f64) < BURST * self.rate * stream.saturating_sub(*s) as f64
        });
        if self.burst {
            self.recent.clear();
        }
        while self.recent.front().is_some_and(|(_, h)| steady.saturating_sub(*h) > RECENT) || self.recent.len() >= MOST
        {
            self.recent.pop_front();
        }
        self.recent.push_back(point);
        let early = self.line.map(|line| line.at(stream).saturating_sub(steady));
        match (self.burst, early.unwrap_or(0)) {
            // The end of a delay: how late these frames are says nothing.
            (true, ..=0) => return,
            // The one before was kept back even longer.
            (true, 1..) => {
                self.points.pop_back();
            }
            (false, early) if early > EARLY => {
                self.rate = self.recent_rate().unwrap_or(self.rate);
                self.points.clear();
            }
            _ => {}
        }
        self.points.push_back(point);
        while self.points.len() > MOST
            || self.points.len() > FEWEST
                && self.points.front().is_some_and(|(s, _)| self.rate * stream.saturating_sub(*s) as f64 > WINDOW)
        {
            self.points.pop_front();
        }
        self.line = self.fit();
    }

    /// The stream time jumped: nothing before `point` counts.
    pub(super) fn restart(&mut self, point: Point) {
        self.points.clear();
        self.recent.clear();
        self.line = None;
        self.add(point);
    }

    /// When a frame of this stream time was captured, by the clock of the arrivals.
    pub(super) fn captured(&self, stream: i64) -> Option<i64> {
        self.line.map(|line| line.at(stream))
    }

    /// Time that passes per stream time: 1, unless the camera's stream time is wrong.
    pub(super) fn rate(&self) -> f64 {
        self.rate
    }

    /// Whether the last frame came on the heels of the one before.
    pub(super) fn in_burst(&self) -> bool {
        self.burst
    }

    fn fit(&mut self) -> Option<Line> {
        let (first, last) = (*self.points.front()?, *self.points.back()?);
        if self.points.len() >= 4 && last.1.saturating_sub(first.1) >= SHORTEST {
            let line = self.hull_edge().filter(|line| RATES.contains(&line.slope));
            if let Some(line) = line {
                let even = self.below(1.0);
                let (distance, at_one) = (self.distance(line), self.distance(even));
                let rest = if self.points.len() >= REST_OF_MANY.0 { REST_OF_MANY.1 } else { REST };
                let lies = (line.slope - 1.0).abs() > HONEST && at_one - distance > GAIN && distance < rest * at_one;
                self.rate = if lies { line.slope } else { 1.0 };
                return Some(line);
            }
        }
        Some(self.below(self.rate))
    }

    /// The highest line of this slope below all points.
    fn below(&self, slope: f64) -> Line {
        let newest = self.points.back().map_or(0, |point| point.0);
        let at_newest = |&(s, h): &Point| h.saturating_add((newest.saturating_sub(s) as f64 * slope) as i64);
        let lowest = self.points.iter().map(at_newest).min().unwrap_or(0);
        Line { through: (newest, lowest), slope }
    }

    /// The edge of the lower convex hull over the mean stream time.
    fn hull_edge(&self) -> Option<Line> {
        let (origin, count) = (self.points.front()?.0, self.points.len() as f64);
        let mean = self.points.iter().map(|(s, _)| s.saturating_sub(origin) as f64).sum::<f64>() / count;
        let mut hull: Vec<Point> = Vec::with_capacity(16);
        for &point in &self.points {
            while let [.., a, b] = hull[..]
                && slope(a, b) >= slope(b, point)
            {
                hull.pop();
            }
            hull.push(point);
        }
        let edge = hull.windows(2).find(|edge| edge[1].0.saturating_sub(origin) as f64 >= mean)?;
        Some(Line { through: edge[1], slope: slope(edge[0], edge[1]) })
    }

    /// The mean distance of the arrivals from a line below them, microseconds.
    fn distance(&self, line: Line) -> f64 {
        let sum: f64 = self.points.iter().map(|(s, h)| h.saturating_sub(line.at(*s)) as f64).sum();
        sum / self.points.len().max(1) as f64
    }

    /// The rate of the newest frames, when they lie on a line much better than at the present rate.
    fn recent_rate(&self) -> Option<f64> {
        let (first, last) = (*self.recent.front()?, *self.recent.back()?);
        let present = Line { through: first, slope: self.rate };
        if self.recent.len() < RECENT_FRAMES || last.1.abs_diff(present.at(last.0)) < RECENT_OFF {
            return None;
        }
        let distance = |slope: f64| {
            let line = Line { through: first, slope };
            self.recent.iter().map(|(s, h)| h.abs_diff(line.at(*s)) as f64).sum::<f64>()
        };
        let slope = slope(first, last);
        let straight = RATES.contains(&slope) && distance(slope) < REST * distance(self.rate);
        straight.then(|| if (slope - 1.0).abs() > HONEST { slope } else { 1.0 })
    }
}

fn slope(a: Point, b: Point) -> f64 {
    b.1.saturating_sub(a.1) as f64 / (b.0.saturating_sub(a.0) as f64).max(1.0)
}
