use std::collections::VecDeque;

use crate::{Span, Timestamp};

/// A step of the wall clock smaller than this is the adjustment of a sound clock.
const ADJUSTMENT: Span = Span::from_secs(1);
/// Longest time for which a clock that jumped ahead is doubted.
const LONGEST_DOUBT: Span = Span::from_secs(86_400);

/// The time by which the age of stored data is judged. It is the wall clock, unless that jumped ahead: then it goes on from where
/// it was, until the clock has stood so for a while. So a wrong clock deletes nothing at once, and a correct one, after the
/// machine was off, deletes a little later.
///
/// Two clocks are passed in: the wall clock, and a steady one that only counts the time that the process runs.
#[derive(Debug)]
pub struct RetentionClock {
    /// How far the wall clock was ahead of the steady one, and when last; both ascend.
    steps: VecDeque<Step>,
}

#[derive(Debug, Clone, Copy)]
struct Step {
    ahead: i64,
    seen: Span,
}

impl RetentionClock {
    /// `known` is the latest time known to have been when the process started: that of the newest record.
    #[must_use]
    pub fn new(known: Option<Timestamp>, wall: Timestamp, steady: Span) -> Self {
        let mut clock = Self { steps: VecDeque::new() };
        clock.note(known.map_or(wall, |known| known.min(wall)), steady);
        clock
    }

    fn note(&mut self, wall: Timestamp, steady: Span) {
        let ahead = wall.as_micros().saturating_sub(steady.as_micros());
        // Behind a step that is lower, the earlier ones can no longer be the lowest.
        while self.steps.back().is_some_and(|last| last.ahead.saturating_add(ADJUSTMENT.as_micros()) >= ahead) {
            self.steps.pop_back();
        }
        self.steps.push_back(Step { ahead, seen: steady });
        let oldest = steady.as_micros().saturating_sub(LONGEST_DOUBT.as_micros());
        while self.steps.len() > 1 && self.steps[0].seen.as_micros() < oldest {
            self.steps.pop_front();
        }
    }

    /// The time by which data is judged that is kept for `keep`. A jump is doubted for as long as that, and for a day at most.
    pub fn now(&mut self, wall: Timestamp, steady: Span, keep: Span) -> Timestamp {
        self.note(wall, steady);
        let doubt = keep.as_micros().clamp(0, LONGEST_DOUBT.as_micros());
        let since = steady.as_micros().saturating_sub(doubt);
        let lowest = self.steps.iter().find(|step| step.seen.as_micros() >= since);
        let ahead = lowest.or(self.steps.back()).map_or(0, |step| step.ahead);
        Timestamp::from_micros(steady.as_micros().saturating_add(ahead)).min(wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;
    const MONTH: Span = Span::from_secs(30 * DAY);
    const SHORT: Span = Span::from_secs(600);

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_micros((1_900_000_000 + secs) * 1_000_000)
    }

    fn ran(secs: i64) -> Span {
        Span::from_secs(secs)
    }

    #[test]
    fn a_sound_clock_is_believed() {
        let mut clock = RetentionClock::new(None, at(0), ran(0));
        for secs in (0..40 * DAY).step_by(600) {
            // It is adjusted by up to half a second, back and forth.
            let wall = at(secs) + Span::from_millis(secs % 1_000 / 2);
            assert!(wall.since(clock.now(wall, ran(secs), MONTH)) <= ADJUSTMENT);
        }
    }

    #[test]
    fn a_jump_ahead_is_believed_only_after_a_while() {
        const SIXTY_YEARS: i64 = 60 * 365 * DAY;
        for known in [None, Some(at(0))] {
            let mut clock = RetentionClock::new(known, at(0), ran(0));
            assert_eq!(clock.now(at(60), ran(60), MONTH), at(60));
            assert_eq!(clock.now(at(SIXTY_YEARS), ran(120), MONTH), at(120));
            assert_eq!(clock.now(at(SIXTY_YEARS + DAY - 120), ran(DAY), MONTH), at(DAY), "all day");
            assert_eq!(clock.now(at(300), ran(DAY + 1), MONTH), at(300), "set right, it is believed at once");
        }
        let mut clock = RetentionClock::new(Some(at(0)), at(SIXTY_YEARS), ran(0));
        assert_eq!(clock.now(at(SIXTY_YEARS), ran(0), MONTH), at(0), "over a restart too");
        let later = at(SIXTY_YEARS + DAY + 1);
        assert_eq!(clock.now(later, ran(DAY + 1), MONTH), later);
        // Newer records do not prove it: they have the same clock.
        let mut clock = RetentionClock::new(Some(at(2 * SIXTY_YEARS)), at(0), ran(0));
        assert_eq!(clock.now(at(60), ran(60), MONTH), at(60), "a record from the future is no clock");
    }

    #[test]
    fn what_is_kept_shortly_is_doubted_shortly() {
        let mut clock = RetentionClock::new(Some(at(0)), at(9 * DAY), ran(0));
        assert_eq!(clock.now(at(9 * DAY + 300), ran(300), SHORT), at(300));
        let later = at(9 * DAY + 601);
        assert_eq!(clock.now(later, ran(601), SHORT), later);
        assert_eq!(clock.now(later, ran(601), MONTH), at(601));
    }

    #[test]
    fn steps_do_not_pile_up() {
        let mut clock = RetentionClock::new(None, at(0), ran(0));
        for tick in 0..100_000 {
            clock.now(at(tick * 40), ran(tick * 30), MONTH);
        }
        assert!(clock.steps.len() < 3_000, "{}", clock.steps.len());
    }
}
