use serde::{Deserialize, Serialize};

/// Day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// A daily time window on some days of the week. `until` before or equal to `from` wraps past midnight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DailyWindow {
    /// Days on which the window starts; empty means every day.
    #[serde(default)]
    pub days: Vec<Weekday>,
    /// Local time `HH:MM`.
    pub from: String,
    /// Local time `HH:MM`.
    pub until: String,
}

/// When a rule is armed. Without a schedule it always is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// IANA time zone, for example `Asia/Shanghai`.
    pub time_zone: String,
    /// The rule is armed inside any of these.
    pub windows: Vec<DailyWindow>,
    /// Dates `YYYY-MM-DD` on which `holiday_windows` replace `windows`. A window that wraps past midnight belongs
    /// to the date it starts on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holidays: Vec<String>,
    /// When the rule is armed on holidays; never if empty. Their `days` are ignored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holiday_windows: Vec<DailyWindow>,
}
