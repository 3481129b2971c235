/// Consecutive frames of one stream session: numbered from `start` up to, but excluding, `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameRange {
    start: u64,
    end: u64,
}

impl FrameRange {
    /// The frames from `first` to `last`, both included; none when `last` comes before `first`.
    #[must_use]
    pub const fn new(first: u64, last: u64) -> Self {
        Self::until(first, last.saturating_add(1))
    }

    /// The frames from `start` on that come before `end`; none when `end` does not come after `start`.
    #[must_use]
    pub const fn until(start: u64, end: u64) -> Self {
        Self { start, end: if end < start { start } else { end } }
    }

    /// `count` frames from `first` on.
    #[must_use]
    pub const fn counted(first: u64, count: u64) -> Self {
        Self::until(first, first.saturating_add(count))
    }

    /// The first frame, or the position of an empty range.
    #[must_use]
    pub const fn start(self) -> u64 {
        self.start
    }

    /// The frame after the last one.
    #[must_use]
    pub const fn end(self) -> u64 {
        self.end
    }

    /// The last frame; none if empty.
    #[must_use]
    pub const fn last(self) -> Option<u64> {
        if self.is_empty() { None } else { Some(self.end - 1) }
    }

    /// Number of frames.
    #[must_use]
    pub const fn len(self) -> u64 {
        self.end - self.start
    }

    /// Whether it is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.end == self.start
    }

    /// The intersection.
    #[must_use]
    pub fn intersect(self, other: Self) -> Self {
        Self::until(self.start.max(other.start), self.end.min(other.end))
    }

    /// The difference, without the frames of `other`: up to two ranges, ascending.
    pub fn minus(self, other: Self) -> impl Iterator<Item = Self> {
        let other = self.intersect(other);
        let parts = if other.is_empty() {
            [self, Self::until(self.end, self.end)]
        } else {
            [Self::until(self.start, other.start), Self::until(other.end, self.end)]
        };
        parts.into_iter().filter(|part| !part.is_empty())
    }

    /// The frames numbered `start` or higher.
    #[must_use]
    pub fn starting_at(self, start: u64) -> Self {
        Self::until(self.start.max(start), self.end)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn frames(range: FrameRange) -> BTreeSet<u64> {
        (range.start..range.end).collect()
    }

    fn range() -> impl Strategy<Value = FrameRange> {
        (0_u64..12, 0_u64..6).prop_map(|(first, count)| FrameRange::counted(first, count))
    }

    proptest! {
        #[test]
        fn ranges_are_sets_of_frames(a in range(), b in range(), from in 0_u64..15) {
            prop_assert_eq!(a.len(), frames(a).len() as u64);
            prop_assert_eq!(a.is_empty(), frames(a).is_empty());
            prop_assert_eq!(a.last(), frames(a).last().copied());
            prop_assert_eq!(frames(a.intersect(b)), &frames(a) & &frames(b));
            let rest: Vec<FrameRange> = a.minus(b).collect();
            prop_assert!(rest.iter().all(|part| !part.is_empty()));
            prop_assert!(rest.windows(2).all(|pair| pair[0].end() < pair[1].start()));
            prop_assert_eq!(rest.into_iter().flat_map(frames).collect::<BTreeSet<_>>(), &frames(a) - &frames(b));
            prop_assert_eq!(frames(a.starting_at(from)), frames(a).into_iter().filter(|frame| *frame >= from).collect());
        }

        #[test]
        fn no_bounds_overflow(first: u64, last: u64) {
            let range = FrameRange::new(first, last);
            prop_assert_eq!(range.is_empty(), last < first || first == u64::MAX);
            prop_assert!(range.end() >= range.start());
        }
    }
}
