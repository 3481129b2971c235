use vedette_core::Timestamp;

use super::{AddressBook, ChangeError, Serving};

/// A version and when it is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The version.
    pub version: String,
    /// Whether its addresses are synthetic.
    pub synthetic: bool,
    /// Capture time from which it is effective; none: the configured one, from the beginning.
    pub from: Option<Timestamp>,
    /// Capture time from which another one is effective; none when no other is known, or it was withdrawn.
    pub until: Option<Timestamp>,
    /// When this process opened it, wall clock.
    pub taken: Timestamp,
}

impl Served {
    pub(super) fn of(from: Option<Timestamp>, serving: &Serving, until: Option<Timestamp>) -> Self {
        Self {
            version: serving.base.version().to_owned(),
            synthetic: serving.base.synthetic(),
            from,
            until,
            taken: serving.taken,
        }
    }
}

/// A refused change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The announced version; empty when the record could not be read.
    pub version: String,
    /// Capture time from which it was to be effective.
    pub effective_from: Option<Timestamp>,
    /// The reason, one word.
    pub reason: &'static str,
    /// The reason, and the remedy.
    pub detail: String,
    /// When, wall clock.
    pub at: Timestamp,
    /// Whether it is retried automatically.
    pub may_heal: bool,
}

impl Refusal {
    pub(super) fn new(from: Option<Timestamp>, version: &str, error: &ChangeError, at: Timestamp) -> Self {
        Self {
            version: version.to_owned(),
            effective_from: from,
            reason: error.reason(),
            detail: error.to_string(),
            at,
            may_heal: error.may_heal(),
        }
    }
}

/// The content of a book at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookReport {
    /// The version in force for frames captured now.
    pub current: Option<Served>,
    /// Scheduled versions, soonest first.
    pub scheduled: Vec<Served>,
    /// Past versions, latest first.
    pub history: Vec<Served>,
    /// The last change that was refused.
    pub last_refusal: Option<Refusal>,
    /// The refused change because of which another base than intended is, or will be, in force.
    pub standing: Option<Refusal>,
}

impl AddressBook {
    /// Its content, at `now` by the wall clock.
    #[must_use]
    pub fn report(&self, now: Timestamp) -> BookReport {
        let log = self.log();
        let timeline = self.0.serving.load();
        let starts: Vec<Option<Timestamp>> = timeline.iter().skip(1).map(|(from, _)| from).chain([None]).collect();
        let mut held: Vec<Served> =
            timeline.iter().zip(starts).map(|((from, serving), until)| Served::of(from, serving, until)).collect();
        let scheduled = held.split_off(held.partition_point(|served| served.from <= Some(now)));
        let current = held.pop();
        let serves_from = current.as_ref().and_then(|served| served.from);
        let standing = log.standing.values().map(|(_, refusal)| refusal).rfind(|it| it.effective_from > serves_from);
        let mut history: Vec<Served> = log.past.iter().cloned().chain(held).collect();
        history.reverse();
        BookReport {
            current,
            scheduled,
            history,
            last_refusal: log.last_refusal.clone(),
            standing: standing.or(log.unread.as_ref()).cloned(),
        }
    }
}
