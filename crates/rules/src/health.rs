//! Rules about a camera that gives frames: low frame rate, clock drift, and what its picture is like. (`outage` has the other.)

use serde::{Deserialize, Serialize};
use vedette_core::{Condition, Measured, PictureStats, PixelPoint, Quality, Quantity, Span, Term, Timestamp};

use crate::held::{Held, Now};
use crate::near::Shortfall;
use crate::step::{Step, decimal};

/// What is usual is the mean of about so long.
const USUAL: Span = Span::from_secs(300);
/// What is usual is known after this time.
const LEARNED: Span = Span::from_secs(30);
/// What is unusual for so long is the new usual: the camera was put up anew on purpose.
const ADOPTED: Span = Span::from_secs(3_600);
/// A grid whose fields differ less than this many levels (standard deviation) shows nothing to compare.
const LEAST_SPREAD: f32 = 3.0;
/// A picture with less contrast than this shows no detail to judge by.
const LEAST_CONTRAST: f32 = 4.0;
const GRID: usize = PictureStats::COLUMNS * PictureStats::ROWS;
/// Where what is about the camera itself is.
pub(crate) const NOWHERE: PixelPoint = PixelPoint::new(0.0, 0.0);

/// What is known of a frame besides its tracks.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct FrameFacts {
    /// What may have made it less trustworthy.
    pub quality: Quality,
    /// How long after its capture it was handed on; below 0 when its capture time lay ahead of that moment.
    pub lag: Option<Span>,
    /// What its picture is like.
    pub picture: Option<PictureStats>,
}

/// How far a rule about the camera has come.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Health {
    pub(crate) held: Option<Held>,
    window: Option<Window>,
    usual: Option<Box<Usual>>,
}

/// Frames counted since a moment, and the rate of the window before.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Window {
    began: Timestamp,
    frames: u32,
    fps: Option<f32>,
}

/// What the camera's picture usually is like.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Usual {
    since: Timestamp,
    at: Timestamp,
    /// Sharpness by contrast.
    detail: f32,
    grid: [f32; GRID],
    /// Since when it is unusual.
    unusual: Option<Timestamp>,
}

/// What a frame says of the camera, when that is not that all is well.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Reading {
    /// It is beyond the threshold.
    Unwell(Measured),
    /// It is near the threshold.
    Nearly(Shortfall),
}

impl Step<'_> {
    pub(crate) fn health(&mut self, health: &mut Health) {
        if let Condition::Offline { after } = self.ready.rule.condition {
            self.outage(after, &mut health.held);
            return;
        }
        let reading = if self.frame.armed { self.read(health) } else { None };
        let now = match reading {
            Some(Reading::Unwell(measured)) => Some(Now { measured: Some(measured), ..Now::default() }),
            _ => None,
        };
        self.hold(&mut health.held, now);
        self.nearness(reading, health);
    }

    /// Follows how near to its threshold the camera is. How an alert comes and goes is none that almost was.
    fn nearness(&mut self, reading: Option<Reading>, health: &Health) {
        if health.held.as_ref().is_some_and(Held::is_open) || self.is_silent(NOWHERE) {
            self.whole_met();
            return;
        }
        match reading {
            Some(Reading::Unwell(_)) => self.whole_goes_on(),
            Some(Reading::Nearly(shortfall)) => self.whole_lacks(Some((shortfall, NOWHERE))),
            None => self.whole_lacks(None),
        }
    }

    /// What was measured, when it is beyond the threshold or near it.
    fn read(&self, health: &mut Health) -> Option<Reading> {
        let (at, facts) = (self.frame.at, self.frame.facts);
        match self.ready.rule.condition {
            Condition::LowFrameRate { below_fps, over } => {
                let fps = frame_rate(&mut health.window, at, over)?;
                below(Quantity::FramesPerSecond, Term::FramesPerSecond, fps, below_fps)
            }
            Condition::ClockDrift { at_least } => {
                let offset = facts.lag.map_or(0, |lag| lag.as_micros().saturating_abs()) as f64 / 1e6;
                let threshold = at_least.as_secs_f64();
                if facts.quality.clock_drift || offset >= threshold {
                    let quantity = Quantity::OffsetSeconds;
                    return Some(Reading::Unwell(Measured { quantity, value: offset, threshold }));
                }
                Shortfall::below(Term::Offset, offset as f32, threshold as f32).map(Reading::Nearly)
            }
            Condition::Frozen { change_below } => {
                below(Quantity::Levels, Term::Levels, facts.picture?.change?, change_below)
            }
            Condition::Covered { contrast_below } => {
                below(Quantity::Levels, Term::Levels, facts.picture?.contrast, contrast_below)
            }
            Condition::Blurred { below_part } => {
                let picture = facts.picture.filter(|picture| picture.contrast >= LEAST_CONTRAST)?;
                unusual(&mut health.usual, at, &picture, below_part, |usual, detail, _| detail / usual.detail)
            }
            Condition::Moved { similarity_below } => {
                let likeness = |usual: &Usual, _, grid: &[f32; GRID]| likeness(&usual.grid, grid);
                unusual(&mut health.usual, at, &facts.picture?, similarity_below, likeness)
            }
            _ => None,
        }
    }
}

