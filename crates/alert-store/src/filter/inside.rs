//! The list of a caller who sees the alerts inside of areas only.

use vedette_core::{AlertStatus, Timestamp};

use super::{AlertFilter, VerdictFilter};
use crate::areas::{Branch, Inside};
use crate::conditions::numbered;
use crate::session::Value;

impl AlertFilter {
    /// As [`AlertFilter::statement`]: an event is its alerts inside, led by the first of them. `values` are those of `inside`.
    ///
    /// Each area has a branch of its own, which an index reads in the order of the list.
    pub(crate) fn statement_inside(
        &self,
        inside: &Inside,
        mut values: Vec<Value<'static>>,
        at_most: i64,
    ) -> (String, Vec<Value<'static>>) {
        let mut number = |value: Value<'static>| {
            values.push(value);
            format!("?{}", values.len())
        };
        let limit = number(at_most.into());
        let mut time = |at: Option<Timestamp>| at.map(|at| number(at.as_micros().into()));
        let (from, until) = (time(self.from), time(self.until));
        let before = self.before.map(|before| {
            [before.at.as_micros().into(), before.id.to_string().into()].map(|value: Value<'static>| {
                values.push(value);
                format!("?{}", values.len())
            })
        });
        let mut same = self.of_event(inside, &mut values);
        let whole = self.each && !same.is_empty();
        if !self.each {
            // The lead of the whole event is the first one for everybody who sees it: that is told without a search.
            same.push(format!(
                "(alert.event = alert.id OR NOT EXISTS
                     (SELECT 1 FROM alert AS first WHERE first.event_us = alert.event_us AND first.event = alert.event
                         AND (first.raised_us, first.id) < (alert.raised_us, alert.id) AND {}))",
                inside.alert("first")
            ));
        }
        let select = |Branch { from: source, condition, key: (at, id) }: Branch| {
            let mut terms = vec![condition];
            terms.extend(from.as_ref().map(|from| format!("{at} >= {from}")));
            terms.extend(until.as_ref().map(|until| format!("{at} < {until}")));
            terms.extend(before.as_ref().map(|[time, alert]| format!("({at}, {id}) < ({time}, {alert})")));
            terms.extend(same.iter().cloned());
            format!(
                "SELECT {at} AS at, {id} AS id, alert.event_us, alert.event FROM {source} WHERE {}
                 ORDER BY {at} DESC, {id} DESC LIMIT {limit}",
                terms.join(" AND ")
            )
        };
        let mut branches: Vec<String> = inside.branches(whole).into_iter().map(select).collect();
        if branches.len() == 1 {
            return (branches.remove(0), values);
        }
        let branches: Vec<String> = branches
            .into_iter()
            .enumerate()
            .map(|(at, branch)| format!("SELECT * FROM ({branch}) AS area_{at}"))
            .collect();
        // An alert may lie in several areas.
        let sql = format!(
            "SELECT DISTINCT at, id, event_us, event FROM ({}) AS areas ORDER BY at DESC, id DESC LIMIT {limit}",
            branches.join(" UNION ALL ")
        );
        (sql, values)
    }

    /// The conditions on the event, or on the alert if each is listed.
    fn of_event(&self, inside: &Inside, values: &mut Vec<Value<'static>>) -> Vec<String> {
        let mut terms = Vec::new();
        let some = |condition: &str| {
            format!(
                "EXISTS (SELECT 1 FROM alert AS one WHERE one.event_us = alert.event_us AND one.event = alert.event
                     AND {} AND {condition})",
                inside.alert("one")
            )
        };
        let of = if self.each { "alert." } else { "one." };
        let facts: Vec<String> =
            self.facts(of).into_iter().map(|(term, of_term)| numbered(&term, of_term, values)).collect();
        if !facts.is_empty() {
            let facts = facts.join(" AND ");
            terms.push(if self.each { facts } else { some(&facts) });
        }
        if let Some(status) = self.status {
            // An event ends with the last of its alerts.
            let none_open = !self.each && status == AlertStatus::Ended;
            let asked = if none_open { AlertStatus::Open } else { status };
            let term = numbered(&format!("{of}status = ?"), [asked.as_str().to_owned().into()], values);
            terms.push(match (self.each, none_open) {
                (true, _) => term,
                (false, false) => some(&term),
                (false, true) => format!("NOT {}", some(&term)),
            });
        }
        match self.verdict {
            None => {}
            Some(VerdictFilter::Unreviewed) if self.each => terms.push("alert.verdict IS NULL".into()),
            Some(VerdictFilter::Unreviewed) => terms.push(format!("NOT {}", some("one.verdict IS NOT NULL"))),
            Some(VerdictFilter::Is(decision)) => {
                let word = [decision.as_str().to_owned().into()];
                let term = numbered(&format!("{of}verdict = ?"), word, values);
                terms.push(if self.each { term } else { some(&term) });
            }
        }
        terms
    }
}
