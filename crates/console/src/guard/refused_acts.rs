use std::sync::{Mutex, PoisonError};

use vedette_core::{Span, Timestamp};

/// Refusals that are listed within a minute; further ones are counted, so that nobody fills the log with them.
const MOST: u32 = 60;
const MINUTE: Span = Span::from_secs(60);

/// Counts refused acts and logins, of which the audit log lists some.
#[derive(Debug, Default)]
pub(crate) struct RefusedActs(Mutex<Minute>);

#[derive(Debug, Default)]
struct Minute {
    began: Timestamp,
    listed: u32,
    unlisted: u64,
}

impl RefusedActs {
    /// How many were not listed before, if this one is.
    pub(crate) fn take(&self, now: Timestamp) -> Option<u64> {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.since(minute.began) >= MINUTE || now < minute.began {
            (minute.began, minute.listed) = (now, 0);
        }
        if minute.listed >= MOST {
            minute.unlisted += 1;
            return None;
        }
        minute.listed += 1;
        Some(std::mem::take(&mut minute.unlisted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_is_counted() {
        let refused = RefusedActs::default();
        let at = |seconds: i64| Timestamp::from_micros(1_700_000_000_000_000 + seconds * 1_000_000);
        let listed = (0..1_000).filter_map(|number| refused.take(at(number / 100))).count();
        assert_eq!(listed, MOST as usize);
        assert_eq!(refused.take(at(60)), Some(940));
        assert_eq!(refused.take(at(61)), Some(0));
        // A clock that was set back does not silence the log.
        assert_eq!(refused.take(at(-3_600)), Some(0));
    }
}
