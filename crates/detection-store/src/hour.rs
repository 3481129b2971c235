use std::fmt;

use vedette_core::{Span, Timestamp};

const MICROS: i64 = 3_600_000_000;
/// What a printed time has behind the hour.
const REST: &str = ":00:00.000000Z";

/// An hour of capture time in UTC. Its name is that of its files: `2026-12-02T07`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hour(i64);

impl Hour {
    /// The hour of a time.
    #[must_use]
    pub const fn of(time: Timestamp) -> Self {
        Self(time.as_micros().div_euclid(MICROS))
    }

    /// Its beginning.
    #[must_use]
    pub const fn start(self) -> Timestamp {
        Timestamp::from_micros(self.0.saturating_mul(MICROS))
    }

    /// The beginning of the next one.
    #[must_use]
    pub fn end(self) -> Timestamp {
        self.start() + Span::from_micros(MICROS)
    }

    /// The hour of a name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        if let Some(number) = name.strip_prefix("hour") {
            return number.parse().ok().map(Self);
        }
        let start: Timestamp = format!("{name}:00:00Z").parse().ok()?;
        Some(Self::of(start))
    }
}

impl fmt::Display for Hour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.start().to_string().strip_suffix(REST) {
            Some(name) => f.write_str(name),
            // Beyond the years that have a name.
            None => write!(f, "hour{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_hour_has_a_readable_name() {
        let time: Timestamp = "2026-12-02T07:59:59.9Z".parse().unwrap();
        assert_eq!(Hour::of(time).to_string(), "2026-12-02T07");
        assert_eq!(Hour::of(time).end(), "2026-12-02T08:00:00Z".parse().unwrap());
    }

    proptest! {
        #[test]
        fn every_hour_is_found_by_its_name(micros: i64) {
            let hour = Hour::of(Timestamp::from_micros(micros));
            prop_assert_eq!(Hour::parse(&hour.to_string()), Some(hour), "{}", hour);
        }
    }
}
