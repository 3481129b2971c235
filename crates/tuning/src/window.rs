use vedette_core::{Span, Timestamp};

/// How long after a window records are analysed: so that alerts raised within it end.
const TAIL: Span = Span::from_secs(600);

/// The time in which alerts are in question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// Its beginning; that of the records when absent.
    pub from: Option<Timestamp>,
    /// Its end, excluded.
    pub until: Option<Timestamp>,
}

impl Window {
    /// So long before and after a time.
    #[must_use]
    pub fn around(at: Timestamp, span: Span) -> Self {
        Self { from: Some(at - span), until: Some(at + span + Span::from_micros(1)) }
    }

    /// Whether an alert raised at a time is in question.
    #[must_use]
    pub fn has(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| at >= from) && self.until.is_none_or(|until| at < until)
    }

    /// The capture times, both included, between which records are analysed for it. `lead` is how long before it rules are to be evaluated.
    #[must_use]
    pub fn reach(&self, lead: Span) -> (Timestamp, Timestamp) {
        let from = self.from.map_or(Timestamp::from_micros(i64::MIN), |from| from - lead);
        (from, self.until.map_or(Timestamp::from_micros(i64::MAX), |until| until + TAIL))
    }
}
