use std::time::Duration;

use tokio::time::Instant;

/// The least time between two moments at which a camera is said to be away.
const LEAST: Duration = Duration::from_secs(1);
/// A camera that has been away for long is said to be so after another such part of that time.
const PART: u32 = 10;

/// When to say that a camera is away: every second at first, later so that what watches for an outage of any length learns
/// of it at most a tenth late, without much being said of a camera that stays away for weeks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Absence {
    since: Instant,
    due: Instant,
}

impl Absence {
    /// Nothing has come since `now`.
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, due: now + LEAST }
    }

    /// When to say so next.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// It was said.
    pub(super) fn told(&mut self, now: Instant) {
        self.due = now + LEAST.max(now.duration_since(self.since) / PART);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_told_a_tenth_late_at_most_and_a_long_one_seldom() {
        let start = Instant::now();
        let mut absence = Absence::new(start);
        let (mut before, mut told) = (Duration::ZERO, 0);
        while before < Duration::from_secs(86_400) {
            let now = absence.due();
            let away = now - start;
            assert!(away - before <= LEAST.max(before / 10), "{before:?} {away:?}");
            absence.told(now);
            (before, told) = (away, told + 1);
        }
        assert!(told < 120, "{told}");
    }
}
