use vedette_core::{DailyWindow, Rule};

use crate::calendar;
use crate::found::Found;

pub(super) fn check(rule: &Rule, found: &mut Found) {
    let Some(schedule) = &rule.schedule else { return };
    if calendar::time_zone(&schedule.time_zone).is_none() {
        let fix = "give one as in Asia/Shanghai";
        found.add("schedule.time_zone", &*schedule.time_zone, "it is an IANA time zone", fix);
    }
    if schedule.windows.is_empty() {
        let fix = "add a window, or remove the schedule";
        found.add("schedule.windows", "[]", "a schedule has at least one window", fix);
    }
    check_windows("windows", &schedule.windows, found);
    check_windows("holiday_windows", &schedule.holiday_windows, found);
    for (index, date) in schedule.holidays.iter().enumerate() {
        if calendar::date(date).is_none() {
            let key = format!("schedule.holidays[{index}]");
            found.add(&key, date.as_str(), "it is a date of the calendar", "write YYYY-MM-DD, as in 2026-10-01");
        }
    }
    if schedule.holidays.is_empty() && !schedule.holiday_windows.is_empty() {
        let fix = "name the holidays, or remove the windows";
        found.add("schedule.holiday_windows", "no holidays", "windows of holidays need holidays", fix);
    }
    if schedule.holiday_windows.iter().any(|window| !window.days.is_empty()) {
        let fix = "leave out `days`: the dates say when";
        found.add("schedule.holiday_windows", "days", "a holiday may be any day of the week", fix);
    }
}

fn check_windows(list: &str, windows: &[DailyWindow], found: &mut Found) {
    for (index, window) in windows.iter().enumerate() {
        for (key, text) in [("from", &window.from), ("until", &window.until)] {
            if calendar::minutes(text).is_none() {
                let key = format!("schedule.{list}[{index}].{key}");
                found.add(&key, text.as_str(), "it is a time of day, 00:00 to 24:00", "write HH:MM, as in 06:30");
            }
        }
    }
}