fn below(quantity: Quantity, term: Term, value: f32, threshold: f32) -> Option<Reading> {
    if value < threshold {
        return Some(Reading::Unwell(Measured { quantity, value: decimal(value), threshold: decimal(threshold) }));
    }
    Shortfall::above(term, value, threshold).map(Reading::Nearly)
}

/// Frames a second in the last whole window.
fn frame_rate(window: &mut Option<Window>, at: Timestamp, over: Span) -> Option<f32> {
    let window = window.get_or_insert(Window { began: at, frames: 0, fps: None });
    let lasted = at.since(window.began);
    if lasted >= over {
        let fps = window.frames as f32 / lasted.as_secs_f64() as f32;
        *window = Window { began: at, frames: 0, fps: Some(fps) };
    }
    window.frames = window.frames.saturating_add(1);
    window.fps
}

/// Compares a picture with what is usual, and learns from it. `compare` gives 1 for the usual and less for what is not;
/// a number that is none is no judgement.
fn unusual(
    usual: &mut Option<Box<Usual>>,
    at: Timestamp,
    picture: &PictureStats,
    threshold: f32,
    compare: impl Fn(&Usual, f32, &[f32; GRID]) -> f32,
) -> Option<Reading> {
    let grid = picture.grid.map(f32::from);
    let detail = picture.sharpness / picture.contrast.max(1.0);
    let fresh = || Box::new(Usual { since: at, at, detail, grid, unusual: None });
    let known = usual.get_or_insert_with(fresh);
    let value = compare(known, detail, &grid);
    let is_learned = at.since(known.since) >= LEARNED;
    let is_unusual = is_learned && value < threshold;
    if !is_unusual {
        known.learn(at, detail, &grid);
        return Shortfall::of_usual(value, threshold).filter(|_| is_learned).map(Reading::Nearly);
    }
    let since = *known.unusual.get_or_insert(at);
    if at.since(since) >= ADOPTED {
        *known = fresh();
        return None;
    }
    below(Quantity::Part, Term::Part, value, threshold)
}

impl Usual {
    fn learn(&mut self, at: Timestamp, detail: f32, grid: &[f32; GRID]) {
        let passed = at.since(self.at).as_secs_f64() as f32;
        // A plain mean in the beginning, a sliding one later.
        let over = (at.since(self.since).as_secs_f64() as f32).min(USUAL.as_secs_f64() as f32);
        let weight = if over > 0.0 { (passed / over).clamp(0.0, 1.0) } else { 0.0 };
        self.detail += weight * (detail - self.detail);
        for (usual, now) in self.grid.iter_mut().zip(grid) {
            *usual += weight * (now - *usual);
        }
        (self.at, self.unusual) = (at, None);
    }
}

/// The correlation of two grids: 1 when they show the same but for brightness and contrast. Not a number when one of them
/// shows nothing.
fn likeness(one: &[f32; GRID], other: &[f32; GRID]) -> f32 {
    let mean = |grid: &[f32; GRID]| grid.iter().sum::<f32>() / GRID as f32;
    let (mean_one, mean_other) = (mean(one), mean(other));
    let (mut both, mut of_one, mut of_other) = (0.0, 0.0, 0.0);
    for (a, b) in one.iter().zip(other) {
        let (a, b) = (a - mean_one, b - mean_other);
        both += a * b;
        of_one += a * a;
        of_other += b * b;
    }
    let spread = |sum: f32| (sum / GRID as f32).sqrt();
    if spread(of_one) < LEAST_SPREAD || spread(of_other) < LEAST_SPREAD {
        return f32::NAN;
    }
    both / (of_one.sqrt() * of_other.sqrt())
}
