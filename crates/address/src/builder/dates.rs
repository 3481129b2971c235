//! Dates as tables write them.

use jiff::civil::{Date, date};
use vedette_core::Timestamp;

use crate::date::{day_of, days_of_date};

/// Day numbers of spreadsheets count from here.
const SPREADSHEET_EPOCH: Date = date(1899, 12, 30);
const RULE: &str = "a date is written as 2018-01-05, 2018/1/5, 20180105 or 2018年1月5日";

/// Days since 1970-01-01 of a written date, whose time of day does not matter; an instant with an offset is on its day in China.
///
/// # Errors
/// The rule it breaks, with the likely cause.
pub(super) fn day(text: &str) -> Result<i32, String> {
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Ok(day_of(Timestamp::from_micros(instant.as_microsecond())));
    }
    let (written, time) = match text.find(|character: char| character == 'T' || character.is_whitespace()) {
        Some(at) => (
            &text[..at],
            text[at..].trim_start_matches(|character: char| character == 'T' || character.is_whitespace()),
        ),
        None => (text, ""),
    };
    let is_time = time.is_empty()
        || (time.starts_with(|first: char| first.is_ascii_digit())
            && time.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.')));
    if !is_time {
        return Err(RULE.to_owned());
    }
    let is_number =
        |part: &&str| !part.is_empty() && part.len() <= 14 && part.bytes().all(|byte| byte.is_ascii_digit());
    let trimmed = written.trim_end_matches('日');
    let parts: Vec<&str> = trimmed.split(['-', '/', '.', '年', '月']).collect();
    if !parts.iter().all(is_number) {
        return Err(RULE.to_owned());
    }
    match parts[..] {
        [compact] if compact.len() == 8 || compact.len() == 14 => {
            of_parts(&compact[..4], &compact[4..6], &compact[6..8])
        }
        [serial] | [serial, _] if serial.len() == 5 => Err(of_serial(serial)),
        [year, month, day] if year.len() == 4 && month.len() <= 2 && day.len() <= 2 => of_parts(year, month, day),
        [_, _, year] if year.len() == 4 => {
            Err(format!("{RULE}; with the year last, day and month cannot be told apart"))
        }
        _ => Err(RULE.to_owned()),
    }
}

fn of_parts(year: &str, month: &str, day: &str) -> Result<i32, String> {
    let date = || Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok();
    date().map(days_of_date).ok_or_else(|| "there is no such day".to_owned())
}

fn of_serial(serial: &str) -> String {
    let days = serial.parse::<i64>().ok().and_then(|days| jiff::Span::new().try_days(days).ok());
    match days.and_then(|days| SPREADSHEET_EPOCH.checked_add(days).ok()) {
        Some(date) => {
            format!(
                "{RULE}; this is a spreadsheet's day number, probably {date}: format the column as a date and export again"
            )
        }
        None => RULE.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_forms_are_read() {
        for text in [
            "2018-01-05",
            "2018-1-5",
            "2018/1/5",
            "2018/01/05 00:00",
            "2018/1/5 0:00:00",
            "2018.1.5",
            "20180105",
            "20180105000000",
            "2018年1月5日",
            "2018年01月05日 08:30",
            "2018-01-05 00:00:00.000",
            "2018-01-05T00:00:00",
            "2018-01-04T16:00:00Z",
            "2018-01-05T23:59:59+08:00",
        ] {
            assert_eq!(day(text), Ok(17_536), "{text}");
        }
    }

    #[test]
    fn other_forms_are_refused_by_their_cause() {
        for (text, cause) in [
            ("43105", "probably 2018-01-05"),
            ("43105.5", "probably 2018-01-05"),
            ("5/1/2018", "cannot be told apart"),
            ("2018-13-01", "no such day"),
            ("2018/2/30", "no such day"),
            ("18-1-5", "is written as"),
            ("2018", "is written as"),
            ("soon", "is written as"),
            ("2018-01-05 noon", "is written as"),
            ("2018--05", "is written as"),
            ("年月日", "is written as"),
            ("999999999999999999999", "is written as"),
        ] {
            let said = day(text).unwrap_err();
            assert!(said.contains(cause), "{text}: {said}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken(text in "[0-9年月日T:./ -]{0,20}|\\PC{0,20}") {
            let _ = day(&text);
        }
    }
}
