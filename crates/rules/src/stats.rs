/// Counts for the newest frame, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FrameStats {
    /// The frame was not newer than the previous one and was ignored.
    pub late: bool,
    /// The camera's clock was set back; open episodes ended.
    pub clock_set_back: bool,
    /// Tracks with an invalid box, or with the id of another track of the frame.
    pub rejected: u32,
    /// Alerts suppressed by a cooldown in this frame.
    pub silenced: u32,
    /// Objects or alerts skipped in this frame because of a limit per rule or frame.
    pub limited: u32,
    /// Objects that continued under another track id.
    pub recognised: u32,
    /// Rules skipped in this frame because their state is of another kind: an error of the program, see
    /// [`StateMismatch`](crate::StateMismatch).
    pub mismatched: u32,
    /// Near-misses skipped because one of the same rule and term came just before, or because of a limit.
    pub near_misses_left_out: u32,
}

impl std::ops::AddAssign for FrameStats {
    /// The sum of both.
    fn add_assign(&mut self, other: Self) {
        self.late |= other.late;
        self.clock_set_back |= other.clock_set_back;
        self.rejected = self.rejected.saturating_add(other.rejected);
        self.silenced = self.silenced.saturating_add(other.silenced);
        self.limited = self.limited.saturating_add(other.limited);
        self.mismatched = self.mismatched.saturating_add(other.mismatched);
        self.recognised = self.recognised.saturating_add(other.recognised);
        self.near_misses_left_out = self.near_misses_left_out.saturating_add(other.near_misses_left_out);
    }
}
