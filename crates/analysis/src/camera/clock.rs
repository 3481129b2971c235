//! Plausibility of a camera's clock. Capture time is authoritative, so it is checked for a jump within a stream, and for a
//! capture time far from the instant at which intake received the picture.

use serde::{Deserialize, Serialize};
use vedette_core::{FrameAt, Span, StageLatency, Timestamp};

/// Consecutive frame numbers never lie this far apart in time: intake drops a silent camera earlier.
const JUMP_AHEAD: Span = Span::from_secs(300);
/// A smaller step back is reordering, not a clock change.
const JUMP_BACK: Span = Span::from_secs(1);
/// How long the clock is doubted after a jump.
const DOUBTED_FOR: Span = Span::from_secs(60);
/// Most that a capture time may lie after intake.
const MOST_AHEAD: Span = Span::from_secs(2);
/// Most that it may lie before.
const MOST_BEHIND: Span = Span::from_secs(30);

/// The clock's movement between two frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    Steady,
    Back,
    Ahead,
}

/// State of a camera's clock.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Clock {
    last: Option<Seen>,
    doubted_until: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    epoch: u64,
    sequence: u64,
    captured: Timestamp,
}

impl Clock {
    /// Advances to the next processed frame, in order.
    pub(super) fn follow(&mut self, at: FrameAt) -> Move {
        let FrameAt { epoch, sequence, captured } = at;
        let seen = Seen { epoch, sequence, captured };
        let moved = self.last.replace(seen).map_or(Move::Steady, |last| move_between(last, seen));
        if moved != Move::Steady {
            self.doubted_until = Some(captured + DOUBTED_FOR);
        }
        moved
    }

    /// Whether the last processed frame's timestamp is unreliable.
    pub(super) fn is_doubted(&self, captured: Timestamp, latency: Option<StageLatency>) -> bool {
        self.doubted_until.is_some_and(|until| captured < until) || latency.is_some_and(is_off)
    }
}

fn move_between(last: Seen, now: Seen) -> Move {
    let passed = now.captured.since(last.captured);
    if passed.as_micros() <= -JUMP_BACK.as_micros() {
        return Move::Back;
    }
    if now.epoch != last.epoch {
        return Move::Steady;
    }
    let frames = i64::try_from(now.sequence.saturating_sub(last.sequence)).unwrap_or(i64::MAX).max(1);
    if passed.as_micros() / frames > JUMP_AHEAD.as_micros() { Move::Ahead } else { Move::Steady }
}

/// Whether the camera's clock is far from that of intake.
fn is_off(latency: StageLatency) -> bool {
    latency.chunk.as_micros() < -MOST_AHEAD.as_micros() || latency.chunk > MOST_BEHIND
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(epoch: u64, sequence: u64, seconds: i64) -> FrameAt {
        FrameAt { epoch, sequence, captured: Timestamp::from_micros(seconds * 1_000_000) }
    }

    #[test]
    fn jumps_both_ways_are_doubted_for_a_minute() {
        let mut clock = Clock::default();
        let mut see = |sequence, seconds| {
            let at = at(1, sequence, seconds);
            (clock.follow(at), clock.is_doubted(at.captured, None))
        };
        assert_eq!(see(0, 1_000), (Move::Steady, false));
        assert_eq!(see(1, 1_001), (Move::Steady, false));
        assert_eq!(see(2, 5_000), (Move::Ahead, true));
        assert_eq!(see(3, 5_030), (Move::Steady, true));
        assert_eq!(see(4, 5_061), (Move::Steady, false));
        assert_eq!(see(5, 900), (Move::Back, true));
        assert_eq!(see(6, 961), (Move::Steady, false));
    }

    #[test]
    fn frames_left_out_are_no_jump_and_neither_is_a_lost_signal() {
        let mut clock = Clock::default();
        clock.follow(at(1, 0, 0));
        assert_eq!(clock.follow(at(1, 1_000, 1_000)), Move::Steady);
        assert_eq!(clock.follow(at(2, 0, 90_000)), Move::Steady);
        assert_eq!(clock.follow(at(3, 0, 80_000)), Move::Back);
    }

    #[test]
    fn a_clock_far_from_that_of_intake_is_doubted() {
        let clock = Clock::default();
        for (chunk, doubted) in [(0, false), (10, false), (31, true), (-1, false), (-3, true)] {
            let latency = StageLatency { chunk: Span::from_secs(chunk), ..StageLatency::default() };
            assert_eq!(clock.is_doubted(Timestamp::default(), Some(latency)), doubted, "{chunk}");
        }
    }
}
