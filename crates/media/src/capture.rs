use vedette_core::{Span, Timestamp};

/// Maps stream time to capture time; pure.
///
/// A camera's RTCP sender reports tie its stream time to its clock. While that clock is plausible (within [`MAX_CLOCK_ERROR`] of
/// ours when frames arrive) it is used; otherwise the earliest arrivals are, as a frame cannot have been captured after
/// it arrived. Capture times always increase.
#[derive(Debug, Default)]
pub(crate) struct CaptureClock {
    /// Wall-clock time of stream time 0 by the camera's reports.
    reported: Option<i64>,
    /// Wall-clock time of stream time 0 by arrivals.
    arrived: Option<i64>,
    last: Option<Timestamp>,
}

/// Largest plausible error of a camera's clock.
const MAX_CLOCK_ERROR: Span = Span::from_secs(5);
/// Largest error of the mapping before the stream is assumed to have jumped.
const MAX_JUMP: Span = Span::from_secs(2);
/// The share of an arrival's lateness that is attributed to drift of the camera's crystal.
const DRIFT_SHARE: i64 = 512;

impl CaptureClock {
    /// Sender report: at stream time `stream` the camera's clock shows `wall`.
    pub(crate) fn report(&mut self, stream: Span, wall: Timestamp) {
        self.reported = Some(wall.as_micros().saturating_sub(stream.as_micros()));
    }

    /// The capture time of a frame of stream time `stream` that arrived at `arrival`; whether the camera's clock was
    /// used.
    pub(crate) fn captured(&mut self, stream: Span, arrival: Timestamp) -> (Timestamp, bool) {
        let seen = arrival.as_micros().saturating_sub(stream.as_micros());
        let origin = match self.arrived {
            None => seen,
            Some(origin) if seen.abs_diff(origin) > MAX_JUMP.as_micros().unsigned_abs() => seen,
            Some(origin) if seen < origin => seen,
            Some(origin) => origin + (seen - origin) / DRIFT_SHARE,
        };
        self.arrived = Some(origin);
        let error = self.reported.map(|reported| reported.abs_diff(origin));
        let believed = error.is_some_and(|error| error <= MAX_CLOCK_ERROR.as_micros().unsigned_abs());
        let origin = if believed { self.reported.unwrap_or(origin) } else { origin };
        let mut captured = Timestamp::from_micros(origin.saturating_add(stream.as_micros()));
        if let Some(last) = self.last
            && captured <= last
        {
            captured = last + Span::from_micros(1);
        }
        self.last = Some(captured);
        (captured, believed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_micros(ms * 1_000)
    }

    #[test]
    fn without_reports_the_earliest_arrival_counts() {
        let mut clock = CaptureClock::default();
        assert_eq!(clock.captured(Span::from_millis(0), at(1_000)).0, at(1_000));
        // 30 ms of network delay: the capture time is unaffected, give or take the drift share.
        let (captured, believed) = clock.captured(Span::from_millis(40), at(1_070));
        assert!(captured.since(at(1_040)) < Span::from_micros(100) && !believed);
        assert_eq!(clock.captured(Span::from_millis(80), at(1_060)).0, at(1_060));
    }

    #[test]
    fn a_plausible_camera_clock_is_believed_and_a_wrong_one_is_not() {
        let mut clock = CaptureClock::default();
        clock.report(Span::ZERO, at(900));
        assert_eq!(clock.captured(Span::ZERO, at(1_000)), (at(900), true));
        let mut clock = CaptureClock::default();
        clock.report(Span::ZERO, at(-3_600_000));
        assert_eq!(clock.captured(Span::ZERO, at(1_000)), (at(1_000), false));
    }

    proptest! {
        #[test]
        fn capture_times_grow_whatever_comes(
            frames in prop::collection::vec((any::<i32>(), any::<i32>(), prop::option::of(any::<i32>())), 1..60),
        ) {
            let mut clock = CaptureClock::default();
            let mut last = None;
            for (stream, arrival, report) in frames {
                let stream = Span::from_micros(i64::from(stream));
                if let Some(wall) = report {
                    clock.report(stream, Timestamp::from_micros(i64::from(wall)));
                }
                let (captured, _) = clock.captured(stream, Timestamp::from_micros(i64::from(arrival)));
                prop_assert!(last.is_none_or(|last| captured > last));
                last = Some(captured);
            }
        }
    }
}
