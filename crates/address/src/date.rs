//! Dates as days since 1970-01-01, as they are stored.

use jiff::civil::{Date, date};
use vedette_core::Timestamp;

/// The open start of a period.
pub(crate) const NO_START: i32 = i32::MIN;
/// The open end of a period; of a change: day unknown.
pub(crate) const NO_END: i32 = i32::MAX;

const EPOCH: Date = date(1970, 1, 1);

pub(crate) fn days_of_date(day: Date) -> i32 {
    (day - EPOCH).get_days()
}

/// Offset in hours of the days of the standard's city from UTC: China Standard Time, all year.
const HOURS_AHEAD: i64 = 8;

/// The day of an instant in China Standard Time.
pub(crate) fn day_of(at: Timestamp) -> i32 {
    let hours = at.as_micros().div_euclid(3_600_000_000).saturating_add(HOURS_AHEAD);
    let days = hours.div_euclid(24);
    days.clamp(i64::from(NO_START), i64::from(NO_END)) as i32
}

pub(crate) fn date_of_days(days: i32) -> Option<Date> {
    if days == NO_START || days == NO_END {
        return None;
    }
    EPOCH.checked_add(jiff::Span::new().try_days(days).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_come_back() {
        for day in [date(1949, 10, 1), EPOCH, date(2018, 1, 1), date(2024, 2, 29)] {
            assert_eq!(date_of_days(days_of_date(day)), Some(day));
        }
        let moment = |text: &str| day_of(text.parse().unwrap());
        assert_eq!(moment("2018-01-01T00:00:00+08:00"), 17_532);
        assert_eq!(moment("2017-12-31T15:59:59.999Z"), 17_531);
        assert_eq!(day_of(Timestamp::from_micros(-1)), 0);
        assert_eq!(days_of_date(date(2018, 1, 1)), 17_532);
        assert_eq!((date_of_days(NO_START), date_of_days(NO_END), date_of_days(i32::MAX - 1)), (None, None, None));
    }
}
