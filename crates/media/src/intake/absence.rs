use std::time::Duration;

use tokio::time::Instant;

/// Shortest interval between two signal-loss heartbeats.
const LEAST: Duration = Duration::from_secs(1);
/// For this long every heartbeat follows the one before after [`LEAST`]: rules about signal losses wait for minutes.
const DENSE: Duration = Duration::from_secs(330);
/// Later, the heartbeat interval is this fraction of the time since then.
const PART: u32 = 10;

/// Schedule of signal-loss heartbeats: every second for minutes, later less often, so that a watcher for an outage of any length
/// learns of it at most a tenth late, without a flood of records from a camera that stays offline for weeks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Absence {
    since: Instant,
    due: Instant,
}

impl Absence {
    /// Signal loss since `now`.
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, due: now + LEAST }
    }

    /// When the next heartbeat is due.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// A heartbeat was sent.
    pub(super) fn told(&mut self, now: Instant) {
        self.due = now + LEAST.max(now.duration_since(self.since).saturating_sub(DENSE) / PART);
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
            assert!(away - before <= LEAST.max(before.saturating_sub(DENSE) / 10), "{before:?} {away:?}");
            absence.told(now);
            (before, told) = (away, told + 1);
        }
        assert!(told < 450, "{told}");
    }
}
