use vedette_core::Timestamp;

/// The time in which alerts are in question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// Its beginning; that of the records when absent.
    pub from: Option<Timestamp>,
    /// Its end, excluded.
    pub until: Option<Timestamp>,
}

impl Window {
    /// Whether an alert raised at a time is in question.
    #[must_use]
    pub fn has(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| at >= from) && self.until.is_none_or(|until| at < until)
    }
}
