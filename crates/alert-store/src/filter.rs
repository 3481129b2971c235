use std::fmt;
use std::str::FromStr;

use vedette_alerts::{Decision, StoredAlert};
use vedette_core::{AddressPrefix, AlertId, AlertStatus, CameraId, ResponsibleRef, RuleKind, Severity, Timestamp};

use super::session::Value;

/// The events to list, each by its lead. Empty fields do not restrict. An event passes when one of its alerts meets all
/// conditions of place, unit, kind, camera and severity; its time is that of its lead.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlertFilter {
    /// List every alert by itself, including views of events; each is then filtered on its own.
    pub each: bool,
    /// Inside this address entity (by the likeliest address).
    pub code_prefix: Option<AddressPrefix>,
    /// At a place that this unit is responsible for.
    pub responsible: Option<ResponsibleRef>,
    /// Of this kind.
    pub kind: Option<RuleKind>,
    /// Of this camera.
    pub camera: Option<CameraId>,
    /// Of exactly this severity.
    pub severity: Option<Severity>,
    /// Raised at or after.
    pub from: Option<Timestamp>,
    /// Raised before.
    pub until: Option<Timestamp>,
    /// Open or ended; an event is open as long as one of its alerts is.
    pub status: Option<AlertStatus>,
    /// With this verdict; one on any of its alerts counts for the event.
    pub verdict: Option<VerdictFilter>,
    /// At most this many; 0 means 100, and 1000 is the most.
    pub limit: u32,
    /// Continue after this one: the `next` of the previous page.
    pub before: Option<Cursor>,
}

/// Filter by verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerdictFilter {
    /// None yet.
    Unreviewed,
    /// This one.
    Is(Decision),
}

/// A page of a list, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertPage {
    /// The alerts, by descending raising time, then by descending id; leads of events unless each alert was requested.
    pub alerts: Vec<StoredAlert>,
    /// Where the next page starts; none when this is the last.
    pub next: Option<Cursor>,
}

/// A position in the list of alerts. It stays valid when alerts are added or removed. As text `<microseconds>.<alert id>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Raising time of the last alert seen.
    pub raised: Timestamp,
    /// Its id.
    pub id: AlertId,
}

/// The text is not a cursor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a cursor; pass the `next` of the previous page unchanged")]
pub struct CursorError(String);

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.raised.as_micros(), self.id)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;
    fn from_str(text: &str) -> Result<Self, CursorError> {
        let parse = || {
            let (micros, id) = text.split_once('.')?;
            Some(Self { raised: Timestamp::from_micros(micros.parse().ok()?), id: id.parse().ok()? })
        };
        parse().ok_or_else(|| CursorError(text.chars().take(80).collect()))
    }
}

impl AlertFilter {
    /// The page size.
    #[must_use]
    pub fn page_size(&self) -> u32 {
        if self.limit == 0 { 100 } else { self.limit.min(1000) }
    }

    /// The statement that selects, newest first, list position (`at`, `id`) and event (`event_us`, `event`) of the entries,
    /// and its values.
    pub(super) fn statement(&self, at_most: i64) -> (String, Vec<Value<'static>>) {
        let (conditions, mut values) = self.conditions();
        values.push(at_most.into());
        let (at, id) = self.key();
        // Several alerts of an event may pass.
        let distinct = if self.each { "" } else { "DISTINCT" };
        let sql = format!(
            "SELECT {distinct} {at} AS at, {id} AS id, event_us, event FROM alert {conditions}
             ORDER BY {at} DESC, {id} DESC LIMIT ?{}",
            values.len()
        );
        (sql, values)
    }

    /// The columns of the list position.
    const fn key(&self) -> (&'static str, &'static str) {
        if self.each { ("raised_us", "alert.id") } else { ("event_us", "event") }
    }

