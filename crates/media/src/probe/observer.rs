use vedette_core::{Codec, MAX_UNIT_BYTES, Span};

use super::MOST_FRAMES;
use super::report::{Groups, KeyFrames, ProbeReport, Rates, Transmission};
use crate::nal::{UnitKind, has_parameter_sets, is_key, unit_kind};

/// Stream time that differs from the arrivals by more, microseconds, jumped.
const JUMP: u64 = 5_000_000;

/// An encoded frame as it was received.
pub(super) struct Received<'a> {
    pub(super) data: &'a [u8],
    /// Presentation time since the first frame.
    pub(super) time: Span,
    /// Arrival since the first frame; none for a recording.
    pub(super) arrival: Option<Span>,
    /// RTP packets that were lost before it.
    pub(super) lost: u32,
}

/// Counts what frames show; pure.
#[derive(Debug)]
pub(super) struct Observer {
    codec: Codec,
    bytes: u64,
    largest: u64,
    reordered: u64,
    lost: u64,
    /// Added to the stream time, so that it continues after a jump, microseconds.
    added: i64,
    /// Presentation times in decoding order, microseconds.
    times: Vec<i64>,
    arrivals: Vec<i64>,
    /// Number, presentation time and bytes of each key frame.
    keys: Vec<(usize, i64, usize)>,
    keys_with_sets: u64,
}

impl Observer {
    pub(super) fn new(codec: Codec) -> Self {
        Self {
            codec,
            bytes: 0,
            largest: 0,
            reordered: 0,
            lost: 0,
            added: 0,
            times: Vec::new(),
            arrivals: Vec::new(),
            keys: Vec::new(),
            keys_with_sets: 0,
        }
    }

    /// Adds a frame; whether it is a key frame. Units without a picture are passed over.
    pub(super) fn add(&mut self, received: &Received<'_>) -> bool {
        let kind = unit_kind(self.codec, received.data);
        self.lost += u64::from(received.lost);
        if matches!(kind, UnitKind::None) || self.times.len() >= MOST_FRAMES {
            return false;
        }
        let is_key = is_key(self.codec, received.data);
        let arrival = received.arrival.map(Span::as_micros);
        let time = self.continued(received.time.as_micros(), arrival);
        if is_key {
            self.keys.push((self.times.len(), time, received.data.len()));
            self.keys_with_sets += u64::from(has_parameter_sets(self.codec, received.data));
        }
        self.reordered += u64::from(self.latest().is_some_and(|latest| time < latest));
        self.bytes += received.data.len() as u64;
        self.largest = self.largest.max(received.data.len() as u64);
        self.times.push(time);
        self.arrivals.extend(arrival);
        is_key
    }

    /// A frame is larger than can be received.
    pub(super) fn too_large(&mut self) {
        self.largest = self.largest.max(MAX_UNIT_BYTES as u64 + 1);
    }

