use vedette_core::{DailyWindow, Rule};

use crate::calendar;
use crate::found::Found;
use crate::policy_rule::PolicyRule;

pub(super) fn check(rule: &Rule, found: &mut Found) {
    let Some(schedule) = &rule.schedule else { return };
    if calendar::time_zone(&schedule.time_zone).is_none() {
        found.add("schedule.time_zone", &schedule.time_zone, PolicyRule::TimeZone);
    }
    if schedule.windows.is_empty() {
        found.add("schedule.windows", "[]", PolicyRule::NoWindow);
    }
    check_windows("windows", &schedule.windows, found);
    check_windows("holiday_windows", &schedule.holiday_windows, found);
    for (index, date) in schedule.holidays.iter().enumerate() {
        if calendar::date(date).is_none() {
            found.add(&format!("schedule.holidays[{index}]"), date, PolicyRule::Date);
        }
    }
    if schedule.holidays.is_empty() && !schedule.holiday_windows.is_empty() {
        found.add("schedule.holiday_windows", "no holidays", PolicyRule::NoHolidays);
    }
    if schedule.holiday_windows.iter().any(|window| !window.days.is_empty()) {
        found.add("schedule.holiday_windows", "days", PolicyRule::HolidayDays);
    }
}

fn check_windows(list: &str, windows: &[DailyWindow], found: &mut Found) {
    for (index, window) in windows.iter().enumerate() {
        for (key, text) in [("from", &window.from), ("until", &window.until)] {
            if calendar::minutes(text).is_none() {
                found.add(&format!("schedule.{list}[{index}].{key}"), text, PolicyRule::TimeOfDay);
            }
        }
    }
}
