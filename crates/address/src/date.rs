//! Dates as days since 1970-01-01, as they are stored.

use jiff::civil::{Date, date};

/// The side of a period that is open towards the past.
pub(crate) const NO_START: i32 = i32::MIN;
/// The side of a period that is open towards the future; of a change, that its day is not known.
pub(crate) const NO_END: i32 = i32::MAX;

const EPOCH: Date = date(1970, 1, 1);

pub(crate) fn days_of_date(day: Date) -> i32 {
    (day - EPOCH).get_days()
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
        assert_eq!(days_of_date(date(2018, 1, 1)), 17_532);
        assert_eq!((date_of_days(NO_START), date_of_days(NO_END), date_of_days(i32::MAX - 1)), (None, None, None));
    }
}
