//! Whether a camera's pictures come through: cameras whose video arrives, and none of it is processed, have no signal.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use vedette_core::{LossHeartbeats, ShedReason, SignalLossReason};

/// How long after the last sound picture damaged ones are processed: until then a loss of packets costs no frames.
const DAMAGED_SHOWS: Duration = Duration::from_millis(1_500);

/// The fate of one camera's latest pictures: its lane tells, the stage asks. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct LossWatch(Arc<Mutex<Option<Losing>>>);

/// No picture was processed for a while.
#[derive(Debug, Clone, Copy)]
struct Losing {
    since: Instant,
    /// Why the latest one was not.
    reason: SignalLossReason,
    heartbeats: LossHeartbeats,
}

impl LossWatch {
    fn state(&self) -> std::sync::MutexGuard<'_, Option<Losing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A picture was processed.
    pub(super) fn processed(&self) {
        *self.state() = None;
    }

    /// A picture was not processed. That says nothing where the configuration leaves it out.
    pub(super) fn shed(&self, reason: ShedReason, now: Instant) {
        let Some(reason) = signal_loss(reason) else { return };
        self.state()
            .get_or_insert_with(|| Losing { since: now, reason, heartbeats: LossHeartbeats::new(now) })
            .reason = reason;
    }

    /// Whether a damaged picture shows anything: soon after a sound one. Later it is what the decoder made up.
    pub(super) fn shows(&self, now: Instant) -> bool {
        self.state().is_none_or(|losing| now.duration_since(losing.since) < DAMAGED_SHOWS)
    }

    /// The reason of the signal loss of which a heartbeat is due, if no picture was processed for `timeout`. `stuck_since` is when a
    /// decoder began that has not returned.
    pub(super) fn due(
        &self,
        timeout: Duration,
        stuck_since: Option<Instant>,
        now: Instant,
    ) -> Option<SignalLossReason> {
        let mut state = self.state();
        if let Some(stuck) = stuck_since.filter(|since| now.duration_since(*since) >= timeout) {
            let heartbeats = LossHeartbeats::new(stuck);
            state.get_or_insert(Losing { since: stuck, reason: SignalLossReason::DecoderStuck, heartbeats }).reason =
                SignalLossReason::DecoderStuck;
        }
        let losing = state.as_mut().filter(|losing| now.duration_since(losing.since) >= timeout)?;
        if losing.heartbeats.due() > now {
            return None;
        }
        losing.heartbeats.sent(now);
        Some(losing.reason)
    }
}

/// What it means for a camera's signal that none of its pictures is processed, for one reason.
fn signal_loss(reason: ShedReason) -> Option<SignalLossReason> {
    match reason {
        ShedReason::NotDecoded | ShedReason::DeadLettered => Some(SignalLossReason::Undecodable),
        ShedReason::Overload => Some(SignalLossReason::Overload),
        ShedReason::InferenceFailed => Some(SignalLossReason::InferenceFailed),
        ShedReason::JoinedMidGroup => Some(SignalLossReason::NoKeyFrame),
        ShedReason::MaxFps
        | ShedReason::NotKeyFrame
        | ShedReason::NotReceived
        | ShedReason::Missing
        | ShedReason::Late => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);

    #[test]
    fn a_camera_of_which_nothing_is_processed_is_told_every_second() {
        let (watch, start) = (LossWatch::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        for second in 0..30 {
            watch.shed(ShedReason::NotDecoded, at(second));
            let due = watch.due(TIMEOUT, None, at(second));
            assert_eq!(due, (second >= 10).then_some(SignalLossReason::Undecodable), "{second}");
        }
        watch.shed(ShedReason::Overload, at(30));
        assert_eq!(watch.due(TIMEOUT, None, at(30)), Some(SignalLossReason::Overload));
        assert_eq!(watch.due(TIMEOUT, None, at(30)), None, "once a second");
        watch.processed();
        assert_eq!(watch.due(TIMEOUT, None, at(60)), None);
    }

    #[test]
    fn damaged_pictures_show_something_soon_after_sound_ones_only() {
        let (watch, start) = (LossWatch::default(), Instant::now());
        assert!(watch.shows(start));
        watch.shed(ShedReason::NotDecoded, start);
        assert!(watch.shows(start + Duration::from_secs(1)) && !watch.shows(start + Duration::from_secs(2)));
        watch.processed();
        assert!(watch.shows(start + Duration::from_secs(2)));
    }

    #[test]
    fn pictures_in_between_and_those_left_out_are_no_loss() {
        let (watch, start) = (LossWatch::default(), Instant::now());
        for second in 0..60 {
            let now = start + Duration::from_secs(second);
            watch.shed(ShedReason::MaxFps, now);
            if second % 9 == 0 {
                watch.processed();
                watch.shed(ShedReason::NotDecoded, now);
            }
            assert_eq!(watch.due(TIMEOUT, None, now), None, "{second}");
        }
    }

    #[test]
    fn a_decoder_that_does_not_return_is_a_loss() {
        let (watch, start) = (LossWatch::default(), Instant::now());
        assert_eq!(watch.due(TIMEOUT, Some(start), start + TIMEOUT / 2), None);
        let late = start + TIMEOUT;
        assert_eq!(watch.due(TIMEOUT, Some(start), late), Some(SignalLossReason::DecoderStuck));
        watch.shed(ShedReason::NotDecoded, late);
        assert_eq!(
            watch.due(TIMEOUT, Some(start), late + Duration::from_secs(1)),
            Some(SignalLossReason::DecoderStuck)
        );
    }
}
