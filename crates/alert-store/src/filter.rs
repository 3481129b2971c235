mod inside;

use vedette_alerts::{Decision, StoredAlert};
use vedette_core::{AddressPrefix, AlertStatus, CameraId, ResponsibleRef, RuleId, RuleKind, Severity, Timestamp};

use super::conditions::Conditions;
use super::cursor::Cursor;
use super::session::Value;

/// The events to list, each by its lead. Empty fields do not restrict. An event passes when one of its alerts meets all
/// conditions of place, unit, kind, rule, camera and severity; its time is that of its lead.
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
    /// Of this rule, by its id.
    pub rule: Option<RuleId>,
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

    /// The conditions of place, unit, kind, camera and severity on alert `of` (empty, or its name and a dot), with their values.
    fn facts(&self, of: &str) -> Vec<(String, Vec<Value<'static>>)> {
        let mut facts: Vec<(String, Vec<Value<'static>>)> = Vec::new();
        let mut add = |term: String, values: Vec<Value<'static>>| facts.push((term, values));
        if let Some(prefix) = &self.code_prefix {
            // Codes are ASCII: everything that starts with the prefix sorts below prefix + DEL.
            let text = prefix.as_str();
            let values = vec![text.to_owned().into(), format!("{text}\u{7f}").into()];
            add(format!("{of}code >= ? AND {of}code < ?"), values);
        }
        if let Some(ResponsibleRef { kind, code }) = &self.responsible {
            let mut values: Vec<Value<'static>> = vec![code.clone().into()];
            values.extend(kind.clone().map(Value::from));
            let id = if of.is_empty() { "alert.id".to_owned() } else { format!("{of}id") };
            let and_kind = if kind.is_some() { " AND kind = ?" } else { "" };
            let units = "SELECT responsible.alert FROM responsible WHERE code = ?";
            add(format!("{id} IN ({units}{and_kind})"), values);
        }
        if let Some(kind) = self.kind {
            add(format!("{of}kind = ?"), vec![kind.as_str().to_owned().into()]);
        }
        if let Some(rule) = &self.rule {
            add(format!("{of}rule = ?"), vec![rule.as_str().to_owned().into()]);
        }
        if let Some(camera) = &self.camera {
            add(format!("{of}camera = ?"), vec![camera.as_str().to_owned().into()]);
        }
        if let Some(severity) = self.severity {
            add(format!("{of}severity = ?"), vec![(severity as i64).into()]);
        }
        facts
    }

    /// The `WHERE` clause (empty or starting with `WHERE`) and its values.
    fn conditions(&self) -> (String, Vec<Value<'static>>) {
        let mut conditions = Conditions::default();
        let mut add = |term: &str, values: Vec<Value<'static>>| conditions.add(term, values);
        for (term, values) in self.facts("") {
            add(&term, values);
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
            let values = vec![before.at.as_micros().into(), before.id.to_string().into()];
            add(&format!("({at}, {id}) < (?, ?)"), values);
        }
        conditions.clause()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::areas::Inside;
    use crate::entries::with_events_inside;
    use crate::sqlite::schema;
    use vedette_access::Areas;

    fn plan(statement: &str, values: Vec<Value<'static>>) -> Vec<String> {
        let folder = tempfile::TempDir::new().unwrap();
        let store = schema::open_writer(&folder.path().join("alerts.sqlite")).unwrap();
        let mut query = store.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
        let steps = query.query_map(rusqlite::params_from_iter(values), |row| row.get(3)).unwrap();
        steps.map(Result::unwrap).collect()
    }

    #[test]
    fn alerts_of_a_unit_are_found_by_index() {
        for unit in ["police:P01", "P01"] {
            let filter = AlertFilter { responsible: unit.parse().ok(), ..AlertFilter::default() };
            let (statement, values) = filter.statement(100);
            let plan = plan(&statement, values);
            assert!(plan.iter().any(|step| step.contains("responsible_by_unit")), "{plan:?}");
            assert!(!plan.iter().any(|step| step.starts_with("SCAN alert")), "{plan:?}");
        }
    }

    #[test]
    fn alerts_of_a_rule_are_read_in_the_order_of_an_index() {
        let filter = AlertFilter { rule: RuleId::new("gate").ok(), ..AlertFilter::default() };
        let (statement, values) = filter.statement(100);
        let plan = plan(&statement, values);
        assert!(plan.iter().any(|step| step.contains("alert_by_rule")), "{plan:?}");
        assert!(!plan.iter().any(|step| step.starts_with("SCAN alert") || step.contains("ORDER BY")), "{plan:?}");
    }

    #[test]
    fn alerts_of_an_area_are_read_in_the_order_of_an_index() {
        let before = Some(Cursor { at: Timestamp::from_micros(5), id: vedette_core::AlertId(7) });
        for (area, index) in [
            ("address:440304", "alert_by_district"),
            ("address:440304001", "alert_by_street"),
            ("address:440304001001", "alert_by_community"),
            ("group:gates", "SEARCH alert_group USING PRIMARY KEY (name=?"),
        ] {
            for filter in [AlertFilter::default(), AlertFilter { before, ..AlertFilter::default() }] {
                let mut values = Vec::new();
                let areas = Areas::Only([area.parse().unwrap()].into());
                let inside = Inside::new(&areas, &mut values).unwrap();
                let (statement, values) = filter.statement_inside(&inside, values, 100);
                let of_list = plan(&statement, values.clone());
                assert!(of_list.iter().any(|step| step.contains(index)), "{area}: {of_list:?}");
                assert!(!of_list.iter().any(|it| it.contains("SCAN alert") || it.contains("ORDER BY")), "{of_list:?}");
                // The other alerts of an event are found by the event, not among all of the area.
                let whole = plan(&with_events_inside(&statement, "DESC", &inside), values);
                let others = whole.iter().filter(|it| it.starts_with("SEARCH first") || it.starts_with("SEARCH it "));
                let others: Vec<&String> = others.collect();
                assert!(others.len() == 2 && others.iter().all(|it| it.contains("alert_by_event")), "{whole:?}");
            }
        }
    }
}
