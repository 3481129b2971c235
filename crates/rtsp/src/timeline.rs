//! RTP time, which begins anew every 13 hours, as time that does not; pure.

/// Seconds by which time may go back (pictures in decoding order) and on (a camera that pauses) without a jump.
const MAX_BACK: i64 = 5;
const MAX_ON: i64 = 60;

/// Ticks since the first packet.
#[derive(Debug)]
pub(crate) struct Timeline {
    clock_rate: i64,
    last: Option<(u32, i64)>,
}

impl Timeline {
    pub(crate) fn new(clock_rate: u32) -> Self {
        Self { clock_rate: i64::from(clock_rate), last: None }
    }

    /// Time of a packet; the second value says whether it jumped.
    pub(crate) fn packet(&mut self, time: u32) -> (i64, bool) {
        let Some((last, ticks)) = self.last else {
            self.last = Some((time, 0));
            return (0, false);
        };
        let step = difference(time, last);
        let ticks = ticks.saturating_add(step);
        self.last = Some((time, ticks));
        (ticks, step < -MAX_BACK * self.clock_rate || step > MAX_ON * self.clock_rate)
    }

    /// Time of a report; none before the first packet.
    pub(crate) fn report(&self, time: u32) -> Option<i64> {
        self.last.map(|(last, ticks)| ticks.saturating_add(difference(time, last)))
    }
}

fn difference(time: u32, last: u32) -> i64 {
    i64::from(time.wrapping_sub(last).cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_over_the_end_of_its_numbers() {
        let mut time = Timeline::new(90_000);
        assert_eq!(time.report(5), None);
        assert_eq!(time.packet(u32::MAX - 1), (0, false));
        assert_eq!(time.packet(7_998), (8_000, false));
        assert_eq!(time.packet(3_998), (4_000, false));
        assert_eq!(time.report(4_998), Some(5_000));
        assert_eq!(time.report(3_997), Some(3_999));
        assert_eq!(time.packet(7_998), (8_000, false));
    }

    #[test]
    fn jumps_are_told() {
        let mut time = Timeline::new(90_000);
        time.packet(10_000_000);
        assert_eq!(time.packet(10_000_000 - 30 * 90_000), (-30 * 90_000, true));
        assert_eq!(time.packet(10_000_000 + 3_600 * 90_000), (3_600 * 90_000, true));
        assert_eq!(time.packet(10_000_000 + 3_610 * 90_000), (3_610 * 90_000, false));
    }
}
