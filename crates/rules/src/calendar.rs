use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use vedette_core::{DailyWindow, Schedule, Timestamp, Weekday};

const MINUTES_OF_DAY: u16 = 24 * 60;

/// A compiled schedule.
#[derive(Debug, Clone)]
pub(crate) struct Calendar {
    zone: TimeZone,
    windows: Vec<Window>,
    /// Sorted.
    holidays: Vec<Date>,
    holiday_windows: Vec<Window>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    /// Bit 0 is Monday.
    days: u8,
    from: u16,
    until: u16,
}

/// The time zone of that name from the rules built into the program, never the host's.
pub(crate) fn time_zone(name: &str) -> Option<TimeZone> {
    TimeZoneDatabase::bundled().get(name).ok()
}

/// Minutes since midnight of `HH:MM`, 00:00 to 24:00.
pub(crate) fn minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |part: &str| {
        let two_digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        if two_digits { part.parse::<u16>().ok() } else { None }
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let total = hours * 60 + minutes;
    if minutes < 60 && total <= MINUTES_OF_DAY { Some(total) } else { None }
}

/// The date of `YYYY-MM-DD`.
pub(crate) fn date(text: &str) -> Option<Date> {
    text.parse().ok().filter(|_| text.len() == 10)
}

impl Calendar {
    /// None when the zone, a time or a date is unknown.
    pub(crate) fn new(schedule: &Schedule) -> Option<Self> {
        let windows = |windows: &[DailyWindow]| windows.iter().map(Window::new).collect::<Option<Vec<_>>>();
        let mut holidays = schedule.holidays.iter().map(|text| date(text)).collect::<Option<Vec<_>>>()?;
        holidays.sort_unstable();
        Some(Self {
            zone: time_zone(&schedule.time_zone)?,
            windows: windows(&schedule.windows)?,
            holidays,
            holiday_windows: windows(&schedule.holiday_windows)?,
        })
    }

    /// Whether `moment` lies in one of the windows. The result holds for the whole UTC minute, because offsets and
    /// windows are whole minutes.
    pub(crate) fn armed(&self, moment: Timestamp) -> bool {
        let Ok(moment) = jiff::Timestamp::from_microsecond(moment.as_micros()) else { return false };
        let local = self.zone.to_datetime(moment);
        let minute = u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
        let today = local.date();
        let starts = |window: &Window| window.starts_before(minute);
        let runs_over = |window: &Window| window.runs_until(minute);
        self.on(today).any(starts) || today.yesterday().is_ok_and(|before| self.on(before).any(runs_over))
    }

    /// The windows that start on a date.
    fn on(&self, date: Date) -> impl Iterator<Item = &Window> {
        let day = date.weekday().to_monday_zero_offset().unsigned_abs();
        let holiday = self.holidays.binary_search(&date).is_ok();
        let windows = if holiday { &self.holiday_windows } else { &self.windows };
        windows.iter().filter(move |window| window.days & (1 << day) != 0)
    }
}

impl Window {
    fn new(window: &DailyWindow) -> Option<Self> {
        let days = window.days.iter().fold(0, |days, day| days | 1 << bit(*day));
        let days = if window.days.is_empty() { 0x7f } else { days };
        Some(Self { days, from: minutes(&window.from)?, until: minutes(&window.until)? })
    }

    /// Whether it runs at `minute` of the day it starts on.
    fn starts_before(self, minute: u16) -> bool {
        minute >= self.from && (minute < self.until || self.until <= self.from)
    }

    /// Whether it runs at `minute` of the day after the one it starts on.
    fn runs_until(self, minute: u16) -> bool {
        self.until <= self.from && minute < self.until
    }
}

fn bit(day: Weekday) -> u8 {
    match day {
        Weekday::Mon => 0,
        Weekday::Tue => 1,
        Weekday::Wed => 2,
        Weekday::Thu => 3,
        Weekday::Fri => 4,
        Weekday::Sat => 5,
        Weekday::Sun => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn armed(zone: &str, days: &[Weekday], from: &str, until: &str, at: &str) -> bool {
        let window = DailyWindow { days: days.to_vec(), from: from.into(), until: until.into() };
        let (holidays, holiday_windows) = (Vec::new(), Vec::new());
        let schedule = Schedule { time_zone: zone.into(), windows: vec![window], holidays, holiday_windows };
        Calendar::new(&schedule).unwrap().armed(at.parse().unwrap())
    }

    #[test]
    fn window_over_midnight_belongs_to_the_day_it_starts_on() {
        let friday = [Weekday::Fri];
        let night = |at| armed("Asia/Shanghai", &friday, "22:00", "06:00", at);
        assert!(night("2026-03-06T22:00:00+08:00"));
        assert!(night("2026-03-07T05:59:59+08:00"), "Saturday morning is part of Friday night");
        assert!(!night("2026-03-06T05:00:00+08:00"));
        assert!(!night("2026-03-07T22:00:00+08:00"));
        assert!(!night("2026-03-07T06:00:00+08:00"));
    }

    #[test]
    fn holidays_have_windows_of_their_own() {
        let window = |from: &str, until: &str| DailyWindow { days: vec![], from: from.into(), until: until.into() };
        let schedule = Schedule {
            time_zone: "Asia/Shanghai".into(),
            windows: vec![window("22:00", "06:00")],
            holidays: vec!["2026-10-02".into(), "2026-10-01".into()],
            holiday_windows: vec![window("12:00", "13:00")],
        };
        let calendar = Calendar::new(&schedule).unwrap();
        let armed = |at: &str| calendar.armed(at.parse().unwrap());
        assert!(armed("2026-09-30T23:00:00+08:00"));
        assert!(armed("2026-10-01T05:00:00+08:00"), "the night before belongs to the day it starts on");
        assert!(armed("2026-10-01T12:30:00+08:00") && !armed("2026-10-01T23:00:00+08:00"));
        assert!(!armed("2026-10-03T05:00:00+08:00") && armed("2026-10-03T23:00:00+08:00"));
        assert_eq!((date("2026-02-30"), date("2026-1-1"), date("today")), (None, None, None));
    }

    #[test]
    fn local_time_follows_daylight_saving() {
        let office = |at| armed("Europe/Berlin", &[], "08:00", "09:00", at);
        assert!(office("2026-01-15T07:30:00Z") && !office("2026-01-15T06:30:00Z"));
        assert!(office("2026-07-15T06:30:00Z") && !office("2026-07-15T07:30:00Z"));
    }

    #[test]
    fn equal_ends_are_a_whole_day() {
        assert!(armed("UTC", &[], "08:00", "08:00", "2026-01-15T03:00:00Z"));
        assert!(armed("UTC", &[], "00:00", "24:00", "2026-01-15T23:59:59Z"));
    }

    #[test]
    fn times_that_are_none_are_refused() {
        for wrong in ["8:00", "24:01", "12:60", "noon", "12:5", "-1:00", "+1:00", ""] {
            assert_eq!(minutes(wrong), None, "{wrong}");
        }
        assert!(time_zone("Asia/Shanghia").is_none());
    }
}