    pub(super) fn frames(&self) -> usize {
        self.times.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The time of a frame, as if the stream time had not jumped: another warning tells that.
    fn continued(&mut self, time: i64, arrival: Option<i64>) -> i64 {
        let continued = time.saturating_add(self.added);
        let (Some(latest), Some(before), Some(arrival)) = (self.latest(), self.arrivals.last(), arrival) else {
            return continued;
        };
        let expected = latest.saturating_add(arrival.saturating_sub(*before));
        if continued.abs_diff(expected) <= JUMP {
            return continued;
        }
        self.added = expected.saturating_sub(time);
        expected
    }

    fn latest(&self) -> Option<i64> {
        // B-frames go back by a few frames.
        self.times.iter().rev().take(32).max().copied()
    }

    /// Adds what was counted to a report.
    pub(super) fn fill(&self, report: &mut ProbeReport) {
        let mut shown = self.times.clone();
        shown.sort_unstable();
        let length = span_of(&shown);
        report.codec = Some(self.codec);
        report.frames = self.times.len() as u64;
        report.bytes = self.bytes;
        report.length = Span::from_micros(length);
        report.reordered = self.reordered;
        report.largest_frame = self.largest;
        let steps = if self.arrivals.is_empty() { &shown } else { &self.arrivals };
        report.rates = Rates {
            told: report.rates.told,
            by_stream: rate(&shown),
            by_arrival: rate(&self.arrivals),
            intervals: intervals(steps),
        };
        report.groups = self.groups(&shown);
        let key_bytes: usize = self.keys.iter().map(|(_, _, bytes)| bytes).sum();
        report.key_frames = KeyFrames {
            count: self.keys.len() as u64,
            with_sets: self.keys_with_sets,
            mean_bytes: (key_bytes / self.keys.len().max(1)) as u64,
        };
        report.transmission =
            self.jitter().map(|jitter| Transmission { jitter: Span::from_micros(jitter), lost: self.lost });
    }

    fn groups(&self, shown: &[i64]) -> Groups {
        let lengths = self.keys.windows(2).map(|pair| (pair[1].0 - pair[0].0) as u64);
        let frames = lengths.clone().min().zip(lengths.max());
        let bounds = shown.first().into_iter().chain(self.keys.iter().map(|(_, time, _)| time)).chain(shown.last());
        let bounds: Vec<i64> = bounds.copied().collect();
        let longest = bounds.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
        Groups { frames, longest: Span::from_micros(longest) }
    }

    /// How much later than the earliest frames 19 of 20 arrived.
    fn jitter(&self) -> Option<i64> {
        let mut late: Vec<i64> = self.arrivals.iter().zip(&self.times).map(|(a, t)| a.saturating_sub(*t)).collect();
        late.sort_unstable();
        let at = late.len().checked_sub(1)? * 19 / 20;
        Some(late.get(at)?.saturating_sub(*late.first()?))
    }
}

fn span_of(sorted: &[i64]) -> i64 {
    sorted.last().zip(sorted.first()).map_or(0, |(last, first)| last.saturating_sub(*first))
}

fn rate(sorted: &[i64]) -> Option<f64> {
    let length = span_of(sorted);
    (length > 0).then(|| (sorted.len() - 1) as f64 * 1e6 / length as f64)
}

fn intervals(sorted: &[i64]) -> Option<(Span, Span)> {
    let mut steps: Vec<i64> = sorted.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
    steps.sort_unstable();
    let median = *steps.get(steps.len() / 2)?;
    Some((Span::from_micros(median), Span::from_micros(*steps.last()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = &[0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x65, 1, 2, 3];
    const DELTA: &[u8] = &[0, 0, 0, 1, 0x41, 1, 2, 3];

    fn observed(frames: &[(bool, i64, Option<i64>)]) -> ProbeReport {
        let mut observer = Observer::new(Codec::H264);
        for &(key, time, arrival) in frames {
            let data = if key { KEY } else { DELTA };
            let arrival = arrival.map(Span::from_millis);
            observer.add(&Received { data, time: Span::from_millis(time), arrival, lost: 0 });
        }
        let mut report = ProbeReport::default();
        observer.fill(&mut report);
        report
    }

    #[test]
    fn groups_rates_and_sizes_are_those_of_the_frames() {
        let frames: Vec<_> = (0..100).map(|index| (index % 25 == 0, index * 40, None)).collect();
        let report = observed(&frames);
        assert_eq!((report.frames, report.key_frames.count, report.key_frames.with_sets), (100, 4, 4));
        assert_eq!(report.groups, Groups { frames: Some((25, 25)), longest: Span::from_secs(1) });
        assert!((report.rates.measured().unwrap() - 25.0).abs() < 0.01);
        assert_eq!((report.reordered, report.transmission), (0, None));
        assert_eq!(report.length, Span::from_millis(3_960));
    }

    #[test]
    fn b_frames_a_lying_stream_time_and_jitter_are_seen() {
        let reordered = observed(&[(true, 0, None), (false, 120, None), (false, 40, None), (false, 80, None)]);
        assert_eq!((reordered.reordered, reordered.length), (2, Span::from_millis(120)));
        let lying: Vec<_> = (0..50).map(|index| (index == 0, index * 100, Some(index * 200))).collect();
        let report = observed(&lying);
        assert!((report.stream_rate().unwrap() - 0.5).abs() < 0.01);
        let late: Vec<_> = (0..50).map(|i| (i == 0, i * 40, Some(i * 40 + i % 2 * 70))).collect();
        assert_eq!(observed(&late).transmission.unwrap().jitter, Span::from_millis(70));
    }

    #[test]
    fn a_jump_of_the_stream_time_is_neither_b_frames_nor_jitter() {
        for jump in [-30_000, 30_000] {
            let time = |index: i64| index * 200 + if index < 20 { 0 } else { jump };
            let frames: Vec<_> = (0..50).map(|index| (index % 10 == 0, time(index), Some(index * 200))).collect();
            let report = observed(&frames);
            assert_eq!((report.reordered, report.length), (0, Span::from_millis(9_800)));
            assert_eq!(report.transmission.unwrap().jitter, Span::ZERO);
        }
    }

    #[test]
    fn nothing_and_one_frame_are_reported_too() {
        assert_eq!(observed(&[]).rates, Rates::default());
        let one = observed(&[(true, 0, Some(0))]);
        assert_eq!((one.frames, one.rates.measured(), one.groups.frames), (1, None, None));
    }
}