    /// A condition that an alert of the event meets `condition`, or that none does.
    fn any(&self, condition: &str, none: bool) -> String {
        if self.each {
            return condition.to_owned();
        }
        let not = if none { "NOT " } else { "" };
        format!(
            "{not}EXISTS (SELECT 1 FROM alert AS one WHERE one.event_us = alert.event_us AND one.event = alert.event
                          AND one.{condition})"
        )
    }

    /// The `WHERE` clause (empty or starting with `WHERE`) and its values.
    fn conditions(&self) -> (String, Vec<Value<'static>>) {
        let mut terms: Vec<String> = Vec::new();
        let mut values: Vec<Value<'static>> = Vec::new();
        // Each `?` of a term is the next value.
        let mut add = |term: &str, these: Vec<Value<'static>>| {
            let mut parts = term.split('?');
            let mut numbered = parts.next().unwrap_or_default().to_owned();
            for (part, value) in parts.zip(these) {
                values.push(value);
                numbered.push_str(&format!("?{}{part}", values.len()));
            }
            terms.push(numbered);
        };
        if let Some(prefix) = &self.code_prefix {
            // Codes are ASCII: everything that starts with the prefix sorts below prefix + DEL.
            let text = prefix.as_str();
            add("code >= ? AND code < ?", vec![text.to_owned().into(), format!("{text}\u{7f}").into()]);
        }
        if let Some(ResponsibleRef { kind, code }) = &self.responsible {
            let mut values: Vec<Value<'static>> = vec![code.clone().into()];
            values.extend(kind.clone().map(Value::from));
            let term = match kind {
                Some(_) => "alert.id IN (SELECT responsible.alert FROM responsible WHERE code = ? AND kind = ?)",
                None => "alert.id IN (SELECT responsible.alert FROM responsible WHERE code = ?)",
            };
            add(term, values);
        }
        if let Some(kind) = self.kind {
            add("kind = ?", vec![kind.as_str().to_owned().into()]);
        }
        if let Some(camera) = &self.camera {
            add("camera = ?", vec![camera.as_str().to_owned().into()]);
        }
        if let Some(severity) = self.severity {
            add("severity = ?", vec![(severity as i64).into()]);
        }
        let (at, id) = self.key();
        if let Some(from) = self.from {
            add(&format!("{at} >= ?"), vec![from.as_micros().into()]);
        }
        if let Some(until) = self.until {
            add(&format!("{at} < ?"), vec![until.as_micros().into()]);
        }
        if let Some(status) = self.status {
            // An event ends with the last of its alerts.
            let all = !self.each && status == AlertStatus::Ended;
            let asked = if all { AlertStatus::Open } else { status };
            add(&self.any("status = ?", all), vec![asked.as_str().to_owned().into()]);
        }
        match self.verdict {
            None => {}
            Some(VerdictFilter::Unreviewed) if self.each => add("verdict IS NULL", vec![]),
            Some(VerdictFilter::Unreviewed) => add(&self.any("verdict IS NOT NULL", true), vec![]),
            Some(VerdictFilter::Is(decision)) => {
                add(&self.any("verdict = ?", false), vec![decision.as_str().to_owned().into()]);
            }
        }
        if let Some(before) = self.before {
            let values = vec![before.raised.as_micros().into(), before.id.to_string().into()];
            add(&format!("({at}, {id}) < (?, ?)"), values);
        }
        let clause = if terms.is_empty() { String::new() } else { format!("WHERE {}", terms.join(" AND ")) };
        (clause, values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::schema;

    #[test]
    fn alerts_of_a_unit_are_found_by_index() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = schema::open_writer(&folder.path().join("alerts.sqlite")).unwrap();
        for unit in ["police:P01", "P01"] {
            let filter = AlertFilter { responsible: unit.parse().ok(), ..AlertFilter::default() };
            let (statement, values) = filter.statement(100);
            let sql = format!("EXPLAIN QUERY PLAN {statement}");
            let mut query = store.prepare(&sql).unwrap();
            let plan: Vec<String> = query
                .query_map(rusqlite::params_from_iter(values), |row| row.get(3))
                .unwrap()
                .map(Result::unwrap)
                .collect();
            assert!(plan.iter().any(|step| step.contains("responsible_by_unit")), "{plan:?}");
            assert!(!plan.iter().any(|step| step.starts_with("SCAN alert")), "{plan:?}");
        }
    }
}
