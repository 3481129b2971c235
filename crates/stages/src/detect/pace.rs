//! Frame-rate limit of processing. The choice of frames depends only on their capture times, so a group of pictures that is
//! decoded again yields the same frames.

use vedette_core::{Span, Timestamp};

/// Limits the processed frames per second: it chooses the first frame in each time slot.
#[derive(Debug)]
pub(super) struct Pace {
    period: Span,
    /// Frame interval of the current chunk.
    interval: Option<Span>,
    before: Option<Timestamp>,
    /// The last captured of the units so far.
    newest: Option<Timestamp>,
    /// Whether units were shown in another order than they came in.
    reordered: bool,
}

impl Pace {
    pub(super) fn new(fps: f64) -> Self {
        Self {
            period: Span::from_micros((1e6 / fps).max(1.0) as i64),
            interval: None,
            before: None,
            newest: None,
            reordered: false,
        }
    }

    /// Begins a chunk of the stream: the capture times of its units, in decoding order.
    pub(super) fn begin(&mut self, captured: &[Timestamp]) {
        let is_early = |(first, newest): (&Timestamp, Timestamp)| *first < newest;
        let reordered = !captured.is_sorted() || captured.first().zip(self.newest).is_some_and(is_early);
        if reordered && !self.reordered {
            (self.reordered, self.interval) = (true, None);
        }
        self.newest = captured.iter().copied().max().max(self.newest);
        if self.reordered {
            return;
        }
        let (Some(first), Some(last)) = (captured.first(), captured.last()) else { return };
        let steps = captured.len() as i64 - 1;
        self.interval = match (steps, self.before) {
            (0, before) => before.map(|before| first.since(before)),
            (steps, _) => Some(Span::from_micros(last.since(*first).as_micros() / steps)),
        };
    }

    /// Whether the next frame, in the order in which they are shown, is processed.
    pub(super) fn is_due(&mut self, captured: Timestamp) -> bool {
        if self.reordered
            && let Some(before) = self.before
        {
            // Neighbours in decoding order say nothing of the interval, neighbours as they are shown do; jitter averages out.
            let (gap, known) = (captured.since(before).as_micros(), self.interval.map(Span::as_micros));
            let mean = known.map_or(gap, |known| known + (gap - known) / 8);
            self.interval = Some(Span::from_micros(mean));
        }
        let Some(interval) = self.interval else {
            self.before = Some(captured);
            return true;
        };
        let before = self.before.replace(captured).unwrap_or(captured - interval);
        // A camera at exactly this rate loses no frames to jitter.
        let slow = interval.as_micros() * 10 >= self.period.as_micros() * 9;
        slow || self.slot(before) != self.slot(captured)
    }

    fn slot(&self, captured: Timestamp) -> i64 {
        captured.as_micros().div_euclid(self.period.as_micros())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Capture times of a camera at `fps`, a tenth of a frame of jitter, in chunks of half a second.
    fn stream(fps: i64, seconds: i64) -> Vec<Vec<Timestamp>> {
        let step = 1_000_000 / fps;
        let frame = |n: i64| Timestamp::from_micros(1_700_000_000_123_456 + n * step + (n % 3 - 1) * step / 10);
        let frames: Vec<_> = (0..fps * seconds).map(frame).collect();
        frames.chunks((fps as usize / 2).max(1)).map(<[Timestamp]>::to_vec).collect()
    }

    fn due(pace: &mut Pace, chunks: &[Vec<Timestamp>]) -> Vec<Timestamp> {
        let mut due = Vec::new();
        for chunk in chunks {
            pace.begin(chunk);
            due.extend(chunk.iter().copied().filter(|captured| pace.is_due(*captured)));
        }
        due
    }

    #[test]
    fn so_many_a_second_are_looked_at_and_no_more() {
        for (fps, most, seen) in
            [(25, 5.0, 50..=52), (10, 8.0, 79..=82), (10, 10.0, 100..=100), (5, 10.0, 50..=50), (1, 0.5, 5..=6)]
        {
            let count = due(&mut Pace::new(most), &stream(fps, 10)).len();
            assert!(seen.contains(&count), "{fps} at most {most}: {count}");
        }
    }

    /// Decoding order 0 3 1 2 6 4 5 ..., in chunks of any size: as many are looked at as in a stream in order.
    #[test]
    fn the_order_of_decoding_changes_nothing() {
        for (fps, most, in_chunk) in
            [(25, 5.0, 12), (25, 5.0, 1), (10, 5.0, 1), (10, 10.0, 1), (10, 10.0, 3), (5, 10.0, 2)]
        {
            let frames: Vec<Timestamp> = stream(fps, 12).into_iter().flatten().collect();
            let mut decoded: Vec<Timestamp> = frames[..1].to_vec();
            decoded.extend(frames[1..].chunks_exact(3).flat_map(|three| [three[2], three[0], three[1]]));
            let mut pace = Pace::new(most);
            let (mut shown, mut due) = (frames.iter(), 0);
            for chunk in decoded.chunks(in_chunk) {
                pace.begin(chunk);
                due += shown.by_ref().take(chunk.len()).filter(|captured| pace.is_due(**captured)).count();
            }
            let expected = most.min(fps as f64) * decoded.len() as f64 / fps as f64;
            assert!((due as f64 - expected).abs() <= 3.0, "{fps} at most {most}, {in_chunk} a chunk: {due}");
        }
    }

    #[test]
    fn a_group_decoded_again_gives_the_same_frames() {
        let chunks = stream(25, 20);
        let all = due(&mut Pace::new(3.0), &chunks);
        for start in [4, 7, 12] {
            let again = due(&mut Pace::new(3.0), &chunks[start..]);
            let from = chunks[start][0];
            let expected: Vec<_> = all.iter().copied().filter(|captured| *captured >= from).collect();
            assert_eq!(again, expected, "from chunk {start}");
        }
    }
}
